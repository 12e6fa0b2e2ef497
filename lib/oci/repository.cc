// SPDX-License-Identifier: Apache-2.0
#include "oci/repository.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include "oci/layout.h"
#include "oci/manifest_type.h"
#include "oci/media_types.h"
#include "oci/registry_endpoint.h"

namespace sluice::oci {

using runtime::Task;

namespace {

enum class Need {
  kPull,     // something with a digest
  kResolve,  // what a tag means
};

bool Serves(const Endpoint& endpoint, Need need) { return need == Need::kPull ? endpoint.pull : endpoint.resolve; }

}  // namespace

struct Repository::State {
  State(RegistryServices given, RepositoryOptions options_in) : services(given), retry(options_in.retry) {
    for (Endpoint& endpoint : options_in.endpoints) {
      auto credentials = options_in.credentials.For(endpoint.is_mirror);
      endpoints.push_back(std::make_unique<RegistryEndpoint>(given, std::move(endpoint), "pull", "",
                                                             std::move(credentials), options_in.patience));
    }
  }

  // Calls `attempt(endpoint, advice)` (RegistryEndpoint&, RetryAdvice& -> Task<T>) for one endpoint after the other
  // until one succeeds, again and again as the policy says.  `attempt` outlives the task.
  template <typename F>
  std::invoke_result_t<F&, RegistryEndpoint&, http::RetryAdvice&> OnEndpoints(Need need, F& attempt) {
    std::optional<Error> reason;
    auto pass = [this, need, &attempt, &reason](http::RetryAdvice& advice) {
      return OncePerEndpoint(need, attempt, reason, advice);
    };
    co_return co_await http::WithRetry(services.engine, services.rng, retry, std::move(pass));
  }

  // `reason`: why a server failed last; that is told in place of its being left alone for that.
  template <typename F>
  std::invoke_result_t<F&, RegistryEndpoint&, http::RetryAdvice&> OncePerEndpoint(Need need, F& attempt,
                                                                                  std::optional<Error>& reason,
                                                                                  http::RetryAdvice& advice) {
    std::optional<Error> failure;
    for (const size_t index : Order(need)) {
      RegistryEndpoint& endpoint = *endpoints[index];
      // A copy: Settle() may change it, to http.
      const http::Origin origin = endpoint.reached_first();
      if (reason && !services.health.Admit(origin)) {
        if (!failure) failure = reason;
        continue;
      }
      try {
        if (!reason) services.health.AdmitOrThrow(origin);
        co_await endpoint.Settle();
        auto result = co_await attempt(endpoint, advice);
        services.health.ReportSuccess(origin);
        last_used = index;
        distrusted.reset();
        co_return result;
      } catch (const Error& error) {
        services.health.ReportFailure(origin, error);
        if (error.code() == Errc::kStopped) throw;
        // What is worth another try counts, else what the last endpoint says: that is the registry itself.
        if (!failure || !http::IsWorthRetrying(*failure)) failure = error;
        reason = error;
      }
    }
    if (!failure) Throw(Errc::kNotFound, "no server is configured that says what a tag means");
    throw Error(*std::move(failure));
  }

  std::vector<size_t> Order(Need need) const {
    std::vector<http::Origin> origins;
    std::vector<size_t> indexes;
    for (size_t i = 0; i < endpoints.size(); ++i) {
      if (!Serves(endpoints[i]->endpoint(), need)) continue;
      origins.push_back(endpoints[i]->reached_first());
      indexes.push_back(i);
    }
    std::vector<size_t> order;
    for (const size_t position : services.health.Order(origins)) order.push_back(indexes[position]);
    if (distrusted) std::ranges::stable_partition(order, [this](size_t index) { return index != *distrusted; });
    return order;
  }

