// SPDX-License-Identifier: Apache-2.0
#include "control.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <utility>

#include "base/error.h"
#include "runtime/file.h"
#include "runtime/timer.h"

namespace sluice::daemon {

using runtime::Task;

namespace {

constexpr Duration kSweepInterval = std::chrono::seconds(10);

}  // namespace

Control::Control(Foundation& base, runtime::Engine& engine, Serving& mounts)
    : base_(base), engine_(engine), mounts_(mounts), routes_(mounts, mounts.bindings()), scope_(engine, "control") {}

Task<void> Control::Run() {
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

Task<void> Control::ServeApi(http::Server& server) {
  try {
    co_await server.Run();
  } catch (const Error& error) {
    base_.log.Error("the API is not available any more: {}; what is mounted is served on", error.message());
  }
}

Task<void> Control::ServeUntilStopped() {
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

Task<void> Control::SweepForever() {
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

Task<void> Control::WatchHolderEnd() {
  co_await runtime::WaitReadable(engine_, base_.holder.get());
  base_.log.Error(
      "the holder is gone: serving on, but nobody keeps the kernel's descriptors if this process dies; restart "
      "sluiced when nothing is mounted");
}

}  // namespace sluice::daemon
