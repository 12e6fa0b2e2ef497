// SPDX-License-Identifier: Apache-2.0
// The input is a registries.conf or a hosts.toml, as its first byte says.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/check.h"
#include "base/error.h"
#include "oci/hosts_toml.h"
#include "oci/registries_conf.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice;
  if (size == 0) return 0;
  const std::string_view text = AsText(std::as_bytes(std::span(data + 1, size - 1)));
  const auto image = oci::RegistryReference::Parse("r.example/a/b:t");
  try {
    if (data[0] % 2 == 0) {
      oci::RegistriesConf conf;
      conf.Add(text, "file");
      if (const auto* registry = conf.Find(image))
        (void)oci::RegistriesConf::Rewrite(*registry, registry->place.location, image);
    } else {
      const auto parsed = oci::HostsToml::Parse(text, http::Url::Parse("https://r.example/v2"), "file");
      SLUICE_CHECK(!parsed.hosts.empty() && parsed.hosts.back().is_server,
                   "there is always a server, and it is the last");
    }
  } catch (const Error& e) {
    SLUICE_CHECK(e.code() != Errc::kIo, "parsing does no I/O");
  }
  return 0;
}
