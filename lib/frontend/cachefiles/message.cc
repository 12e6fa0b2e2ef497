// SPDX-License-Identifier: Apache-2.0
#include "frontend/cachefiles/message.h"

#include <fmt/format.h>

#include "base/error.h"

namespace sluice::frontend::cachefiles {
namespace {

// include/uapi/linux/cachefiles.h: struct cachefiles_msg {msg_id, opcode, len, object_id}, then the payload; struct
// cachefiles_open {volume_key_size, cookie_key_size, fd, flags}, then the keys; struct cachefiles_read {off, len}.
constexpr uint64_t kHeaderBytes = 16;
constexpr uint64_t kOpenBytes = 16;
constexpr uint64_t kFdOffset = kHeaderBytes + 8;
constexpr std::string_view kWhat = "cachefiles message";

ObjectKey ParseKey(ByteReader& reader, uint64_t volume_size, uint64_t cookie_size) {
  std::string_view volume = AsText(reader.Take(volume_size, "volume key"));
  if (volume.empty() || volume.back() != '\0') Throw(Errc::kCorrupt, "{}: the volume key does not end with NUL", kWhat);
  volume.remove_suffix(1);
  return {std::string(volume), std::string(AsText(reader.Take(cookie_size, "cookie key")))};
}

OpenMessage ParseOpen(ByteReader& reader) {
  const auto volume_size = reader.Read<uint32_t>("volume key size");
  const auto cookie_size = reader.Read<uint32_t>("cookie key size");
  OpenMessage open;
  open.fd = reader.Read<int32_t>("fd");
  reader.Skip(sizeof(uint32_t), "flags");
  open.key = ParseKey(reader, volume_size, cookie_size);
  if (open.fd < 0) Throw(Errc::kCorrupt, "{}: descriptor {} of an object", kWhat, open.fd);
  return open;
}

ReadMessage ParseRead(ByteReader& reader) {
  ReadMessage read;
  read.range.offset = reader.Read<uint64_t>("offset");
  read.range.length = reader.Read<uint64_t>("length");
  if (read.range.length > UINT64_MAX - read.range.offset) {
    Throw(Errc::kCorrupt, "{}: {} bytes at {}", kWhat, read.range.length, read.range.offset);
  }
  return read;
}

}  // namespace

std::optional<MessageHeader> ParseHeader(ConstBytes message) noexcept {
  if (message.size() < kHeaderBytes) return std::nullopt;
  MessageHeader header;
  header.id = LoadLe<uint32_t>(message.data());
  header.opcode = static_cast<Opcode>(LoadLe<uint32_t>(message.data() + 4));
  header.object = LoadLe<uint32_t>(message.data() + 12);
  if (header.opcode == Opcode::kOpen && message.size() >= kHeaderBytes + kOpenBytes) {
    header.fd = LoadLe<int32_t>(message.data() + kFdOffset);
  }
  return header;
}

Message ParseMessage(ConstBytes bytes) {
  ByteReader reader(bytes, kWhat);
  Message message;
  message.id = reader.Read<uint32_t>("id");
  const auto opcode = static_cast<Opcode>(reader.Read<uint32_t>("opcode"));
  const auto length = reader.Read<uint32_t>("length");
  message.object = reader.Read<uint32_t>("object id");
  if (length != bytes.size()) Throw(Errc::kCorrupt, "{}: length {} in {} bytes", kWhat, length, bytes.size());
  switch (opcode) {
    case Opcode::kOpen: message.content = ParseOpen(reader); break;
    case Opcode::kClose: message.content = CloseMessage{}; break;
    case Opcode::kRead: message.content = ParseRead(reader); break;
    default: Throw(Errc::kUnsupported, "{}: opcode {}", kWhat, static_cast<uint32_t>(opcode));
  }
  if (reader.remaining() != 0) Throw(Errc::kCorrupt, "{}: {} bytes behind the end", kWhat, reader.remaining());
  return message;
}

std::string OpenAnswer(uint32_t id, int64_t size_or_error) { return fmt::format("copen {},{}", id, size_or_error); }

}  // namespace sluice::frontend::cachefiles
