// SPDX-License-Identifier: Apache-2.0
// The input is what read(2) on /dev/cachefiles returned.

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "base/error.h"
#include "frontend/cachefiles/message.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice;
  using namespace sluice::frontend::cachefiles;
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto header = ParseHeader(bytes);
  try {
    const Message message = ParseMessage(bytes);
    SLUICE_CHECK(header && header->id == message.id && header->object == message.object, "the header says the same");
    if (const auto* open = std::get_if<OpenMessage>(&message.content)) {
      SLUICE_CHECK(header->opcode == Opcode::kOpen && header->fd == open->fd && open->fd >= 0, "an OPEN has its fd");
      SLUICE_CHECK(open->key.volume.size() + open->key.cookie.size() + 33 == size, "the keys are all of the rest");
    } else if (const auto* read = std::get_if<ReadMessage>(&message.content)) {
      SLUICE_CHECK(header->opcode == Opcode::kRead && read->range.end() >= read->range.offset, "a READ has a range");
    } else {
      SLUICE_CHECK(header->opcode == Opcode::kClose && size == 16, "a CLOSE has nothing");
    }
  } catch (const Error&) {
  }
  return 0;
}
