// SPDX-License-Identifier: Apache-2.0
#include "image_fetcher.h"

#include <exception>
#include <string_view>
#include <utility>

#include "backend/config.h"
#include "base/error.h"
#include "oci/reference.h"
#include "remote_image.h"
#include "runtime/combine.h"
#include "runtime/run_on.h"
#include "runtime/scope.h"

namespace sluice::daemon {

using runtime::Task;

namespace {

constexpr std::string_view kDocker = "docker://";

Task<void> GetReady(ImageFetcher::ShardNetwork at, oci::RegistryReference reference, RegistrySpec spec,
                    Secret credentials) {
  auto prepare = [&] { return at.network.Prepare(reference, spec, credentials); };
  try {
    co_await runtime::RunOn(at.shard, std::move(prepare));
  } catch (const Error&) {
    // The fetch of the bootstrap meets it too, or the first read.
  }
}

}  // namespace

Task<ImageFetcher::Image> ImageFetcher::Fetch(std::string image, api::ImageAccess access) {
  const runtime::Permit one_of_few = co_await slots_.Acquire(1);
  co_return co_await runtime::WithTimeout(parts_.engine, parts_.timeout, FetchNow(std::move(image), std::move(access)));
}

Task<ImageFetcher::Image> ImageFetcher::FetchNow(std::string name, api::ImageAccess access) {
  Secret config = std::move(access.backend_config);
  Image image;
  if (name.starts_with(kDocker)) {
    auto reference = oci::RegistryReference::Parse(std::string_view(name).substr(kDocker.size()));
    image = co_await FetchRemote(std::move(reference), std::move(access));
  } else {
    const oci::Reference reference = oci::Reference::Parse(name);
    auto load = [&] { return LoadImage(reference); };
    image.loaded = co_await parts_.blocking.Run(parts_.engine, std::move(load));
  }
  if (!config.empty()) {
    const auto parsed = backend::ParseBackendConfig(config.Reveal(), "backend configuration");
    for (const std::string& key : parsed.ignored) parts_.log.Warning("image '{}': {} has no effect", name, key);
    image.loaded.backend = ConfiguredSpec{};
    image.secrets = {.credentials = Secret(), .configuration = std::move(config)};
    // What is wrong with it is said now, not to the first reader.
    co_await network().OpenBackend(image.loaded.backend, image.secrets);
  }
  co_return image;
}

Task<ImageFetcher::Image> ImageFetcher::FetchRemote(oci::RegistryReference reference, api::ImageAccess access) {
  RegistrySpec spec{.repository = reference.Name(),
                    .tls_verify = access.tls_verify,
                    .cert_dir = std::move(access.cert_dir),
                    .auth_files = std::move(access.auth_files),
                    .has_credentials = !access.credentials.empty()};
  Image image;
  try {
    image.loaded.bootstrap = co_await FetchFrom(reference, spec, access.credentials);
  } catch (Error& error) {
    error.AddContext("image '" + reference.ToString() + "'");
    throw;
  }
  image.loaded.backend = std::move(spec);
  image.secrets.credentials = std::move(access.credentials);
  co_return image;
}

Task<std::vector<std::byte>> ImageFetcher::FetchFrom(oci::RegistryReference reference, RegistrySpec spec,
                                                     Secret credentials) {
  runtime::Scope others(parts_.engine, "shards that get ready for an image");
  std::vector<std::byte> bootstrap;
  std::exception_ptr failure;
  try {
    for (size_t i = 1; i < parts_.networks.size(); ++i) {
      others.Spawn(GetReady(parts_.networks[i], reference, spec, credentials));
    }
    const auto repository = co_await network().OpenRepository(reference, spec, credentials);
    bootstrap = co_await FetchBootstrap(*repository, parts_.engine, parts_.computing);
    network().Adopt(spec, credentials, repository);
  } catch (...) {
    failure = std::current_exception();
  }
  // Nobody waits for them.
  others.RequestStop();
  co_await others.Join();
  if (failure) std::rethrow_exception(failure);
  co_return bootstrap;
}

}  // namespace sluice::daemon
