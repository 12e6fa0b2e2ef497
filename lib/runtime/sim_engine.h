// SPDX-License-Identifier: Apache-2.0
#pragma once
// The engine of tests: virtual time, one thread, and an order of events that a seed decides.

#include <cstdint>
#include <map>
#include <vector>

#include "base/rng.h"
#include "runtime/engine.h"
#include "runtime/op.h"
#include "runtime/sim_disk.h"
#include "runtime/sim_sockets.h"

namespace sluice::runtime {

// What goes wrong, in percent of operations.  Random latency and order are always on.
struct SimFaults {
  unsigned short_transfer = 30;  // reads and writes that carry a part
  unsigned ignored_cancel = 30;  // cancel requests that nobody heeds
  unsigned read_error = 0;       // -EIO
  unsigned write_error = 0;      // -EIO
  unsigned sync_error = 0;       // -EIO; what was to be synced stays unsynced
};

// Aborts, with the seed, when all tasks wait for something that can never happen.
class SimEngine final : public Engine {
 public:
  // `disk` outlives the engine.
  SimEngine(SimDisk& disk, uint64_t seed, const SimFaults& faults = SimFaults());

  std::string_view name() const noexcept override { return "simulator"; }
  TimePoint Now() const noexcept override { return now_; }
  int64_t Call(const Request& request) noexcept override;
  bool simulated() const noexcept override { return true; }
  bool RunInsteadOfWorker(Runnable& work) noexcept override;

  void SetFaults(const SimFaults& faults) noexcept { faults_ = faults; }
  Rng& rng() noexcept { return rng_; }

 private:
  // An operation takes effect at one moment and is reported at a later one; a crash may come between.
  struct Pending {
    Op* op;                    // null: not an operation but
    Runnable* work = nullptr;  // the work of a worker thread, run in one go
    TimePoint at;              // of the next of the two; kNever: waits for a descriptor
    bool done = false;
    int64_t result = 0;
  };
  struct OpenFile {
    SimDisk::NodePtr node;
    int flags = 0;
  };
  static constexpr TimePoint kNever = TimePoint::max();
  static constexpr int kFirstFd = 1 << 20;  // far from those of the real kernel

  void Start(Op& op) noexcept override;
  void RequestCancel(Op& op) noexcept override;
  void Poll(std::optional<Duration> wait) noexcept override;
  void Interrupt() noexcept override {}

  void ScheduleWaits() noexcept;
  bool IsReady(const Request& request) const;
  int64_t Perform(const Request& request);
  int64_t Open(const Request& request);
  int64_t OnFile(const Request& request);
  int64_t Transfer(const Request& request, const OpenFile& file);
  int64_t CloseNow(int fd);
  TimePoint Later() noexcept;

  SimDisk& disk_;
  const uint64_t seed_;
  Rng rng_;
  SimFaults faults_;
  TimePoint now_{};
  std::vector<Pending> pending_;
  std::map<int, OpenFile> files_;
  SimSockets sockets_;
  int next_fd_ = kFirstFd;
};

}  // namespace sluice::runtime
