// SPDX-License-Identifier: Apache-2.0
#include "oci/documents.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "oci/json.h"
#include "oci/layer_reader.h"
#include "oci/media_types.h"

namespace sluice::oci {
namespace {

constexpr size_t kMaxIndexEntries = 4096;
constexpr size_t kMaxHistory = 4096;
constexpr size_t kMaxFeatures = 64;
constexpr uint64_t kSchemaVersion = 2;  // of index and manifest, OCI and Docker alike

Digest GetDigest(const JsonView& view) {
  try {
    return ParseDigest(view.Text());
  } catch (const Error& e) {
    if (e.code() == Errc::kInvalidArgument) Throw(Errc::kCorrupt, "{}: {}", view.where(), e.message());
    throw;
  }
}

Annotations GetAnnotations(const JsonView& object) {
  const auto annotations = object.Find("annotations");
  return annotations ? annotations->TextMap() : Annotations();
}

Platform GetPlatform(const JsonView& view) {
  Platform platform{.os = view.TextOr("os", ""),
                    .architecture = view.TextOr("architecture", ""),
                    .variant = view.TextOr("variant", "")};
  if (const auto features = view.Find("os.features")) platform.os_features = features->Texts(kMaxFeatures);
  return platform;
}

Descriptor GetDescriptor(const JsonView& view) {
  Descriptor descriptor{.media_type = view.Get("mediaType").Text(),
                        .digest = GetDigest(view.Get("digest")),
                        .size = view.Get("size").Size(),
                        .annotations = GetAnnotations(view)};
  if (const auto platform = view.Find("platform")) descriptor.platform = GetPlatform(*platform);
  if (const auto type = view.Find("artifactType")) descriptor.artifact_type = type->Text();
  return descriptor;
}

std::vector<Descriptor> GetDescriptors(const JsonView& list, size_t max_count) {
  std::vector<Descriptor> descriptors;
  for (const JsonView& element : list.Elements(max_count)) descriptors.push_back(GetDescriptor(element));
  return descriptors;
}

// A document is one thing only, whatever it says about itself (CVE-2021-41190).
DocumentKind KindOf(const JsonView& document) {
  document.RequireObject();
  const bool manifests = document.json().contains("manifests");
  const bool layers = document.json().contains("layers") || document.json().contains("config");
  if (manifests && layers)
    Throw(Errc::kCorrupt, "{} has manifests like an index and layers like a manifest", document.where());
  if (document.json().contains("fsLayers"))
    Throw(Errc::kUnsupported, "{} is an image manifest of schema 1", document.where());
  if (!manifests && !layers) Throw(Errc::kCorrupt, "{} has neither manifests nor layers", document.where());
  return manifests ? DocumentKind::kIndex : DocumentKind::kManifest;
}

// The media type, with the one that is implied when there is none.
std::string CheckHeader(const JsonView& document, DocumentKind kind, std::string_view oci, std::string_view docker) {
  if (KindOf(document) != kind)
    Throw(Errc::kCorrupt, "{} is {}", document.where(), kind == DocumentKind::kIndex ? "no index" : "no manifest");
  if (document.Get("schemaVersion").Size() != kSchemaVersion)
    Throw(Errc::kUnsupported, "{}.schemaVersion is not {}", document.where(), kSchemaVersion);
  std::string type = document.TextOr("mediaType", oci);
  if (type != oci && type != docker) Throw(Errc::kCorrupt, "{}.mediaType is '{}'", document.where(), type);
  return type;
}

Json ToJson(const Platform& platform) {
  Json json = {{"architecture", platform.architecture}, {"os", platform.os}};
  if (!platform.variant.empty()) json["variant"] = platform.variant;
  if (!platform.os_features.empty()) json["os.features"] = platform.os_features;
  return json;
}

Json ToJson(const Descriptor& descriptor) {
  Json json = {
      {"mediaType", descriptor.media_type}, {"digest", FormatDigest(descriptor.digest)}, {"size", descriptor.size}};
  if (!descriptor.annotations.empty()) json["annotations"] = descriptor.annotations;
  if (descriptor.platform) json["platform"] = ToJson(*descriptor.platform);
  if (descriptor.artifact_type) json["artifactType"] = *descriptor.artifact_type;
  return json;
}

Json ToJson(const std::vector<Descriptor>& descriptors) {
  Json list = Json::array();
  for (const Descriptor& descriptor : descriptors) list.push_back(ToJson(descriptor));
  return list;
}

Json ToJson(const HistoryEntry& entry) {
  Json json = Json::object();
  if (!entry.created.empty()) json["created"] = entry.created;
  if (!entry.created_by.empty()) json["created_by"] = entry.created_by;
  if (!entry.author.empty()) json["author"] = entry.author;
  if (!entry.comment.empty()) json["comment"] = entry.comment;
  if (entry.empty_layer) json["empty_layer"] = true;
  return json;
}

// A path in docker save's archive: relative, and inside.
std::string GetMemberPath(const JsonView& view) {
  const std::string text = view.Text();
  try {
    std::string path;
    for (const std::string& part : SplitPath(text)) path += (path.empty() ? "" : "/") + part;
    if (path.empty() || text.starts_with('/')) Throw(Errc::kCorrupt, "names no member of the archive");
    return path;
  } catch (Error& e) {
    e.AddContext(view.where());
    throw;
  }
}

}  // namespace

Digest ParseDigest(std::string_view text) {
  constexpr std::string_view kPrefix = "sha256:";
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos)
    Throw(Errc::kInvalidArgument, "digest of {} characters names no algorithm", text.size());
  if (!text.starts_with(kPrefix)) {
    // The grammar of image-spec descriptor.md, so that only well-formed names come into the message.
    const auto allowed = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '.' || c == '_' || c == '-';
    };
    if (colon == 0 || colon > 32 || !std::ranges::all_of(text.substr(0, colon), allowed))
      Throw(Errc::kInvalidArgument, "digest of {} characters names no algorithm", text.size());
    Throw(Errc::kUnsupported, "digest algorithm '{}'", text.substr(0, colon));
  }
  return Digest::FromHex(text.substr(kPrefix.size()));
}

