// SPDX-License-Identifier: Apache-2.0
#include "backend/relocating_transport.h"

#include <catch2/catch.hpp>

#include "backend/xml_element.h"
#include "store_shard.h"

namespace sluice::backend {

TEST_CASE("redirects lead where the configuration says") {
  const auto relocated = [](const char* place, const char* scheme, const char* host) {
    return Relocated(http::Url::Parse(place), scheme, host).ToString();
  };
  CHECK(relocated("https://a/x?y=1", "", "b") == "https://b/x?y=1");
  CHECK(relocated("https://a:444/x", "", "b") == "https://b:444/x");
  CHECK(relocated("https://a:444/x", "", "b:5") == "https://b:5/x");
  CHECK(relocated("https://a/x", "http", "") == "http://a/x");
  CHECK(relocated("http://a:81/x", "https", "b") == "https://b:81/x");

  test::RunOnEngines([](test::TestEnv&) -> runtime::Task<void> {
    unsigned status = 307;
    test::ScriptedTransport inner([&](const http::ClientRequest&) {
      test::ScriptedAnswer answer = GiveStatus(status);
      answer.head.fields = {{.name = "location", .value = "/there?sig=1"}};
      return answer;
    });
    RelocatingTransport transport(inner, "http", "cdn");
    http::ClientRequest request("GET", http::Url::Parse("http://registry:5000/v2"));
    const auto redirect = co_await transport.Send(request);
    CHECK(redirect->head().Find("Location") == "http://cdn:5000/there?sig=1");
    status = 200;
    const auto answer = co_await transport.Send(request);
    CHECK(answer->head().Find("Location") == "/there?sig=1");
  });
}

TEST_CASE("texts are found in what stores say") {
  CHECK(FindXmlText("<a><Code>x</Code><Code>y</Code></a>", "Code") == "x");
  CHECK(FindXmlText("<Id>&lt;&gt;&amp;&quot;&apos;&#34;&#39;</Id>", "Id") == "<>&\"'\"'");
  CHECK(FindXmlText("<Id></Id>", "Id") == "");
  for (const std::string none :
       {"", "<Id>", "<Id>x", "<Id>x</", "<Id>x</I>", "<Id><b/></Id>", "<Id>&bad;</Id>", "<id>x</id>"}) {
    INFO(none);
    CHECK_FALSE(FindXmlText(none, "Id"));
  }
  CHECK_FALSE(FindXmlText("<Id>" + std::string(4097, 'x') + "</Id>", "Id"));
  const std::string odd = "<\"a\" & 'b'>";
  CHECK(FindXmlText("<T>" + EscapeXml(odd) + "</T>", "T") == odd);
}

}  // namespace sluice::backend
