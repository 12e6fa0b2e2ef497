// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a registry's answer is: manifest or index, of which type and digest.  Pure.  Internal to oci.

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "http/fetch.h"
#include "oci/documents.h"
#include "oci/media_types.h"
#include "oci/repository.h"

namespace sluice::oci {

// What we ask for; schema 1 is not among them.
inline constexpr std::array kManifestTypes = {media_type::kManifest, media_type::kIndex, media_type::kDockerManifest,
                                              media_type::kDockerIndex};
constexpr int kMaxIndexNesting = 4;  // of indexes in indexes

// Throws kUnsupported for other types.
DocumentKind KindOfMediaType(std::string_view media_type);

// Checks bytes against `expected`, the digest that the server states, and the type that it states; of a server that
// states no type of a manifest, the document's own counts.  Throws kCorrupt, kUnsupported.
StoredManifest CheckManifest(const http::Document& document, const std::optional<Digest>& expected);

// Where registries without a referrers API keep them: "sha256-<hex>" (distribution-spec, "Referrers Tag Schema").
std::string ReferrersTag(const Digest& digest);

}  // namespace sluice::oci
