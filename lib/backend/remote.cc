// SPDX-License-Identifier: Apache-2.0
#include "backend/remote.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "backend/explaining_transport.h"
#include "backend/fill.h"
#include "base/check.h"
#include "base/error.h"
#include "http/fetch.h"
#include "http/hedge.h"
#include "http/redirect.h"

namespace sluice::backend {

using http::ClientRequest;
using http::RetryAdvice;
using runtime::Task;

struct RemoteBackend::State {
  State(Services given, Options chosen)
      : services(std::move(given)),
        options(std::move(chosen)),
        redirecting(services.transport),
        explaining(redirecting),
        transport(options.explain ? static_cast<http::Transport&>(explaining) : redirecting) {
    SLUICE_CHECK(!options.endpoints.empty(), "a backend without a server");
    for (const auto& endpoint : options.endpoints) {
      origins.push_back(endpoint->origin());
      hedges.emplace_back(services.engine, options.hedge);
    }
  }

  const Services services;
  const Options options;
  http::RedirectingTransport redirecting;
  ExplainingTransport explaining;
  http::Transport& transport;
  // Of the endpoints.
  std::vector<http::Origin> origins;
  std::vector<http::Hedge> hedges;  // from the request to the header of the answer
};

namespace {

class RemoteSource final : public BlobSource {
 public:
  RemoteSource(std::shared_ptr<RemoteBackend::State> state, BlobId id)
      : state_(std::move(state)), id_(std::move(id)), identities_(state_->options.endpoints.size()) {}

  Task<void> ReadAt(uint64_t offset, MutableBytes dst) override;
  std::unique_ptr<BlobStream> OpenStream(uint64_t offset, uint64_t length, runtime::Lane lane) override;
  bool is_remote() const noexcept override { return true; }
  void Distrust() noexcept override;
  std::string Describe() const override { return state_->options.description; }

  // An answer that has begun, and the index of the endpoint that gives it.
  struct Answer {
    std::unique_ptr<http::RangeStream> stream;
    size_t endpoint = 0;
  };
  // `avoid`: this endpoint is asked last.
  Task<Answer> OpenAnswer(ByteRange range, runtime::Lane lane, std::optional<size_t> avoid);
  void ReportFailure(size_t endpoint, const Error& error);

 private:
  std::vector<size_t> Order(std::optional<size_t> avoid) const;
  // Calls use(endpoint, request, advice) for one endpoint after the other until one succeeds.
  template <typename F>
  Task<void> Ask(F& use, std::optional<size_t> avoid, RetryAdvice& advice);
  Task<void> Begin(size_t endpoint, ClientRequest request, ByteRange range, Answer& answer, RetryAdvice& advice);
  Task<void> Fetch(size_t endpoint, ClientRequest request, uint64_t offset, MutableBytes dst, RetryAdvice& advice);

