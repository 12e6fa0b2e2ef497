// SPDX-License-Identifier: Apache-2.0
#pragma once
// Bytes as the kernel writes them into the buffer of read(2) on a fanotify group.

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "frontend/fanotify/event.h"

namespace sluice::test {

struct EventFields {
  int32_t fd = -1;
  int32_t pid = 1;
  uint64_t mask = frontend::fanotify::kPreAccess;
};

// struct fanotify_event_info_range.
inline std::vector<std::byte> RangeRecord(uint64_t offset, uint64_t count) {
  ByteWriter record;
  record.Append<uint8_t>(6);  // FAN_EVENT_INFO_TYPE_RANGE
  record.Append<uint8_t>(0);
  record.Append<uint16_t>(24);
  record.Append<uint32_t>(0);
  record.Append(offset);
  record.Append(count);
  return std::move(record).Finish();
}

// struct fanotify_event_metadata and its info records.
inline std::vector<std::byte> EventBytes(EventFields fields, const std::vector<std::vector<std::byte>>& records) {
  uint32_t length = 24;
  for (const auto& record : records) length += static_cast<uint32_t>(record.size());
  ByteWriter event;
  event.Append(length);
  event.Append<uint8_t>(3);  // FANOTIFY_METADATA_VERSION
  event.Append<uint8_t>(0);
  event.Append<uint16_t>(24);
  event.Append(fields.mask);
  event.Append(fields.fd);
  event.Append(fields.pid);
  for (const auto& record : records) event.Append(ConstBytes(record));
  return std::move(event).Finish();
}

}  // namespace sluice::test