  const RegistryServices services;
  const http::RetryPolicy retry;
  std::vector<std::unique_ptr<RegistryEndpoint>> endpoints;
  size_t last_used = 0;
  std::optional<size_t> distrusted;  // goes last until another one has served
};

namespace {

Task<StoredManifest> FetchManifest(RegistryEndpoint& endpoint, std::string name, std::optional<Digest> expected,
                                   http::RetryAdvice& advice) {
  http::ClientRequest request = endpoint.Request("GET", "manifests/" + name);
  for (const std::string_view type : kManifestTypes) request.fields.push_back({"Accept", std::string(type)});
  const http::Document document =
      co_await http::FetchDocument(endpoint.transport(), std::move(request), kMaxDocumentBytes, &advice);
  co_return CheckManifest(document, expected);
}

}  // namespace

Repository::Repository(RegistryServices services, RegistryReference image, RepositoryOptions options)
    : image_(std::move(image)), state_(std::make_unique<State>(services, std::move(options))) {
  SLUICE_CHECK(!state_->endpoints.empty(), "a repository without endpoints");
}

Repository::~Repository() = default;

Task<void> Repository::Prepare() {
  const std::vector<size_t> order = state_->Order(Need::kPull);
  if (order.empty()) co_return;
  RegistryEndpoint& endpoint = *state_->endpoints[order.front()];
  const http::Origin origin = endpoint.reached_first();
  if (!state_->services.health.Admit(origin)) co_return;
  try {
    co_await endpoint.Settle();
    co_await endpoint.Greet();
    state_->services.health.ReportSuccess(origin);
  } catch (const Error& error) {
    state_->services.health.ReportFailure(origin, error);
  }
}

Task<StoredManifest> Repository::GetManifest() {
  auto attempt = [this](RegistryEndpoint& endpoint, http::RetryAdvice& advice) {
    return FetchManifest(endpoint, image_.ManifestName(), image_.digest, advice);
  };
  co_return co_await state_->OnEndpoints(image_.digest ? Need::kPull : Need::kResolve, attempt);
}

Task<StoredManifest> Repository::GetManifest(Descriptor descriptor) {
  if (descriptor.size > kMaxDocumentBytes)
    Throw(Errc::kLimit, "'{}': manifest {} has {} bytes, more than {}", image_.Name(), FormatDigest(descriptor.digest),
          descriptor.size, kMaxDocumentBytes);
  auto attempt = [&descriptor](RegistryEndpoint& endpoint, http::RetryAdvice& advice) {
    return FetchManifest(endpoint, FormatDigest(descriptor.digest), descriptor.digest, advice);
  };
  StoredManifest manifest = co_await state_->OnEndpoints(Need::kPull, attempt);
  if (manifest.bytes.size() != descriptor.size)
    Throw(Errc::kCorrupt, "'{}': manifest {} has {} bytes, its descriptor says {}", image_.Name(),
          FormatDigest(descriptor.digest), manifest.bytes.size(), descriptor.size);
  if (manifest.media_type != descriptor.media_type)
    Throw(Errc::kCorrupt, "'{}': manifest {} is of type '{}', its descriptor says '{}'", image_.Name(),
          FormatDigest(descriptor.digest), manifest.media_type, descriptor.media_type);
  co_return manifest;
}

Task<Repository::Resolved> Repository::Resolve(ImageChoice choice) {
  StoredManifest stored = co_await GetManifest();
  Resolved resolved;
  resolved.descriptor = {.media_type = stored.media_type, .digest = stored.digest, .size = stored.bytes.size()};
  for (int depth = 0; depth < kMaxIndexNesting; ++depth) {
    const std::string what = "'" + image_.Name() + "': " + FormatDigest(resolved.descriptor.digest);
    if (KindOfMediaType(stored.media_type) == DocumentKind::kManifest) {
      resolved.manifest = ParseManifest(stored.bytes, what);
      resolved.bytes = std::move(stored.bytes);
      co_return resolved;
    }
    const Index index = ParseIndex(stored.bytes, what);
    if (depth == 0) resolved.index = std::move(stored);
    resolved.descriptor = Select(index, choice, what);
    stored = co_await GetManifest(resolved.descriptor);
  }
  Throw(Errc::kCorrupt, "'{}': more than {} indexes in one another", image_.ToString(), kMaxIndexNesting);
}

Task<std::vector<std::byte>> Repository::GetBlob(Descriptor descriptor, uint64_t max_bytes) {
  const std::string what = "'" + image_.Name() + "': blob " + FormatDigest(descriptor.digest);
  if (descriptor.size > max_bytes)
    Throw(Errc::kLimit, "{} has {} bytes, more than {}", what, descriptor.size, max_bytes);
  auto attempt = [&descriptor, &what](RegistryEndpoint& endpoint,
                                      http::RetryAdvice& advice) -> Task<std::vector<std::byte>> {
    http::ClientRequest request = endpoint.Request("GET", "blobs/" + FormatDigest(descriptor.digest));
    const http::Document document =
        co_await http::FetchDocument(endpoint.transport(), std::move(request), descriptor.size, &advice);
    const ConstBytes bytes = AsBytes(document.body);
    if (bytes.size() != descriptor.size || DigestOf(DigestAlgorithm::kSha256, bytes) != descriptor.digest)
      Throw(Errc::kCorrupt, "{}: '{}' has given {} other bytes for its {}", what, document.url.ForMessages(),
            bytes.size(), descriptor.size);
    co_return std::vector<std::byte>(bytes.begin(), bytes.end());
  };
  co_return co_await state_->OnEndpoints(Need::kPull, attempt);
}

Task<std::unique_ptr<http::RangeStream>> Repository::OpenBlob(Digest digest, std::optional<uint64_t> size,
                                                              ByteRange range, runtime::Lane lane) {
  auto attempt = [digest, size, range, lane](RegistryEndpoint& endpoint, http::RetryAdvice& advice) {
    return endpoint.OpenBlob(digest, size, range, lane, advice);
  };
  co_return co_await state_->OnEndpoints(Need::kPull, attempt);
}

Task<void> Repository::ReadBlob(Digest digest, std::optional<uint64_t> size, uint64_t offset, MutableBytes dst,
                                runtime::Lane lane) {
  auto attempt = [=](RegistryEndpoint& endpoint, http::RetryAdvice& advice) -> Task<size_t> {
    const ByteRange range{offset, dst.size()};
    const std::unique_ptr<http::RangeStream> stream = co_await endpoint.OpenBlob(digest, size, range, lane, advice);
    size_t filled = 0;
    while (filled < dst.size()) filled += co_await stream->ReadSome(dst.subspan(filled));
    // The answer is over: its connection serves the next request.
    co_return co_await stream->ReadSome(dst.first(0));
  };
  co_await state_->OnEndpoints(Need::kPull, attempt);
}

void Repository::Distrust() noexcept {
  for (const auto& endpoint : state_->endpoints) endpoint->ForgetLocations();
  if (state_->endpoints.size() > 1) state_->distrusted = state_->last_used;
}

Task<std::vector<Descriptor>> Repository::Referrers(Digest digest, std::string artifact_type) {
  const std::string what = "'" + image_.Name() + "': referrers of " + FormatDigest(digest);
  auto attempt = [&digest, &artifact_type, &what](RegistryEndpoint& endpoint,
                                                  http::RetryAdvice& advice) -> Task<std::vector<Descriptor>> {
    http::ClientRequest request = endpoint.Request("GET", "referrers/" + FormatDigest(digest));
    if (!artifact_type.empty()) request.url = request.url.WithQuery("artifactType", artifact_type);
    request.fields.push_back({"Accept", std::string(media_type::kIndex)});
    std::optional<std::string> list;
    try {
      http::Document document =
          co_await http::FetchDocument(endpoint.transport(), std::move(request), kMaxDocumentBytes, &advice);
      list = std::move(document.body);
    } catch (const Error& error) {
      // 404 and 405 say that the registry does not know the question.
      if (error.code() != Errc::kNotFound && error.code() != Errc::kInvalidArgument) throw;
    }
    if (list) co_return ParseIndex(AsBytes(*list), what).manifests;
    try {
      const StoredManifest index = co_await FetchManifest(endpoint, ReferrersTag(digest), std::nullopt, advice);
      co_return ParseIndex(index.bytes, what).manifests;
    } catch (const Error& error) {
      if (error.code() != Errc::kNotFound) throw;
    }
    co_return std::vector<Descriptor>();
  };
  std::vector<Descriptor> referrers = co_await state_->OnEndpoints(Need::kResolve, attempt);
  if (!artifact_type.empty())
    std::erase_if(referrers, [&artifact_type](const Descriptor& d) { return d.artifact_type != artifact_type; });
  co_return referrers;
}

Task<Manifest> Repository::GetReferrer(Digest subject, Descriptor referrer) {
  const std::string what = "'" + image_.Name() + "': referrer " + FormatDigest(referrer.digest);
  const StoredManifest stored = co_await GetManifest(std::move(referrer));
  Manifest manifest = ParseManifest(stored.bytes, what);
  if (!manifest.subject || manifest.subject->digest != subject)
    Throw(Errc::kCorrupt, "{} refers to {}, not to {}", what,
          manifest.subject ? FormatDigest(manifest.subject->digest) : "nothing", FormatDigest(subject));
  co_return manifest;
}

}  // namespace sluice::oci
