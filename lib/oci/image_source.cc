// SPDX-License-Identifier: Apache-2.0
#include "oci/image_source.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "oci/directory_layer.h"
#include "oci/file_source.h"
#include "oci/media_types.h"
#include "oci/stored_image.h"
#include "oci/tar_index.h"
#include "oci/tar_layer.h"

namespace sluice::oci {
namespace {

// Layers that are tar files; whether and how they are compressed shows in their first bytes.
constexpr std::array kTarLayers = {media_type::kLayerTar,
                                   media_type::kLayerGzip,
                                   media_type::kLayerZstd,
                                   media_type::kDockerLayerTar,
                                   media_type::kDockerLayerGzip,
                                   media_type::kDockerForeignLayerGzip,
                                   media_type::kNondistributableTar,
                                   media_type::kNondistributableGzip,
                                   media_type::kNondistributableZstd};

std::unique_ptr<LayerReader> OpenPart(const SourceLayer& layer, const std::optional<FilePart>& part) {
  if (!part) Throw(Errc::kNotFound, "{} is missing", layer.name);
  if (layer.stored_size && *layer.stored_size != part->range.length)
    Throw(Errc::kCorrupt, "{} has {} bytes instead of {}", layer.name, part->range.length, *layer.stored_size);
  LayerExpectations expected{.digest = layer.digest, .stored_size = layer.stored_size, .diff_id = layer.diff_id};
  return OpenTarLayer(std::make_unique<FileSource>(*part), layer.name, std::move(expected));
}

void CheckPlatform(const ImageConfig& config, const std::optional<Platform>& platform, const std::string& what) {
  if (platform && (config.platform.os != platform->os || config.platform.architecture != platform->architecture))
    Throw(Errc::kNotFound, "{} is for {}, not for {}", what, config.platform.ToString(), platform->ToString());
}

void CheckLayerCount(const ImageConfig& config, size_t layers, const std::string& what) {
  if (config.diff_ids.size() != layers)
    Throw(Errc::kCorrupt, "{} has {} layers, its config {} diff ids", what, layers, config.diff_ids.size());
}

// An image with a manifest, wherever that is stored.
class ManifestImage final : public ImageSource {
 public:
  ManifestImage(std::unique_ptr<StoredImage> stored, const std::optional<Platform>& platform)
      : stored_(std::move(stored)) {
    const Manifest& manifest = stored_->image().manifest;
    const std::string what = stored_->name() + ": image " + FormatDigest(stored_->image().descriptor.digest);
    if (manifest.config.media_type != media_type::kConfig && manifest.config.media_type != media_type::kDockerConfig)
      Throw(Errc::kUnsupported, "{} has a config of type '{}'", what, manifest.config.media_type);
    config_ = ParseConfig(stored_->GetBlob(manifest.config, kMaxDocumentBytes), what + ": config");
    CheckPlatform(config_, platform, what);
    CheckLayerCount(config_, manifest.layers.size(), what);
    annotations_ = manifest.annotations;
    for (size_t i = 0; i < manifest.layers.size(); ++i) {
      const Descriptor& layer = manifest.layers[i];
      layers_.push_back(
          {.name = fmt::format("layer {} of {} ({})", i + 1, manifest.layers.size(), FormatDigest(layer.digest)),
           .media_type = layer.media_type,
           .digest = layer.digest,
           .stored_size = layer.size,
           .diff_id = config_.diff_ids[i],
           .annotations = layer.annotations});
    }
  }

  std::unique_ptr<LayerReader> OpenLayer(size_t index) override {
    const SourceLayer& layer = layers_.at(index);
    if (std::ranges::find(kTarLayers, layer.media_type) == kTarLayers.end())
      Throw(Errc::kUnsupported, "{} is of type '{}'", layer.name, layer.media_type);
    const std::vector<Descriptor>& blobs = stored_->image().manifest.layers;
    // Layers are mostly read in order, from the first on.
    if (index == 0) stored_->Announce(blobs);
    LayerExpectations expected{.digest = layer.digest, .stored_size = layer.stored_size, .diff_id = layer.diff_id};
    std::unique_ptr<codec::ByteSource> bytes;
    try {
      bytes = stored_->OpenBlob(blobs[index]);
    } catch (Error& e) {
      e.AddContext(layer.name);
      throw;
    }
    return OpenTarLayer(std::move(bytes), layer.name, std::move(expected));
  }

