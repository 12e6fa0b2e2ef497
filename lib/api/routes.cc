// SPDX-License-Identifier: Apache-2.0
#include "api/routes.h"

#include <fmt/format.h>

#include <utility>

#include "api/json.h"

namespace sluice::api {

using http::Request;
using http::Response;
using runtime::Task;

namespace {

Response Json(unsigned status, std::string body) {
  return {.status = status, .content_type = "application/json", .body = std::move(body)};
}

// The value of the parameter `name`, which the request has at most once; empty when it has none.
std::string TakeParameter(Request& request, std::string_view name) {
  std::string value;
  for (auto at = request.query.begin(); at != request.query.end();) {
    if (at->first != name) {
      ++at;
      continue;
    }
    if (!value.empty()) Throw(Errc::kInvalidArgument, "{}: parameter '{}' stands twice", request.path, name);
    value = std::move(at->second);
    if (value.empty()) Throw(Errc::kInvalidArgument, "{}: parameter '{}' is empty", request.path, name);
    at = request.query.erase(at);
  }
  return value;
}

std::string TakeNeededParameter(Request& request, std::string_view name) {
  std::string value = TakeParameter(request, name);
  if (value.empty()) Throw(Errc::kInvalidArgument, "{}: parameter '{}' is missing", request.path, name);
  return value;
}

// Those that nobody has taken.
void RefuseParameters(const Request& request) {
  if (!request.query.empty()) {
    Throw(Errc::kInvalidArgument, "{}: parameter '{}' is unknown", request.path, request.query.front().first);
  }
}

void RefuseBody(const Request& request) {
  if (!request.body.empty()) {
    Throw(Errc::kInvalidArgument, "{} {}: a body of {} bytes, wanted is none", request.method, request.path,
          request.body.size());
  }
}

}  // namespace

const Routes::Route Routes::kRoutes[] = {
    {"POST", "/v1/mounts", &Routes::PostMount},         {"DELETE", "/v1/mounts", &Routes::DeleteMount},
    {"GET", "/v1/mounts", &Routes::GetMounts},          {"POST", "/v1/bindings", &Routes::PostBinding},
    {"DELETE", "/v1/bindings", &Routes::DeleteBinding}, {"GET", "/v1/bindings", &Routes::GetBindings},
    {"GET", "/v1/status", &Routes::GetStatus},
};

Task<Response> Routes::Handle(Request request) {
  std::string allow;
  for (const Route& route : kRoutes) {
    if (route.path != request.path) continue;
    if (route.method == request.method) co_return co_await (this->*route.handle)(std::move(request));
    if (!allow.empty()) allow += ", ";
    allow += route.method;
  }
  if (allow.empty()) Throw(Errc::kNotFound, "path '{}': there is none", request.path);
  const Error error(Errc::kInvalidArgument,
                    fmt::format("path '{}': takes {}, not {}", request.path, allow, request.method));
  Response response = Explain(405, error);
  response.allow = std::move(allow);
  co_return response;
}

Response Routes::Explain(unsigned status, const Error& error) const { return Json(status, Encode(error)); }

Task<Response> Routes::PostMount(Request request) {
  RefuseParameters(request);
  MountRequest mount = ParseMountRequest(request.body);
  const MountInfo info = co_await service_.Mount(std::move(mount));
  co_return Json(201, Encode(info));
}

Task<Response> Routes::DeleteMount(Request request) {
  RefuseBody(request);
  std::string mountpoint = TakeNeededParameter(request, "mountpoint");
  RefuseParameters(request);
  co_await service_.Unmount(std::move(mountpoint));
  co_return Response{.status = 204};
}

Task<Response> Routes::GetMounts(Request request) {
  RefuseParameters(request);
  RefuseBody(request);
  co_return Json(200, Encode(service_.List()));
}

BindService& Routes::bindings() const {
  if (bindings_ == nullptr) {
    Throw(Errc::kUnsupported, "this daemon's front end has no bindings: they need sluiced --frontend=cachefiles");
  }
  return *bindings_;
}

Task<Response> Routes::PostBinding(Request request) {
  RefuseParameters(request);
  BindRequest bind = ParseBindRequest(request.body);
  const BindingInfo info = co_await bindings().Bind(std::move(bind));
  co_return Json(201, Encode(info));
}

Task<Response> Routes::DeleteBinding(Request request) {
  RefuseBody(request);
  std::string fsid = TakeNeededParameter(request, "fsid");
  std::string domain = TakeParameter(request, "domain");
  RefuseParameters(request);
  co_await bindings().Unbind(std::move(fsid), std::move(domain));
  co_return Response{.status = 204};
}

Task<Response> Routes::GetBindings(Request request) {
  RefuseParameters(request);
  RefuseBody(request);
  // None where there can be none: `sluice list` asks every daemon.
  const std::vector<BindingInfo> list = bindings_ != nullptr ? bindings_->Bindings() : std::vector<BindingInfo>();
  co_return Json(200, Encode(list));
}

Task<Response> Routes::GetStatus(Request request) {
  RefuseParameters(request);
  RefuseBody(request);
  const Status status = co_await service_.GetStatus();
  co_return Json(200, Encode(status));
}

}  // namespace sluice::api
