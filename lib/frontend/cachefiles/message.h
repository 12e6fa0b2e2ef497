// SPDX-License-Identifier: Apache-2.0
#pragma once
// The messages of /dev/cachefiles in on-demand mode: bytes of read(2) to values, and the one answer that is text.
// Pure; a fuzz target.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "base/bytes.h"
#include "base/range.h"

namespace sluice::frontend::cachefiles {

// No message is longer (include/uapi/linux/cachefiles.h, CACHEFILES_MSG_MAX_SIZE); a shorter buffer for read(2) may be
// refused with EMSGSIZE.
constexpr uint64_t kMaxMessageBytes = 1024;

// What the kernel calls an object: unique within a cache.
struct ObjectKey {
  ObjectKey() = default;
  ObjectKey(std::string the_volume, std::string the_cookie)
      : volume(std::move(the_volume)), cookie(std::move(the_cookie)) {}

  std::string volume;  // without the NUL that ends it in the message
  std::string cookie;
  auto operator<=>(const ObjectKey&) const = default;
};

// Somebody mounts: is there such an object, and how large is it?
struct OpenMessage {
  ObjectKey key;
  int fd = -1;  // of this process, without O_CLOEXEC; the receiver's to close
  bool operator==(const OpenMessage&) const = default;
};
// Nobody uses the object any more.  Without an answer.
struct CloseMessage {
  bool operator==(const CloseMessage&) const = default;
};
// A reader waits for bytes of the object.
struct ReadMessage {
  ByteRange range;  // end() does not overflow; may pass the end of the object
  bool operator==(const ReadMessage&) const = default;
};

struct Message {
  uint32_t id = 0;      // of the request, for its answer; 0 is an id like others
  uint32_t object = 0;  // of the open object
  std::variant<OpenMessage, CloseMessage, ReadMessage> content;
  bool operator==(const Message&) const = default;
};

enum class Opcode : uint32_t { kOpen = 0, kClose = 1, kRead = 2 };

// What every message begins with: enough to refuse one whose rest makes no sense.
struct MessageHeader {
  uint32_t id = 0;
  Opcode opcode = Opcode::kOpen;  // may be an unknown one
  uint32_t object = 0;
  int fd = -1;  // of a message to open an object, if it has that much
};
// nullopt: not even a header.
std::optional<MessageHeader> ParseHeader(ConstBytes message) noexcept;

// Throws kCorrupt when lengths contradict each other, kUnsupported for an unknown opcode.
Message ParseMessage(ConstBytes message);

// The command that answers OpenMessage `id`: the object's size in bytes, or a negative errno.
std::string OpenAnswer(uint32_t id, int64_t size_or_error);

}  // namespace sluice::frontend::cachefiles
