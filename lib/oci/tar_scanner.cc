// SPDX-License-Identifier: Apache-2.0
#include "oci/tar_scanner.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"

namespace sluice::oci {
namespace {

// POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".
struct Field {
  size_t offset;
  size_t size;
  std::string_view name;
};
constexpr Field kName{0, 100, "name"};
constexpr Field kMode{100, 8, "mode"};
constexpr Field kUid{108, 8, "uid"};
constexpr Field kGid{116, 8, "gid"};
constexpr Field kSize{124, 12, "size"};
constexpr Field kMtime{136, 12, "mtime"};
constexpr Field kChecksum{148, 8, "checksum"};
constexpr Field kType{156, 1, "type"};
constexpr Field kLink{157, 100, "link"};
constexpr Field kMagic{257, 8, "magic"};  // magic and version
constexpr Field kMajor{329, 8, "devmajor"};
constexpr Field kMinor{337, 8, "devminor"};
constexpr Field kPrefix{345, 155, "prefix"};
constexpr size_t kGnuIsExtended = 482;        // old GNU sparse: a block of map entries follows
constexpr size_t kGnuMapBlockExtended = 504;  // the same in such a block

constexpr std::string_view kMagicGnu("ustar  \0", 8);
constexpr std::string_view kMagicPosix("ustar\00000", 8);

constexpr uint64_t kMaxExtensionSize = 1 * kMiB;  // libarchive and Go's archive/tar stop at the same

std::string_view Get(const std::array<std::byte, kTarBlock>& block, const Field& field) {
  return AsText(ConstBytes(block).subspan(field.offset, field.size));
}

// Up to the first NUL.
std::string_view GetString(const std::array<std::byte, kTarBlock>& block, const Field& field) {
  const std::string_view text = Get(block, field);
  return text.substr(0, text.find('\0'));
}

// Octal digits between spaces and NULs (nothing else counts as 0), or GNU's base-256.  nullopt for anything else, and
// for what does not fit into 64 bits with a sign.
std::optional<int64_t> ParseNumber(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  if ((first & 0x80) != 0) {
    // Two's complement, big endian, after the topmost bit.
    const bool negative = (first & 0x40) != 0;
    const unsigned char filler = negative ? 0xFF : 0;
    uint64_t value = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      auto byte = static_cast<unsigned char>(text[i]);
      if (i == 0 && !negative) byte = static_cast<unsigned char>(byte & 0x7F);
      if (i + sizeof(value) < text.size() && byte != filler) return std::nullopt;
      value = value << 8 | byte;
    }
    const auto number = static_cast<int64_t>(value);
    if ((number < 0) != negative) return std::nullopt;
    return number;
  }
  constexpr std::string_view kFill(" \0", 2);
  const size_t begin = text.find_first_not_of(kFill);
  if (begin == std::string_view::npos) return 0;
  text.remove_prefix(begin);
  const std::string_view digits = text.substr(0, text.find_first_of(kFill));
  if (text.find_first_not_of(kFill, digits.size()) != std::string_view::npos ||
      digits.find_first_not_of("01234567") != std::string_view::npos)
    return std::nullopt;
  int64_t number = 0;  // at most 12 digits of 3 bits
  for (const char digit : digits) number = number * 8 + (digit - '0');
  return number;
}

int64_t GetNumber(const std::array<std::byte, kTarBlock>& block, const Field& field) {
  const auto number = ParseNumber(Get(block, field));
  if (!number) Throw(Errc::kCorrupt, "header field '{}' is no number below 2^63", field.name);
  return *number;
}

bool ChecksumIsRight(const std::array<std::byte, kTarBlock>& block) {
  // The field itself counts as spaces.  Some old writers summed signed bytes.
  int64_t unsigned_sum = 0;
  int64_t signed_sum = 0;
  for (size_t i = 0; i < block.size(); ++i) {
    const bool in_field = i >= kChecksum.offset && i < kChecksum.offset + kChecksum.size;
    const auto value = in_field ? static_cast<unsigned char>(' ') : std::to_integer<unsigned char>(block[i]);
    unsigned_sum += value;
    signed_sum += static_cast<signed char>(value);
  }
  const auto stored = ParseNumber(Get(block, kChecksum));
  return stored == unsigned_sum || stored == signed_sum;
}

bool IsZero(ConstBytes bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

uint64_t Padded(uint64_t size) { return AlignUp(size, kTarBlock); }

// GNU's long names are C strings with one NUL at the end.
std::string TakeLongName(std::string body) {
  if (!body.empty() && body.back() == '\0') body.pop_back();
  if (body.empty() || body.find('\0') != std::string::npos)
    Throw(Errc::kCorrupt, "GNU long name is empty or has a NUL in it");
  return body;
}

// A global header changes all members behind it, for readers that look at it.  Only remarks may stand there (git
// archive leaves the commit in one).
void CheckGlobal(const std::vector<PaxRecord>& records) {
  for (const PaxRecord& record : records)
    if (record.key != "comment")
      Throw(Errc::kUnsupported, "global PAX header sets '{}' for all members behind it", record.key);
}

// Every record that changes what a member is has the form that all readers agree on.
void CheckRecords(const std::vector<PaxRecord>& records) {
  for (const auto& [key, value] : records) {
    if (key == "path" || key == "linkpath" || key == "GNU.sparse.name") {
      if (value.empty() || value.find('\0') != std::string::npos)
        Throw(Errc::kCorrupt, "PAX record '{}' is empty or has a NUL in it", key);
    } else if (key == "size" || key == "uid" || key == "gid" || key == "SCHILY.devmajor" || key == "SCHILY.devminor") {
      (void)ParsePaxNumber(key, value);
    } else if (key == "mtime") {
      (void)ParsePaxTime(key, value);
    } else if (key == "GNU.sparse.map") {
      if (value.find_first_not_of("0123456789,") != std::string::npos)
        Throw(Errc::kCorrupt, "PAX record '{}' is no list of numbers", key);
    } else if (key.starts_with("GNU.sparse.")) {
      (void)ParsePaxNumber(key, value);
    } else if (key == "SCHILY.realsize" || key == "SUN.holesdata" || key == "SCHILY.acl.ace") {
      Throw(Errc::kUnsupported, "PAX record '{}'", key);
    } else if (key == "SCHILY.xattr." || key == "LIBARCHIVE.xattr.") {
      Throw(Errc::kCorrupt, "PAX record '{}' names no attribute", key);
    }
  }
}

}  // namespace

void TarScanner::Feed(ConstBytes bytes) {
  while (!bytes.empty()) {
    if (skip_ > 0) {
      const uint64_t count = std::min<uint64_t>(skip_, bytes.size());
      Skip(count);
      bytes = bytes.subspan(count);
      continue;
    }
    const size_t count = std::min(bytes.size(), kTarBlock - block_fill_);
    std::memcpy(block_.data() + block_fill_, bytes.data(), count);
    block_fill_ += count;
    offset_ += count;
    bytes = bytes.subspan(count);
    if (block_fill_ == kTarBlock) {
      block_fill_ = 0;
      try {
        OnBlock(block_);
      } catch (Error& e) {
        e.AddContext(fmt::format("tar block at {}", header_start()));
        throw;
      }
    }
  }
}

void TarScanner::Skip(uint64_t count) {
  SLUICE_CHECK(count <= skip_, "only the body of a member is skipped");
  skip_ -= count;
  offset_ += count;
}

void TarScanner::Finish() const {
  if (offset_ == 0) Throw(Errc::kCorrupt, "empty, not a tar archive");
  if (state_ != State::kEnded || block_fill_ > 0)
    Throw(Errc::kCorrupt, "truncated: {} bytes of tar without an end-of-archive mark", offset_);
}

std::optional<TarMember> TarScanner::Take() {
  if (found_.empty()) return std::nullopt;
  TarMember member = std::move(found_.front());
  found_.pop_front();
  return member;
}

void TarScanner::OnBlock(const Block& block) {
  switch (state_) {
    case State::kHeader:
      if (!IsZero(block)) return OnHeader(block);
      if (first_header_) Throw(Errc::kCorrupt, "the archive ends between an extension header and its member");
      state_ = State::kHalfEnded;
      return;
    case State::kExtension: {
      const uint64_t count = std::min<uint64_t>(kTarBlock, extension_size_ - extension_.size());
      extension_.append(AsText(block).substr(0, count));
      if (extension_.size() == extension_size_) OnExtension();
      return;
    }
    case State::kSparseMap:
      if (block[kGnuMapBlockExtended] == std::byte{0}) BeginBody();
      return;
    case State::kHalfEnded:
      if (!IsZero(block)) Throw(Errc::kCorrupt, "only one block of zeros where the archive ends");
      state_ = State::kEnded;
      return;
    case State::kEnded:
      if (!IsZero(block)) Throw(Errc::kCorrupt, "data behind the end-of-archive mark");
      return;
  }
}

void TarScanner::OnHeader(const Block& block) {
  if (!ChecksumIsRight(block))
    Throw(Errc::kCorrupt, "{}", header_start() == 0 ? "not a tar archive" : "header with a wrong checksum");
  for (const Field& field : {kUid, kGid, kMtime}) (void)GetNumber(block, field);
  const int64_t size = GetNumber(block, kSize);
  if (size < 0) Throw(Errc::kCorrupt, "negative size {}", size);
  if (!first_header_) first_header_ = header_start();

  const char type = Get(block, kType)[0];
  if (type != 'x' && type != 'g' && type != 'L' && type != 'K')
    return OnMember(block, type, static_cast<uint64_t>(size));
  if (size == 0 || static_cast<uint64_t>(size) > kMaxExtensionSize)
    Throw(Errc::kCorrupt, "extension header '{}' of {} bytes; 1 to {} are allowed", type, size, kMaxExtensionSize);
  extension_type_ = type;
  extension_size_ = static_cast<uint64_t>(size);
  extension_.clear();
  state_ = State::kExtension;
}

void TarScanner::OnExtension() {
  state_ = State::kHeader;
  const auto set_once = [type = extension_type_](auto& slot, auto value) {
    if (slot) Throw(Errc::kCorrupt, "two extension headers '{}' for one member", type);
    slot = std::move(value);
  };
  switch (extension_type_) {
    case 'g': CheckGlobal(ParsePaxRecords(AsBytes(extension_))); break;
    case 'x': {
      std::vector<PaxRecord> records = ParsePaxRecords(AsBytes(extension_));
      CheckRecords(records);
      set_once(pax_, std::move(records));
      break;
    }
    case 'L': set_once(long_name_, TakeLongName(std::move(extension_))); break;
    case 'K': set_once(long_link_, TakeLongName(std::move(extension_))); break;
  }
}

void TarScanner::OnMember(const Block& block, char type, uint64_t size) {
  member_ = TarMember{.pax = std::exchange(pax_, std::nullopt).value_or(std::vector<PaxRecord>()),
                      .permissions = static_cast<uint16_t>(GetNumber(block, kMode) & 07777),
                      .header_offset = std::exchange(first_header_, std::nullopt).value()};
  const auto long_name = std::exchange(long_name_, std::nullopt);
  const auto long_link = std::exchange(long_link_, std::nullopt);

  // The name: of the header, or of the one extension that replaces it.
  const std::string_view magic = Get(block, kMagic);
  const bool posix = magic.starts_with(kMagicPosix.substr(0, 6));
  if (!posix && magic != kMagicGnu && magic.find_first_not_of(std::string_view(" \0", 2)) != std::string_view::npos)
    Throw(Errc::kCorrupt, "header with an unknown magic");
  member_.name = GetString(block, kName);
  if (const std::string_view prefix = GetString(block, kPrefix); posix && !prefix.empty()) {
    if (magic != kMagicPosix) Throw(Errc::kCorrupt, "header with a prefix, but not of ustar version 00");
    member_.name = std::string(prefix) + "/" + member_.name;
  }
  const std::string* path = FindPax(member_.pax, "path");
  if (const std::string* sparse_path = FindPax(member_.pax, "GNU.sparse.name")) path = sparse_path;
  if (path != nullptr && long_name) Throw(Errc::kCorrupt, "both a PAX and a GNU name");
  if (path != nullptr) member_.name = *path;
  if (long_name) member_.name = *long_name;

  const std::string* link = FindPax(member_.pax, "linkpath");
  if (link != nullptr && long_link) Throw(Errc::kCorrupt, "both a PAX and a GNU link name");
  if (type == '1' || type == '2') {
    member_.link = link != nullptr ? *link : long_link ? *long_link : GetString(block, kLink);
  } else if (link != nullptr || long_link) {
    Throw(Errc::kCorrupt, "'{}' is no link and has a link name", member_.name);
  }

  if (const std::string* pax_size = FindPax(member_.pax, "size")) size = ParsePaxNumber("size", *pax_size);
  member_.body_size = size;
  switch (type) {
    case '\0':  // before 1988 a directory was a file with a name like this
      member_.type = member_.name.ends_with('/') ? '5' : '0';
      break;
    case '7': member_.type = '0'; break;  // contiguous
    case '3':
    case '4':
      for (const Field& field : {kMajor, kMinor}) (void)GetNumber(block, field);
      [[fallthrough]];
    case '0':
    case '1':
    case '2':
    case '5':
    case '6': member_.type = type; break;
    case 'S':
      if (magic != kMagicGnu)
        Throw(Errc::kCorrupt, "'{}' is sparse in GNU's old way, but not in GNU's format", member_.name);
      member_.type = type;
      break;
    default: Throw(Errc::kUnsupported, "'{}' is of type {:#04x}", member_.name, static_cast<unsigned char>(type));
  }
  const bool has_data = member_.type == '0' || member_.type == 'S';
  if (!has_data && size > 0)
    Throw(Errc::kCorrupt, "'{}' of type '{}' has {} bytes of data", member_.name, member_.type, size);
  const auto is_sparse_record = [](const PaxRecord& record) { return record.key.starts_with("GNU.sparse."); };
  if (member_.type != '0' && std::ranges::any_of(member_.pax, is_sparse_record))
    Throw(Errc::kCorrupt, "'{}' of type '{}' has PAX records of a sparse file", member_.name, member_.type);
  if (member_.type != '5' && member_.name.ends_with('/'))
    Throw(Errc::kCorrupt, "'{}' is no directory and ends with '/'", member_.name);

  if (member_.type == 'S' && block[kGnuIsExtended] != std::byte{0}) {
    state_ = State::kSparseMap;
  } else {
    BeginBody();
  }
}

void TarScanner::BeginBody() {
  state_ = State::kHeader;
  member_.body_offset = offset_;
  if (member_.body_size > INT64_MAX - offset_ - kTarBlock)
    Throw(Errc::kCorrupt, "'{}' of {} bytes ends past 2^63", member_.name, member_.body_size);
  skip_ = Padded(member_.body_size);
  found_.push_back(std::move(member_));
  member_ = {};
}

}  // namespace sluice::oci
