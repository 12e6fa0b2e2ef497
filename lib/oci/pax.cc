// SPDX-License-Identifier: Apache-2.0
#include "oci/pax.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"

namespace sluice::oci {
namespace {

constexpr uint32_t kNanosecondsPerSecond = 1'000'000'000;

bool IsDigits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool MayRepeat(std::string_view key) { return key == "GNU.sparse.offset" || key == "GNU.sparse.numbytes"; }

}  // namespace

std::vector<PaxRecord> ParsePaxRecords(ConstBytes body) {
  std::string_view text = AsText(body);
  std::vector<PaxRecord> records;
  while (!text.empty()) {
    const size_t space = text.find(' ');
    uint64_t length = 0;
    if (space == std::string_view::npos || !IsDigits(text.substr(0, space)) ||
        std::from_chars(text.data(), text.data() + space, length).ec != std::errc())
      Throw(Errc::kCorrupt, "PAX record {} does not start with its length", records.size());
    if (length > text.size() || length < space + 2 || text[length - 1] != '\n')
      Throw(Errc::kCorrupt, "PAX record {} says {} bytes, but does not end there", records.size(), length);
    const std::string_view record = text.substr(space + 1, length - space - 2);
    const size_t equals = record.find('=');
    if (equals == 0 || equals == std::string_view::npos)
      Throw(Errc::kCorrupt, "PAX record {} has no key", records.size());
    const std::string_view key = record.substr(0, equals);
    if (key.find('\0') != std::string_view::npos)
      Throw(Errc::kCorrupt, "PAX record {} has a NUL in its key", records.size());
    records.push_back({std::string(key), std::string(record.substr(equals + 1))});
    text.remove_prefix(length);
  }

  std::vector<std::string_view> keys;
  for (const PaxRecord& record : records)
    if (!MayRepeat(record.key)) keys.push_back(record.key);
  std::ranges::sort(keys);
  if (const auto twice = std::ranges::adjacent_find(keys); twice != keys.end())
    Throw(Errc::kCorrupt, "PAX header has '{}' twice", *twice);
  return records;
}

const std::string* FindPax(const std::vector<PaxRecord>& records, std::string_view key) {
  const auto found = std::ranges::find(records, key, &PaxRecord::key);
  return found == records.end() ? nullptr : &found->value;
}

uint64_t ParsePaxNumber(std::string_view key, std::string_view value) {
  int64_t number = 0;
  if (!IsDigits(value) || std::from_chars(value.data(), value.data() + value.size(), number).ec != std::errc())
    Throw(Errc::kCorrupt, "PAX record '{}' is no number below 2^63", key);
  return static_cast<uint64_t>(number);
}

PaxTime ParsePaxTime(std::string_view key, std::string_view value) {
  std::string_view digits = value;
  const bool negative = digits.starts_with('-');
  if (negative) digits.remove_prefix(1);
  const size_t point = digits.find('.');
  const std::string_view fraction = point == std::string_view::npos ? "0" : digits.substr(point + 1);
  if (!IsDigits(fraction)) Throw(Errc::kCorrupt, "PAX record '{}' is no time", key);

  PaxTime time;
  time.seconds = static_cast<int64_t>(ParsePaxNumber(key, digits.substr(0, point)));
  for (size_t i = 0; i < 9; ++i)
    time.nanoseconds = time.nanoseconds * 10 + static_cast<uint32_t>(i < fraction.size() ? fraction[i] - '0' : 0);
  if (negative) {
    time.seconds = -time.seconds;
    if (time.nanoseconds > 0) {
      time.seconds -= 1;
      time.nanoseconds = kNanosecondsPerSecond - time.nanoseconds;
    }
  }
  return time;
}

}  // namespace sluice::oci
