// SPDX-License-Identifier: Apache-2.0
#include "base/hmac.h"

#include <openssl/hmac.h>

#include "base/check.h"
#include "base/error.h"

namespace sluice {
namespace {

template <size_t kSize>
std::array<std::byte, kSize> Hmac(const EVP_MD* hash, ConstBytes key, std::string_view message) {
  // No key at all is a null pointer to OpenSSL, which it takes for "the key of the last call".
  static constexpr char kNoKey = 0;
  if (key.size() > 64 * 1024) Throw(Errc::kLimit, "a key of {} bytes", key.size());
  std::array<std::byte, kSize> result;
  unsigned size = 0;
  const void* const data = key.empty() ? static_cast<const void*>(&kNoKey) : key.data();
  const auto* const done =
      ::HMAC(hash, data, static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(message.data()),
             message.size(), reinterpret_cast<unsigned char*>(result.data()), &size);
  SLUICE_CHECK(done != nullptr && size == kSize, "OpenSSL computes no HMAC");
  return result;
}

}  // namespace

Digest HmacSha256(ConstBytes key, std::string_view message) { return Digest{Hmac<32>(::EVP_sha256(), key, message)}; }

std::array<std::byte, 20> HmacSha1(ConstBytes key, std::string_view message) {
  return Hmac<20>(::EVP_sha1(), key, message);
}

}  // namespace sluice
