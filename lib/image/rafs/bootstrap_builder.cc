// SPDX-License-Identifier: Apache-2.0
#include "image/rafs/bootstrap_builder.h"

#include <algorithm>
#include <bit>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/limits.h"
#include "image/erofs/chunk_index.h"
#include "image/erofs/device_slot.h"
#include "image/erofs/directory.h"
#include "image/erofs/inode.h"
#include "image/erofs/super_block.h"
#include "image/erofs/xattr.h"
#include "image/rafs/blob_table.h"
#include "image/rafs/chunk_address.h"
#include "image/rafs/chunk_table.h"
#include "image/rafs/image_check.h"
#include "image/rafs/inode_space.h"
#include "image/rafs/layout.h"
#include "image/rafs/prefetch_table.h"
#include "image/rafs/super_block_ext.h"

namespace sluice::image::rafs {
namespace {

constexpr uint64_t kMappedAlignment = 512 * kKiB;  // V6_BLOCK_SEG_ALIGNMENT, nydus layout/v6.rs
constexpr uint32_t kNotPlaced = UINT32_MAX;

// An inode with its place, in the order in which inodes are placed.
struct Placed {
  InodeId id;
  InodeId parent;           // directories: whose entry this is
  uint64_t offset = 0;      // in the bootstrap
  uint32_t xattr_size = 0;  // bytes
  uint32_t data_block = 0;  // directories, symlinks: the first block outside of the inode
  uint64_t data_size = 0;   // directories, symlinks
  erofs::DataLayout layout = erofs::DataLayout::kFlatPlain;
};

// The order of the file: super blocks, device slots, blob table, prefetch table | inodes | blocks of directories and
// symlinks | chunk table.  Sizes first, so that the whole is allocated once; then everything is stored in its place.
class Builder {
 public:
  explicit Builder(const Image& image) : image_(image) {}

  std::vector<std::byte> Build() {
    CheckBlobs(image_);
    OrderInodes();
    PlaceTables();
    PlaceInodes();
    PlaceChunkTable();
    bytes_.resize(size_);
    StoreBlobs();
    StorePrefetch();
    StoreSuperBlocks();
    for (const Placed& placed : placed_) StoreInode(placed);
    return std::move(bytes_);
  }

 private:
  void OrderInodes();
  void PlaceTables();
  void PlaceInodes();
  void PlaceFlat(Placed& placed, uint64_t inode_size, InodeSpace& space);
  void PlaceChunkTable();

  void StoreBlobs();
  void StorePrefetch();
  void StoreSuperBlocks();
  void StoreInode(const Placed& placed);
  void StoreFlat(const Placed& placed, ConstBytes data);
  void StoreDirectory(const Placed& placed);
  uint32_t StoreChunks(const Inode& inode, MutableBytes array) const;

  uint64_t NidOf(InodeId id) const {
    const Placed& placed = placed_[position_[static_cast<size_t>(id)]];
    return (placed.offset - meta_offset_) / erofs::kInodeSlotSize;
  }
  ChunkAddress AddressOf(const FileChunk& chunk) const {
    const Chunk& described = image_.blobs[chunk.blob].chunks[chunk.chunk];
    return {.blob = chunk.blob,
            .chunk = described.index,
            .block = static_cast<uint32_t>(described.plain_offset / kBlockSize)};
  }
  // "." and ".." and the names of `directory`, in order.  Nids are 0 until the inodes have their places.
  std::vector<erofs::DirectoryEntry> EntriesOf(const Placed& directory) const;

