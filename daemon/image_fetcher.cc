// SPDX-License-Identifier: Apache-2.0
#include "image_fetcher.h"

#include <string_view>
#include <utility>

#include "base/error.h"
#include "oci/reference.h"
#include "remote_image.h"
#include "runtime/combine.h"

namespace sluice::daemon {

using runtime::Task;

namespace {

constexpr std::string_view kDocker = "docker://";

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
    image.loaded.backend = ConfiguredSpec{};
    image.secrets = {.credentials = Secret(), .configuration = std::move(config)};
    // What is wrong with it is said now, not to the first reader.
    co_await parts_.network.OpenBackend(image.loaded.backend, image.secrets);
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
    const auto repository = co_await parts_.network.OpenRepository(reference, spec, access.credentials);
    image.loaded.bootstrap = co_await FetchBootstrap(*repository, parts_.engine, parts_.computing);
  } catch (Error& error) {
    error.AddContext("image '" + reference.ToString() + "'");
    throw;
  }
  image.loaded.backend = std::move(spec);
  image.secrets.credentials = std::move(access.credentials);
  co_return image;
}

}  // namespace sluice::daemon
