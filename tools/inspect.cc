// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/error.h"
#include "commands.h"
#include "oci/image_source.h"
#include "oci/media_types.h"
#include "oci/reference.h"
#include "oci/stored_image.h"
#include "registry_flags.h"
#include "signal_hold.h"

namespace sluice::tools {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string image;
  TransferFlags registries;
  std::string platform;
  bool raw = false;
  bool config = false;
};

// Bytes from elsewhere, as they are.
void PrintBytes(ConstBytes bytes) { fmt::print("{}", AsText(bytes)); }

// Keys and values of other programs' making: whatever is no UTF-8 is replaced.
void PrintJson(const Json& document) {
  fmt::print("{}\n", document.dump(4, ' ', false, Json::error_handler_t::replace));
}

// What `docker build` has put into a config, in the names that skopeo gives it.
void AddConfig(Json& shown, const oci::ImageConfig& config) {
  const Json document = Json::parse(config.document);
  const auto find = [](const Json& object, const char* key) {
    return object.is_object() && object.contains(key) ? object.at(key) : Json();
  };
  const Json inner = find(document, "config");
  shown["Created"] = find(document, "created");
  shown["Architecture"] = config.platform.architecture;
  if (!config.platform.variant.empty()) shown["Variant"] = config.platform.variant;
  shown["Os"] = config.platform.os;
  shown["Labels"] = find(inner, "Labels");
  shown["Env"] = find(inner, "Env");
}

Json ToJson(const oci::Descriptor& blob) {
  Json json = {{"MIMEType", blob.media_type}, {"Digest", oci::FormatDigest(blob.digest)}, {"Size", blob.size}};
  if (!blob.annotations.empty()) json["Annotations"] = blob.annotations;
  return json;
}

Json Describe(oci::StoredImage& stored, const oci::ImageConfig& config, const std::string& name) {
  const oci::ResolvedImage& image = stored.image();
  const oci::Descriptor root = image.index ? oci::Descriptor{.media_type = image.index->media_type,
                                                             .digest = image.index->digest,
                                                             .size = image.index->bytes.size()}
                                           : image.descriptor;
  Json shown = {{"Name", name}, {"Digest", oci::FormatDigest(root.digest)}, {"MIMEType", root.media_type}};
  if (image.index) {
    shown["ManifestDigest"] = oci::FormatDigest(image.descriptor.digest);
    Json platforms = Json::array();
    for (const oci::Descriptor& entry : oci::ParseIndex(image.index->bytes, stored.name()).manifests) {
      if (entry.platform) platforms.push_back(entry.platform->ToString());
    }
    shown["Platforms"] = std::move(platforms);
  }
  AddConfig(shown, config);
  Json layers = Json::array();
  Json layers_data = Json::array();
  bool converted = false;
  for (const oci::Descriptor& layer : image.manifest.layers) {
    layers.push_back(oci::FormatDigest(layer.digest));
    layers_data.push_back(ToJson(layer));
    converted = converted || layer.annotations.contains(oci::annotation::kNydusBootstrap);
  }
  shown["Layers"] = std::move(layers);
  shown["LayersData"] = std::move(layers_data);
  if (!image.manifest.annotations.empty()) shown["Annotations"] = image.manifest.annotations;
  shown["Converted"] = converted;
  return shown;
}

// An image without a manifest: what can be said without reading its layers.
Json Describe(const oci::ImageSource& image, const std::string& name) {
  Json shown = {{"Name", name}};
  AddConfig(shown, image.config());
  Json layers = Json::array();
  for (const oci::SourceLayer& layer : image.layers()) {
    Json described = {{"Name", layer.name}, {"MIMEType", layer.media_type}};
    if (layer.diff_id) described["DiffID"] = oci::FormatDigest(*layer.diff_id);
    layers.push_back(std::move(described));
  }
  shown["LayersData"] = std::move(layers);
  shown["Converted"] = false;
  return shown;
}

bool HasManifest(oci::Transport transport) {
  return transport == oci::Transport::kDocker || transport == oci::Transport::kOci ||
         transport == oci::Transport::kOciArchive;
}

void Inspect(const Options& options) {
  const SignalHold signals;
  std::optional<oci::Platform> platform;
  if (!options.platform.empty()) platform = oci::Platform::Parse(options.platform);
  const oci::Reference reference = oci::Reference::Parse(options.image);
  if (!HasManifest(reference.transport)) {
    if (options.raw) Throw(Errc::kUnsupported, "'{}' has no manifest", options.image);
    const auto image = oci::OpenImage(reference, platform);
    if (options.config) {
      PrintBytes(AsBytes(image->config().document));
    } else {
      PrintJson(Describe(*image, options.image));
    }
    return;
  }
  const auto stored = oci::OpenStoredImage(reference, platform, SourceOptions(options.registries, signals));
  const oci::ResolvedImage& image = stored->image();
  if (options.raw && !options.config) return PrintBytes(image.index ? image.index->bytes : image.bytes);
  const std::vector<std::byte> config = stored->GetBlob(image.manifest.config, oci::kMaxDocumentBytes);
  if (options.config) return PrintBytes(config);
  PrintJson(Describe(*stored, oci::ParseConfig(config, stored->name() + ": config"), options.image));
}

}  // namespace

void AddInspectCommand(CLI::App& app) {
  CLI::App* command = app.add_subcommand("inspect", "Show what an image is, as JSON");
  const auto options = std::make_shared<Options>();
  command
      ->add_option("IMAGE", options->image,
                   "docker://NAME, oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:TAG], rootfs:DIR or "
                   "tar:FILE")
      ->required();
  AddSourceFlags(*command, options->registries);
  command->add_option("--platform", options->platform, "Which image of an index to show [this machine's]")
      ->type_name("OS/ARCH[/VARIANT]");
  command->add_flag("--raw", options->raw, "Print the manifest or index as it is stored");
  command->add_flag("--config", options->config, "Print the image's config as it is stored");
  command->final_callback([options] { Inspect(*options); });
}

}  // namespace sluice::tools
