// SPDX-License-Identifier: Apache-2.0
#include "worker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>

#include "api/routes.h"
#include "base/error.h"
#include "bind_service.h"
#include "durable_file.h"
#include "frontend/cachefiles/kernel_device.h"
#include "frontend/erofs_mount.h"
#include "frontend_choice.h"
#include "http/server.h"
#include "mount_service.h"
#include "object_service.h"
#include "runtime/file.h"
#include "runtime/offload.h"
#include "runtime/run_on.h"
#include "runtime/scope.h"
#include "runtime/shard.h"
#include "runtime/socket.h"
#include "runtime/timer.h"
#include "served_image.h"
#include "service_manager.h"
#include "shard_service.h"

namespace sluice::daemon {

using runtime::Task;

namespace {

constexpr const char* kApiSocketName = "api";
constexpr size_t kMostDefaultShards = 4;
constexpr size_t kBlockingThreads = 2;
constexpr size_t kWritingThreads = 4;  // into the kernel's cache
constexpr size_t kAskingThreads = 2;   // a helper for credentials may hang for a while
constexpr Duration kSweepInterval = std::chrono::seconds(10);
constexpr mode_t kSocketMode = 0660;

// Each waiting reader, cache file and connection is a descriptor.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// Two workers on one root would spoil each other's caches.
UniqueFd LockRoot(const std::string& root) {
  MakeDirectories(root);
  UniqueFd lock(::open((root + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) ThrowErrno(errno, "cannot open '{}/lock'", root);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) Throw(Errc::kBusy, "another sluiced serves '{}'", root);
  return lock;
}

UniqueFd ListenOn(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    Throw(Errc::kInvalidArgument, "socket path '{}' has {} bytes, at most {} are possible", path, path.size(),
          sizeof(address.sun_path) - 1);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  MakeDirectories(std::filesystem::path(path).parent_path());
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) ThrowErrno(errno, "cannot make a socket");
  // Whoever answers there is a sluiced with another root; a name that nobody listens at is stale.
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    Throw(Errc::kBusy, "another process serves the socket '{}'", path);
  }
  ::unlink(path.c_str());
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::chmod(path.c_str(), kSocketMode) != 0 || ::listen(socket.get(), SOMAXCONN) != 0) {
    ThrowErrno(errno, "cannot listen on '{}'", path);
  }
  return socket;
}

size_t CpuCount() { return static_cast<size_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN))); }

// Readable when the process that kept our descriptors at the start is gone; none under the service manager, which does
// not go.
UniqueFd WatchHolder(HolderKind holder) {
  if (holder != HolderKind::kParent) return UniqueFd();
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, ::getppid(), 0)));
}

UniqueFd ReceiveSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  sigset_t blocked = signals;
  sigaddset(&blocked, SIGIO);  // of the leases in IsOpenSomewhere()
  // Inherited by all threads that are started from now on.
  ::sigprocmask(SIG_BLOCK, &blocked, nullptr);
  UniqueFd fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) ThrowErrno(errno, "cannot receive signals");
  return fd;
}

// Everything that the worker is made of before the first thread.
struct Foundation {
  const Options& options;
  Log& log;
  ServiceManager manager;
  Frontend frontend;
  size_t shards = 0;
  UniqueFd api_socket;
  UniqueFd signals;
  UniqueFd holder;
  UniqueFd lock;
};

Foundation Prepare(const Options& options, Log& log) {
  RaiseDescriptorLimit();
  auto passed = TakePassedDescriptors();
  Foundation base{.options = options, .log = log, .manager = ServiceManager::FromEnvironment()};
  if (!base.manager.present()) {
    Throw(Errc::kInvalidArgument,
          "--holder service-manager needs a service manager that keeps descriptors (NOTIFY_SOCKET is not set)");
  }
  base.frontend = TakeFrontend(passed, base.manager, log);
  base.holder = WatchHolder(options.holder);
  base.signals = ReceiveSignals();
  base.lock = LockRoot(options.root);
  base.shards = options.shards == 0 ? std::min(CpuCount(), kMostDefaultShards) : options.shards;
  if (!base.frontend) base.frontend = MakeFrontend(options, base.shards, base.manager);
  const size_t gates = base.frontend.gates.size();
  if (gates != 0 && gates != std::exchange(base.shards, gates) && options.shards != 0) {
    log.Warning("{} shards as before, not {}: marks belong to the shards that set them", gates, options.shards);
  }
  if (const auto node = passed.extract(kApiSocketName); !node.empty()) {
    base.api_socket = std::move(node.mapped());
  } else {
    base.api_socket = ListenOn(options.socket);
    base.manager.Store(kApiSocketName, base.api_socket.get());
  }
  return base;
}