 private:
  const std::unique_ptr<StoredImage> stored_;
};

// docker save: manifest.json names the config and the layers of each image.  Layers are plain tars, or links to them.
class DockerArchive final : public ImageSource {
 public:
  DockerArchive(const std::string& path, const std::string& tag, const std::optional<Platform>& platform)
      : files_(path) {
    const std::string what = "'" + path + "'";
    const auto images = ParseDockerManifest(ReadDocument("manifest.json", what), what + ": manifest.json");
    const DockerImage& image = Select(images, tag, what);
    config_ = ParseConfig(ReadDocument(image.config_path, what), what + ": " + image.config_path);
    CheckPlatform(config_, platform, what);
    CheckLayerCount(config_, image.layer_paths.size(), what);
    for (size_t i = 0; i < image.layer_paths.size(); ++i) {
      paths_.push_back(image.layer_paths[i]);
      layers_.push_back(
          {.name = fmt::format("layer {} of {} ({})", i + 1, image.layer_paths.size(), image.layer_paths[i]),
           .media_type = std::string(media_type::kDockerLayerTar),
           .diff_id = config_.diff_ids[i]});
    }
  }

  std::unique_ptr<LayerReader> OpenLayer(size_t index) override {
    return OpenPart(layers_.at(index), files_.Find(paths_.at(index)));
  }

 private:
  std::vector<std::byte> ReadDocument(const std::string& name, const std::string& what) const {
    const auto part = files_.Find(name);
    if (!part) Throw(Errc::kCorrupt, "{} is not an archive of docker save: it has no {}", what, name);
    if (part->range.length > kMaxDocumentBytes)
      Throw(Errc::kCorrupt, "{}: {} has {} bytes, more than {}", what, name, part->range.length, kMaxDocumentBytes);
    return ReadWhole(*part);
  }

  static const DockerImage& Select(const std::vector<DockerImage>& images, const std::string& tag,
                                   const std::string& what) {
    std::string tags;
    for (const DockerImage& image : images) {
      for (const std::string& name : image.repo_tags) {
        if (!tag.empty() && name == tag) return image;
        tags += (tags.empty() ? "" : ", ") + name;
      }
    }
    if (tag.empty() && images.size() == 1) return images.front();
    if (tags.empty()) tags = "none with a name";
    if (tag.empty()) Throw(Errc::kNotFound, "{} has {} images, name one of: {}", what, images.size(), tags);
    Throw(Errc::kNotFound, "{} has no image '{}'; there are: {}", what, tag, tags);
  }

  const TarIndex files_;
  std::vector<std::string> paths_;
};

// A tree without an image around it: one layer, and a config made up.
class BareLayer final : public ImageSource {
 public:
  BareLayer(const Reference& reference, const std::optional<Platform>& platform) : reference_(reference) {
    config_.platform = platform.value_or(Platform::Host());
    layers_.push_back({.name = "'" + reference.path + "'", .media_type = std::string(media_type::kLayerTar)});
    // Whether it is there shows now, not in the middle of a conversion.
    first_ = Open();
  }

  std::unique_ptr<LayerReader> OpenLayer(size_t index) override {
    (void)layers_.at(index);
    return first_ ? std::move(first_) : Open();
  }

 private:
  std::unique_ptr<LayerReader> Open() const {
    if (reference_.transport == Transport::kRootfs) return OpenDirectoryLayer(reference_.path);
    return OpenPart(layers_.front(), Whole(InputFile::Open(reference_.path)));
  }

  const Reference reference_;
  std::unique_ptr<LayerReader> first_;
};

}  // namespace

std::unique_ptr<ImageSource> OpenImage(const Reference& reference, const ImageChoice& choice,
                                       const RegistryOptions& options) {
  switch (reference.transport) {
    case Transport::kDocker:
    case Transport::kOci:
    case Transport::kOciArchive:
      return std::make_unique<ManifestImage>(OpenStoredImage(reference, choice, options), choice.platform);
    case Transport::kDockerArchive:
      return std::make_unique<DockerArchive>(reference.path, reference.tag, choice.platform);
    case Transport::kRootfs:
    case Transport::kTar: return std::make_unique<BareLayer>(reference, choice.platform);
    case Transport::kRafs: break;
  }
  Throw(Errc::kUnsupported, "'{}' is not an image of layers", reference.ToString());
}

}  // namespace sluice::oci
