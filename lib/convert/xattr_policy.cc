// SPDX-License-Identifier: Apache-2.0
#include "convert/xattr_policy.h"

#include <array>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"

namespace sluice::convert {
namespace {

constexpr std::array<std::string_view, 3> kDropped = {"security.selinux", "trusted.overlay.", "user.overlay."};

// erofs_fs.h: EROFS_XATTR_INDEX_*; the part of the name behind a prefix is what an entry stores.
constexpr std::array<std::string_view, 3> kPrefixes = {"user.", "trusted.", "security."};
constexpr std::array<std::string_view, 2> kWholeNames = {"system.posix_acl_access", "system.posix_acl_default"};

constexpr size_t kMaxSuffix = 255;         // erofs_xattr_entry.e_name_len
constexpr size_t kMaxValue = 65535;        // erofs_xattr_entry.e_value_size
constexpr size_t kEntryHeader = 4;         // sizeof(erofs_xattr_entry); entries are multiples of 4
constexpr size_t kMaxEntries = 4 * 65534;  // bytes: (i_xattr_icount - 1) * 4

// The part of `name` that is stored, nullopt when there is no place for the name.
std::optional<std::string_view> StoredName(std::string_view name) {
  for (const std::string_view prefix : kPrefixes) {
    if (name.starts_with(prefix) && name.size() > prefix.size()) return name.substr(prefix.size());
  }
  for (const std::string_view whole : kWholeNames) {
    if (name == whole) return std::string_view();
  }
  return std::nullopt;
}

bool IsDropped(std::string_view name) {
  for (const std::string_view dropped : kDropped) {
    if (dropped.ends_with('.') ? name.starts_with(dropped) : name == dropped) return true;
  }
  return !StoredName(name).has_value();
}

}  // namespace

size_t FilterXattrs(Xattrs& xattrs) {
  const size_t dropped = std::erase_if(xattrs, [](const auto& xattr) { return IsDropped(xattr.first); });
  size_t total = 0;
  for (const auto& [name, value] : xattrs) {
    const size_t name_size = StoredName(name)->size();
    if (name_size > kMaxSuffix || value.size() > kMaxValue) {
      Throw(Errc::kLimit, "xattr '{}': name of {} bytes and value of {} bytes; EROFS has room for {} and {}", name,
            name_size, value.size(), kMaxSuffix, kMaxValue);
    }
    total += AlignUp(kEntryHeader + name_size + value.size(), 4);
  }
  if (total > kMaxEntries) {
    Throw(Errc::kLimit, "{} xattrs take {} bytes; EROFS has room for {}", xattrs.size(), total, kMaxEntries);
  }
  return dropped;
}

}  // namespace sluice::convert
