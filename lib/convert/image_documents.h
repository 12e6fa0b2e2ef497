// SPDX-License-Identifier: Apache-2.0
#pragma once
// The manifest and config of a converted image, in nydus's convention (nydus-snapshotter, pkg/converter): one layer per
// blob, the bootstrap last.

#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/digest.h"
#include "image/rafs/image.h"
#include "oci/documents.h"
#include "oci/image_target.h"

namespace sluice::convert {

// Where a bootstrap layer holds the bootstrap.
constexpr std::string_view kBootstrapPath = "image/image.boot";

struct BootstrapLayer {
  oci::Descriptor descriptor;
  Digest diff_id;
};

// Stores the bootstrap as the one file of a tar.gz layer.
BootstrapLayer PutBootstrapLayer(ConstBytes bootstrap, oci::ImageTarget& target);

oci::Descriptor BlobDescriptor(const image::rafs::Blob& blob);

// `source` with the layers of the converted image; everything else stays.  `layers` has the blob of each source layer,
// nullopt for those that brought no data.  A history that does not fit the source's layers is left out.
oci::ImageConfig ConvertedConfig(oci::ImageConfig source, const std::vector<std::optional<oci::Descriptor>>& layers,
                                 const BootstrapLayer& bootstrap);

// Stores `config` and returns the manifest that names it and the layers.
oci::Manifest PutConfig(const oci::ImageConfig& config, const std::vector<std::optional<oci::Descriptor>>& layers,
                        const BootstrapLayer& bootstrap, const oci::Annotations& annotations, oci::ImageTarget& target);

}  // namespace sluice::convert
