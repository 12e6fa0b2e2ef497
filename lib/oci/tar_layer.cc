// SPDX-License-Identifier: Apache-2.0
#include "oci/tar_layer.h"

#include <sys/stat.h>  // for S_IFREG

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "oci/archive_reader.h"
#include "oci/documents.h"
#include "oci/posix_acl.h"
#include "oci/tar_scanner.h"

namespace sluice::oci {
namespace {

constexpr uint64_t kMaxId = UINT32_MAX - 1;           // the highest value means "none" to the kernel
constexpr uint64_t kMaxDeviceMajor = (1u << 12) - 1;  // include/linux/kdev_t.h, new_encode_dev
constexpr uint64_t kMaxDeviceMinor = (1u << 20) - 1;

// Passes the bytes of another source on, counted and, if asked, hashed.
class MeteredSource final : public codec::ByteSource {
 public:
  MeteredSource(codec::ByteSource& source, bool hash) : source_(source) {
    if (hash) hasher_.emplace(DigestAlgorithm::kSha256);
  }
  size_t Read(MutableBytes dst) override {
    const size_t count = source_.Read(dst);
    if (hasher_) hasher_->Update(dst.first(count));
    size_ += count;
    return count;
  }
  uint64_t size() const noexcept { return size_; }
  Digest Finish() { return hasher_->Finish(); }

 private:
  codec::ByteSource& source_;
  std::optional<Hasher> hasher_;
  uint64_t size_ = 0;
};

// Shows the bytes of another source to a scanner on their way.  What the scanner refuses waits until the reader comes
// to that place, so that it does not matter how far the stream is read ahead.
class ScannedSource final : public codec::ByteSource {
 public:
  ScannedSource(codec::ByteSource& source, TarScanner& scanner) : source_(source), scanner_(scanner) {}
  size_t Read(MutableBytes dst) override {
    const size_t count = source_.Read(dst);
    if (!refusal_) {
      try {
        scanner_.Feed(dst.first(count));
      } catch (const Error& e) {
        refusal_ = e;
      }
    }
    return count;
  }
  void CheckRefusal() const {
    if (refusal_) throw *refusal_;
  }

