// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a backend needs of its shard, with servers that are functions and a clock and environment of the test's own.

#include <fmt/format.h>

#include <map>
#include <string>

#include "backend/services.h"
#include "runtime/offload.h"
#include "support/engines.h"
#include "support/scripted_transport.h"

namespace sluice::backend {

class HandMovedClock final : public WallClock {
 public:
  WallTime Now() const noexcept override { return now; }
  WallTime now{std::chrono::seconds(1'700'000'000)};
};

class StoreShard {
 public:
  StoreShard(test::TestEnv& env, test::ScriptedTransport::Script script)
      : transport(std::move(script)), health_(env.engine(), env.rng()), env_(env) {}

  Services services() {
    return {env_.engine(), transport, offload_, health_, env_.rng(), clock, [this](const char* name) -> const char* {
              const auto found = environment.find(name);
              return found == environment.end() ? nullptr : found->second.c_str();
            }};
  }

  test::ScriptedTransport transport;
  HandMovedClock clock;
  std::map<std::string, std::string, std::less<>> environment;

 private:
  runtime::Offload offload_{1};
  http::HostHealth health_;
  test::TestEnv& env_;
};

// The value of a field of a request; empty when it is not there.
inline std::string FieldOf(const http::ClientRequest& request, std::string_view name) {
  for (const http::Field& field : request.fields)
    if (http::SameFieldName(field.name, name)) return field.value;
  return {};
}

// What a good server answers to a GET of a range of `content`.
inline test::ScriptedAnswer GiveRange(const http::ClientRequest& request, const std::string& content) {
  unsigned long long first = 0;
  unsigned long long last = 0;
  const std::string range = FieldOf(request, "Range");
  if (std::sscanf(range.c_str(), "bytes=%llu-%llu", &first, &last) != 2) return {.body = content};
  test::ScriptedAnswer answer;
  if (last >= content.size()) {
    answer.head.status = 416;
    return answer;
  }
  answer.head.status = 206;
  answer.body = content.substr(first, last - first + 1);
  answer.head.fields = {{.name = "Content-Range", .value = fmt::format("bytes {}-{}/{}", first, last, content.size())},
                        {.name = "Content-Length", .value = std::to_string(answer.body.size())}};
  return answer;
}

inline test::ScriptedAnswer GiveStatus(unsigned status, std::string body = {}) {
  test::ScriptedAnswer answer;
  answer.head.status = status;
  answer.body = std::move(body);
  return answer;
}

inline test::ScriptedAnswer Fail(Errc code) {
  test::ScriptedAnswer answer;
  answer.failure = Error(code, "scripted failure");
  return answer;
}

}  // namespace sluice::backend
