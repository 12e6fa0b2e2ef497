// SPDX-License-Identifier: Apache-2.0
#pragma once
// The paths of the API (docs/api.md): from requests to the service and back.  On the shard of the HTTP server.

#include <string_view>

#include "api/service.h"
#include "http/server.h"

namespace sluice::api {

class Routes final : public http::Handler {
 public:
  // Both outlive the routes.  `bindings` null: the daemon's front end has none.
  explicit Routes(MountService& service, BindService* bindings = nullptr) noexcept
      : service_(service), bindings_(bindings) {}

  runtime::Task<http::Response> Handle(http::Request request) override;
  http::Response Explain(unsigned status, const Error& error) const override;

 private:
  struct Route {
    std::string_view method;
    std::string_view path;
    runtime::Task<http::Response> (Routes::*handle)(http::Request);
  };
  static const Route kRoutes[];

  runtime::Task<http::Response> PostMount(http::Request request);
  runtime::Task<http::Response> DeleteMount(http::Request request);
  runtime::Task<http::Response> GetMounts(http::Request request);
  runtime::Task<http::Response> PostBinding(http::Request request);
  runtime::Task<http::Response> DeleteBinding(http::Request request);
  runtime::Task<http::Response> GetBindings(http::Request request);
  runtime::Task<http::Response> GetStatus(http::Request request);
  BindService& bindings() const;

  MountService& service_;
  BindService* const bindings_;
};

}  // namespace sluice::api
