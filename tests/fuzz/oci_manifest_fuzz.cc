// SPDX-License-Identifier: Apache-2.0
// The input is any of the JSON documents of an image.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/check.h"
#include "base/error.h"
#include "oci/documents.h"

namespace {

using namespace sluice;

// Whatever is accepted comes back the same from its own text.
template <typename F>
void RoundTrip(F parse, ConstBytes json) {
  try {
    const auto document = parse(json, "document");
    const std::string text = oci::Serialize(document);
    SLUICE_CHECK(oci::Serialize(parse(AsBytes(text), "document")) == text, "documents round trip");
  } catch (const Error& e) {
    SLUICE_CHECK(e.code() == Errc::kCorrupt || e.code() == Errc::kUnsupported, "bad documents are corrupt");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ConstBytes json = std::as_bytes(std::span(data, size));
  RoundTrip(oci::ParseIndex, json);
  RoundTrip(oci::ParseManifest, json);
  RoundTrip(oci::ParseConfig, json);
  try {
    (void)oci::ParseDockerManifest(json, "document");
  } catch (const Error&) {
  }
  return 0;
}