  const std::shared_ptr<RemoteBackend::State> state_;
  const BlobId id_;
  std::vector<http::ObjectIdentity> identities_;  // of the blob at each endpoint
  size_t last_served_ = 0;                        // the endpoint that last gave bytes
  std::optional<size_t> distrusted_;              // the endpoint whose bytes were wrong
  bool pass_caches_ = false;                      // until an endpoint has given bytes again
};

std::vector<size_t> RemoteSource::Order(std::optional<size_t> avoid) const {
  std::vector<size_t> order = state_->services.health.Order(state_->origins);
  for (const std::optional<size_t> last : {distrusted_, avoid}) {
    if (last) std::stable_partition(order.begin(), order.end(), [&](size_t at) { return at != *last; });
  }
  return order;
}

template <typename F>
Task<void> RemoteSource::Ask(F& use, std::optional<size_t> avoid, RetryAdvice& advice) {
  http::HostHealth& health = state_->services.health;
  std::optional<Error> failure;
  size_t failed = 0;  // the endpoint that `failure` is from
  for (const size_t index : Order(avoid)) {
    Endpoint& endpoint = *state_->options.endpoints[index];
    bool renewed = false;  // who we are was found out anew
    while (health.Admit(endpoint.origin())) {
      std::optional<Error> error;
      try {
        ClientRequest request = co_await endpoint.MakeRequest(id_);
        if (pass_caches_) request.fields.push_back({.name = "Cache-Control", .value = "no-cache"});
        co_await use(index, std::move(request), advice);
      } catch (const Error& e) {
        error = e;
      }
      if (!error) {
        health.ReportSuccess(endpoint.origin());
        last_served_ = index;
        pass_caches_ = false;
        co_return;
      }
      health.ReportFailure(endpoint.origin(), *error);
      const bool may_renew = endpoint.ReportFailure(*error);
      if (error->code() == Errc::kStopped) throw *error;
      // What the place itself says about a blob counts more than what a mirror says.
      if (!failure || index > failed) {
        failure = error;
        failed = index;
      }
      if (renewed || !may_renew) break;
      renewed = true;
    }
  }
  if (failure) throw *failure;
  Throw(Errc::kBusy, "{}: left alone after failures in a row ({} servers)", Describe(), state_->origins.size());
}

Task<void> RemoteSource::ReadAt(uint64_t offset, MutableBytes dst) {
  auto fetch = [this, offset, dst](size_t endpoint, ClientRequest request, RetryAdvice& advice) {
    return Fetch(endpoint, std::move(request), offset, dst, advice);
  };
  auto attempt = [this, &fetch](RetryAdvice& advice) { return Ask(fetch, std::nullopt, advice); };
  co_await http::WithRetry(state_->services.engine, state_->services.rng, state_->options.retry, std::move(attempt));
}

Task<RemoteSource::Answer> RemoteSource::OpenAnswer(ByteRange range, runtime::Lane lane, std::optional<size_t> avoid) {
  Answer answer;
  auto open = [this, range, lane, &answer](size_t endpoint, ClientRequest request, RetryAdvice& advice) {
    request.lane = lane;
    return Begin(endpoint, std::move(request), range, answer, advice);
  };
  auto attempt = [this, avoid, &open](RetryAdvice& advice) { return Ask(open, avoid, advice); };
  co_await http::WithRetry(state_->services.engine, state_->services.rng, state_->options.retry, std::move(attempt));
  co_return answer;
}

Task<void> RemoteSource::Begin(size_t endpoint, ClientRequest request, ByteRange range, Answer& answer,
                               RetryAdvice& advice) {
  auto open = [&] { return http::OpenRange(state_->transport, request, range, identities_[endpoint], &advice); };
  answer.stream = co_await state_->hedges[endpoint].Run(request.lane, std::move(open));
  answer.endpoint = endpoint;
}

Task<void> RemoteSource::Fetch(size_t endpoint, ClientRequest request, uint64_t offset, MutableBytes dst,
                               RetryAdvice& advice) {
  Answer answer;
  const ByteRange range{offset, dst.size()};
  co_await Begin(endpoint, std::move(request), range, answer, advice);
  co_await Fill(*answer.stream, dst);
}

void RemoteSource::ReportFailure(size_t endpoint, const Error& error) {
  state_->services.health.ReportFailure(state_->origins[endpoint], error);
}

void RemoteSource::Distrust() noexcept {
  distrusted_ = last_served_;
  pass_caches_ = true;
  for (http::ObjectIdentity& identity : identities_) identity = {};
}

// An answer that breaks is followed by another one for the rest, from another endpoint if there is one.
class RemoteStream final : public BlobStream {
 public:
  RemoteStream(RemoteSource& source, ByteRange range, runtime::Lane lane) noexcept
      : source_(source), rest_(range), lane_(lane) {}
  Task<void> Read(MutableBytes dst) override;

 private:
  static constexpr unsigned kMostBreaks = 4;

  // Fills `dst` as far as the present answer goes; the error that ended it.
  Task<std::optional<Error>> ReadOn(MutableBytes& dst);

  RemoteSource& source_;
  ByteRange rest_;  // that was not given yet
  const runtime::Lane lane_;
  RemoteSource::Answer answer_;
  std::optional<size_t> broke_at_;  // the endpoint whose answer broke last
  unsigned breaks_ = 0;
  bool ended_ = false;  // after an error, until a read has succeeded
};

Task<void> RemoteStream::Read(MutableBytes dst) {
  if (ended_) Throw(Errc::kIo, "{}: the stream broke before", source_.Describe());
  ended_ = true;
  SLUICE_CHECK(dst.size() <= rest_.length, "a stream is asked for more than it was opened for");
  while (ended_) {
    if (answer_.stream == nullptr) answer_ = co_await source_.OpenAnswer(rest_, lane_, broke_at_);
    const std::optional<Error> error = co_await ReadOn(dst);
    if (!error) {
      ended_ = false;
      continue;
    }
    source_.ReportFailure(answer_.endpoint, *error);
    broke_at_ = answer_.endpoint;
    answer_.stream = nullptr;
    if (!http::IsWorthRetrying(*error) || ++breaks_ > kMostBreaks || rest_.empty()) throw *error;
  }
}

Task<std::optional<Error>> RemoteStream::ReadOn(MutableBytes& dst) {
  const uint64_t before = answer_.stream->received();
  std::optional<Error> error;
  try {
    co_await Fill(*answer_.stream, dst);
  } catch (const Error& e) {
    error = e;
  }
  const uint64_t got = answer_.stream->received() - before;
  rest_ = ByteRange{rest_.offset + got, rest_.length - got};
  dst = dst.subspan(got);
  co_return error;
}

std::unique_ptr<BlobStream> RemoteSource::OpenStream(uint64_t offset, uint64_t length, runtime::Lane lane) {
  return std::make_unique<RemoteStream>(*this, ByteRange{offset, length}, lane);
}

}  // namespace

RemoteBackend::RemoteBackend(Services services, Options options)
    : state_(std::make_shared<State>(std::move(services), std::move(options))) {}

std::unique_ptr<BlobSource> RemoteBackend::Open(const BlobId& id) const {
  return std::make_unique<RemoteSource>(state_, id);
}

}  // namespace sluice::backend
