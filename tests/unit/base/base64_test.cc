// SPDX-License-Identifier: Apache-2.0
#include "base/base64.h"

#include <catch2/catch.hpp>

#include "base/error.h"

namespace sluice {

TEST_CASE("base64 has the published values and comes back") {
  // RFC 4648 section 10.
  const std::pair<std::string, std::string> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"},
                                                         {"\xFF\xFE\xFD", "//79"}};
  for (const auto& [plain, encoded] : vectors) {
    CHECK(EncodeBase64(AsBytes(plain)) == encoded);
    CHECK(DecodeBase64(encoded) == plain);
  }
  std::string all;
  for (int value = 0; value < 256; ++value) all.push_back(static_cast<char>(value));
  CHECK(DecodeBase64(EncodeBase64(AsBytes(all))) == all);
}

TEST_CASE("base64 that no encoder writes is refused without being repeated") {
  for (const std::string bad :
       {"Z", "Zg", "Zg=", "Zg===", "====", "Z===", "=Zg=", "Zm9v\n", "Zm 9", "Zh==", "Zm9=", "Zm-_", "Zg==Zg=="}) {
    INFO(bad);
    try {
      DecodeBase64(bad);
      FAIL("taken");
    } catch (const Error& e) {
      CHECK(e.code() == Errc::kInvalidArgument);
      CHECK(e.message().find(bad) == std::string::npos);
    }
  }
}

}  // namespace sluice