std::string FormatDigest(const Digest& digest) { return "sha256:" + digest.Hex(); }

DocumentKind KindOf(ConstBytes json, std::string_view what) {
  const Json document = ParseJson(json, what);
  return KindOf(JsonView(document, std::string(what)));
}

Index ParseIndex(ConstBytes json, std::string_view what) {
  const Json document = ParseJson(json, what);
  const JsonView view(document, std::string(what));
  Index index;
  index.media_type = CheckHeader(view, DocumentKind::kIndex, media_type::kIndex, media_type::kDockerIndex);
  if (const auto manifests = view.Find("manifests")) index.manifests = GetDescriptors(*manifests, kMaxIndexEntries);
  index.annotations = GetAnnotations(view);
  return index;
}

Manifest ParseManifest(ConstBytes json, std::string_view what) {
  const Json document = ParseJson(json, what);
  const JsonView view(document, std::string(what));
  Manifest manifest;
  manifest.media_type = CheckHeader(view, DocumentKind::kManifest, media_type::kManifest, media_type::kDockerManifest);
  manifest.config = GetDescriptor(view.Get("config"));
  if (const auto layers = view.Find("layers")) manifest.layers = GetDescriptors(*layers, kMaxLayers);
  manifest.annotations = GetAnnotations(view);
  if (const auto subject = view.Find("subject")) manifest.subject = GetDescriptor(*subject);
  if (const auto type = view.Find("artifactType")) manifest.artifact_type = type->Text();
  return manifest;
}

ImageConfig ParseConfig(ConstBytes json, std::string_view what) {
  const Json document = ParseJson(json, what);
  const JsonView view(document, std::string(what));
  ImageConfig config;
  config.platform = GetPlatform(view);
  const JsonView rootfs = view.Get("rootfs");
  if (const std::string type = rootfs.Get("type").Text(); type != "layers")
    Throw(Errc::kCorrupt, "{}.type is '{}'", rootfs.where(), type);
  if (const auto diff_ids = rootfs.Find("diff_ids"))
    for (const JsonView& element : diff_ids->Elements(kMaxLayers)) config.diff_ids.push_back(GetDigest(element));
  if (const auto history = view.Find("history")) {
    for (const JsonView& element : history->Elements(kMaxHistory)) {
      HistoryEntry& entry = config.history.emplace_back();
      entry.created = element.TextOr("created", "");
      entry.created_by = element.TextOr("created_by", "");
      entry.author = element.TextOr("author", "");
      entry.comment = element.TextOr("comment", "");
      const auto empty = element.Find("empty_layer");
      entry.empty_layer = empty && empty->Boolean();
    }
  }
  config.document = AsText(json);
  return config;
}

std::vector<DockerImage> ParseDockerManifest(ConstBytes json, std::string_view what) {
  const Json document = ParseJson(json, what);
  std::vector<DockerImage> images;
  for (const JsonView& element : JsonView(document, std::string(what)).Elements(kMaxIndexEntries)) {
    DockerImage& image = images.emplace_back();
    image.config_path = GetMemberPath(element.Get("Config"));
    if (const auto tags = element.Find("RepoTags")) image.repo_tags = tags->Texts(kMaxIndexEntries);
    if (const auto layers = element.Find("Layers"))
      for (const JsonView& layer : layers->Elements(kMaxLayers)) image.layer_paths.push_back(GetMemberPath(layer));
  }
  return images;
}

std::string Serialize(const Index& index) {
  Json json = {
      {"schemaVersion", kSchemaVersion}, {"mediaType", index.media_type}, {"manifests", ToJson(index.manifests)}};
  if (!index.annotations.empty()) json["annotations"] = index.annotations;
  return DumpJson(json);
}

std::string Serialize(const Manifest& manifest) {
  Json json = {{"schemaVersion", kSchemaVersion},
               {"mediaType", manifest.media_type},
               {"config", ToJson(manifest.config)},
               {"layers", ToJson(manifest.layers)}};
  if (!manifest.annotations.empty()) json["annotations"] = manifest.annotations;
  if (manifest.subject) json["subject"] = ToJson(*manifest.subject);
  if (manifest.artifact_type) json["artifactType"] = *manifest.artifact_type;
  return DumpJson(json);
}

std::string Serialize(const ImageConfig& config) {
  Json json = ParseJson(AsBytes(config.document), "image config");
  JsonView(json, "image config").RequireObject();
  json["os"] = config.platform.os;
  json["architecture"] = config.platform.architecture;
  const auto set_or_erase = [&json](const char* key, bool present, Json value) {
    if (present) {
      json[key] = std::move(value);
    } else {
      json.erase(key);
    }
  };
  set_or_erase("variant", !config.platform.variant.empty(), config.platform.variant);
  set_or_erase("os.features", !config.platform.os_features.empty(), config.platform.os_features);
  Json diff_ids = Json::array();
  for (const Digest& digest : config.diff_ids) diff_ids.push_back(FormatDigest(digest));
  json["rootfs"] = {{"type", "layers"}, {"diff_ids", std::move(diff_ids)}};
  Json history = Json::array();
  for (const HistoryEntry& entry : config.history) history.push_back(ToJson(entry));
  set_or_erase("history", !config.history.empty(), std::move(history));
  return DumpJson(json);
}

}  // namespace sluice::oci
