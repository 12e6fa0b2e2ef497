// SPDX-License-Identifier: Apache-2.0
// The input is what read(2) on a fanotify group returned.

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "base/error.h"
#include "frontend/fanotify/event.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice;
  try {
    frontend::fanotify::EventReader reader(std::as_bytes(std::span(data, size)));
    size_t events = 0;
    while (const auto event = reader.Next()) {
      ++events;
      SLUICE_CHECK(!event->range.empty() || event->range.offset == UINT64_MAX, "an event is about some bytes");
      SLUICE_CHECK(event->range.end() >= event->range.offset, "the end of a range does not overflow");
    }
    SLUICE_CHECK(events <= size / 24, "every event takes its bytes");
  } catch (const Error&) {
  }
  return 0;
}