 private:
  codec::ByteSource& source_;
  TarScanner& scanner_;
  std::optional<Error> refusal_;
};

EntryType TypeOf(const TarMember& member) {
  switch (member.type) {
    case '1': return EntryType::kHardLink;
    case '2': return EntryType::kSymlink;
    case '3': return EntryType::kCharDevice;
    case '4': return EntryType::kBlockDevice;
    case '5': return EntryType::kDirectory;
    case '6': return EntryType::kFifo;
    default: return EntryType::kRegular;  // '0' and 'S'
  }
}

// What stat(2) would say; a hard link has no type of its own.
uint32_t StatTypeOf(EntryType type) {
  switch (type) {
    case EntryType::kRegular: return S_IFREG;
    case EntryType::kDirectory: return S_IFDIR;
    case EntryType::kSymlink: return S_IFLNK;
    case EntryType::kCharDevice: return S_IFCHR;
    case EntryType::kBlockDevice: return S_IFBLK;
    case EntryType::kFifo: return S_IFIFO;
    case EntryType::kSocket: return S_IFSOCK;
    case EntryType::kHardLink: return 0;
  }
  return 0;
}

uint32_t CheckedId(int64_t id, std::string_view field) {
  if (id < 0 || static_cast<uint64_t>(id) > kMaxId) Throw(Errc::kCorrupt, "{} {} is not in 0 to {}", field, id, kMaxId);
  return static_cast<uint32_t>(id);
}

void AddXattr(LayerEntry& entry, std::string name, std::string value) {
  if (name.empty() || name.size() > kMaxXattrNameLength || name.find('\0') != std::string::npos)
    Throw(Errc::kCorrupt, "extended attribute with a name of {} bytes; 1 to {} are allowed", name.size(),
          kMaxXattrNameLength);
  if (value.size() > kMaxXattrValueLength)
    Throw(Errc::kCorrupt, "extended attribute '{}' of {} bytes, more than {}", name, value.size(),
          kMaxXattrValueLength);
  const auto [present, added] = entry.xattrs.try_emplace(std::move(name), std::move(value));
  // bsdtar writes each attribute in two ways.
  if (!added && present->second != value)
    Throw(Errc::kCorrupt, "two values for extended attribute '{}'", present->first);
}

// Only where the raw attribute is not given too.
void AddAcl(LayerEntry& entry, const TarMember& member, std::string_view key, std::string name, AclKind kind) {
  const std::string* text = FindPax(member.pax, key);
  if (text == nullptr || entry.xattrs.contains(name)) return;
  std::string value = AclAttribute(*text, kind);
  if (!value.empty()) AddXattr(entry, std::move(name), std::move(value));
}

std::vector<std::string> HardLinkPath(std::string_view link) {
  try {
    std::vector<std::string> path = SplitPath(link);
    if (path.empty()) Throw(Errc::kCorrupt, "the root directory");
    return path;
  } catch (Error& e) {
    e.AddContext("hard link target");
    throw;
  }
}

// The two views of one member as an entry.
LayerEntry MakeEntry(const TarMember& member, ArchiveReader::Header header) {
  LayerEntry entry{.path = SplitPath(member.name), .type = TypeOf(member)};
  if (header.offset != member.header_offset || header.type != StatTypeOf(entry.type) || header.size < 0 ||
      header.data_size < 0 || header.data_size > static_cast<int64_t>(member.body_size))
    Throw(Errc::kCorrupt, "tar readers disagree: header at {} or {}, type {:o} or '{}', {} or {} bytes", header.offset,
          member.header_offset, header.type, member.type, header.data_size, member.body_size);
  if (entry.path.empty() && entry.type != EntryType::kDirectory)
    Throw(Errc::kCorrupt, "the root directory as something else");

  entry.permissions = member.permissions;  // libarchive mixes those of an ACL in
  entry.uid = CheckedId(header.uid, "uid");
  entry.gid = CheckedId(header.gid, "gid");
  entry.mtime_seconds = header.mtime_seconds;
  if (const std::string* mtime = FindPax(member.pax, "mtime")) {
    // libarchive takes the fraction of a time before 1970 in the wrong direction.
    const PaxTime time = ParsePaxTime("mtime", *mtime);
    entry.mtime_seconds = time.seconds;
    entry.mtime_nanoseconds = time.nanoseconds;
  }
  for (auto& [name, value] : header.xattrs) AddXattr(entry, std::move(name), std::move(value));
  AddAcl(entry, member, "SCHILY.acl.access", "system.posix_acl_access", AclKind::kAccess);
  AddAcl(entry, member, "SCHILY.acl.default", "system.posix_acl_default", AclKind::kDefault);

  switch (entry.type) {
    case EntryType::kRegular: entry.size = static_cast<uint64_t>(header.size); break;
    case EntryType::kSymlink:
      if (member.link.empty() || member.link.size() > kMaxSymlinkLength)
        Throw(Errc::kCorrupt, "symbolic link to a target of {} bytes; 1 to {} are allowed", member.link.size(),
              kMaxSymlinkLength);
      entry.symlink_target = member.link;
      break;
    case EntryType::kHardLink: entry.link_path = HardLinkPath(member.link); break;
    case EntryType::kCharDevice:
    case EntryType::kBlockDevice:
      if (header.device_major > kMaxDeviceMajor || header.device_minor > kMaxDeviceMinor)
        Throw(Errc::kCorrupt, "device number {}:{} is above {}:{}", header.device_major, header.device_minor,
              kMaxDeviceMajor, kMaxDeviceMinor);
      entry.device_major = static_cast<uint32_t>(header.device_major);
      entry.device_minor = static_cast<uint32_t>(header.device_minor);
      break;
    case EntryType::kDirectory:
    case EntryType::kFifo:
    case EntryType::kSocket: break;
  }
  return entry;
}

class TarLayerReader final : public LayerReader {
 public:
  TarLayerReader(std::unique_ptr<codec::ByteSource> stored, std::string name, LayerExpectations expected,
                 codec::DecodeLimits limits)
      : name_(std::move(name)),
        expected_(std::move(expected)),
        stored_(std::move(stored)),
        // An uncompressed layer has one digest by two names: hash it once.
        metered_stored_(*stored_, expected_.digest && expected_.digest != expected_.diff_id),
        decoder_(metered_stored_, "stored data", limits),
        metered_plain_(decoder_, expected_.diff_id.has_value()),
        scanned_(metered_plain_, scanner_) {}

  std::optional<LayerEntry> Next() override {
    return WithContext([this] { return NextEntry(); });
  }
  std::optional<DataPiece> NextData() override {
    return WithContext([this] { return NextPiece(); });
  }

 private:
  std::optional<LayerEntry> NextEntry();
  std::optional<DataPiece> NextPiece();
  std::optional<ArchiveReader::Header> NextHeader();
  void Finish();
  void CheckExpectations();

  template <typename F>
  auto WithContext(F f) -> decltype(f()) {
    try {
      return f();
    } catch (Error& e) {
      if (!present_.empty()) e.AddContext("entry '" + present_ + "'");
      e.AddContext(name_);
      throw;
    }
  }

  const std::string name_;
  const LayerExpectations expected_;
  const std::unique_ptr<codec::ByteSource> stored_;
  MeteredSource metered_stored_;
  codec::StreamDecoder decoder_;
  MeteredSource metered_plain_;
  TarScanner scanner_;
  ScannedSource scanned_;
  std::optional<ArchiveReader> archive_;  // made by the first Next, as it reads at once

