// SPDX-License-Identifier: Apache-2.0
#pragma once
// Says why an object store refuses a request.

#include "http/transport.h"

namespace sluice::backend {

// Stores answer 400 and 403 for a wrong key, a wrong clock, a wrong region alike, and say which in the body.  Such an
// answer becomes kPermission "…: answered with status 403 (RequestTimeTooSkewed)"; all others pass.
class ExplainingTransport final : public http::Transport {
 public:
  // `inner` outlives it.
  explicit ExplainingTransport(http::Transport& inner) noexcept : inner_(inner) {}
  runtime::Task<std::unique_ptr<http::Exchange>> Send(http::ClientRequest request) override;

 private:
  http::Transport& inner_;
};

}  // namespace sluice::backend
