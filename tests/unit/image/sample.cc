// SPDX-License-Identifier: Apache-2.0
#include "unit/image/sample.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "image/erofs/chunk_index.h"
#include "image/erofs/directory.h"
#include "image/erofs/inode.h"
#include "image/erofs/super_block.h"
#include "image/rafs/blob_table.h"
#include "image/rafs/chunk_table.h"
#include "image/rafs/layout.h"
#include "image/rafs/super_block_ext.h"

namespace sluice::image::rafs {
namespace {

constexpr uint32_t kChunkSize = 4096;

void AddChunk(Blob& blob, uint32_t plain_size) {
  Chunk chunk;
  chunk.index = blob.chunk_count++;
  chunk.digest = DigestOf(DigestAlgorithm::kBlake3, AsBytes(blob.id.hex() + std::to_string(chunk.index)));
  chunk.plain_offset = blob.plain_size;
  chunk.plain_size = plain_size;
  chunk.stored_offset = blob.stored_size;
  chunk.compressed = plain_size > 100;
  chunk.stored_size = chunk.compressed ? plain_size / 2 : plain_size;
  blob.plain_size += AlignUp(plain_size, kBlockSize);
  blob.stored_size += chunk.stored_size;
  blob.ci_plain_size = blob.ci_stored_size = blob.chunk_count * uint64_t{16};
  blob.chunks.push_back(chunk);
}

InodeId AddTo(Tree& tree, InodeId directory, const std::string& name, Inode inode) {
  const InodeId id = tree.Add(std::move(inode));
  tree.Get(directory).entries[name] = id;
  return id;
}

}  // namespace

Image SampleImage() {
  Image image;
  image.chunk_size = kChunkSize;
  for (const char digit : {'a', 'b'}) {
    image.blobs.push_back(Blob{.id = BlobId::Parse(std::string(64, digit))});
    image.blobs.back().features = blob_feature::kAligned | blob_feature::kCapTarToc;
  }
  for (const uint32_t size : {4096, 4096, 1808, 4096, 4096, 7, 4096, 4096}) AddChunk(image.blobs[0], size);
  for (const uint32_t size : {4096, 3}) AddChunk(image.blobs[1], size);

  Tree& tree = image.tree;
  tree.Get(tree.root()).mtime = {-5, 250000000};
  const InodeId dir = AddTo(tree, tree.root(), "dir", {.type = FileType::kDirectory, .permissions = 01777});
  AddTo(tree, dir, "inner", {.permissions = 0644, .size = 3, .chunks = {{.blob = 1, .chunk = 1}}});
  AddTo(tree, dir, "sub", {.type = FileType::kDirectory, .permissions = 0700});
  AddTo(tree, tree.root(), "disk", {.type = FileType::kBlockDevice, .device = {259, 70000}});
  AddTo(tree, tree.root(), "fifo", {.type = FileType::kFifo, .permissions = 0600});
  Inode file{.permissions = 04755, .uid = 70000, .gid = 4294967294, .mtime = {1600000000, 999999999}};
  file.xattrs = {{"security.capability", std::string("\1\0\0\2", 4)}, {"user.k", "value"}, {"user.empty", ""}};
  file.size = 10000;
  file.chunks = {{0, 0}, {0, 1}, {0, 2}};
  tree.Get(tree.root()).entries["hard"] = AddTo(tree, tree.root(), "file", std::move(file));
  AddTo(tree, tree.root(), "link", {.type = FileType::kSymlink, .permissions = 0777, .symlink_target = "dir/inner"});
  Inode sparse{.permissions = 0644};
  sparse.size = 20480;
  sparse.chunks = {{0, 3}, {}, {}, {1, 0}, {0, 4}};
  image.prefetch = {dir, AddTo(tree, tree.root(), "sparse", std::move(sparse))};
  AddTo(tree, tree.root(), "socket", {.type = FileType::kSocket});
  return image;
}

void Patched::StoreText(uint64_t at, std::string_view text) {
  std::copy_n(AsBytes(text).begin(), text.size(), bytes_.begin() + static_cast<ptrdiff_t>(at));
}

uint64_t Patched::InodeOf(uint64_t nid) const {
  return erofs::ParseSuperBlock(bytes_).meta_block * kBlockSize + nid * erofs::kInodeSlotSize;
}

uint64_t Patched::Nid(std::string_view path) const {
  if (path.empty()) return erofs::ParseSuperBlock(bytes_).root_nid;
  const size_t slash = path.rfind('/');
  const std::string_view parent = slash == path.npos ? "" : path.substr(0, slash);
  return Load<uint64_t>(Entry(parent, path.substr(slash == path.npos ? 0 : slash + 1)));
}

uint64_t Patched::DirectoryData(std::string_view path) const {
  const uint64_t at = Inode(path);
  const erofs::InodeHeader header = erofs::ParseInode(ConstBytes(bytes_).subspan(at), {}, path);
  if (header.layout != erofs::DataLayout::kFlatInline || header.size > kBlockSize)
    throw std::runtime_error("the directory is not inline in one block");
  return at + header.header_size() + header.xattr_size;
}

uint64_t Patched::Entry(std::string_view path, std::string_view name) const {
  const uint64_t data = DirectoryData(path);
  const uint64_t size = erofs::ParseInode(ConstBytes(bytes_).subspan(Inode(path)), {}, path).size;
  std::vector<erofs::DirectoryEntry> entries;
  erofs::DirectoryReader(path).ReadBlock(ConstBytes(bytes_).subspan(data, size), entries);
  for (size_t i = 0; i < entries.size(); ++i)
    if (entries[i].name == name) return data + i * erofs::kDirentSize;
  throw std::runtime_error("no entry " + std::string(name));
}

uint64_t Patched::Name(std::string_view path, std::string_view name) const {
  return DirectoryData(path) + Load<uint16_t>(Entry(path, name) + 8);
}

uint64_t Patched::ChunkArray(std::string_view path) const {
  const uint64_t at = Inode(path);
  const erofs::InodeHeader header = erofs::ParseInode(ConstBytes(bytes_).subspan(at), {}, path);
  return at + erofs::ChunkArrayOffset(header.header_size(), header.xattr_size);
}

uint64_t Patched::BlobEntry(uint32_t blob) const {
  return ParseSuperBlockExt(bytes_).blob_table.offset + blob * kBlobEntrySize;
}

uint64_t Patched::ChunkEntry(uint32_t blob, uint32_t chunk) const {
  const ByteRange table = ParseSuperBlockExt(bytes_).chunk_table;
  for (uint64_t at = table.offset; at < table.end(); at += kChunkEntrySize)
    if (Load<uint32_t>(at + 32) == blob && Load<uint32_t>(at + 72) == chunk) return at;
  throw std::runtime_error("no such chunk");
}

}  // namespace sluice::image::rafs
