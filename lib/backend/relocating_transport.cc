// SPDX-License-Identifier: Apache-2.0
#include "backend/relocating_transport.h"

#include <utility>

#include "base/error.h"

namespace sluice::backend {

using http::Exchange;
using http::Url;
using runtime::Task;

namespace {

// An answer with another header.
class Changed final : public Exchange {
 public:
  Changed(std::unique_ptr<Exchange> inner, http::ResponseHead head)
      : inner_(std::move(inner)), head_(std::move(head)) {}
  const http::ResponseHead& head() const noexcept override { return head_; }
  const Url& url() const noexcept override { return inner_->url(); }
  std::optional<http::IpAddress> peer() const noexcept override { return inner_->peer(); }
  Task<size_t> ReadSome(MutableBytes dst) override { return inner_->ReadSome(dst); }

 private:
  const std::unique_ptr<Exchange> inner_;
  const http::ResponseHead head_;
};

}  // namespace

Url Relocated(const Url& location, const std::string& scheme, const std::string& host) {
  const http::Origin& origin = location.origin();
  const bool own_port = origin.port == (location.secure() ? 443 : 80);
  const std::string port = own_port || host.find(':') != std::string::npos ? "" : ":" + std::to_string(origin.port);
  std::string text = (scheme.empty() ? origin.scheme : scheme) + "://" + (host.empty() ? origin.host : host) + port;
  text += location.path();
  if (!location.query().empty()) text += "?" + location.query();
  return Url::Parse(text);
}

Task<std::unique_ptr<Exchange>> RelocatingTransport::Send(http::ClientRequest request) {
  std::unique_ptr<Exchange> exchange = co_await inner_.Send(std::move(request));
  if (scheme_.empty() && host_.empty()) co_return exchange;
  if (exchange->status() < 300 || exchange->status() > 399) co_return exchange;
  http::ResponseHead head = exchange->head();
  for (http::Field& field : head.fields) {
    if (!http::SameFieldName(field.name, "Location")) continue;
    field.value = Relocated(exchange->url().Resolve(field.value), scheme_, host_).ToString();
  }
  co_return std::make_unique<Changed>(std::move(exchange), std::move(head));
}

}  // namespace sluice::backend
