// SPDX-License-Identifier: Apache-2.0
#include "oci/reference.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"

namespace sluice::oci {
namespace {

constexpr std::array kTransports = {Transport::kOci,    Transport::kOciArchive, Transport::kDockerArchive,
                                    Transport::kRootfs, Transport::kTar,        Transport::kRafs,
                                    Transport::kDocker};

// Tags become annotations and parts of messages: what a registry reference may hold, and nothing else.
void CheckTag(std::string_view tag, std::string_view text) {
  constexpr size_t kMaxTagLength = 511;
  if (tag.empty()) Throw(Errc::kInvalidArgument, "image reference '{}' has nothing behind its last colon", text);
  const auto allowed = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("._-/:@+").find(c) != std::string_view::npos;
  };
  if (tag.size() > kMaxTagLength || !std::ranges::all_of(tag, allowed))
    Throw(Errc::kInvalidArgument,
          "image reference '{}' has a tag of other characters than A-Z a-z 0-9 . _ - / : @ +, "
          "or of more than {}",
          text, kMaxTagLength);
}

}  // namespace

std::string_view Name(Transport transport) noexcept {
  switch (transport) {
    case Transport::kOci: return "oci";
    case Transport::kOciArchive: return "oci-archive";
    case Transport::kDockerArchive: return "docker-archive";
    case Transport::kRootfs: return "rootfs";
    case Transport::kTar: return "tar";
    case Transport::kRafs: return "rafs";
    case Transport::kDocker: return "docker";
  }
  return "unknown";
}

Reference Reference::Parse(std::string_view text) {
  if (text.find('\0') != std::string_view::npos)
    Throw(Errc::kInvalidArgument, "image reference of {} bytes holds a NUL", text.size());
  const size_t colon = text.find(':');
  const std::string_view prefix = text.substr(0, colon);
  const auto transport = std::ranges::find(kTransports, prefix, [](Transport t) { return Name(t); });
  if (colon == std::string_view::npos || transport == kTransports.end())
    Throw(Errc::kInvalidArgument,
          "image reference '{}' does not start with docker://, oci:, oci-archive:, docker-archive:, rootfs:, tar: or "
          "rafs:",
          text);

  Reference reference{.transport = *transport};
  std::string_view place = text.substr(colon + 1);
  if (reference.transport == Transport::kDocker) {
    if (!place.starts_with("//")) Throw(Errc::kInvalidArgument, "image reference '{}' is not docker://NAME", text);
    reference.registry = RegistryReference::Parse(place.substr(2));
    return reference;
  }
  if (reference.transport != Transport::kRootfs && reference.transport != Transport::kTar) {
    const size_t end = place.find(':');
    if (end != std::string_view::npos) {
      const std::string_view rest = place.substr(end + 1);
      place = place.substr(0, end);
      if (reference.transport == Transport::kRafs) {
        if (rest.empty()) Throw(Errc::kInvalidArgument, "image reference '{}' has an empty blob directory", text);
        reference.blob_dir = rest;
      } else {
        CheckTag(rest, text);
        reference.tag = rest;
      }
    }
  }
  if (place.empty()) Throw(Errc::kInvalidArgument, "image reference '{}' names no file or directory", text);
  reference.path = place;
  return reference;
}

std::string Reference::ToString() const {
  if (registry) return "docker://" + registry->ToString();
  std::string text = std::string(Name(transport)) + ":" + path;
  if (!tag.empty()) text += ":" + tag;
  if (!blob_dir.empty()) text += ":" + blob_dir;
  return text;
}

}  // namespace sluice::oci