  const Image& image_;
  std::vector<Placed> placed_;
  std::vector<uint32_t> position_;  // by InodeId: in placed_
  std::vector<uint32_t> links_;     // by InodeId
  SuperBlockExt ext_;
  uint64_t meta_offset_ = 0;
  bool inodes_placed_ = false;
  std::vector<std::byte> chunk_table_;
  uint64_t size_ = 0;
  std::vector<std::byte> bytes_;
};

// Breadth first: the inodes of one directory lie together.
void Builder::OrderInodes() {
  links_ = image_.tree.CountLinks();
  position_.assign(image_.tree.size(), kNotPlaced);
  const auto place = [this](InodeId id, InodeId parent, std::string_view name) {
    const Inode& inode = image_.tree.Get(id);
    uint32_t& position = position_[static_cast<size_t>(id)];
    if (position != kNotPlaced) {
      if (inode.type == FileType::kDirectory)
        Throw(Errc::kInvalidArgument, "directory '{}' has more than one name", name);
      return;
    }
    CheckInode(image_, inode, name);
    position = static_cast<uint32_t>(placed_.size());
    placed_.push_back({.id = id, .parent = parent});
    try {
      placed_.back().xattr_size = static_cast<uint32_t>(erofs::XattrBodySize(inode.xattrs));
    } catch (Error& e) {
      e.AddContext(name);
      throw;
    }
  };
  const InodeId root = image_.tree.root();
  if (image_.tree.Get(root).type != FileType::kDirectory)
    Throw(Errc::kInvalidArgument, "the root of the tree is no directory");
  place(root, root, "/");
  for (size_t i = 0; i < placed_.size(); ++i) {
    const InodeId directory = placed_[i].id;
    for (const auto& [name, id] : image_.tree.Get(directory).entries) place(id, directory, name);
  }
}

void Builder::PlaceTables() {
  const uint64_t slots_end = kDeviceSlotsOffset + image_.blobs.size() * erofs::kDeviceSlotSize;
  ext_.blob_table = {AlignUp(slots_end, kBlockSize), image_.blobs.size() * kBlobEntrySize};
  if (!image_.prefetch.empty())
    ext_.prefetch_table = {ext_.blob_table.end(), image_.prefetch.size() * kPrefetchEntrySize};
  // The root is one block behind the start of the metadata: a nid of 0 would hide it from readdir(3).
  meta_offset_ = AlignUp(ext_.blob_table.end() + ext_.prefetch_table.length, kBlockSize);
}

void Builder::PlaceInodes() {
  InodeSpace space(meta_offset_ + kBlockSize);
  for (Placed& placed : placed_) {
    const Inode& inode = image_.tree.Get(placed.id);
    const uint64_t inode_size = erofs::kExtendedInodeSize + placed.xattr_size;
    switch (inode.type) {
      case FileType::kRegular:
        placed.layout = erofs::DataLayout::kChunkBased;
        placed.offset = space.Take(erofs::ChunkArrayOffset(erofs::kExtendedInodeSize, placed.xattr_size) +
                                       inode.chunks.size() * erofs::kChunkIndexSize,
                                   false);
        break;
      case FileType::kDirectory:
        placed.data_size = erofs::LayOutDirectory(EntriesOf(placed)).size;
        PlaceFlat(placed, inode_size, space);
        break;
      case FileType::kSymlink:
        placed.data_size = inode.symlink_target.size();
        PlaceFlat(placed, inode_size, space);
        break;
      case FileType::kCharDevice:
      case FileType::kBlockDevice:
      case FileType::kFifo:
      case FileType::kSocket: placed.offset = space.Take(inode_size, false); break;
    }
  }

  size_ = AlignUp(space.end(), kBlockSize);
  for (Placed& placed : placed_) {
    const FileType type = image_.tree.Get(placed.id).type;
    if (type != FileType::kDirectory && type != FileType::kSymlink) continue;
    const uint64_t outside = placed.layout == erofs::DataLayout::kFlatInline ? AlignDown(placed.data_size, kBlockSize)
                                                                             : AlignUp(placed.data_size, kBlockSize);
    if (outside == 0) continue;
    placed.data_block = static_cast<uint32_t>(size_ / kBlockSize);
    size_ += outside;
  }
  inodes_placed_ = true;
}

// The last partial block goes behind the inode when both fit in one block.
void Builder::PlaceFlat(Placed& placed, uint64_t inode_size, InodeSpace& space) {
  const uint64_t tail = placed.data_size % kBlockSize;
  const bool is_inline = tail != 0 && inode_size + tail <= kBlockSize;
  placed.layout = is_inline ? erofs::DataLayout::kFlatInline : erofs::DataLayout::kFlatPlain;
  placed.offset = space.Take(inode_size + (is_inline ? tail : 0), is_inline);
}

void Builder::PlaceChunkTable() {
  chunk_table_ = BuildChunkTable(image_.blobs, image_.zeros);
  ext_.chunk_table = {size_, chunk_table_.size()};
  size_ = AlignUp(size_ + chunk_table_.size(), kBlockSize);
  if (size_ > kMaxBootstrapSize) Throw(Errc::kLimit, "bootstrap of {} bytes is above {}", size_, kMaxBootstrapSize);
}

void Builder::StoreBlobs() {
  const MutableBytes bytes(bytes_);
  uint64_t mapped = size_;
  for (uint32_t i = 0; i < image_.blobs.size(); ++i) {
    const Blob& blob = image_.blobs[i];
    mapped = AlignUp(mapped, kMappedAlignment);
    if ((mapped + blob.plain_size) / kBlockSize > UINT32_MAX)
      Throw(Errc::kInvalidArgument, "blob {}: the plain sizes of the blobs reach {}, above 2^32 blocks", blob.id.hex(),
            mapped + blob.plain_size);
    erofs::StoreDeviceSlot({.tag = blob.id.hex(),
                            .blocks = static_cast<uint32_t>(blob.plain_size / kBlockSize),
                            .mapped_block = static_cast<uint32_t>(mapped / kBlockSize)},
                           bytes.subspan(kDeviceSlotsOffset + i * erofs::kDeviceSlotSize));
    StoreBlobEntry(blob, i, image_.chunk_size, bytes.subspan(ext_.blob_table.offset + i * kBlobEntrySize));
    mapped += blob.plain_size;
  }
  std::copy(chunk_table_.begin(), chunk_table_.end(), bytes_.begin() + static_cast<ptrdiff_t>(ext_.chunk_table.offset));
}

void Builder::StorePrefetch() {
  for (size_t i = 0; i < image_.prefetch.size(); ++i) {
    const auto id = static_cast<size_t>(image_.prefetch[i]);
    if (id >= position_.size() || position_[id] == kNotPlaced)
      Throw(Errc::kInvalidArgument, "prefetch entry {} is not in the tree", i);
    StoreLe<uint32_t>(bytes_.data() + ext_.prefetch_table.offset + i * kPrefetchEntrySize,
                      static_cast<uint32_t>(NidOf(image_.prefetch[i])));
  }
}

void Builder::StoreSuperBlocks() {
  uint32_t common_features = UINT32_MAX;
  uint32_t any_features = 0;
  uint64_t plain_blocks = 0;
  for (const Blob& blob : image_.blobs) {
    common_features &= blob.features;
    any_features |= blob.features;
    plain_blocks += blob.plain_size / kBlockSize;
  }
  ext_.flags = super_flag::kExplicitUidGid | super_flag::kHasXattr;
  ext_.flags |=
      (any_features & blob_feature::kEncrypted) != 0 ? super_flag::kEncryptionAes128Xts : super_flag::kEncryptionNone;
  if ((common_features & blob_feature::kInlinedChunkDigest) != 0) ext_.flags |= super_flag::kInlinedChunkDigest;
  ext_.compression = image_.compression;
  ext_.digester = image_.digester;
  ext_.chunk_size = image_.chunk_size;
  StoreSuperBlockExt(ext_, bytes_);
  const erofs::SuperBlock super{
      .feature_compat = kFeatureCompatRafsV6,
      .feature_incompat = kFeatureIncompat,
      .root_nid = static_cast<uint16_t>(NidOf(image_.tree.root())),
      .inode_count = placed_.size(),
      .blocks = static_cast<uint32_t>(plain_blocks),
      .meta_block = static_cast<uint32_t>(meta_offset_ / kBlockSize),
      .extra_devices = static_cast<uint16_t>(image_.blobs.size()),
      .device_slot_index = static_cast<uint16_t>(kDeviceSlotsOffset / erofs::kDeviceSlotSize),
  };
  erofs::StoreSuperBlock(super, bytes_);
}

void Builder::StoreInode(const Placed& placed) {
  const Inode& inode = image_.tree.Get(placed.id);
  erofs::InodeHeader header;
  header.layout = placed.layout;
  header.type = inode.type;
  header.permissions = inode.permissions;
  header.xattr_size = placed.xattr_size;
  header.ino = static_cast<uint32_t>(NidOf(placed.id));
  header.uid = inode.uid;
  header.gid = inode.gid;
  header.mtime = inode.mtime;
  header.link_count = links_[static_cast<size_t>(placed.id)];
  const MutableBytes to = MutableBytes(bytes_).subspan(placed.offset);
  switch (inode.type) {
    case FileType::kRegular:
      header.size = inode.size;
      header.u = StoreChunks(inode, to.subspan(erofs::ChunkArrayOffset(erofs::kExtendedInodeSize, placed.xattr_size)));
      break;
    case FileType::kDirectory:
      header.size = placed.data_size;
      header.u = placed.data_block;
      StoreDirectory(placed);
      break;
    case FileType::kSymlink:
      header.size = placed.data_size;
      header.u = placed.data_block;
      StoreFlat(placed, AsBytes(inode.symlink_target));
      break;
    case FileType::kCharDevice:
    case FileType::kBlockDevice: header.u = erofs::EncodeDevice(inode.device); break;
    case FileType::kFifo:
    case FileType::kSocket: break;
  }
  erofs::StoreInode(header, to);
  erofs::StoreXattrs(inode.xattrs, to.subspan(erofs::kExtendedInodeSize));
}

void Builder::StoreFlat(const Placed& placed, ConstBytes data) {
  const uint64_t outside =
      placed.layout == erofs::DataLayout::kFlatInline ? AlignDown(data.size(), kBlockSize) : data.size();
  const ConstBytes blocks = data.first(outside);
  const ConstBytes tail = data.subspan(outside);
  std::copy(blocks.begin(), blocks.end(), bytes_.begin() + static_cast<ptrdiff_t>(placed.data_block * kBlockSize));
  std::copy(tail.begin(), tail.end(),
            bytes_.begin() + static_cast<ptrdiff_t>(placed.offset + erofs::kExtendedInodeSize + placed.xattr_size));
}

void Builder::StoreDirectory(const Placed& placed) {
  const std::vector<erofs::DirectoryEntry> entries = EntriesOf(placed);
  const erofs::DirectoryLayout layout = erofs::LayOutDirectory(entries);
  std::vector<std::byte> data(layout.size);
  uint64_t at = 0;
  uint32_t first = 0;
  for (const uint32_t end : layout.block_ends) {
    const uint64_t size = std::min(kBlockSize, layout.size - at);
    erofs::StoreDirectoryBlock(std::span(entries).subspan(first, end - first), MutableBytes(data).subspan(at, size));
    at += size;
    first = end;
  }
  StoreFlat(placed, data);
}

// Stores the array and returns the chunk format.
uint32_t Builder::StoreChunks(const Inode& inode, MutableBytes array) const {
  erofs::ChunkIndex hole;
  if (image_.zeros) {
    hole = ToChunkIndex({.blob = image_.zeros->blob, .chunk = image_.zeros->chunk.index, .block = erofs::kNullBlock});
  }
  bool contiguous = inode.size > image_.chunk_size;
  const ChunkAddress first =
      inode.chunks.empty() || inode.chunks.front().is_hole() ? ChunkAddress{} : AddressOf(inode.chunks.front());
  for (size_t i = 0; i < inode.chunks.size(); ++i) {
    const FileChunk& chunk = inode.chunks[i];
    const MutableBytes to = array.subspan(i * erofs::kChunkIndexSize);
    if (chunk.is_hole()) {
      contiguous = false;
      erofs::StoreChunkIndex(hole, to);
      continue;
    }
    const ChunkAddress address = AddressOf(chunk);
    erofs::StoreChunkIndex(ToChunkIndex(address), to);
    if (address.blob != first.blob || address.block != first.block + i * (image_.chunk_size / kBlockSize))
      contiguous = false;
  }
  // One large chunk instead of many that follow each other: the kernel maps the file at once.
  const uint64_t chunk_size = contiguous ? std::bit_ceil(inode.size) : image_.chunk_size;
  return erofs::kChunkFormatIndexes | static_cast<uint32_t>(std::countr_zero(chunk_size) - erofs::kBlockBits);
}

std::vector<erofs::DirectoryEntry> Builder::EntriesOf(const Placed& directory) const {
  const Inode& inode = image_.tree.Get(directory.id);
  std::vector<erofs::DirectoryEntry> entries;
  entries.reserve(inode.entries.size() + 2);
  const auto add = [&](std::string_view name, InodeId id) {
    entries.push_back({.name = name, .nid = inodes_placed_ ? NidOf(id) : 0, .type = image_.tree.Get(id).type});
  };
  add(".", directory.id);
  add("..", directory.parent);
  for (const auto& [name, id] : inode.entries) add(name, id);
  // Names that start with a byte below '.' come before the two.
  std::inplace_merge(entries.begin(), entries.begin() + 2, entries.end(),
                     [](const auto& a, const auto& b) { return a.name < b.name; });
  return entries;
}

}  // namespace

std::vector<std::byte> BuildBootstrap(const Image& image) { return Builder(image).Build(); }

}  // namespace sluice::image::rafs
