// SPDX-License-Identifier: Apache-2.0
#include "frontend/cachefiles/keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "base/error.h"

namespace sluice::frontend::cachefiles {
namespace {

bool IsNameCharacter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

// include/linux/hash.h, __hash_32.
uint32_t Hash32(uint32_t value) noexcept { return value * 0x61C88647u; }

// fs/fscache/cookie.c, fscache_hash.  `data` is padded to whole words.
uint32_t Hash(uint32_t salt, const std::vector<std::byte>& data) noexcept {
  uint32_t x = 0;
  uint32_t y = salt;
  for (size_t at = 0; at < data.size(); at += sizeof(uint32_t)) {
    x ^= LoadLe<uint32_t>(data.data() + at);
    y ^= x;
    x = std::rotl(x, 7);
    x += y;
    y = std::rotl(y, 20);
    y *= 9;
  }
  return Hash32(y ^ Hash32(x));
}

std::vector<std::byte> Padded(std::string_view text, uint64_t size) {
  std::vector<std::byte> bytes(AlignUp(size, sizeof(uint32_t)));
  std::copy_n(AsBytes(text).begin(), text.size(), bytes.begin());
  return bytes;
}

}  // namespace

void RequireName(std::string_view name, std::string_view what) {
  if (name.empty() || name.size() > kMaxNameBytes || !std::all_of(name.begin(), name.end(), IsNameCharacter)) {
    Throw(Errc::kInvalidArgument, "{} '{}': 1 to {} letters, digits, dots, underscores and hyphens are possible", what,
          name, kMaxNameBytes);
  }
}

std::string VolumeKey(std::string_view domain, std::string_view fsid) {
  return fmt::format("erofs,{}", domain.empty() ? fsid : domain);
}

std::string DirectoryOf(const ObjectKey& key) {
  // The volume's key is hashed as the kernel stores it: a byte with its length, the key, at least one zero.
  const std::string counted = static_cast<char>(key.volume.size()) + key.volume;
  const uint32_t volume_hash = Hash(0, Padded(counted, counted.size() + 1));
  const uint32_t hash = Hash(volume_hash, Padded(key.cookie, key.cookie.size()));
  return fmt::format("cache/I{}/@{:02x}", key.volume, hash & 0xFF);
}

std::string FileNameOf(const ObjectKey& key) { return "D" + key.cookie; }

}  // namespace sluice::frontend::cachefiles
