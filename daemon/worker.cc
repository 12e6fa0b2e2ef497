// SPDX-License-Identifier: Apache-2.0
#include "worker.h"

#include <cstdlib>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "base/error.h"
#include "bind_service.h"
#include "control.h"
#include "foundation.h"
#include "frontend/cachefiles/kernel_device.h"
#include "frontend/erofs_mount.h"
#include "mount_service.h"
#include "object_service.h"
#include "runtime/offload.h"
#include "runtime/run_on.h"
#include "runtime/scope.h"
#include "runtime/shard.h"
#include "served_image.h"
#include "shard_service.h"

namespace sluice::daemon {

using runtime::Task;

namespace {

constexpr size_t kBlockingThreads = 2;
constexpr size_t kWritingThreads = 16;  // each waits for disks; one that hangs leaves some (cache::CacheLimits)
constexpr size_t kAskingThreads = 2;    // a helper for credentials may hang for a while

uint64_t MakeSeed() {
  std::random_device random;
  return uint64_t{random()} << 32 | random();
}

// One service per shard, made, used and destroyed on it.
class ServiceOfEachShard {
 public:
  explicit ServiceOfEachShard(runtime::Shards& shards) : shards_(shards), services_(shards.size()) {}

  // `make(index)` returns the service of a shard.
  template <class Maker>
  Task<void> Make(Maker make) {
    for (size_t index = 0; index < services_.size(); ++index) {
      auto run = [&]() -> Task<void> {
        services_[index] = make(index);
        co_return;
      };
      co_await runtime::RunOn(shards_[index], std::move(run));
    }
  }

  Task<void> Close() {
    for (size_t index = 0; index < services_.size(); ++index) {
      auto run = [&]() -> Task<void> {
        co_await services_[index]->Close();
        services_[index].reset();
      };
      co_await runtime::RunOn(shards_[index], std::move(run));
    }
  }

  ShardService& operator[](size_t index) const noexcept { return *services_[index]; }

  std::vector<ShardServices::Member> Members() const {
    std::vector<ShardServices::Member> members;
    for (size_t index = 0; index < services_.size(); ++index) members.push_back({shards_[index], *services_[index]});
    return members;
  }

 private:
  runtime::Shards& shards_;
  std::vector<std::unique_ptr<ShardService>> services_;
};

cache::CacheLimits LimitsOf(const Foundation& base) {
  const auto share = [&](uint64_t rate) { return (rate + base.shards - 1) / base.shards; };
  cache::CacheLimits limits;
  limits.fetch_timeout = base.options.fetch_timeout;
  limits.ahead_bytes_per_second = share(base.options.prefetch_bytes_per_second);
  limits.ahead_requests_per_second = share(base.options.prefetch_requests_per_second);
  return limits;
}

// The parts that have threads.  Made and taken apart by main(), used by the shards.
class Worker {
 public:
  explicit Worker(Foundation& base)
      : base_(base),
        computing_(CpuCount()),
        blocking_(kBlockingThreads),
        asking_(kAskingThreads),
        network_(Network::Configuration::Make(base.options.network)),
        limits_(LimitsOf(base)),
        shards_(base.shards, base.options.engine) {}

  int Run() {
    auto run = [this] { return base_.frontend.device ? RunCachefiles() : RunFanotify(); };
    runtime::BlockOn(shards_[0], std::move(run));
    return 0;
  }

 private:
  // Both on the control shard.

  Task<void> RunFanotify() {
    ServiceOfEachShard services(shards_);
    auto make = [this](size_t index) {
      return std::make_unique<ShardService>(PartsOf(index), base_.options.root, std::move(base_.frontend.gates[index]));
    };
    co_await services.Make(std::move(make));
    const ShardServices shards(services.Members());
    std::vector<ImageFetcher::ShardNetwork> networks;
    for (const auto& [shard, service] : shards.members()) networks.push_back({shard, service.network()});
    ImageFetcher fetcher(FetcherParts(std::move(networks)));
    const MountService::Parts parts{.engine = control_engine(),
                                    .blocking = blocking_,
                                    .computing = computing_,
                                    .shards = shards,
                                    .fetcher = fetcher,
                                    .log = base_.log};
    MountService mounts(parts, base_.options.root, AboutThis(base_, control_engine()));
    Greet();
    const bool all_served = co_await TakeOver(mounts);
    runtime::Scope recovery(control_engine(), "recovery");
    for (size_t index = 0; index < shards_.size(); ++index) {
      recovery.Spawn(OpenDoor(shards_[index], services[index], all_served));
    }
    Control control(base_, control_engine(), mounts);
    co_await control.Run();
    co_await recovery.Join();
    co_await services.Close();
  }

