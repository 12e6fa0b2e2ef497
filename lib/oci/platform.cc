// SPDX-License-Identifier: Apache-2.0
// Platform of oci/documents.h: its text form, the host's, and the choice among the images of an index.
#include <algorithm>
#include <vector>

#include "base/error.h"
#include "oci/documents.h"
#include "oci/media_types.h"

namespace sluice::oci {
namespace {

// The names of Go's GOARCH, as image-spec config.md asks for.
#if defined(__x86_64__)
constexpr std::string_view kHostArchitecture = "amd64";
#elif defined(__aarch64__)
constexpr std::string_view kHostArchitecture = "arm64";
#elif defined(__riscv) && __riscv_xlen == 64
constexpr std::string_view kHostArchitecture = "riscv64";
#elif defined(__powerpc64__)
constexpr std::string_view kHostArchitecture = "ppc64le";
#elif defined(__loongarch64)
constexpr std::string_view kHostArchitecture = "loong64";
#else
#error "add the GOARCH name of this processor"
#endif

// arm64 has had one variant so far, which many tools leave out.
std::string_view EffectiveVariant(const Platform& platform) {
  if (platform.architecture == "arm64" && platform.variant.empty()) return "v8";
  return platform.variant;
}

bool Fits(const Platform& have, const Platform& want) {
  return have.os == want.os && have.architecture == want.architecture &&
         (want.variant.empty() || EffectiveVariant(have) == EffectiveVariant(want));
}

bool IsConverted(const Platform& platform) {
  return std::ranges::find(platform.os_features, kNydusOsFeature) != platform.os_features.end();
}

}  // namespace

Platform Platform::Parse(std::string_view text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == '/') {
      parts.emplace_back();
    } else {
      parts.back().push_back(c);
    }
  }
  const auto empty = [](const std::string& part) { return part.empty(); };
  if (parts.size() < 2 || parts.size() > 3 || std::ranges::any_of(parts, empty))
    Throw(Errc::kInvalidArgument, "platform '{}' is not of the form os/architecture[/variant]", text);
  Platform platform{.os = parts[0], .architecture = parts[1]};
  if (parts.size() == 3) platform.variant = parts[2];
  return platform;
}

Platform Platform::Host() { return Platform{.os = "linux", .architecture = std::string(kHostArchitecture)}; }

std::string Platform::ToString() const {
  std::string text = os + "/" + architecture;
  if (!variant.empty()) text += "/" + variant;
  return text;
}

const Descriptor& Select(const Index& index, const ImageChoice& choice, std::string_view what) {
  if (!choice.platform && index.manifests.size() == 1) return index.manifests.front();
  const Platform platform = choice.platform.value_or(Platform::Host());
  const Descriptor* other = nullptr;
  std::string present;
  for (const Descriptor& entry : index.manifests) {
    if (!entry.platform) {
      if (index.manifests.size() == 1) return entry;
      continue;
    }
    if (Fits(*entry.platform, platform)) {
      if (IsConverted(*entry.platform) == (choice.prefer == Prefer::kConverted)) return entry;
      if (other == nullptr) other = &entry;
    }
    present += (present.empty() ? "" : ", ") + entry.platform->ToString();
  }
  if (other != nullptr) return *other;
  Throw(Errc::kNotFound, "{}: no image for {}; there are: {}", what, platform.ToString(),
        present.empty() ? "none" : present);
}

}  // namespace sluice::oci
