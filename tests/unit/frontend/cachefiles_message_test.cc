// SPDX-License-Identifier: Apache-2.0
#include "frontend/cachefiles/message.h"

#include <catch2/catch.hpp>

#include "base/error.h"

namespace sluice::frontend::cachefiles {
namespace {

// As Linux 6.1 wrote them for a mount of fsid=img, domain_id=dom.
const std::vector<uint8_t> kOpen = {
    0,   0,   0,   0,   0,   0,   0,   0,   45,  0, 0,   0,   1,  0, 0, 0,  // id 0, open, 45 bytes, object 1
    10,  0,   0,   0,   3,   0,   0,   0,   7,   0, 0,   0,   0,  0, 0, 0,  // keys of 10 and 3 bytes, descriptor 7
    'e', 'r', 'o', 'f', 's', ',', 'd', 'o', 'm', 0, 'i', 'm', 'g'};
const std::vector<uint8_t> kRead = {
    9, 0, 0, 0, 2, 0,    0, 0, 32, 0, 0, 0, 1, 0, 0, 0,  // id 9, read, 32 bytes, object 1
    0, 0, 2, 0, 0, 0x10, 0, 0, 0,  0, 1, 0, 0, 0, 0, 0};
const std::vector<uint8_t> kClose = {3, 0, 0, 0, 1, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0};

ConstBytes Bytes(const std::vector<uint8_t>& bytes) { return std::as_bytes(std::span(bytes)); }

Errc ErrorOf(const std::vector<uint8_t>& bytes) {
  try {
    ParseMessage(Bytes(bytes));
  } catch (const Error& error) {
    return error.code();
  }
  FAIL("the message was accepted");
  return Errc::kStopped;
}

TEST_CASE("the messages of the kernel are understood") {
  CHECK(ParseMessage(Bytes(kOpen)) ==
        Message{.id = 0, .object = 1, .content = OpenMessage{.key = ObjectKey("erofs,dom", "img"), .fd = 7}});
  CHECK(ParseMessage(Bytes(kRead)) ==
        Message{.id = 9, .object = 1, .content = ReadMessage{.range = {0x100000020000, 0x10000}}});
  CHECK(ParseMessage(Bytes(kClose)) == Message{.id = 3, .object = 1, .content = CloseMessage{}});
}

TEST_CASE("a message that is cut anywhere is refused") {
  for (const auto& whole : {kOpen, kRead, kClose}) {
    for (size_t size = 0; size < whole.size(); ++size) {
      std::vector<uint8_t> cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
      INFO(size << " of " << whole.size() << " bytes");
      CHECK(ErrorOf(cut) == Errc::kCorrupt);
      // Also when its length agrees.
      if (size < 16) continue;
      cut[8] = static_cast<uint8_t>(size);
      CHECK(ErrorOf(cut) == Errc::kCorrupt);
    }
  }
}

TEST_CASE("a message whose numbers contradict each other is refused") {
  struct Case {
    const char* what;
    std::vector<uint8_t> whole;
    size_t at;
    uint8_t value;
    Errc expected;
  };
  const Case kCases[] = {
      {"an unknown opcode", kClose, 4, 3, Errc::kUnsupported},
      {"more bytes than its length", kRead, 8, 24, Errc::kCorrupt},
      {"a volume key without an end", kOpen, 41, 'x', Errc::kCorrupt},
      {"an empty volume key", kOpen, 16, 0, Errc::kCorrupt},
      {"a volume key past the end", kOpen, 19, 0x80, Errc::kCorrupt},
      {"a cookie key that leaves bytes", kOpen, 20, 2, Errc::kCorrupt},
      {"no descriptor", kOpen, 27, 0xFF, Errc::kCorrupt},
      {"a range that overflows", kRead, 31, 0xFF, Errc::kCorrupt},
  };
  for (const Case& c : kCases) {
    INFO(c.what);
    std::vector<uint8_t> bytes = c.whole;
    bytes[c.at] = c.value;
    if (c.at == 31) bytes[23] = 0xFF;
    CHECK(ErrorOf(bytes) == c.expected);
  }
}

TEST_CASE("the header of a message that makes no sense tells whom to refuse") {
  std::vector<uint8_t> open = kOpen;
  open[16] = 200;
  const auto header = ParseHeader(Bytes(open));
  REQUIRE(header);
  CHECK(header->id == 0);
  CHECK(header->opcode == Opcode::kOpen);
  CHECK(header->fd == 7);
  const auto read = ParseHeader(Bytes(kRead).first(16));
  REQUIRE(read);
  CHECK(read->id == 9);
  CHECK(read->object == 1);
  CHECK(read->fd == -1);
  CHECK_FALSE(ParseHeader(Bytes(kRead).first(15)));
}

TEST_CASE("an answer is a number that the kernel cannot mistake for octal") {
  CHECK(OpenAnswer(0, 4096) == "copen 0,4096");
  CHECK(OpenAnswer(4000000000, -2) == "copen 4000000000,-2");
}

}  // namespace
}  // namespace sluice::frontend::cachefiles
