// SPDX-License-Identifier: Apache-2.0
#pragma once
// An image that can be read, wherever it is: its config and its layers.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.h"
#include "oci/documents.h"
#include "oci/layer_reader.h"
#include "oci/reference.h"
#include "oci/registry_options.h"

namespace sluice::oci {

struct SourceLayer {
  std::string name;  // for messages: "layer 3 (sha256:…)" or the path of a file
  // The descriptor of the manifest, if the image has one; of docker-archive, tar and rootfs it has only what is known.
  std::string media_type;
  std::optional<Digest> digest;         // of the stored bytes
  std::optional<uint64_t> stored_size;  // bytes
  std::optional<Digest> diff_id;        // of the tar
  Annotations annotations;
};

// Blocks: call from a tool's main thread or in Offload.  Not thread-safe; several layers may be open at once.
class ImageSource {
 public:
  virtual ~ImageSource() = default;

  // tar: and rootfs: have a config made up: the platform asked for, no history, and no diff ids.
  const ImageConfig& config() const noexcept { return config_; }
  const std::vector<SourceLayer>& layers() const noexcept { return layers_; }
  const Annotations& annotations() const noexcept { return annotations_; }  // of the manifest

  // `index` is below layers().size().  The reader does not outlive the source.
  virtual std::unique_ptr<LayerReader> OpenLayer(size_t index) = 0;

 protected:
  ImageConfig config_;
  std::vector<SourceLayer> layers_;
  Annotations annotations_;
};

// `choice` is made among the images of an index.  `options` count for docker:.  Throws kNotFound when the place, the
// tag or the platform does not exist, kUnsupported for rafs references.
std::unique_ptr<ImageSource> OpenImage(const Reference& reference, const ImageChoice& choice,
                                       const RegistryOptions& options = {});

}  // namespace sluice::oci
