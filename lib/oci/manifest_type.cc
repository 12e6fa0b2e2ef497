// SPDX-License-Identifier: Apache-2.0
#include "oci/manifest_type.h"

#include <algorithm>
#include <vector>

#include "base/error.h"

namespace sluice::oci {
namespace {

// The type that the document itself implies.
std::string TypeInside(ConstBytes bytes, std::string_view what) {
  return KindOf(bytes, what) == DocumentKind::kIndex ? ParseIndex(bytes, what).media_type
                                                     : ParseManifest(bytes, what).media_type;
}

std::string StatedType(const http::ResponseHead& head) {
  std::string_view type = head.Find("Content-Type").value_or("");
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  return std::string(type);
}

}  // namespace

DocumentKind KindOfMediaType(std::string_view type) {
  if (type == media_type::kManifest || type == media_type::kDockerManifest) return DocumentKind::kManifest;
  if (type == media_type::kIndex || type == media_type::kDockerIndex) return DocumentKind::kIndex;
  Throw(Errc::kUnsupported, "a document of type '{}' is no image", type);
}

StoredManifest CheckManifest(const http::Document& document, const std::optional<Digest>& expected) {
  const std::string what = "'" + document.url.ForMessages() + "'";
  const ConstBytes bytes = AsBytes(document.body);
  StoredManifest manifest{.digest = DigestOf(DigestAlgorithm::kSha256, bytes)};
  if (expected && manifest.digest != *expected)
    Throw(Errc::kCorrupt, "{}: manifest is {}, not {}", what, FormatDigest(manifest.digest), FormatDigest(*expected));
  if (const auto stated = document.head.Find("Docker-Content-Digest"); stated && !expected) {
    std::optional<Digest> digest;
    try {
      digest = ParseDigest(*stated);
    } catch (const Error& error) {
      // Another algorithm than ours is no contradiction.
      if (error.code() != Errc::kUnsupported) Throw(Errc::kCorrupt, "{}: states a malformed digest", what);
    }
    if (digest && manifest.digest != *digest)
      Throw(Errc::kCorrupt, "{}: manifest is {}, the server says {}", what, FormatDigest(manifest.digest),
            FormatDigest(*digest));
  }
  const std::string inside = TypeInside(bytes, what);
  const std::string stated = StatedType(document.head);
  const bool is_manifest_type = std::ranges::find(kManifestTypes, stated) != kManifestTypes.end();
  if (is_manifest_type && stated != inside)
    Throw(Errc::kCorrupt, "{}: of type '{}', the server says '{}'", what, inside, stated);
  manifest.media_type = inside;
  manifest.bytes.assign(bytes.begin(), bytes.end());
  return manifest;
}

std::string ReferrersTag(const Digest& digest) { return "sha256-" + digest.Hex(); }

}  // namespace sluice::oci
