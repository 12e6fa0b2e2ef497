// SPDX-License-Identifier: Apache-2.0
#include "oci/credentials.h"

#include "base/error.h"

namespace sluice::oci {

Credentials Credentials::Parse(std::string_view text) {
  const size_t colon = text.find(':');
  Credentials credentials{.user = std::string(text.substr(0, colon))};
  if (credentials.user.empty()) Throw(Errc::kInvalidArgument, "credentials are USER[:PASSWORD], and USER is not empty");
  if (colon != std::string_view::npos) credentials.password = Secret(text.substr(colon + 1));
  return credentials;
}

}  // namespace sluice::oci
