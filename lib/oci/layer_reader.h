// SPDX-License-Identifier: Apache-2.0
#pragma once
// One layer as a stream of entries with their data.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"

namespace sluice::oci {

// Limits on an entry, from POSIX and Linux (limits.h, xattr(7)).
constexpr uint64_t kMaxPathLength = 4095;
constexpr uint64_t kMaxXattrNameLength = 255;
constexpr uint64_t kMaxXattrValueLength = 64 * kKiB;

enum class EntryType : uint8_t {
  kRegular,
  kDirectory,
  kSymlink,
  kCharDevice,
  kBlockDevice,
  kFifo,
  kSocket,    // only from a directory tree: tar has none
  kHardLink,  // another name of `link_path`; all attributes are those of that file
};

struct LayerEntry {
  // The components of the name in the image: none is empty, ".", "..", longer than kMaxNameLength, or holds '/' or NUL.
  // Empty: the root directory (then the type is kDirectory).  Whiteout names (".wh.…") are passed on as they are.
  std::vector<std::string> path;
  EntryType type = EntryType::kRegular;
  uint16_t permissions = 0;  // 07777
  uint32_t uid = 0;          // at most 2^32 - 2
  uint32_t gid = 0;
  int64_t mtime_seconds = 0;                               // since 1970, negative before
  uint32_t mtime_nanoseconds = 0;                          // below 10^9, counted forward
  std::map<std::string, std::string, std::less<>> xattrs;  // full names to raw values

  // By type; empty or zero for the others.
  uint64_t size = 0;                   // kRegular: bytes, holes included; below 2^63
  std::string symlink_target;          // kSymlink: 1 to kMaxSymlinkLength bytes, without NUL
  std::vector<std::string> link_path;  // kHardLink: rules as for `path`, never empty
  uint32_t device_major = 0;           // kCharDevice, kBlockDevice
  uint32_t device_minor = 0;

  // "a/b/c", for messages; "." for the root.
  std::string Name() const;
};

// Some of a file's data; the bytes stay valid until the next call on the reader.
struct DataPiece {
  uint64_t offset = 0;
  ConstBytes bytes;  // never empty
};

// Blocks: call from a tool's main thread or in Offload.  Not thread-safe.
class LayerReader {
 public:
  virtual ~LayerReader() = default;

  // The next entry, in the order of the layer; data of the present one that were not taken are skipped.  nullopt at the
  // end, and only once everything that is known about the layer (digests, sizes) has been checked: entries taken before
  // do not count until then.  Throws kCorrupt, kUnsupported, kLimit, kIo; messages name layer, entry and reason.
  virtual std::optional<LayerEntry> Next() = 0;

  // The next data of a kRegular entry, in ascending order without overlap and inside `size`; what no piece covers is a
  // hole.  nullopt at the end of the file.
  virtual std::optional<DataPiece> NextData() = 0;
};

// The components of `name` after the rules of LayerEntry::path: leading and doubled '/' and "." are dropped.  Throws
// kCorrupt with the reason.
std::vector<std::string> SplitPath(std::string_view name);

}  // namespace sluice::oci
