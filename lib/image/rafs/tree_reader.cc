// SPDX-License-Identifier: Apache-2.0
#include "image/rafs/tree_reader.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "base/error.h"
#include "base/limits.h"
#include "image/erofs/chunk_index.h"
#include "image/erofs/directory.h"
#include "image/erofs/xattr.h"
#include "image/rafs/chunk_address.h"

namespace sluice::image::rafs {
namespace {

std::string NameOf(uint64_t nid) { return fmt::format("inode {}", nid); }

uint64_t DivideUp(uint64_t value, uint64_t divisor) noexcept {
  return value / divisor + (value % divisor != 0 ? 1 : 0);
}

// The position in blob.chunks of the chunk with this index; chunks.size() when there is none.
size_t PositionOf(const Blob& blob, uint32_t index) {
  if (index < blob.chunks.size() && blob.chunks[index].index == index) return index;
  const auto found = std::lower_bound(blob.chunks.begin(), blob.chunks.end(), index,
                                      [](const Chunk& chunk, uint32_t wanted) { return chunk.index < wanted; });
  if (found == blob.chunks.end() || found->index != index) return blob.chunks.size();
  return static_cast<size_t>(found - blob.chunks.begin());
}

}  // namespace

struct TreeReader::Directory {
  uint64_t nid;
  uint64_t parent;
  std::string_view name;  // empty: the root
};

TreeReader::TreeReader(ConstBytes bootstrap, const erofs::SuperBlock& super, uint32_t chunk_size,
                       const std::vector<Blob>& blobs)
    : bootstrap_(bootstrap), super_(super), chunk_size_(chunk_size), blobs_(blobs) {
  const uint64_t meta = super.meta_block * kBlockSize;
  if (meta >= bootstrap.size())
    Throw(Errc::kCorrupt, "super block: field 'meta_blkaddr' is {} in {} bytes", super.meta_block, bootstrap.size());
  seen_.resize((bootstrap.size() - meta) / erofs::kInodeSlotSize);
}

void TreeReader::Read(Tree* tree, AdviceBuilder* advice) {
  const std::string what = "root " + NameOf(super_.root_nid);
  Inode root = ReadInode(super_.root_nid, what);
  if (root.type != FileType::kDirectory) Throw(Errc::kCorrupt, "{}: field 'i_mode' is not that of a directory", what);
  if (tree != nullptr) tree->Get(tree->root()) = std::move(root);

  // Every directory comes here once: a second name for it is refused.
  std::vector<Directory> pending{{.nid = super_.root_nid, .parent = super_.root_nid, .name = {}}};
  while (!pending.empty()) {
    const Directory directory = pending.back();
    pending.pop_back();
    ReadDirectory(directory, pending, tree, advice);
  }
}

InodeId TreeReader::Find(uint64_t nid, const char* what) const {
  if (nid >= seen_.size() || seen_[nid] == 0) Throw(Errc::kCorrupt, "{}: nid {} is no inode of the tree", what, nid);
  return InodeId{seen_[nid] - 1};
}

uint64_t TreeReader::OffsetOf(uint64_t nid, std::string_view what) const {
  if (nid >= seen_.size()) Throw(Errc::kCorrupt, "{}: field 'nid' lies outside of {} slots", what, seen_.size());
  return super_.meta_block * kBlockSize + nid * erofs::kInodeSlotSize;
}

erofs::InodeHeader TreeReader::HeaderAt(uint64_t nid, std::string_view what) const {
  return erofs::ParseInode(bootstrap_.subspan(OffsetOf(nid, what)), super_.build_time, what);
}

Inode TreeReader::ReadInode(uint64_t nid, std::string_view what) {
  const erofs::InodeHeader header = HeaderAt(nid, what);
  Claim(header.header_size() + header.xattr_size, what);
  Inode inode;
  inode.type = header.type;
  inode.permissions = header.permissions;
  inode.uid = header.uid;
  inode.gid = header.gid;
  inode.mtime = header.mtime;
  inode.xattrs = erofs::ParseXattrs(
      Slice(bootstrap_, OffsetOf(nid, what) + header.header_size(), header.xattr_size, "xattr body"), what);
  switch (header.type) {
    case FileType::kRegular:
      inode.size = header.size;
      inode.chunks = ReadChunks(nid, header, what);
      Claim(inode.chunks.size() * erofs::kChunkIndexSize, what);
      break;
    case FileType::kSymlink: {
      if (header.size == 0 || header.size > kMaxSymlinkLength)
        Throw(Errc::kCorrupt, "{}: field 'i_size' of a symlink is {}", what, header.size);
      const FlatData data = ReadFlat(nid, header, what);
      inode.symlink_target = AsText(data.tail);
      if (inode.symlink_target.find('\0') != std::string::npos)
        Throw(Errc::kCorrupt, "{}: the symlink target contains NUL", what);
      Claim(header.size, what);
      break;
    }
    case FileType::kCharDevice:
    case FileType::kBlockDevice: inode.device = erofs::DecodeDevice(header.u); break;
    case FileType::kDirectory: Claim(header.size, what); break;
    case FileType::kFifo:
    case FileType::kSocket: break;
  }
  seen_[nid] = ++inodes_;
  return inode;
}

void TreeReader::ReadDirectory(const Directory& directory, std::vector<Directory>& pending, Tree* tree,
                               AdviceBuilder* advice) {
  const std::string what = NameOf(directory.nid);
  const FlatData data = ReadFlat(directory.nid, HeaderAt(directory.nid, what), what);
  std::vector<erofs::DirectoryEntry> entries;
  erofs::DirectoryReader reader(what);
  for (uint64_t at = 0; at < data.blocks.size(); at += kBlockSize)
    reader.ReadBlock(data.blocks.subspan(at, kBlockSize), entries);
  if (!data.tail.empty()) reader.ReadBlock(data.tail, entries);

  // Numbers of inodes are below the size of seen_, which is that of a bootstrap in memory by 32.
  if (advice != nullptr) {
    advice->BeginDirectory(static_cast<uint32_t>(directory.nid), static_cast<uint32_t>(directory.parent),
                           directory.name);
  }
  int dots = 0;
  for (const erofs::DirectoryEntry& entry : entries) {
    if (entry.name == "." || entry.name == "..") {
      const uint64_t expected = entry.name == "." ? directory.nid : directory.parent;
      if (entry.nid != expected || entry.type != FileType::kDirectory)
        Throw(Errc::kCorrupt, "{}: entry '{}' is nid {} instead of {}", what, entry.name, entry.nid, expected);
      ++dots;
      continue;
    }
    const std::string child = fmt::format("inode {} in directory {}", entry.nid, directory.nid);
    const erofs::InodeHeader header = HeaderAt(entry.nid, child);
    if (header.type != entry.type)
      Throw(Errc::kCorrupt, "{}: field 'file_type' is {}, the inode has {}", child, static_cast<int>(entry.type),
            static_cast<int>(header.type));
    const bool is_new = seen_[entry.nid] == 0;
    if (header.type == FileType::kDirectory) {
      if (!is_new) Throw(Errc::kCorrupt, "{}: the directory has a second name, a loop or a hard link", child);
      pending.push_back({.nid = entry.nid, .parent = directory.nid, .name = entry.name});
    }
    if (is_new) {
      Inode inode = ReadInode(entry.nid, child);
      if (advice != nullptr) advice->Add(entry.name, inode.chunks);
      if (tree != nullptr) tree->Add(std::move(inode));
    }
    if (tree != nullptr) {
      auto& names = tree->Get(InodeId{seen_[directory.nid] - 1}).entries;
      names.emplace_hint(names.end(), entry.name, InodeId{seen_[entry.nid] - 1});
    }
  }
  if (dots != 2) Throw(Errc::kCorrupt, "{}: the directory lacks '.' or '..'", what);
}

std::vector<FileChunk> TreeReader::ReadChunks(uint64_t nid, const erofs::InodeHeader& header,
                                              std::string_view what) const {
  if (header.size == 0) return {};
  if (header.layout != erofs::DataLayout::kChunkBased)
    Throw(Errc::kUnsupported, "{}: field 'i_format' of a regular file is not chunk-based", what);
  const unsigned chunk_bits = erofs::kBlockBits + (header.u & erofs::kChunkFormatBlockBitsMask);
  if ((header.u & ~erofs::kChunkFormatBlockBitsMask) != erofs::kChunkFormatIndexes)
    Throw(Errc::kUnsupported, "{}: field 'i_u' is {:#x}, no chunk format with 8-byte indexes", what, header.u);

  const uint64_t count = DivideUp(header.size, chunk_size_);
  const uint64_t array = OffsetOf(nid, what) + erofs::ChunkArrayOffset(header.header_size(), header.xattr_size);
  if (array > bootstrap_.size() || count > (bootstrap_.size() - array) / erofs::kChunkIndexSize)
    Throw(Errc::kCorrupt, "{}: field 'i_size' is {}: {} chunk indexes do not fit in the bootstrap", what, header.size,
          count);

  // For a file whose chunks follow one another the kernel is told one large chunk: it reads the first index only, and
  // that must mean the same as all of them.
  const bool merged = (uint64_t{1} << chunk_bits) > chunk_size_;
  if ((uint64_t{1} << chunk_bits) < (merged ? header.size : chunk_size_))
    Throw(Errc::kCorrupt, "{}: field 'i_u' is {:#x}: chunks of 2^{} bytes in an image with {}", what, header.u,
          chunk_bits, chunk_size_);
  std::vector<FileChunk> chunks;
  chunks.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    const ConstBytes index = bootstrap_.subspan(array + i * erofs::kChunkIndexSize, erofs::kChunkIndexSize);
    chunks.push_back(ReadChunk(index, std::min<uint64_t>(chunk_size_, header.size - i * chunk_size_), what));
    if (!merged || i == 0) continue;
    const FileChunk& first = chunks.front();
    const FileChunk& chunk = chunks.back();
    const bool follows =
        first.is_hole()
            ? chunk.is_hole()
            : chunk.blob == first.blob && blobs_[chunk.blob].chunks[chunk.chunk].plain_offset ==
                                              blobs_[first.blob].chunks[first.chunk].plain_offset + i * chunk_size_;
    if (!follows) Throw(Errc::kCorrupt, "{}: chunk {} does not follow the others of one large chunk", what, i);
  }
  return chunks;
}

