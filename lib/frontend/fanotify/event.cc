// SPDX-License-Identifier: Apache-2.0
#include "frontend/fanotify/event.h"

#include <cerrno>

namespace sluice::frontend::fanotify {
namespace {

constexpr uint8_t kVersion = 3;           // FANOTIFY_METADATA_VERSION
constexpr uint64_t kMetadataBytes = 24;   // sizeof(struct fanotify_event_metadata)
constexpr uint64_t kInfoHeaderBytes = 4;  // sizeof(struct fanotify_event_info_header)
constexpr uint8_t kInfoTypeRange = 6;     // FAN_EVENT_INFO_TYPE_RANGE
constexpr uint64_t kInfoRangeBytes = 24;  // sizeof(struct fanotify_event_info_range)
constexpr unsigned kErrnoShift = 24;      // FAN_ERRNO_SHIFT

constexpr ByteRange kWholeFile{0, UINT64_MAX};

// `record` is an info record with its header.
ByteRange ParseRange(ConstBytes record) {
  if (record.size() < kInfoRangeBytes) {
    Throw(Errc::kCorrupt, "fanotify event: range record has {} bytes, expected {}", record.size(), kInfoRangeBytes);
  }
  const auto offset = LoadLe<uint64_t>(record.data() + 8);
  const auto count = LoadLe<uint64_t>(record.data() + 16);
  if (count == 0) return kWholeFile;
  return {offset, count <= UINT64_MAX - offset ? count : UINT64_MAX - offset};
}

}  // namespace

std::optional<Event> EventReader::Next() {
  if (rest_.size() < kMetadataBytes || LoadLe<uint32_t>(rest_.data()) == 0) return std::nullopt;
  ByteReader metadata(rest_, "fanotify event");
  const auto event_bytes = metadata.Read<uint32_t>("event_len");
  const auto version = metadata.Read<uint8_t>("vers");
  metadata.Skip(1, "reserved");
  const auto metadata_bytes = metadata.Read<uint16_t>("metadata_len");
  if (version != kVersion) {
    Throw(Errc::kUnsupported, "fanotify event: version {} of the structure, expected {}", version, kVersion);
  }
  if (metadata_bytes < kMetadataBytes || event_bytes < metadata_bytes || event_bytes > rest_.size()) {
    Throw(Errc::kCorrupt, "fanotify event: event_len {} and metadata_len {} do not fit into {} bytes", event_bytes,
          metadata_bytes, rest_.size());
  }
  Event event;
  event.mask = metadata.Read<uint64_t>("mask");
  event.fd = metadata.Read<int32_t>("fd");
  event.pid = metadata.Read<int32_t>("pid");

  ConstBytes records = rest_.first(event_bytes).subspan(metadata_bytes);
  while (!records.empty()) {
    const uint64_t length = records.size() < kInfoHeaderBytes ? 0 : LoadLe<uint16_t>(records.data() + 2);
    if (length < kInfoHeaderBytes || length > records.size()) {
      Throw(Errc::kCorrupt, "fanotify event: an info record of {} bytes, {} are left", length, records.size());
    }
    if (std::to_integer<uint8_t>(records[0]) == kInfoTypeRange) event.range = ParseRange(records.first(length));
    records = records.subspan(length);
  }
  rest_ = rest_.subspan(event_bytes);
  return event;
}

uint32_t DenyWithIoError() noexcept { return kDeny | (uint32_t{EIO} << kErrnoShift); }

}  // namespace sluice::frontend::fanotify
