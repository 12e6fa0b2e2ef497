// SPDX-License-Identifier: Apache-2.0
#include "base/digest.h"

#include <blake3.h>
#include <openssl/evp.h>

#include <variant>

#include "base/check.h"
#include "base/error.h"

namespace sluice {
namespace {

struct EvpFree {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};
using EvpContext = std::unique_ptr<EVP_MD_CTX, EvpFree>;

// The value of one lower-case hexadecimal digit, or -1.
int HexValue(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::string_view Name(DigestAlgorithm algorithm) noexcept {
  return algorithm == DigestAlgorithm::kBlake3 ? "blake3" : "sha256";
}

std::string Digest::Hex() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * bytes.size());
  for (const std::byte b : bytes) {
    hex.push_back(kDigits[std::to_integer<unsigned>(b) >> 4]);
    hex.push_back(kDigits[std::to_integer<unsigned>(b) & 15]);
  }
  return hex;
}

Digest Digest::FromHex(std::string_view hex) {
  Digest digest;
  if (hex.size() != 2 * digest.bytes.size())
    Throw(Errc::kInvalidArgument, "digest has {} characters instead of {}", hex.size(), 2 * digest.bytes.size());
  for (size_t i = 0; i < digest.bytes.size(); ++i) {
    const int high = HexValue(hex[2 * i]);
    const int low = HexValue(hex[2 * i + 1]);
    if (high < 0 || low < 0) Throw(Errc::kInvalidArgument, "digest has a character that is not lower-case hexadecimal");
    digest.bytes[i] = static_cast<std::byte>(high << 4 | low);
  }
  return digest;
}

struct Hasher::State {
  std::variant<blake3_hasher, EvpContext> context;
};

Hasher::Hasher(DigestAlgorithm algorithm) : state_(std::make_unique<State>()) {
  if (algorithm == DigestAlgorithm::kBlake3) {
    blake3_hasher_init(&state_->context.emplace<blake3_hasher>());
  } else {
    auto& context = state_->context.emplace<EvpContext>(EVP_MD_CTX_new());
    SLUICE_CHECK(context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1, "OpenSSL offers sha256");
  }
}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::Update(ConstBytes bytes) {
  if (auto* blake = std::get_if<blake3_hasher>(&state_->context)) {
    blake3_hasher_update(blake, bytes.data(), bytes.size());
  } else {
    SLUICE_CHECK(EVP_DigestUpdate(std::get<EvpContext>(state_->context).get(), bytes.data(), bytes.size()) == 1,
                 "sha256 update");
  }
}

Digest Hasher::Finish() {
  Digest digest;
  auto* out = reinterpret_cast<uint8_t*>(digest.bytes.data());
  if (auto* blake = std::get_if<blake3_hasher>(&state_->context)) {
    blake3_hasher_finalize(blake, out, digest.bytes.size());
  } else {
    SLUICE_CHECK(EVP_DigestFinal_ex(std::get<EvpContext>(state_->context).get(), out, nullptr) == 1, "sha256 final");
  }
  return digest;
}

Digest DigestOf(DigestAlgorithm algorithm, ConstBytes bytes) {
  Hasher hasher(algorithm);
  hasher.Update(bytes);
  return hasher.Finish();
}

}  // namespace sluice