  // The entry being read.
  std::string present_;     // its name, for errors; empty between entries
  uint64_t size_ = 0;       // with holes
  uint64_t data_end_ = 0;   // of the last piece
  uint64_t data_left_ = 0;  // bytes in the pieces to come
  bool done_ = false;
};

std::optional<LayerEntry> TarLayerReader::NextEntry() {
  if (done_) return std::nullopt;
  if (!archive_) archive_.emplace(scanned_);
  while (NextPiece()) {
  }
  present_.clear();
  std::optional<ArchiveReader::Header> header = NextHeader();
  if (!header) {
    Finish();
    return std::nullopt;
  }
  std::optional<TarMember> member = scanner_.Take();
  if (!member) {
    scanned_.CheckRefusal();
    Throw(Errc::kCorrupt, "tar readers disagree: a member at {} or none", header->offset);
  }
  present_ = member->name;
  data_left_ = static_cast<uint64_t>(header->data_size);
  LayerEntry entry = MakeEntry(*member, *std::move(header));
  size_ = entry.size;
  data_end_ = 0;
  return entry;
}

std::optional<ArchiveReader::Header> TarLayerReader::NextHeader() {
  try {
    return archive_->Next();
  } catch (const Error&) {
    // Which member it was about, or better words for what is wrong with it.
    if (const auto member = scanner_.Take()) {
      present_ = member->name;
    } else {
      scanned_.CheckRefusal();
    }
    throw;
  }
}

std::optional<DataPiece> TarLayerReader::NextPiece() {
  if (present_.empty()) return std::nullopt;
  const std::optional<DataPiece> piece = archive_->NextData();
  if (!piece) {
    if (data_left_ > 0) Throw(Errc::kCorrupt, "sparse map covers {} bytes that are not there", data_left_);
    return std::nullopt;
  }
  if (piece->offset < data_end_ || piece->offset > size_ || piece->bytes.size() > size_ - piece->offset ||
      piece->bytes.size() > data_left_)
    Throw(Errc::kCorrupt, "sparse map has {} bytes at {}, behind {}, of a file of {}", piece->bytes.size(),
          piece->offset, data_end_, size_);
  data_end_ = piece->offset + piece->bytes.size();
  data_left_ -= piece->bytes.size();
  return piece;
}

void TarLayerReader::Finish() {
  // The rest of the stream: padding, which the scanner looks at, and the end of the compressed data.
  std::vector<std::byte> rest(64 * kKiB);
  while (scanned_.Read(rest) > 0) {
  }
  scanned_.CheckRefusal();
  scanner_.Finish();
  if (const auto member = scanner_.Take())
    Throw(Errc::kCorrupt, "tar readers disagree: the archive ends before '{}' or behind it", member->name);
  CheckExpectations();
  done_ = true;
}

void TarLayerReader::CheckExpectations() {
  const auto check = [](std::string_view what, const Digest& expected, const Digest& found) {
    if (found != expected)
      Throw(Errc::kCorrupt, "{} have digest {} instead of {}", what, FormatDigest(found), FormatDigest(expected));
  };
  if (expected_.stored_size && *expected_.stored_size != metered_stored_.size())
    Throw(Errc::kCorrupt, "stored data have {} bytes instead of {}", metered_stored_.size(), *expected_.stored_size);
  if (expected_.diff_id) check("tar data", *expected_.diff_id, metered_plain_.Finish());
  if (!expected_.digest) return;
  if (expected_.digest != expected_.diff_id) {
    check("stored data", *expected_.digest, metered_stored_.Finish());
  } else if (decoder_.format() != codec::StreamFormat::kNone) {
    Throw(Errc::kCorrupt, "stored data are {}, but shall have the digest of the tar", Name(decoder_.format()));
  }
}

}  // namespace

std::unique_ptr<LayerReader> OpenTarLayer(std::unique_ptr<codec::ByteSource> stored, std::string name,
                                          LayerExpectations expected, codec::DecodeLimits limits) {
  return std::make_unique<TarLayerReader>(std::move(stored), std::move(name), std::move(expected), limits);
}

std::vector<std::byte> ReadFileInLayer(LayerReader& layer, std::string_view path, uint64_t max_bytes) {
  const std::vector<std::string> wanted = SplitPath(path);
  std::optional<std::vector<std::byte>> content;
  while (const auto entry = layer.Next()) {
    if (entry->path != wanted) continue;
    if (content) Throw(Errc::kCorrupt, "'{}' twice in a layer", path);
    if (entry->type != EntryType::kRegular) Throw(Errc::kCorrupt, "'{}' in a layer is not a regular file", path);
    if (entry->size > max_bytes)
      Throw(Errc::kLimit, "'{}' in a layer has {} bytes, more than {}", path, entry->size, max_bytes);
    // Grows with the data that are really there.
    content.emplace();
    while (const auto piece = layer.NextData()) {
      if (piece->offset != content->size()) break;
      content->insert(content->end(), piece->bytes.begin(), piece->bytes.end());
    }
    if (content->size() != entry->size) Throw(Errc::kUnsupported, "'{}' in a layer is a sparse file", path);
  }
  if (!content) Throw(Errc::kNotFound, "no file '{}' in the layer", path);
  return *std::move(content);
}

}  // namespace sluice::oci
