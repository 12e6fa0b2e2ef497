// SPDX-License-Identifier: Apache-2.0
#include "mount_service.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "runtime/offload.h"
#include "runtime/shard.h"
#include "support/temporary_directory.h"

namespace sluice::daemon {
namespace {

using runtime::Task;

Task<void> StopThenMount(MountService& mounts) {
  // Not CHECK(co_await …): g++ 12 runs the await of the macro's dead branch, too.
  const bool free = co_await mounts.UnmountAll();
  CHECK(free);
  Errc code{};
  try {
    api::MountRequest request{.image = "oci:/nowhere", .mountpoint = "/"};
    co_await mounts.Mount(std::move(request));
  } catch (const Error& error) {
    code = error.code();
  }
  CHECK(code == Errc::kBusy);
}

TEST_CASE("a mount that waits for the last unmount is refused, so that nothing is mounted when the worker ends") {
  test::TemporaryDirectory directory;
  runtime::Shards threads(1, runtime::EngineKind::kAuto);
  const auto engine = runtime::MakeEngine(runtime::EngineKind::kAuto);
  runtime::Offload blocking(1);
  const ShardServices shards({});
  Log log(LogLevel::kError, Log::Style::kPlain);
  const auto configuration = Network::Configuration::Make({});
  Network network(*engine, blocking, configuration, 1);
  ImageFetcher fetcher({.engine = *engine,
                        .blocking = blocking,
                        .computing = blocking,
                        .networks = {{threads[0], network}},
                        .timeout = std::chrono::seconds(1),
                        .log = log});
  const MountService::Parts parts{
      .engine = *engine, .blocking = blocking, .computing = blocking, .shards = shards, .fetcher = fetcher, .log = log};
  MountService mounts(parts, directory / "root", {});
  engine->Run(StopThenMount(mounts));
}

}  // namespace
}  // namespace sluice::daemon
