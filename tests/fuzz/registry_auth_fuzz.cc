// SPDX-License-Identifier: Apache-2.0
// The input is something that decides about credentials: the first byte says what.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/check.h"
#include "base/error.h"
#include "oci/auth_challenge.h"
#include "oci/auth_file.h"
#include "oci/registry_reference.h"
#include "oci/registry_token.h"

namespace {

using namespace sluice;

void ReadChallenge(std::string_view text) {
  const auto challenges = oci::ParseAuthChallenges(text);
  SLUICE_CHECK(oci::ParseAuthChallenges(oci::FormatAuthChallenges(challenges)) == challenges, "challenges round trip");
  const http::ClientRequest request("GET", http::Url::Parse("https://r.example/v2/a/manifests/t"));
  for (const oci::AuthChallenge& challenge : challenges) {
    const std::string scopes = oci::ScopesToAsk(challenge.Parameter("scope"), "repository:a:pull");
    SLUICE_CHECK(!scopes.ends_with(",push") && !scopes.ends_with(":push"), "a registry cannot make us ask for more");
    const http::ClientRequest question =
        oci::TokenRequest(request, challenge, scopes, oci::Credentials{.user = "u", .password = Secret("p")});
    SLUICE_CHECK(question.url.secure(), "credentials leave over TLS only");
    SLUICE_CHECK(!http::IsLocalHost(question.url.origin().host), "no credentials for this machine");
  }
}

void ReadReference(std::string_view text) {
  const oci::RegistryReference reference = oci::RegistryReference::Parse(text);
  SLUICE_CHECK(oci::RegistryReference::Parse(reference.ToString()) == reference, "references round trip");
  (void)http::Url::Parse("https://" + reference.host + "/v2/" + reference.repository + "/manifests/" +
                         reference.ManifestName());
  SLUICE_CHECK(reference.repository.find("..") == std::string::npos, "references stay in their place");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const ConstBytes bytes = std::as_bytes(std::span(data + 1, size - 1));
  try {
    switch (data[0] % 5) {
      case 0: ReadChallenge(AsText(bytes)); break;
      case 1: ReadReference(AsText(bytes)); break;
      case 2: (void)oci::AuthFile::Parse(bytes, oci::AuthFileFormat::kContainers, "file"); break;
      case 3: (void)oci::ParseToken(bytes, "token"); break;
      default: (void)oci::ParseHelperAnswer(bytes, "helper"); break;
    }
  } catch (const Error&) {
  }
  return 0;
}
