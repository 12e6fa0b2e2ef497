// SPDX-License-Identifier: Apache-2.0
#include "image/erofs/xattr.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "image/erofs/layout.h"

namespace sluice::image::erofs {
namespace {

// struct erofs_xattr_ibody_header and erofs_xattr_entry
constexpr uint64_t kSharedCountAt = 4;
constexpr uint64_t kNameLengthAt = 0;
constexpr uint64_t kNameIndexAt = 1;
constexpr uint64_t kValueSizeAt = 2;

constexpr uint64_t kMaxBodySize = kXattrHeaderSize + (UINT16_MAX - 1) * kXattrAlignment;  // i_xattr_icount
constexpr uint64_t kMaxXattrNameLength = 255;                                             // XATTR_NAME_MAX, xattr(7)
constexpr uint64_t kMaxXattrValueSize = UINT16_MAX;                                       // e_value_size

// EROFS_XATTR_INDEX_….  The ACLs are whole names: nothing follows the prefix.
struct Prefix {
  uint8_t index;
  std::string_view text;
  bool whole;
};
constexpr Prefix kPrefixes[] = {
    {1, "user.", false},
    {2, "system.posix_acl_access", true},
    {3, "system.posix_acl_default", true},
    {4, "trusted.", false},
    {6, "security.", false},
};

// The prefix of a full name and what follows it; nullptr when there is none.
std::pair<const Prefix*, std::string_view> SplitName(std::string_view name) {
  for (const Prefix& prefix : kPrefixes) {
    if (!name.starts_with(prefix.text)) continue;
    const std::string_view suffix = name.substr(prefix.text.size());
    if (suffix.empty() == prefix.whole) return {&prefix, suffix};
  }
  return {nullptr, {}};
}

}  // namespace

Xattrs ParseXattrs(ConstBytes body, std::string_view what) {
  Xattrs xattrs;
  if (body.empty()) return xattrs;
  ByteReader reader(body, what);
  const ConstBytes header = reader.Take(kXattrHeaderSize, "xattr header");
  if (const auto shared = LoadLe<uint8_t>(header.data() + kSharedCountAt); shared != 0)
    Throw(Errc::kUnsupported, "{}: field 'h_shared_count' is {}", what, shared);

  while (reader.remaining() != 0) {
    const ConstBytes entry = reader.Take(kXattrEntrySize, "xattr entry");
    const auto name_length = LoadLe<uint8_t>(entry.data() + kNameLengthAt);
    const auto index = LoadLe<uint8_t>(entry.data() + kNameIndexAt);
    const auto value_size = LoadLe<uint16_t>(entry.data() + kValueSizeAt);
    const auto* prefix = std::find_if(std::begin(kPrefixes), std::end(kPrefixes),
                                      [index](const Prefix& candidate) { return candidate.index == index; });
    if (prefix == std::end(kPrefixes)) Throw(Errc::kUnsupported, "{}: field 'e_name_index' is {}", what, index);
    const std::string_view suffix = AsText(reader.Take(name_length, "xattr name"));
    const std::string_view value = AsText(reader.Take(value_size, "xattr value"));
    std::string name = std::string(prefix->text) + std::string(suffix);
    if (suffix.empty() != prefix->whole || name.size() > kMaxXattrNameLength || suffix.find('\0') != suffix.npos)
      Throw(Errc::kCorrupt, "{}: xattr name of {} bytes with prefix '{}' is not valid", what, name_length,
            prefix->text);
    // The body ends with an entry or its padding.
    reader.Skip(AlignUp(reader.offset(), kXattrAlignment) - reader.offset(), "xattr padding");
    if (!xattrs.emplace(std::move(name), value).second)
      Throw(Errc::kCorrupt, "{}: xattr with prefix '{}' appears twice", what, prefix->text);
  }
  return xattrs;
}

uint64_t XattrBodySize(const Xattrs& xattrs) {
  if (xattrs.empty()) return 0;
  uint64_t size = kXattrHeaderSize;
  for (const auto& [name, value] : xattrs) {
    const auto [prefix, suffix] = SplitName(name);
    if (prefix == nullptr || name.size() > kMaxXattrNameLength || name.find('\0') != name.npos)
      Throw(Errc::kInvalidArgument, "xattr '{}': no name that EROFS can store", name);
    if (value.size() > kMaxXattrValueSize)
      Throw(Errc::kInvalidArgument, "xattr '{}': value of {} bytes is above {}", name, value.size(),
            kMaxXattrValueSize);
    size += AlignUp(kXattrEntrySize + suffix.size() + value.size(), kXattrAlignment);
  }
  if (size > kMaxBodySize) Throw(Errc::kInvalidArgument, "xattrs of {} bytes are above {}", size, kMaxBodySize);
  return size;
}

void StoreXattrs(const Xattrs& xattrs, MutableBytes to) {
  SLUICE_CHECK(to.size() >= XattrBodySize(xattrs), "the caller makes room for the xattrs");
  if (xattrs.empty()) return;
  std::byte* at = to.data();
  at = std::fill_n(at, kXattrHeaderSize, std::byte{0});
  for (const auto& [name, value] : xattrs) {
    const auto [prefix, suffix] = SplitName(name);
    StoreLe<uint8_t>(at + kNameLengthAt, static_cast<uint8_t>(suffix.size()));
    StoreLe<uint8_t>(at + kNameIndexAt, prefix->index);
    StoreLe<uint16_t>(at + kValueSizeAt, static_cast<uint16_t>(value.size()));
    const uint64_t size = kXattrEntrySize + suffix.size() + value.size();
    std::copy_n(AsBytes(suffix).begin(), suffix.size(), at + kXattrEntrySize);
    std::copy_n(AsBytes(value).begin(), value.size(), at + kXattrEntrySize + suffix.size());
    std::fill_n(at + size, AlignUp(size, kXattrAlignment) - size, std::byte{0});
    at += AlignUp(size, kXattrAlignment);
  }
}

}  // namespace sluice::image::erofs
