// SPDX-License-Identifier: Apache-2.0
#pragma once
// Keeps the kernel's descriptors while workers come and go: the part of a service manager that sluiced needs where
// there is none.  One thread, no allocation that grows with the load, no file of the cache: what can fail lives in the
// worker.

#include <sys/types.h>  // for pid_t

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "notification.h"

namespace sluice::daemon {

// Descriptors by name, in the order in which they came.
class DescriptorStore {
 public:
  // More than the groups and journals of the largest number of shards.
  static constexpr size_t kMost = 256;

  struct Entry {
    std::string name;
    UniqueFd fd;
  };

  // Replaces the one of the same name.  Throws kLimit when kMost are kept.
  void Put(std::string name, UniqueFd fd);
  void Remove(std::string_view name) noexcept;
  const std::vector<Entry>& entries() const noexcept { return entries_; }

 private:
  std::vector<Entry> entries_;
};

// How long to wait before the next worker is started.  It never gives up: when the holder ends, the groups end, and
// readers would be let go over holes.
class RestartDelay {
 public:
  static constexpr Duration kFirst = std::chrono::milliseconds(100);
  static constexpr Duration kMost = std::chrono::seconds(1);

  // A worker has ended; `was_ready`: it had served.  Zero for one that had served, else doubling from kFirst to kMost.
  Duration Next(bool was_ready) noexcept;

 private:
  Duration last_{};
};

struct HolderOptions {
  std::string notify_path;           // of the socket that the worker notifies; made with mode 0600
  std::vector<std::string> command;  // the worker: path and arguments
};

// Receives notifications of one worker at a time.
class NotifySocket {
 public:
  // Replaces what is left of an earlier holder at `path`.  Throws kBusy when that holder is alive.
  explicit NotifySocket(std::string path);
  ~NotifySocket();
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  struct Message {
    pid_t sender = 0;
    Notification notification;
    std::vector<UniqueFd> fds;
  };

  int fd() const noexcept { return fd_.get(); }
  const std::string& path() const noexcept { return path_; }
  // nullopt when none is queued.  Throws kCorrupt for one that is malformed; it is consumed.
  std::optional<Message> Receive();

 private:
  std::string path_;
  UniqueFd fd_;
};

// Starts workers until one ends in good order, forwards SIGTERM, SIGINT and SIGHUP to it.  Returns the exit code for
// this process: 0, or that of a first worker that never got ready.  The process has no other thread.
int RunHolder(const HolderOptions& options, Log& log);

}  // namespace sluice::daemon
