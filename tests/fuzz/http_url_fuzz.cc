// SPDX-License-Identifier: Apache-2.0
// A URL or a reference is refused, or it means the same when it is written out and read again.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/error.h"
#include "http/proxy.h"
#include "http/url.h"

namespace {

using sluice::http::Url;

void CheckSane(const Url& url) {
  SLUICE_CHECK(Url::Parse(url.ToString()) == url, "a URL means itself");
  SLUICE_CHECK(!url.origin().host.empty() && url.origin().port != 0, "a URL names a server");
  SLUICE_CHECK(url.path().starts_with('/'), "a URL has a path");
  for (const char c : url.ToString()) SLUICE_CHECK(c > ' ' && c < '\x7F' && c != '#', "it may stand in a request");
  SLUICE_CHECK(url.ForMessages().find('?') == std::string::npos, "messages show no query");
}

template <typename F>
void IgnoreRefusal(F function) {
  try {
    function();
  } catch (const sluice::Error& error) {
    SLUICE_CHECK(error.code() == sluice::Errc::kInvalidArgument || error.code() == sluice::Errc::kUnsupported,
                 "a refusal says that the text is to blame");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Url base = Url::Parse("https://host:8443/a/b/c?q");
  IgnoreRefusal([&] { CheckSane(Url::Parse(text)); });
  IgnoreRefusal([&] { CheckSane(base.Resolve(text)); });
  IgnoreRefusal([&] { sluice::http::Proxy::Parse(text); });
  sluice::http::IsLocalHost(text);
  const sluice::http::ProxyRules rules({.url = base}, text);
  rules.For(base);
  return 0;
}
