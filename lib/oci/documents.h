// SPDX-License-Identifier: Apache-2.0
#pragma once
// The JSON documents of an image as values: index, manifest, config.  Pure: text in, values out and back.
//
// Every parser throws kCorrupt, naming `what` and the field, for: more than kMaxDocumentBytes, nesting deeper than
// kMaxDocumentDepth, a key that occurs twice in one object, a size that is negative, absent or no integer, a digest
// that is not "sha256:" and 64 lower-case hexadecimal characters, a document that has both `manifests` and `layers`
// (CVE-2021-41190).  A digest that was parsed is safe as a file name.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/limits.h"

namespace sluice::oci {

constexpr uint64_t kMaxDocumentBytes = 8 * kMiB;
constexpr size_t kMaxDocumentDepth = 64;
constexpr size_t kMaxLayers = 1024;  // of one manifest

using Annotations = std::map<std::string, std::string, std::less<>>;

// "sha256:<64 hex>".  ParseDigest throws kInvalidArgument, for other algorithms kUnsupported.
Digest ParseDigest(std::string_view text);
std::string FormatDigest(const Digest& digest);

struct Platform {
  std::string os;
  std::string architecture;
  std::string variant;  // empty: none
  std::vector<std::string> os_features;

  // "linux/arm64/v8"; throws kInvalidArgument.  Only os and architecture are required.
  static Platform Parse(std::string_view text);
  // Linux on the processor that this program was built for.
  static Platform Host();
  std::string ToString() const;
  bool operator==(const Platform&) const = default;
};

struct Descriptor {
  std::string media_type;
  Digest digest;  // sha256 of the stored bytes
  uint64_t size = 0;
  Annotations annotations;
  std::optional<Platform> platform;
  std::optional<std::string> artifact_type;
  bool operator==(const Descriptor&) const = default;
};

struct Index {
  std::string media_type;
  std::vector<Descriptor> manifests;
  Annotations annotations;
  bool operator==(const Index&) const = default;
};

struct Manifest {
  std::string media_type;
  Descriptor config;
  std::vector<Descriptor> layers;
  Annotations annotations;
  std::optional<Descriptor> subject;         // the manifest that this one says something about
  std::optional<std::string> artifact_type;  // what it is, if no image
  bool operator==(const Manifest&) const = default;
};

struct HistoryEntry {
  std::string created;  // RFC 3339; empty: none
  std::string created_by;
  std::string author;
  std::string comment;
  bool empty_layer = false;
  bool operator==(const HistoryEntry&) const = default;
};

struct ImageConfig {
  Platform platform;
  std::vector<Digest> diff_ids;  // sha256 of each layer's tar
  std::vector<HistoryEntry> history;
  // The whole document as parsed: Serialize puts the fields above into it and keeps all others (Env, Cmd, Labels, …).
  std::string document = "{}";
};

Index ParseIndex(ConstBytes json, std::string_view what);
Manifest ParseManifest(ConstBytes json, std::string_view what);
ImageConfig ParseConfig(ConstBytes json, std::string_view what);

// What a document without a trustworthy media type is.  Throws kCorrupt when it is neither, or both.
enum class DocumentKind { kIndex, kManifest };
DocumentKind KindOf(ConstBytes json, std::string_view what);

// Deterministic: keys in byte order, no white space; what is empty is left out.
std::string Serialize(const Index& index);
std::string Serialize(const Manifest& manifest);
std::string Serialize(const ImageConfig& config);

// One member of docker save's manifest.json.  Paths are names in the archive, already checked to stay inside.
struct DockerImage {
  std::string config_path;
  std::vector<std::string> repo_tags;
  std::vector<std::string> layer_paths;
};
std::vector<DockerImage> ParseDockerManifest(ConstBytes json, std::string_view what);

// Which image of an index is meant.
enum class Prefer { kOrdinary, kConverted };
struct ImageChoice {
  // No platform: the host's, or the only one that there is.
  ImageChoice(std::optional<Platform> wanted = std::nullopt, Prefer preferred = Prefer::kOrdinary)
      : platform(std::move(wanted)), prefer(preferred) {}
  std::optional<Platform> platform;
  Prefer prefer;  // of two that fit; converted ones are marked in os.features
};

// The entry of `index`: same os and architecture, and the variant if one is asked for (an entry's variant "v8" counts
// as none for arm64).  An entry without a platform is taken only when it is the only one.  Throws kNotFound with the
// platforms that are there.
const Descriptor& Select(const Index& index, const ImageChoice& choice, std::string_view what);

}  // namespace sluice::oci
