// SPDX-License-Identifier: Apache-2.0
#include "base/hmac.h"

#include <catch2/catch.hpp>
#include <string>

#include "base/base64.h"

namespace sluice {

TEST_CASE("HMACs of known inputs have their published values") {
  // RFC 4231 section 4.2, 4.3 and 4.7; RFC 2202 section 3.
  CHECK(HmacSha256(AsBytes(std::string(20, '\x0b')), "Hi There").Hex() ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(HmacSha256(AsBytes("Jefe"), "what do ya want for nothing?").Hex() ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(HmacSha256(AsBytes(std::string(131, '\xaa')), "Test Using Larger Than Block-Size Key - Hash Key First").Hex() ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  CHECK(EncodeBase64(HmacSha1(AsBytes("Jefe"), "what do ya want for nothing?")) == "7/zfauXrL6LSdBbV8YTfnCWafHk=");
}

TEST_CASE("an HMAC without a key depends on nothing that was before") {
  // HMAC_SHA256("", "") as in Wikipedia's article.
  static_cast<void>(HmacSha256(AsBytes("another key"), "another message"));
  CHECK(HmacSha256({}, "").Hex() == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

}  // namespace sluice
