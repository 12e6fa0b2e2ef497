// SPDX-License-Identifier: Apache-2.0
#include "image_loader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/digest.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/limits.h"
#include "bootstrap_layer.h"
#include "codec/stream_decoder.h"
#include "durable_file.h"
#include "image/rafs/toc.h"
#include "oci/image_source.h"
#include "oci/tar_layer.h"

namespace sluice::daemon {
namespace {

constexpr uint64_t kSuperBlockOffset = 1024;  // fs/erofs/erofs_fs.h, EROFS_SUPER_OFFSET
constexpr uint32_t kErofsMagic = 0xE0F5E1E2;  // EROFS_SUPER_MAGIC_V1
constexpr uint64_t kDecodeStep = 256 * kKiB;

LoadedImage LoadFromLayout(const oci::Reference& reference) {
  const auto image = oci::OpenImage(reference, {std::nullopt, oci::Prefer::kConverted});
  const auto layer = image->OpenLayer(FindBootstrapLayer(image->layers(), reference.ToString()));
  return {.bootstrap = oci::ReadFileInLayer(*layer, kBootstrapInLayer, kMaxBootstrapSize),
          .backend = DirectorySpec{reference.path + "/blobs/sha256"},
          .inlined_id = std::nullopt};
}

// Bytes of an open file, one after the other.
class FilePart final : public codec::ByteSource {
 public:
  FilePart(const UniqueFd& file, const std::string& path, ByteRange part) : file_(file), path_(path), rest_(part) {}

  size_t Read(MutableBytes dst) override {
    const size_t want = std::min<uint64_t>(dst.size(), rest_.length);
    if (want == 0) return 0;
    ssize_t count;
    do {
      count = ::pread(file_.get(), dst.data(), want, static_cast<off_t>(rest_.offset));
    } while (count < 0 && errno == EINTR);
    if (count < 0) ThrowErrno(errno, "cannot read '{}' at {}", path_, rest_.offset);
    if (count == 0) Throw(Errc::kCorrupt, "'{}' ends at {}, expected {} bytes more", path_, rest_.offset, rest_.length);
    rest_.offset += static_cast<uint64_t>(count);
    rest_.length -= static_cast<uint64_t>(count);
    return static_cast<size_t>(count);
  }

 private:
  const UniqueFd& file_;
  const std::string& path_;
  ByteRange rest_;
};

// Grows with what is really there, not with what the table says.
std::vector<std::byte> ReadToEnd(codec::ByteSource& source, uint64_t expected, const std::string& what) {
  std::vector<std::byte> content;
  size_t size = 0;
  for (;;) {
    content.resize(size + kDecodeStep);
    const size_t count = source.Read(MutableBytes(content).subspan(size));
    size += count;
    if (count == 0) break;
    if (size > expected) Throw(Errc::kCorrupt, "{} is larger than the {} bytes that its blob says", what, expected);
  }
  if (size != expected) Throw(Errc::kCorrupt, "{} has {} bytes, its blob says {}", what, size, expected);
  content.resize(size);
  return content;
}

std::vector<std::byte> ReadPart(const UniqueFd& file, const std::string& path, ByteRange part) {
  FilePart source(file, path, part);
  return ReadToEnd(source, part.length, path);
}

bool IsBootstrap(const UniqueFd& file, const std::string& path, uint64_t size) {
  if (size < kSuperBlockOffset + sizeof(uint32_t)) return false;
  const auto magic = ReadPart(file, path, {kSuperBlockOffset, sizeof(uint32_t)});
  return LoadLe<uint32_t>(magic.data()) == kErofsMagic;
}

image::rafs::InlinedBootstrap FindInlinedBootstrap(ConstBytes tail, const std::string& path, uint64_t size) {
  try {
    return image::rafs::FindInlinedBootstrap(tail, size);
  } catch (Error& error) {
    if (error.code() == Errc::kNotFound) {
      Throw(Errc::kInvalidArgument, "'{}' is neither a bootstrap nor a blob with one inside", path);
    }
    error.AddContext("'" + path + "'");
    throw;
  }
}

std::vector<std::byte> ReadInlinedBootstrap(const UniqueFd& file, const std::string& path, uint64_t size) {
  const uint64_t tail_bytes = std::min(size, image::rafs::kMaxTocSize);
  const auto tail = ReadPart(file, path, {size - tail_bytes, tail_bytes});
  const auto found = FindInlinedBootstrap(tail, path, size);
  const std::string what = "the bootstrap in '" + path + "'";
  FilePart stored(file, path, found.stored);
  std::vector<std::byte> bootstrap;
  switch (found.compression) {
    case Compression::kNone: bootstrap = ReadToEnd(stored, found.plain_size, what); break;
    case Compression::kZstd: {
      codec::StreamDecoder plain(stored, what);
      bootstrap = ReadToEnd(plain, found.plain_size, what);
      break;
    }
    default: Throw(Errc::kUnsupported, "{} is compressed with {}", what, Name(found.compression));
  }
  if (found.plain_digest && DigestOf(DigestAlgorithm::kSha256, bootstrap) != *found.plain_digest) {
    Throw(Errc::kCorrupt, "{} does not have the digest {}", what, found.plain_digest->Hex());
  }
  return bootstrap;
}

LoadedImage LoadFromFiles(const oci::Reference& reference) {
  const std::filesystem::path path(reference.path);
  // O_NONBLOCK: a fifo that nobody writes to must not hold us up.
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) ThrowErrno(errno, "cannot open '{}'", reference.path);
  if (!S_ISREG(status.st_mode)) Throw(Errc::kInvalidArgument, "'{}' is not a file", reference.path);
  const auto size = static_cast<uint64_t>(status.st_size);
  LoadedImage image;
  if (IsBootstrap(file, reference.path, size)) {
    if (size > kMaxBootstrapSize) {
      Throw(Errc::kLimit, "bootstrap '{}' has {} bytes, at most {} are read", reference.path, size, kMaxBootstrapSize);
    }
    image.bootstrap = ReadPart(file, reference.path, {0, size});
    image.backend = DirectorySpec{path.parent_path() / "blobs"};
  } else {
    image.bootstrap = ReadInlinedBootstrap(file, reference.path, size);
    image.backend = DirectorySpec{path.parent_path()};
    image.inlined_id = BlobId::Parse(path.filename().string());
  }
  if (!reference.blob_dir.empty()) image.backend = DirectorySpec{reference.blob_dir};
  return image;
}

void RequireAbsolute(const std::string& path, const oci::Reference& reference) {
  if (!path.starts_with('/')) {
    Throw(Errc::kInvalidArgument, "'{}': '{}' is not an absolute path", reference.ToString(), path);
  }
}

}  // namespace

LoadedImage LoadImage(const oci::Reference& reference) {
  RequireAbsolute(reference.path, reference);
  if (!reference.blob_dir.empty()) RequireAbsolute(reference.blob_dir, reference);
  switch (reference.transport) {
    case oci::Transport::kOci: return LoadFromLayout(reference);
    case oci::Transport::kRafs: return LoadFromFiles(reference);
    default:
      Throw(Errc::kInvalidArgument, "'{}' cannot be mounted: only oci:DIR[:TAG] and rafs:BOOTSTRAP[:BLOBDIR] can",
            reference.ToString());
  }
}

}  // namespace sluice::daemon
