// SPDX-License-Identifier: Apache-2.0
#pragma once
// Sends those who are redirected elsewhere: nydusd's blob_url_scheme and blob_redirected_host.

#include <string>

#include "http/transport.h"

namespace sluice::backend {

// The place of a redirect: with `scheme` and `host` (with a port, or keeping the present one) in place of its own where
// they are not empty.
http::Url Relocated(const http::Url& location, const std::string& scheme, const std::string& host);

// Changes the Location of the redirects that it passes on.
class RelocatingTransport final : public http::Transport {
 public:
  // `inner` outlives it.  Both empty: nothing is changed.
  RelocatingTransport(http::Transport& inner, std::string scheme, std::string host)
      : inner_(inner), scheme_(std::move(scheme)), host_(std::move(host)) {}
  runtime::Task<std::unique_ptr<http::Exchange>> Send(http::ClientRequest request) override;

 private:
  http::Transport& inner_;
  const std::string scheme_;
  const std::string host_;
};

}  // namespace sluice::backend