api::Status AboutThis(const Foundation& base, const runtime::Engine& engine) {
  api::Status about;
  about.version = SLUICE_VERSION;
  about.pid = static_cast<uint64_t>(::getpid());
  about.started = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  about.engine = {.name = std::string(engine.name()), .reason = engine.reason()};
  about.frontend = base.frontend.choice;
  about.holder = base.options.holder == HolderKind::kParent
                     ? api::Choice{.name = "self", .reason = fmt::format("process {} keeps them", ::getppid())}
                     : api::Choice{.name = "service-manager", .reason = "its descriptor store keeps them"};
  about.shards = base.shards;
  about.cache_dir = base.frontend.device ? base.options.cachefiles.settings.directory : base.options.root + "/blobs";
  return about;
}

// The tasks of the control shard.
class Control {
 public:
  Control(Foundation& base, runtime::Engine& engine, Serving& mounts)
      : base_(base), engine_(engine), mounts_(mounts), routes_(mounts, mounts.bindings()), scope_(engine, "control") {}

  // Ends after SIGTERM or SIGINT, when nothing is mounted any more.
  Task<void> Run() {
    runtime::Listener listener = runtime::Listener::Adopt(engine_, std::move(base_.api_socket));
    http::Server server(engine_, std::move(listener), routes_);
    scope_.Spawn(ServeApi(server));
    scope_.Spawn(SweepForever());
    if (base_.holder) scope_.Spawn(WatchHolderEnd());
    base_.manager.Ready();
    base_.manager.Status("serving");
    co_await ServeUntilStopped();
    base_.manager.Stopping();
    scope_.RequestStop();
    co_await scope_.Join();
    // The service manager gives the socket to the next worker, which needs its name.
    if (base_.options.holder == HolderKind::kParent) ::unlink(base_.options.socket.c_str());
  }

 private:
  Task<void> ServeApi(http::Server& server) {
    try {
      co_await server.Run();
    } catch (const Error& error) {
      base_.log.Error("the API is not available any more: {}; what is mounted is served on", error.message());
    }
  }

  Task<void> ServeUntilStopped() {
    for (;;) {
      co_await runtime::WaitReadable(engine_, base_.signals.get());
      signalfd_siginfo signal{};
      while (::read(base_.signals.get(), &signal, sizeof(signal)) == static_cast<ssize_t>(sizeof(signal))) {
        if (signal.ssi_signo == SIGHUP) continue;
        base_.log.Info("stopping on signal {}", signal.ssi_signo);
        bool free = false;
        try {
          free = co_await mounts_.UnmountAll();
        } catch (const Error& error) {
          base_.log.Error("cannot unmount everything: {}", error.message());
        }
        if (free) co_return;
        base_.log.Error(
            "not stopping: while something is mounted its readers need this process; ask again when it is free");
        base_.manager.Status("asked to stop, but something mounted is in use");
      }
    }
  }

  Task<void> SweepForever() {
    for (;;) {
      co_await runtime::Sleep(engine_, kSweepInterval);
      try {
        co_await mounts_.Sweep();
      } catch (const Error& error) {
        if (error.code() == Errc::kStopped) throw;
        base_.log.Warning("cannot look after the mounts: {}, trying again later", error.message());
      }
    }
  }

  Task<void> WatchHolderEnd() {
    co_await runtime::WaitReadable(engine_, base_.holder.get());
    base_.log.Error(
        "the holder is gone: serving on, but nobody keeps the kernel's descriptors if this process dies; restart "
        "sluiced "
        "when "
        "nothing is mounted");
  }

  Foundation& base_;
  runtime::Engine& engine_;
  Serving& mounts_;
  api::Routes routes_;
  runtime::Scope scope_;
};

// The parts that have threads.  Made and taken apart by main(), used by the shards.
class Worker {
 public:
  explicit Worker(Foundation& base)
      : base_(base),
        computing_(CpuCount()),
        blocking_(kBlockingThreads),
        asking_(kAskingThreads),
        network_(Network::Configuration::Make(base.options.network)),
        limits_{.fetch_timeout = base.options.fetch_timeout},
        shards_(base.shards, base.options.engine) {}

  int Run() {
    auto run = [this] { return base_.frontend.device ? RunCachefiles() : RunFanotify(); };
    runtime::BlockOn(shards_[0], std::move(run));
    return 0;
  }

 private:
  // Both on the control shard.

  Task<void> RunFanotify() {
    co_await MakeServices();
    const ShardServices services(Members());
    ImageFetcher fetcher(FetcherParts(services_[0]->network()));
    const MountService::Parts parts{.engine = shards_[0].engine(),
                                    .blocking = blocking_,
                                    .computing = computing_,
                                    .shards = services,
                                    .fetcher = fetcher,
                                    .log = base_.log};
    MountService mounts(parts, base_.options.root, AboutThis(base_, shards_[0].engine()));
    Greet();
    bool all_served = false;
    try {
      all_served = co_await mounts.Restore(base_.frontend.taken_over);
    } catch (const Error& error) {
      // What was restored is mounted and cannot be let go in order: the next worker tries again.
      base_.log.Error("cannot take over the mounts: {}", error.message());
      std::_Exit(EXIT_FAILURE);
    }
    runtime::Scope recovery(shards_[0].engine(), "recovery");
    for (size_t index = 0; index < services_.size(); ++index) recovery.Spawn(OpenDoor(index, all_served));
    Control control(base_, shards_[0].engine(), mounts);
    co_await control.Run();
    co_await recovery.Join();
    co_await DestroyServices();
  }

