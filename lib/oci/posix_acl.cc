// SPDX-License-Identifier: Apache-2.0
#include "oci/posix_acl.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <tuple>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"

namespace sluice::oci {
namespace {

// include/uapi/linux/posix_acl.h and posix_acl_xattr.h.
constexpr uint32_t kXattrVersion = 2;
constexpr uint32_t kUndefinedId = UINT32_MAX;
enum Tag : uint16_t { kUserObject = 1, kUser = 2, kGroupObject = 4, kGroup = 8, kMask = 0x10, kOther = 0x20 };

constexpr size_t kMaxEntries = 8000;  // what fits into an attribute value of 64 KiB

struct AclEntry {
  uint16_t tag = 0;
  uint16_t permissions = 0;
  uint32_t id = kUndefinedId;
};

std::vector<std::string_view> Split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t end = text.find_first_of(separators);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::optional<uint32_t> ParseId(std::string_view text) {
  uint32_t id = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), id);
  if (text.empty() || result.ec != std::errc() || result.ptr != text.data() + text.size() || id == kUndefinedId)
    return std::nullopt;
  return id;
}

uint16_t ParsePermissions(std::string_view text, std::string_view line) {
  if (text.size() != 3) Throw(Errc::kCorrupt, "ACL entry '{}' has no permissions of the form rwx", line);
  uint16_t permissions = 0;
  for (size_t i = 0; i < 3; ++i) {
    if (text[i] == "rwx"[i]) {
      permissions |= static_cast<uint16_t>(4 >> i);
    } else if (text[i] != '-') {
      Throw(Errc::kCorrupt, "ACL entry '{}' has no permissions of the form rwx", line);
    }
  }
  return permissions;
}

AclEntry ParseEntry(std::string_view line) {
  const std::vector<std::string_view> fields = Split(line, ":");
  const std::string_view type = fields[0];
  // "mask:rwx" and "other:rwx" may come without the empty name.
  const bool short_form = fields.size() == 2 && (type == "mask" || type == "other" || type == "m" || type == "o");
  if (!short_form && (fields.size() < 3 || fields.size() > 4))
    Throw(Errc::kCorrupt, "ACL entry '{}' is not of the form type:name:rwx", line);
  const std::string_view name = short_form ? std::string_view() : fields[1];

  AclEntry entry{.permissions = ParsePermissions(fields[short_form ? 1 : 2], line)};
  if (type == "user" || type == "u") {
    entry.tag = name.empty() ? kUserObject : kUser;
  } else if (type == "group" || type == "g") {
    entry.tag = name.empty() ? kGroupObject : kGroup;
  } else if ((type == "mask" || type == "m") && name.empty()) {
    entry.tag = kMask;
  } else if ((type == "other" || type == "o") && name.empty()) {
    entry.tag = kOther;
  } else {
    Throw(Errc::kCorrupt, "ACL entry '{}' is of no known type", line);
  }
  if (entry.tag == kUser || entry.tag == kGroup) {
    const auto id = ParseId(fields.size() == 4 ? fields[3] : name);
    if (!id) Throw(Errc::kUnsupported, "ACL entry '{}' has a name without a number", line);
    entry.id = *id;
  }
  return entry;
}

size_t Count(const std::vector<AclEntry>& entries, uint16_t tag) {
  return static_cast<size_t>(std::ranges::count(entries, tag, &AclEntry::tag));
}

}  // namespace

std::string AclAttribute(std::string_view text, AclKind kind) {
  std::vector<AclEntry> entries;
  for (std::string_view line : Split(text, ",\n")) {
    line = line.substr(0, line.find_first_of(" \t#"));  // "#effective:r--" behind an entry is a remark
    if (line.empty()) continue;
    if (entries.size() == kMaxEntries) Throw(Errc::kLimit, "ACL with more than {} entries", kMaxEntries);
    entries.push_back(ParseEntry(line));
  }
  if (entries.empty()) return {};

  // What the kernel asks for (fs/posix_acl.c, posix_acl_valid): one of each, a mask with names, in this order.
  const bool named = Count(entries, kUser) + Count(entries, kGroup) > 0;
  if (Count(entries, kUserObject) != 1 || Count(entries, kGroupObject) != 1 || Count(entries, kOther) != 1 ||
      Count(entries, kMask) > 1 || (named && Count(entries, kMask) == 0))
    Throw(Errc::kCorrupt, "ACL of {} entries lacks one for user, group, other or mask, or has it twice",
          entries.size());
  const auto order = [](const AclEntry& entry) { return std::tuple(entry.tag, entry.id); };
  std::ranges::sort(entries, {}, order);
  if (std::ranges::adjacent_find(entries, {}, order) != entries.end())
    Throw(Errc::kCorrupt, "ACL of {} entries has a user or group twice", entries.size());
  if (kind == AclKind::kAccess && entries.size() == 3) return {};

  ByteWriter attribute;
  attribute.Append<uint32_t>(kXattrVersion);
  for (const AclEntry& entry : entries) {
    attribute.Append<uint16_t>(entry.tag);
    attribute.Append<uint16_t>(entry.permissions);
    attribute.Append<uint32_t>(entry.id);
  }
  return std::string(AsText(std::move(attribute).Finish()));
}

}  // namespace sluice::oci