FileChunk TreeReader::ReadChunk(ConstBytes bytes, uint64_t plain_size, std::string_view what) const {
  const erofs::ChunkIndex index = erofs::LoadChunkIndex(bytes);
  if (index.block == erofs::kNullBlock) return {};
  const ChunkAddress address = ToChunkAddress(index);
  if (address.blob >= blobs_.size())
    Throw(Errc::kCorrupt, "{}: field 'device_id' of a chunk index is {:#x}, there are {} blobs", what, index.device_id,
          blobs_.size());
  const Blob& blob = blobs_[address.blob];
  const size_t position = PositionOf(blob, address.chunk);
  if (position == blob.chunks.size())
    Throw(Errc::kCorrupt, "{}: blob {} chunk {} is not in the chunk table", what, blob.id.hex(), address.chunk);
  const Chunk& chunk = blob.chunks[position];
  if (chunk.plain_offset != address.block * kBlockSize || chunk.plain_size != plain_size)
    Throw(Errc::kCorrupt, "{}: {} bytes at block {} contradict blob {} chunk {} of {} bytes at plain offset {}", what,
          plain_size, address.block, blob.id.hex(), address.chunk, chunk.plain_size, chunk.plain_offset);
  return {.blob = address.blob, .chunk = static_cast<uint32_t>(position)};
}

