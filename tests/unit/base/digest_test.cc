// SPDX-License-Identifier: Apache-2.0
#include "base/digest.h"

#include <catch2/catch.hpp>
#include <string>

#include "base/blob_id.h"
#include "base/error.h"

namespace sluice {

// Published vectors: FIPS 180-2 appendix B, and the empty input of the BLAKE3 test vectors.
TEST_CASE("digests of known inputs have their published values") {
  CHECK(DigestOf(DigestAlgorithm::kSha256, AsBytes("abc")).Hex() ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(DigestOf(DigestAlgorithm::kBlake3, {}).Hex() ==
        "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
}

TEST_CASE("a digest does not depend on how the input was cut") {
  const std::string text(100'000, 'x');
  for (const auto algorithm : {DigestAlgorithm::kSha256, DigestAlgorithm::kBlake3}) {
    Hasher hasher(algorithm);
    for (size_t at = 0; at < text.size();) {
      const size_t count = std::min<size_t>(text.size() - at, at % 777 + 1);
      hasher.Update(AsBytes(std::string_view(text).substr(at, count)));
      at += count;
    }
    CHECK(hasher.Finish() == DigestOf(algorithm, AsBytes(text)));
  }
}

TEST_CASE("hexadecimal digests round trip, and only exact ones are accepted") {
  const Digest digest = DigestOf(DigestAlgorithm::kSha256, AsBytes("abc"));
  CHECK(Digest::FromHex(digest.Hex()) == digest);
  for (const std::string& bad :
       {std::string(), std::string(63, 'a'), std::string(65, 'a'), std::string(64, 'A'), std::string(64, '/')}) {
    INFO(bad);
    CHECK_THROWS_AS(Digest::FromHex(bad), Error);
    CHECK_THROWS_AS(BlobId::Parse(bad), Error);
  }
}

}  // namespace sluice
