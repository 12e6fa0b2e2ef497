// SPDX-License-Identifier: Apache-2.0
#pragma once
// PAX extended header records (POSIX.1-2017, pax, "pax Extended Header") and the values in them.  Internal to oci.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace sluice::oci {

struct PaxRecord {
  std::string key;
  std::string value;  // raw bytes
};

// Throws kCorrupt for anything but a sequence of "LENGTH KEY=VALUE\n", and for a key that occurs twice (but for the
// lists of GNU's sparse format 0.0).
std::vector<PaxRecord> ParsePaxRecords(ConstBytes body);

// The value of `key`, or nullptr.
const std::string* FindPax(const std::vector<PaxRecord>& records, std::string_view key);

// Digits only, below 2^63; throws kCorrupt naming `key`.
uint64_t ParsePaxNumber(std::string_view key, std::string_view value);

// "-1.5" is 1.5 seconds before 1970: seconds -2, nanoseconds 500000000.  Digits behind the ninth are dropped.
struct PaxTime {
  int64_t seconds = 0;
  uint32_t nanoseconds = 0;
};
PaxTime ParsePaxTime(std::string_view key, std::string_view value);

}  // namespace sluice::oci
