// SPDX-License-Identifier: Apache-2.0
#pragma once
// What every target writes around the blobs.  Internal to oci.

#include <string>
#include <string_view>

#include "oci/image_target.h"

namespace sluice::oci {

// image-spec image-layout.md, "oci-layout file".
constexpr std::string_view kLayoutVersionDocument = R"({"imageLayoutVersion":"1.0.0"})";

// The entry of index.json for a manifest; an empty tag gives it no name.
Descriptor IndexEntry(const StoredManifest& manifest, const std::optional<Platform>& platform, const std::string& tag);

}  // namespace sluice::oci
