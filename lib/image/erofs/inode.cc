// SPDX-License-Identifier: Apache-2.0
#include "image/erofs/inode.h"

#include <algorithm>

#include "base/check.h"
#include "base/error.h"

namespace sluice::image::erofs {
namespace {

// struct erofs_inode_compact and erofs_inode_extended share their first fields.
constexpr uint64_t kFormatAt = 0;
constexpr uint64_t kXattrCountAt = 2;
constexpr uint64_t kModeAt = 4;
constexpr uint64_t kSizeAt = 8;
constexpr uint64_t kUnionAt = 16;
constexpr uint64_t kInoAt = 20;
constexpr uint64_t kCompactLinksAt = 6;
constexpr uint64_t kCompactUidAt = 24;
constexpr uint64_t kCompactGidAt = 26;
constexpr uint64_t kExtendedUidAt = 24;
constexpr uint64_t kExtendedGidAt = 28;
constexpr uint64_t kExtendedMtimeAt = 32;
constexpr uint64_t kExtendedMtimeNsecAt = 40;
constexpr uint64_t kExtendedLinksAt = 44;

constexpr uint16_t kFormatExtended = 0x1;
constexpr unsigned kFormatLayoutShift = 1;
constexpr uint16_t kFormatMask = 0xF;  // version and layout

// The S_IFMT bits of st_mode (inode(7)).
constexpr uint16_t kPermissionMask = 07777;
constexpr struct {
  FileType type;
  uint16_t mode;
} kTypeModes[] = {
    {FileType::kRegular, 0100000},     {FileType::kDirectory, 0040000}, {FileType::kCharDevice, 0020000},
    {FileType::kBlockDevice, 0060000}, {FileType::kFifo, 0010000},      {FileType::kSocket, 0140000},
    {FileType::kSymlink, 0120000},
};

FileType TypeOfMode(uint16_t mode, std::string_view what) {
  for (const auto& entry : kTypeModes)
    if (entry.mode == (mode & ~kPermissionMask)) return entry.type;
  Throw(Errc::kCorrupt, "{}: field 'i_mode' is {:o}, no known type", what, mode);
}

uint16_t ModeOfType(FileType type) {
  for (const auto& entry : kTypeModes)
    if (entry.type == type) return entry.mode;
  SLUICE_CHECK(false, "an inode has one of the seven file types");
}

DataLayout LayoutOfFormat(uint16_t format, std::string_view what) {
  if ((format & ~kFormatMask) != 0) Throw(Errc::kUnsupported, "{}: field 'i_format' is {:#x}", what, format);
  switch (const auto layout = static_cast<DataLayout>(format >> kFormatLayoutShift)) {
    case DataLayout::kFlatPlain:
    case DataLayout::kFlatInline:
    case DataLayout::kChunkBased: return layout;
  }
  Throw(Errc::kUnsupported, "{}: field 'i_format' is {:#x}, no known data layout", what, format);
}

}  // namespace

InodeHeader ParseInode(ConstBytes bytes, const Timestamp& build_time, std::string_view what) {
  const std::byte* at = Slice(bytes, 0, kCompactInodeSize, what).data();
  InodeHeader inode;
  const auto format = LoadLe<uint16_t>(at + kFormatAt);
  inode.extended = (format & kFormatExtended) != 0;
  inode.layout = LayoutOfFormat(format, what);
  if (const auto count = LoadLe<uint16_t>(at + kXattrCountAt); count != 0)
    inode.xattr_size = static_cast<uint32_t>(kXattrHeaderSize + (count - 1) * kXattrAlignment);
  const auto mode = LoadLe<uint16_t>(at + kModeAt);
  inode.type = TypeOfMode(mode, what);
  inode.permissions = mode & kPermissionMask;
  inode.u = LoadLe<uint32_t>(at + kUnionAt);
  inode.ino = LoadLe<uint32_t>(at + kInoAt);
  if (!inode.extended) {
    inode.size = LoadLe<uint32_t>(at + kSizeAt);
    inode.uid = LoadLe<uint16_t>(at + kCompactUidAt);
    inode.gid = LoadLe<uint16_t>(at + kCompactGidAt);
    inode.link_count = LoadLe<uint16_t>(at + kCompactLinksAt);
    inode.mtime = build_time;
    return inode;
  }
  at = Slice(bytes, 0, kExtendedInodeSize, what).data();
  inode.size = LoadLe<uint64_t>(at + kSizeAt);
  inode.uid = LoadLe<uint32_t>(at + kExtendedUidAt);
  inode.gid = LoadLe<uint32_t>(at + kExtendedGidAt);
  inode.mtime.seconds = LoadLe<int64_t>(at + kExtendedMtimeAt);
  inode.mtime.nanoseconds = LoadLe<uint32_t>(at + kExtendedMtimeNsecAt);
  inode.link_count = LoadLe<uint32_t>(at + kExtendedLinksAt);
  if (inode.mtime.nanoseconds >= kNanosecondsPerSecond)
    Throw(Errc::kCorrupt, "{}: field 'i_mtime_nsec' is {}", what, inode.mtime.nanoseconds);
  return inode;
}

void StoreInode(const InodeHeader& inode, MutableBytes to) {
  SLUICE_CHECK(to.size() >= inode.header_size(), "the caller makes room for the inode");
  std::byte* at = to.data();
  std::fill_n(at, inode.header_size(), std::byte{0});
  StoreLe<uint16_t>(at + kFormatAt, static_cast<uint16_t>(static_cast<uint16_t>(inode.layout) << kFormatLayoutShift |
                                                          (inode.extended ? kFormatExtended : 0)));
  if (inode.xattr_size != 0)
    StoreLe<uint16_t>(at + kXattrCountAt,
                      static_cast<uint16_t>((inode.xattr_size - kXattrHeaderSize) / kXattrAlignment + 1));
  StoreLe<uint16_t>(at + kModeAt, ModeOfType(inode.type) | inode.permissions);
  StoreLe<uint32_t>(at + kUnionAt, inode.u);
  StoreLe<uint32_t>(at + kInoAt, inode.ino);
  if (!inode.extended) {
    StoreLe<uint32_t>(at + kSizeAt, static_cast<uint32_t>(inode.size));
    StoreLe<uint16_t>(at + kCompactUidAt, static_cast<uint16_t>(inode.uid));
    StoreLe<uint16_t>(at + kCompactGidAt, static_cast<uint16_t>(inode.gid));
    StoreLe<uint16_t>(at + kCompactLinksAt, static_cast<uint16_t>(inode.link_count));
    return;
  }
  StoreLe<uint64_t>(at + kSizeAt, inode.size);
  StoreLe<uint32_t>(at + kExtendedUidAt, inode.uid);
  StoreLe<uint32_t>(at + kExtendedGidAt, inode.gid);
  StoreLe<int64_t>(at + kExtendedMtimeAt, inode.mtime.seconds);
  StoreLe<uint32_t>(at + kExtendedMtimeNsecAt, inode.mtime.nanoseconds);
  StoreLe<uint32_t>(at + kExtendedLinksAt, inode.link_count);
}

uint32_t EncodeDevice(DeviceNumber device) noexcept {
  return (device.minor & 0xFF) | device.major << 8 | (device.minor & ~0xFFu) << 12;
}

DeviceNumber DecodeDevice(uint32_t encoded) noexcept {
  return {.major = (encoded & 0xFFF00) >> 8, .minor = (encoded & 0xFF) | (encoded >> 12 & 0xFFF00)};
}

}  // namespace sluice::image::erofs
