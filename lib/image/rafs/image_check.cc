// SPDX-License-Identifier: Apache-2.0
#include "image/rafs/image_check.h"

#include <algorithm>
#include <bit>
#include <set>

#include "base/error.h"
#include "base/limits.h"
#include "image/rafs/blob_table.h"

namespace sluice::image::rafs {
namespace {

constexpr uint64_t kMaxMajor = 1u << 12;  // DeviceNumber
constexpr uint64_t kMaxMinor = 1u << 20;
constexpr uint16_t kPermissionMask = 07777;

void CheckChunk(const Image& image, const Blob& blob, const Chunk& chunk, const Chunk* before) {
  if (chunk.index >= blob.chunk_count)
    Throw(Errc::kInvalidArgument, "blob {}: chunk index {} is not below {}", blob.id.hex(), chunk.index,
          blob.chunk_count);
  if (before != nullptr &&
      (chunk.index <= before->index || chunk.plain_offset < AlignUp(before->plain_end(), kBlockSize)))
    Throw(Errc::kInvalidArgument, "blob {}: chunk {} at plain offset {} is not behind chunk {}", blob.id.hex(),
          chunk.index, chunk.plain_offset, before->index);
  if (chunk.plain_size == 0 || chunk.plain_size > image.chunk_size || !IsAligned(chunk.plain_offset, kBlockSize) ||
      chunk.plain_end() > blob.plain_size)
    Throw(Errc::kInvalidArgument, "blob {}: chunk {} has {} bytes at plain offset {} of {}", blob.id.hex(), chunk.index,
          chunk.plain_size, chunk.plain_offset, blob.plain_size);
}

void CheckZeros(const Image& image) {
  if (!image.zeros) return;
  const auto& [position, chunk] = *image.zeros;
  if (position >= image.blobs.size())
    Throw(Errc::kInvalidArgument, "the chunk of zeros is in blob {} of {}", position, image.blobs.size());
  const Blob& blob = image.blobs[position];
  if (chunk.index >= blob.chunk_count || chunk.plain_size != image.chunk_size || chunk.plain_offset != kHoleOffset)
    Throw(Errc::kInvalidArgument, "blob {}: the chunk of zeros is chunk {} of {}, with {} bytes at plain offset {:#x}",
          blob.id.hex(), chunk.index, blob.chunk_count, chunk.plain_size, chunk.plain_offset);
}

void CheckFileChunks(const Image& image, const Inode& inode, std::string_view name) {
  const uint64_t count = inode.size / image.chunk_size + (inode.size % image.chunk_size != 0 ? 1 : 0);
  if (inode.chunks.size() != count)
    Throw(Errc::kInvalidArgument, "file '{}' of {} bytes has {} chunks instead of {}", name, inode.size,
          inode.chunks.size(), count);
  for (uint64_t i = 0; i < count; ++i) {
    const FileChunk& piece = inode.chunks[i];
    if (piece.is_hole()) continue;
    if (piece.blob >= image.blobs.size() || piece.chunk >= image.blobs[piece.blob].chunks.size())
      Throw(Errc::kInvalidArgument, "file '{}': chunk {} names blob {} chunk {}, which does not exist", name, i,
            piece.blob, piece.chunk);
    const uint64_t needed = std::min<uint64_t>(image.chunk_size, inode.size - i * image.chunk_size);
    if (const auto size = image.blobs[piece.blob].chunks[piece.chunk].plain_size; size != needed)
      Throw(Errc::kInvalidArgument, "file '{}': chunk {} has {} bytes instead of {}", name, i, size, needed);
  }
}

}  // namespace

void CheckBlobs(const Image& image) {
  if (!std::has_single_bit(image.chunk_size) || image.chunk_size < kMinChunkSize || image.chunk_size > kMaxChunkSize)
    Throw(Errc::kInvalidArgument, "chunk size {} is no power of two in [{}, {}]", image.chunk_size, kMinChunkSize,
          kMaxChunkSize);
  if (image.blobs.size() > kMaxBlobs)
    Throw(Errc::kInvalidArgument, "image has {} blobs, above {}", image.blobs.size(), kMaxBlobs);
  std::set<std::string_view> ids;
  for (const Blob& blob : image.blobs) {
    if (!ids.insert(blob.id.hex()).second) Throw(Errc::kInvalidArgument, "blob {} appears twice", blob.id.hex());
    if (blob.plain_size == 0 || !IsAligned(blob.plain_size, kBlockSize) || blob.plain_size > kMaxPlainBlobSize)
      Throw(Errc::kInvalidArgument, "blob {}: plain size {} is not a whole number of blocks up to {}", blob.id.hex(),
            blob.plain_size, kMaxPlainBlobSize);
    if (blob.chunk_count > kMaxChunksPerBlob)
      Throw(Errc::kInvalidArgument, "blob {}: {} chunks are above {}", blob.id.hex(), blob.chunk_count,
            kMaxChunksPerBlob);
    const Chunk* before = nullptr;
    for (const Chunk& chunk : blob.chunks) {
      CheckChunk(image, blob, chunk, before);
      before = &chunk;
    }
  }
  CheckZeros(image);
}

void CheckInode(const Image& image, const Inode& inode, std::string_view name) {
  if (inode.mtime.nanoseconds >= kNanosecondsPerSecond)
    Throw(Errc::kInvalidArgument, "'{}': mtime has {} nanoseconds", name, inode.mtime.nanoseconds);
  if ((inode.permissions & ~kPermissionMask) != 0)
    Throw(Errc::kInvalidArgument, "'{}': permissions are {:o}", name, inode.permissions);
  switch (inode.type) {
    case FileType::kRegular: return CheckFileChunks(image, inode, name);
    case FileType::kSymlink:
      if (inode.symlink_target.empty() || inode.symlink_target.size() > kMaxSymlinkLength ||
          inode.symlink_target.find('\0') != std::string::npos)
        Throw(Errc::kInvalidArgument, "symlink '{}': target of {} bytes is empty, above {} or contains NUL", name,
              inode.symlink_target.size(), kMaxSymlinkLength);
      return;
    case FileType::kCharDevice:
    case FileType::kBlockDevice:
      if (inode.device.major >= kMaxMajor || inode.device.minor >= kMaxMinor)
        Throw(Errc::kInvalidArgument, "device '{}': {}:{} is not below {}:{}", name, inode.device.major,
              inode.device.minor, kMaxMajor, kMaxMinor);
      return;
    case FileType::kDirectory:
      for (const auto& [entry, id] : inode.entries)
        if (entry.empty() || entry.size() > kMaxNameLength || entry == "." || entry == ".." ||
            entry.find('/') != std::string::npos || entry.find('\0') != std::string::npos)
          Throw(Errc::kInvalidArgument, "directory '{}': '{}' is no name", name, entry);
      return;
    case FileType::kFifo:
    case FileType::kSocket: return;
  }
  Throw(Errc::kInvalidArgument, "'{}': file type {} is not known", name, static_cast<int>(inode.type));
}

}  // namespace sluice::image::rafs