  Task<void> RunCachefiles() {
    // For calls that change the working directory of their thread.
    runtime::Offload culling(1);
    runtime::Offload writing(kWritingThreads, runtime::ByHelpers::kYes);
    ObjectService objects(PartsOf(0), base_.options.cachefiles.settings.directory, writing);
    ImageFetcher fetcher(FetcherParts({{shards_[0], objects.network()}}));
    auto abandon = [this] {
      base_.manager.Remove(kCachefilesName);
      std::_Exit(EXIT_FAILURE);
    };
    const BindService::Parts parts{.engine = control_engine(),
                                   .blocking = blocking_,
                                   .computing = computing_,
                                   .culling = culling,
                                   .fetcher = fetcher,
                                   .objects = objects,
                                   .options = base_.options.cachefiles,
                                   .log = base_.log,
                                   .abandon = std::move(abandon),
                                   .domains = frontend::KnowsDomains()};
    auto device = frontend::cachefiles::MakeKernelDevice(control_engine(), std::move(base_.frontend.device));
    BindService bindings(parts, std::move(device), base_.options.root, AboutThis(base_, control_engine()));
    Greet();
    co_await bindings.Restore(base_.frontend.taken_over);
    bindings.Open();
    Control control(base_, control_engine(), bindings);
    co_await control.Run();
    co_await bindings.Close();
    co_await objects.Close();
  }

  // True: everything that a previous worker served is served again.
  Task<bool> TakeOver(MountService& mounts) {
    try {
      co_return co_await mounts.Restore(base_.frontend.taken_over);
    } catch (const Error& error) {
      // What was restored is mounted and cannot be let go in order: the next worker tries again.
      base_.log.Error("cannot take over the mounts: {}", error.message());
      std::_Exit(EXIT_FAILURE);
    }
  }

  static Task<void> OpenDoor(runtime::Shard& shard, ShardService& service, bool all_served) {
    auto open = [&service, all_served] {
      service.Open();
      return service.Recover(all_served);
    };
    co_await runtime::RunOn(shard, std::move(open));
  }

  ShardParts PartsOf(size_t index) {
    return {.engine = shards_[index].engine(),
            .computing = computing_,
            .blocking = blocking_,
            .asking = asking_,
            .network = network_,
            .limits = limits_,
            .log = base_.log,
            .seed = MakeSeed()};
  }

  ImageFetcher::Parts FetcherParts(std::vector<ImageFetcher::ShardNetwork> networks) {
    return {.engine = control_engine(),
            .blocking = blocking_,
            .computing = computing_,
            .networks = std::move(networks),
            .timeout = base_.options.mount_timeout,
            .log = base_.log};
  }

  void Greet() {
    base_.log.Info("sluiced {}: front end {}: {}", SLUICE_VERSION, base_.frontend.choice.name,
                   base_.frontend.choice.reason);
    base_.log.Info("sluiced {}: {} shards, engine {}: {}", SLUICE_VERSION, shards_.size(), control_engine().name(),
                   control_engine().reason());
  }

  runtime::Engine& control_engine() { return shards_[0].engine(); }

  Foundation& base_;
  runtime::Offload computing_;
  runtime::Offload blocking_;
  runtime::Offload asking_;
  const Network::Configuration network_;
  const cache::CacheLimits limits_;
  runtime::Shards shards_;
};

}  // namespace

int RunWorker(const Options& options, Log& log) {
  Foundation base = LayFoundation(options, log);
  return Worker(base).Run();
}

}  // namespace sluice::daemon
