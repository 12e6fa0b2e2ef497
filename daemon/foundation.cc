// SPDX-License-Identifier: Apache-2.0
#include "foundation.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <utility>

#include "base/error.h"
#include "durable_file.h"
#include "unix_address.h"

namespace sluice::daemon {

namespace {

constexpr size_t kMostDefaultShards = 4;
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
  const sockaddr_un address = UnixAddress(path);
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

}  // namespace

size_t CpuCount() { return static_cast<size_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN))); }

Foundation LayFoundation(const Options& options, Log& log) {
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
  if (base.frontend.device) base.shards = 1;  // its objects are all on the shard of the device
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

}  // namespace sluice::daemon