  Task<void> RunCachefiles() {
    // For calls that change the working directory of their thread.
    runtime::Offload culling(1);
    runtime::Offload writing(kWritingThreads);
    std::vector<std::unique_ptr<ObjectService>> objects;
    std::vector<ObjectShardMember> members;
    for (size_t index = 0; index < shards_.size(); ++index) {
      const uint64_t seed = MakeSeed();
      auto make = [&]() -> Task<void> {
        const ObjectService::Parts parts{.engine = shards_[index].engine(),
                                         .computing = computing_,
                                         .blocking = blocking_,
                                         .asking = asking_,
                                         .network = network_,
                                         .limits = limits_,
                                         .log = base_.log};
        objects.push_back(std::make_unique<ObjectService>(parts, seed));
        co_return;
      };
      co_await runtime::RunOn(shards_[index], std::move(make));
      members.push_back({shards_[index], *objects.back()});
    }
    ImageFetcher fetcher(FetcherParts(objects[0]->network()));
    const BindService::Parts parts{.engine = shards_[0].engine(),
                                   .blocking = blocking_,
                                   .computing = computing_,
                                   .culling = culling,
                                   .fetcher = fetcher,
                                   .shards = members,
                                   .options = base_.options.cachefiles,
                                   .log = base_.log,
                                   .abandon =
                                       [this] {
                                         base_.manager.Remove(kCachefilesName);
                                         std::_Exit(EXIT_FAILURE);
                                       },
                                   .domains = frontend::KnowsDomains()};
    auto device =
        frontend::cachefiles::MakeKernelDevice(shards_[0].engine(), writing, std::move(base_.frontend.device));
    BindService bindings(parts, std::move(device), base_.options.root, AboutThis(base_, shards_[0].engine()));
    Greet();
    co_await bindings.Restore(base_.frontend.taken_over);
    bindings.Open();
    Control control(base_, shards_[0].engine(), bindings);
    co_await control.Run();
    co_await bindings.Close();
    for (size_t index = 0; index < shards_.size(); ++index) {
      auto destroy = [&]() -> Task<void> {
        co_await objects[index]->Close();
        objects[index].reset();
      };
      co_await runtime::RunOn(shards_[index], std::move(destroy));
    }
  }

  ImageFetcher::Parts FetcherParts(Network& network) {
    return {.engine = shards_[0].engine(),
            .blocking = blocking_,
            .computing = computing_,
            .network = network,
            .timeout = base_.options.mount_timeout};
  }

  static uint64_t MakeSeed() {
    std::random_device random;
    return uint64_t{random()} << 32 | random();
  }

  void Greet() {
    base_.log.Info("sluiced {}: front end {}: {}", SLUICE_VERSION, base_.frontend.choice.name,
                   base_.frontend.choice.reason);
    base_.log.Info("sluiced {}: {} shards, engine {}: {}", SLUICE_VERSION, shards_.size(), shards_[0].engine().name(),
                   shards_[0].engine().reason());
  }

  Task<void> MakeServices() {
    services_.resize(shards_.size());
    for (size_t index = 0; index < shards_.size(); ++index) {
      const uint64_t seed = MakeSeed();
      auto make = [&]() -> Task<void> {
        const ShardService::Parts parts{.engine = shards_[index].engine(),
                                        .computing = computing_,
                                        .blocking = blocking_,
                                        .asking = asking_,
                                        .network = network_,
                                        .limits = limits_,
                                        .log = base_.log};
        services_[index] =
            std::make_unique<ShardService>(parts, base_.options.root, seed, std::move(base_.frontend.gates[index]));
        co_return;
      };
      co_await runtime::RunOn(shards_[index], std::move(make));
    }
  }

  std::vector<ShardServices::Member> Members() {
    std::vector<ShardServices::Member> members;
    for (size_t index = 0; index < shards_.size(); ++index) members.push_back({shards_[index], *services_[index]});
    return members;
  }

  Task<void> OpenDoor(size_t index, bool all_served) {
    auto open = [&service = *services_[index], all_served] {
      service.Open();
      return service.Recover(all_served);
    };
    co_await runtime::RunOn(shards_[index], std::move(open));
  }

  Task<void> DestroyServices() {
    for (size_t index = 0; index < shards_.size(); ++index) {
      auto destroy = [&]() -> Task<void> {
        co_await services_[index]->Close();
        services_[index].reset();
      };
      co_await runtime::RunOn(shards_[index], std::move(destroy));
    }
  }

  Foundation& base_;
  runtime::Offload computing_;
  runtime::Offload blocking_;
  runtime::Offload asking_;
  const Network::Configuration network_;
  const cache::CacheLimits limits_;
  runtime::Shards shards_;
  std::vector<std::unique_ptr<ShardService>> services_;
};

}  // namespace

int RunWorker(const Options& options, Log& log) {
  Foundation base = Prepare(options, log);
  return Worker(base).Run();
}

}  // namespace sluice::daemon