TreeReader::FlatData TreeReader::ReadFlat(uint64_t nid, const erofs::InodeHeader& header, std::string_view what) const {
  if (header.layout == erofs::DataLayout::kChunkBased)
    Throw(Errc::kUnsupported, "{}: field 'i_format' is chunk-based, but it is no regular file", what);
  // The kernel takes the last block, full or not, for the tail of an inline inode (erofs_map_blocks_flatmode).
  const uint64_t blocks = header.size == 0 ? 0 : AlignDown(header.size - 1, kBlockSize);
  const uint64_t tail = header.size - blocks;
  const bool is_inline = header.layout == erofs::DataLayout::kFlatInline;
  FlatData data;
  if (const uint64_t in_blocks = is_inline ? blocks : header.size; in_blocks != 0) {
    const ConstBytes all = Slice(bootstrap_, header.u * kBlockSize, in_blocks, what);
    data.blocks = all.first(blocks);
    data.tail = all.subspan(blocks);
  }
  if (is_inline) {
    const uint64_t inode_at = OffsetOf(nid, what);
    const uint64_t tail_at = inode_at + header.header_size() + header.xattr_size;
    if (AlignDown(inode_at, kBlockSize) + kBlockSize < tail_at + tail)
      Throw(Errc::kCorrupt, "{}: {} inline bytes cross a block boundary", what, tail);
    data.tail = Slice(bootstrap_, tail_at, tail, what);
  }
  return data;
}

void TreeReader::Claim(uint64_t bytes, std::string_view what) {
  // Structures of an honest image do not overlap: this bounds the whole walk by the size of the bootstrap.
  if (bytes > bootstrap_.size() - claimed_)
    Throw(Errc::kCorrupt, "{}: inodes up to here claim more than the {} bytes of the bootstrap", what,
          bootstrap_.size());
  claimed_ += bytes;
}

}  // namespace sluice::image::rafs
