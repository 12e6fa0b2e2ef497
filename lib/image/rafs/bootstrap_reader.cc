// SPDX-License-Identifier: Apache-2.0
#include "image/rafs/bootstrap_reader.h"

#include <set>
#include <utility>

#include "base/error.h"
#include "base/limits.h"
#include "image/erofs/device_slot.h"
#include "image/erofs/super_block.h"
#include "image/rafs/blob_table.h"
#include "image/rafs/chunk_table.h"
#include "image/rafs/layout.h"
#include "image/rafs/prefetch_table.h"
#include "image/rafs/super_block_ext.h"
#include "image/rafs/tree_reader.h"

namespace sluice::image::rafs {
namespace {

// Everything but the tree.
struct Tables {
  erofs::SuperBlock super;
  SuperBlockExt ext;
  std::vector<Blob> blobs;
  std::optional<ZeroChunk> zeros;
};

void CheckSuperBlock(const erofs::SuperBlock& super) {
  if ((super.feature_compat & kFeatureCompatRafsV6) == 0)
    Throw(Errc::kUnsupported, "super block: field 'feature_compat' is {:#x}, no RAFS v6 image", super.feature_compat);
  if (super.feature_incompat != kFeatureIncompat)
    Throw(Errc::kUnsupported, "super block: field 'feature_incompat' is {:#x} instead of {:#x}", super.feature_incompat,
          kFeatureIncompat);
  if (super.inode_count == 0) Throw(Errc::kCorrupt, "super block: field 'inos' is 0");
  if (super.extra_devices > kMaxBlobs)
    Throw(Errc::kCorrupt, "super block: field 'extra_devices' is {}, above {}", super.extra_devices, kMaxBlobs);
  if (super.device_slot_index != kDeviceSlotsOffset / erofs::kDeviceSlotSize)
    Throw(Errc::kCorrupt, "super block: field 'devt_slotoff' is {} instead of {}", super.device_slot_index,
          kDeviceSlotsOffset / erofs::kDeviceSlotSize);
}

// The device slot tells the kernel what the blob entry tells us: they must agree.
void CheckDeviceSlot(const erofs::DeviceSlot& slot, std::string_view stored_id, Blob& blob, uint64_t bootstrap_size) {
  if (slot.tag != stored_id) Throw(Errc::kCorrupt, "device slot of blob {}: field 'tag' is another id", blob.id.hex());
  if (slot.blocks == 0 || slot.blocks * kBlockSize != blob.plain_size)
    Throw(Errc::kCorrupt, "device slot of blob {}: field 'blocks' is {} for {} plain bytes", blob.id.hex(), slot.blocks,
          blob.plain_size);
  // The kernel would take directories and symlinks from the blob when it were mapped over the bootstrap.
  if (slot.mapped_block != 0 && slot.mapped_block < bootstrap_size / kBlockSize)
    Throw(Errc::kCorrupt, "device slot of blob {}: field 'mapped_blkaddr' is {}, inside the {} blocks of the bootstrap",
          blob.id.hex(), slot.mapped_block, bootstrap_size / kBlockSize);
  blob.mapped_block = slot.mapped_block;
}

// Returns it.  Entries and device slots lie inside the bootstrap and do not overlap.
uint64_t CheckBlobCount(ConstBytes bootstrap, const erofs::SuperBlock& super, const ByteRange& table) {
  const uint64_t count = table.length / kBlobEntrySize;
  if (count != super.extra_devices)
    Throw(Errc::kCorrupt, "blob table: {} entries for {} devices", count, super.extra_devices);
  const ConstBytes slots = Slice(bootstrap, kDeviceSlotsOffset, count * erofs::kDeviceSlotSize, "device slots");
  if (count != 0 && table.offset < kDeviceSlotsOffset + slots.size())
    Throw(Errc::kCorrupt, "blob table: offset {} lies inside the device slots", table.offset);
  return count;
}

std::vector<Blob> ParseBlobs(ConstBytes bootstrap, const erofs::SuperBlock& super, const SuperBlockExt& ext,
                             const ReadOptions& options) {
  const uint64_t count = CheckBlobCount(bootstrap, super, ext.blob_table);
  const ConstBytes slots = bootstrap.subspan(kDeviceSlotsOffset, count * erofs::kDeviceSlotSize);
  std::vector<Blob> blobs;
  std::set<BlobId> ids;
  for (uint32_t i = 0; i < count; ++i) {
    const ConstBytes entry = bootstrap.subspan(ext.blob_table.offset + i * kBlobEntrySize, kBlobEntrySize);
    Blob blob = ParseBlobEntry(entry, i, ext.chunk_size, options.inlined_id);
    const erofs::DeviceSlot slot = erofs::LoadDeviceSlot(slots.subspan(i * erofs::kDeviceSlotSize));
    CheckDeviceSlot(slot, AsText(entry.first(kBlobIdSize)), blob, bootstrap.size());
    if (!ids.insert(blob.id).second) Throw(Errc::kCorrupt, "blob table: blob {} appears twice", blob.id.hex());
    blobs.push_back(std::move(blob));
  }
  return blobs;
}

Tables ParseTables(ConstBytes bootstrap, const ReadOptions& options) {
  if (bootstrap.size() > kMaxBootstrapSize)
    Throw(Errc::kLimit, "bootstrap of {} bytes is above {}", bootstrap.size(), kMaxBootstrapSize);
  Tables tables;
  tables.super = erofs::ParseSuperBlock(bootstrap);
  CheckSuperBlock(tables.super);
  if (!IsAligned(bootstrap.size(), kBlockSize))
    Throw(Errc::kCorrupt, "bootstrap of {} bytes is not a whole number of blocks", bootstrap.size());
  tables.ext = ParseSuperBlockExt(bootstrap);
  tables.blobs = ParseBlobs(bootstrap, tables.super, tables.ext, options);
  const ByteRange& chunks = tables.ext.chunk_table;
  tables.zeros = ParseChunkTable(Slice(bootstrap, chunks.offset, chunks.length, "chunk table"), tables.ext.chunk_size,
                                 tables.blobs);
  return tables;
}

std::vector<InodeId> ParsePrefetch(ConstBytes bootstrap, const ByteRange& table, const TreeReader& reader) {
  std::vector<InodeId> prefetch;
  for (const uint32_t nid : ParsePrefetchTable(Slice(bootstrap, table.offset, table.length, "prefetch table")))
    prefetch.push_back(reader.Find(nid, "prefetch table"));
  return prefetch;
}

}  // namespace

Image ParseBootstrap(ConstBytes bootstrap, const ReadOptions& options) {
  Tables tables = ParseTables(bootstrap, options);
  Image image;
  TreeReader reader(bootstrap, tables.super, tables.ext.chunk_size, tables.blobs);
  reader.Read(&image.tree, nullptr);
  image.prefetch = ParsePrefetch(bootstrap, tables.ext.prefetch_table, reader);
  image.chunk_size = tables.ext.chunk_size;
  image.compression = tables.ext.compression;
  image.digester = tables.ext.digester;
  image.blobs = std::move(tables.blobs);
  image.zeros = std::move(tables.zeros);
  return image;
}

BootstrapSummary ValidateBootstrap(ConstBytes bootstrap, const ReadOptions& options) {
  Tables tables = ParseTables(bootstrap, options);
  TreeReader reader(bootstrap, tables.super, tables.ext.chunk_size, tables.blobs);
  AdviceBuilder advice(tables.blobs);
  reader.Read(nullptr, &advice);
  ParsePrefetch(bootstrap, tables.ext.prefetch_table, reader);
  return {.chunk_size = tables.ext.chunk_size,
          .compression = tables.ext.compression,
          .digester = tables.ext.digester,
          .blobs = std::move(tables.blobs),
          .advice = std::move(advice).Take(),
          .inodes = reader.inodes()};
}

void StoreInlinedId(MutableBytes bootstrap, const BlobId& id) {
  const erofs::SuperBlock super = erofs::ParseSuperBlock(bootstrap);
  CheckSuperBlock(super);
  const ByteRange table = ParseSuperBlockExt(bootstrap).blob_table;
  const uint64_t count = CheckBlobCount(bootstrap, super, table);
  for (uint64_t i = 0; i < count; ++i) {
    const MutableBytes entry = bootstrap.subspan(table.offset + i * kBlobEntrySize, kBlobEntrySize);
    if (!LacksId(entry)) continue;
    StoreBlobId(id, entry);
    const MutableBytes slot = bootstrap.subspan(kDeviceSlotsOffset + i * erofs::kDeviceSlotSize);
    erofs::DeviceSlot device = erofs::LoadDeviceSlot(slot);
    device.tag = id.hex();
    erofs::StoreDeviceSlot(device, slot);
  }
}

}  // namespace sluice::image::rafs
