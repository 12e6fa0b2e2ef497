// SPDX-License-Identifier: Apache-2.0
// What users and machines say about object stores: backend configurations, credentials files, answers.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "backend/config.h"
#include "backend/object_credentials.h"
#include "backend/xml_element.h"
#include "base/check.h"
#include "base/error.h"

namespace {

template <typename F>
void Try(F parse) {
  try {
    parse();
  } catch (const sluice::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice::backend;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Try([&] {
    const BackendConfig config = ParseBackendConfig(text, "input");
    if (const auto* store = std::get_if<ObjectStoreConfig>(&config.place))
      SLUICE_CHECK(!store->bucket.empty() && store->bucket.find('/') == std::string::npos, "a bucket is one name");
  });
  Try([&] {
    const auto key = ParseCredentialsFile(text, "default", "input");
    if (key) SLUICE_CHECK(!key->id.empty() && !key->secret.empty(), "a key is whole");
  });
  Try([&] { ParseInstanceKey(text); });
  const auto code = FindXmlText(text, "Code");
  if (code) SLUICE_CHECK(FindXmlText("<T>" + EscapeXml(*code) + "</T>", "T") == code, "a text comes back");
  return 0;
}
