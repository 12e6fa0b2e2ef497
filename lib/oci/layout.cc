// SPDX-License-Identifier: Apache-2.0
#include "oci/layout.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/error.h"
#include "oci/json.h"
#include "oci/manifest_type.h"
#include "oci/media_types.h"
#include "oci/tar_index.h"

namespace sluice::oci {
namespace {

class Directory final : public LayoutFiles {
 public:
  explicit Directory(std::string path) : path_(std::move(path)) {
    struct stat status {};
    if (::stat(path_.c_str(), &status) != 0) ThrowErrno(errno, "image layout '{}'", path_);
    if (!S_ISDIR(status.st_mode)) Throw(Errc::kCorrupt, "image layout '{}' is not a directory", path_);
  }
  std::optional<FilePart> Find(const std::string& name) const override {
    try {
      return Whole(InputFile::Open(path_ + "/" + name));
    } catch (const Error& e) {
      if (e.code() == Errc::kNotFound) return std::nullopt;
      throw;
    }
  }

 private:
  const std::string path_;
};

std::vector<std::byte> ReadDocument(const LayoutFiles& files, const std::string& path, const std::string& name) {
  const auto part = files.Find(name);
  if (!part) Throw(Errc::kCorrupt, "'{}' is not an image layout: it has no {}", path, name);
  if (part->range.length > kMaxDocumentBytes)
    Throw(Errc::kCorrupt, "'{}': {} has {} bytes, more than {}", path, name, part->range.length, kMaxDocumentBytes);
  return ReadWhole(*part);
}

void CheckVersion(ConstBytes json, const std::string& what) {
  const Json document = ParseJson(json, what);
  const std::string version = JsonView(document, what).Get("imageLayoutVersion").Text();
  if (!version.starts_with("1.")) Throw(Errc::kUnsupported, "{} says version '{}', not 1", what, version);
}

std::string TagOf(const Descriptor& entry) {
  const auto found = entry.annotations.find(annotation::kRefName);
  return found == entry.annotations.end() ? std::string() : found->second;
}

bool IsIndex(const Descriptor& descriptor) {
  return descriptor.media_type == media_type::kIndex || descriptor.media_type == media_type::kDockerIndex;
}

bool IsManifest(const Descriptor& descriptor) {
  return descriptor.media_type == media_type::kManifest || descriptor.media_type == media_type::kDockerManifest;
}

void CheckType(const std::string& document, const Descriptor& descriptor, const std::string& what) {
  if (document != descriptor.media_type)
    Throw(Errc::kCorrupt, "{} is of type '{}', its descriptor says '{}'", what, document, descriptor.media_type);
}

}  // namespace

Layout Layout::Open(const std::string& directory) { return Layout(directory, std::make_shared<Directory>(directory)); }

Layout Layout::OpenArchive(const std::string& file) { return Layout(file, std::make_shared<TarIndex>(file)); }

Layout::Layout(std::string path, std::shared_ptr<const LayoutFiles> files)
    : path_(std::move(path)), files_(std::move(files)) {
  CheckVersion(ReadDocument(*files_, path_, "oci-layout"), "'" + path_ + "/oci-layout'");
  index_ = ParseIndex(ReadDocument(*files_, path_, "index.json"), "'" + path_ + "/index.json'");
}

ResolvedImage Layout::Resolve(const std::string& tag, const ImageChoice& choice) const {
  ResolvedImage image;
  Descriptor descriptor = FindTag(tag, choice);
  for (int depth = 0; depth < kMaxIndexNesting; ++depth) {
    const std::string what = "'" + path_ + "': " + FormatDigest(descriptor.digest);
    if (IsManifest(descriptor)) {
      image.bytes = ReadBlob(descriptor, kMaxDocumentBytes);
      image.manifest = ParseManifest(image.bytes, what);
      CheckType(image.manifest.media_type, descriptor, what);
      image.descriptor = std::move(descriptor);
      return image;
    }
    if (!IsIndex(descriptor))
      Throw(Errc::kUnsupported, "{} is no image, but of type '{}'", what, descriptor.media_type);
    std::vector<std::byte> bytes = ReadBlob(descriptor, kMaxDocumentBytes);
    const Index index = ParseIndex(bytes, what);
    CheckType(index.media_type, descriptor, what);
    if (depth == 0)
      image.index =
          StoredManifest{.media_type = index.media_type, .digest = descriptor.digest, .bytes = std::move(bytes)};
    descriptor = Select(index, choice, what);
  }
  Throw(Errc::kCorrupt, "'{}': more than {} indexes in one another", path_, kMaxIndexNesting);
}

Descriptor Layout::FindTag(const std::string& tag, const ImageChoice& choice) const {
  // One tag may stand at several entries, one for each platform.
  Index candidates;
  std::string tags;
  for (const Descriptor& entry : index_.manifests) {
    const std::string name = TagOf(entry);
    if (tag.empty() || name == tag) candidates.manifests.push_back(entry);
    if (!name.empty()) tags += (tags.empty() ? "" : ", ") + name;
  }
  if (candidates.manifests.empty())
    Throw(Errc::kNotFound, "'{}' has no image '{}'; there are: {}", path_, tag,
          tags.empty() ? "none with a name" : tags);
  const auto other_tag = [&](const Descriptor& entry) { return TagOf(entry) != TagOf(candidates.manifests.front()); };
  if (std::ranges::any_of(candidates.manifests, other_tag))
    Throw(Errc::kNotFound, "'{}' has several images, name one of: {}", path_, tags);
  if (candidates.manifests.size() == 1) return candidates.manifests.front();
  return Select(candidates, choice, "'" + path_ + "'");
}

std::string Layout::BlobName(const Digest& digest) { return "blobs/sha256/" + digest.Hex(); }

std::optional<FilePart> Layout::FindBlob(const Digest& digest) const { return files_->Find(BlobName(digest)); }

std::vector<std::byte> Layout::ReadBlob(const Descriptor& descriptor, uint64_t max_bytes) const {
  const std::string what = "'" + path_ + "': blob " + FormatDigest(descriptor.digest);
  if (descriptor.size > max_bytes)
    Throw(Errc::kLimit, "{} has {} bytes, more than {}", what, descriptor.size, max_bytes);
  const auto part = FindBlob(descriptor.digest);
  if (!part) Throw(Errc::kNotFound, "{} is missing", what);
  if (part->range.length != descriptor.size)
    Throw(Errc::kCorrupt, "{} has {} bytes instead of {}", what, part->range.length, descriptor.size);
  std::vector<std::byte> bytes = ReadWhole(*part);
  if (const Digest found = DigestOf(DigestAlgorithm::kSha256, bytes); found != descriptor.digest)
    Throw(Errc::kCorrupt, "{} has content with the digest {}", what, FormatDigest(found));
  return bytes;
}

}  // namespace sluice::oci
