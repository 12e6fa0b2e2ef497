// SPDX-License-Identifier: Apache-2.0
#include "runtime/uring_engine.h"

#include <fmt/format.h>
#include <liburing.h>
#include <linux/falloc.h>  // for FALLOC_FL_PUNCH_HOLE
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "runtime/op.h"
#include "runtime/system_calls.h"
#include "runtime/workers.h"

namespace sluice::runtime {

namespace {

// Requests that one call hands to the kernel; more are handed over in several calls.
constexpr unsigned kSubmissions = 64;
// Requests in flight in the ring; more wait in a list.  Leaves the completion queue room for answers to cancellations.
constexpr unsigned kMostInRing = 512;
constexpr unsigned kCompletions = 2 * kMostInRing;
// For the few calls that the ring does not make.
constexpr size_t kThreads = 1;

// Threads that the kernel may keep for what would block, e.g. a write that has to wait for the disk: for files, for
// others.
constexpr std::array<unsigned, 2> kKernelThreads{4, 1};

// user_data of entries that are no Op.
constexpr uint64_t kNobody = 0;
constexpr uint64_t kWake = 1;

struct Mode {
  unsigned flags;
  std::string_view name;
};
// From the best to what every kernel with io_uring has; an older kernel answers EINVAL.
constexpr std::array<Mode, 3> kModes{{
    {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
     "SINGLE_ISSUER|DEFER_TASKRUN"},                                          // linux 6.1
    {IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG, "COOP_TASKRUN"},  // linux 5.19
    {0, "no flags"},
}};

// linux 5.11, for waiting with a timeout and for completions that are never dropped.
constexpr unsigned kFeatures = IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP;
constexpr std::array kOpcodes{IORING_OP_OPENAT,    IORING_OP_READ,     IORING_OP_WRITE,       IORING_OP_FSYNC,
                              IORING_OP_FALLOCATE, IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL};

// A ring that is closed at destruction.
class Ring {
 public:
  Ring() {
    int result = -EINVAL;
    for (const Mode& mode : kModes) {
      io_uring_params params{};
      params.flags = mode.flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
      params.cq_entries = kCompletions;
      result = io_uring_queue_init_params(kSubmissions, &ring_, &params);
      if (result == -EINVAL) continue;
      if (result < 0) break;
      mode_ = mode.name;
      const std::string missing = Missing(params.features);
      if (missing.empty()) return;
      io_uring_queue_exit(&ring_);
      Throw(Errc::kUnsupported, "io_uring of this kernel lacks {}", missing);
    }
    Throw(Errc::kUnsupported, "io_uring is refused: {}{}", std::strerror(-result),
          result == -EPERM ? " (sysctl kernel.io_uring_disabled or a seccomp filter)" : "");
  }
  ~Ring() { io_uring_queue_exit(&ring_); }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  io_uring* get() noexcept { return &ring_; }
  const io_uring* get() const noexcept { return &ring_; }
  std::string_view mode() const noexcept { return mode_; }

 private:
  // What the engine needs and this kernel does not have; empty when all is there.
  std::string Missing(unsigned features) noexcept {
    if ((features & kFeatures) != kFeatures) return fmt::format("features {:#x}", kFeatures & ~features);
    io_uring_probe* const probe = io_uring_get_probe_ring(&ring_);
    if (probe == nullptr) return "the probe";
    std::string missing;
    for (const auto opcode : kOpcodes) {
      if (io_uring_opcode_supported(probe, opcode) == 0) missing = fmt::format("opcode {}", static_cast<int>(opcode));
    }
    io_uring_free_probe(probe);
    return missing;
  }

  io_uring ring_{};
  std::string_view mode_;
};

bool IsForRing(Opcode opcode) noexcept {
  switch (opcode) {
    case Opcode::kOpen:
    case Opcode::kRead:
    case Opcode::kWrite:
    case Opcode::kSyncData:
    case Opcode::kSync:
    case Opcode::kPunchHole:
    case Opcode::kWaitReadable:
    case Opcode::kWaitWritable: return true;
    default: return false;
  }
}

void Prepare(io_uring_sqe* entry, const Request& request) noexcept {
  const auto size = static_cast<unsigned>(std::min(request.size, kMaxTransfer));
  switch (request.opcode) {
    case Opcode::kOpen:
      return io_uring_prep_openat(entry, AT_FDCWD, request.path, request.flags | O_CLOEXEC, request.mode);
    case Opcode::kRead: return io_uring_prep_read(entry, request.fd, request.buffer, size, request.offset);
    case Opcode::kWrite: return io_uring_prep_write(entry, request.fd, request.buffer, size, request.offset);
    case Opcode::kSyncData: return io_uring_prep_fsync(entry, request.fd, IORING_FSYNC_DATASYNC);
    case Opcode::kSync: return io_uring_prep_fsync(entry, request.fd, 0);
    case Opcode::kPunchHole:
      return io_uring_prep_fallocate(entry, request.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                     static_cast<off_t>(request.offset), static_cast<off_t>(request.size));
    case Opcode::kWaitReadable: return io_uring_prep_poll_add(entry, request.fd, POLLIN);
    case Opcode::kWaitWritable: return io_uring_prep_poll_add(entry, request.fd, POLLOUT);
    default: SLUICE_CHECK(false, "a request that is not for the ring");
  }
}

class UringEngine final : public Engine {
 public:
  UringEngine();
  ~UringEngine() override;

  std::string_view name() const noexcept override { return "io_uring"; }
  TimePoint Now() const noexcept override { return std::chrono::steady_clock::now(); }
  int64_t Call(const Request& request) noexcept override { return MakeSystemCall(request); }

 private:
  void Start(Op& op) noexcept override;
  void RequestCancel(Op& op) noexcept override;
  void Poll(std::optional<Duration> wait) noexcept override;
  void Interrupt() noexcept override { eventfd_write(wake_.get(), 1); }
  bool HasToPoll() const noexcept override {
    return io_uring_sq_ready(ring_.get()) > 0 || !backlog_.empty() || !to_cancel_.empty();
  }

  bool Enter(Op& op) noexcept;
  void EnterBacklog() noexcept;
  io_uring_sqe* NextEntry() noexcept;
  void CancelInRing(Op& op) noexcept;
  void Wait(const __kernel_timespec* limit) noexcept;
  void WatchWake() noexcept;
  void Collect() noexcept;
  void CollectOne(const io_uring_cqe& completion) noexcept;
  void OnWake(const io_uring_cqe& completion) noexcept;

  UniqueFd wake_;
  Ring ring_;
  bool wake_watched_ = false;
  bool wake_stays_ = true;           // one watch tells of all wakes; linux 5.13
  unsigned in_ring_ = 0;             // Ops that the ring has and has not reported
  IntrusiveList<Runnable> backlog_;  // Ops that wait for their turn in the ring
  std::vector<Op*> to_cancel_;       // Ops in the ring whose cancellation waits for room; only with helpers
  Workers workers_;
};

UringEngine::UringEngine() : wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), workers_(kThreads, "sluice-file") {
  if (!wake_) ThrowErrno(errno, "io_uring engine: eventfd");
  std::array<unsigned, 2> kernel_threads = kKernelThreads;                 // receives the former limits
  io_uring_register_iowq_max_workers(ring_.get(), kernel_threads.data());  // linux 5.15; older: as many as it likes
  SetReason(fmt::format("io_uring with {}", ring_.mode()));
}

// Closing a ring cancels what is in it without waiting.  Only the poll of wake_ is left there, which uses no memory.
UringEngine::~UringEngine() {
  SLUICE_CHECK(in_ring_ == 0 && backlog_.empty(), "an engine is destroyed while operations are in flight");
}

void UringEngine::Start(Op& op) noexcept {
  if (!IsForRing(op.request().opcode)) {
    op.MoveToWorker();
    workers_.Push(op);
  } else if (!backlog_.empty() || !Enter(op)) {
    backlog_.PushBack(op);
  }
}

// False when the ring is full.
bool UringEngine::Enter(Op& op) noexcept {
  if (in_ring_ >= kMostInRing) return false;
  io_uring_sqe* const entry = NextEntry();
  if (entry == nullptr) return false;
  Prepare(entry, op.request());
  io_uring_sqe_set_data64(entry, reinterpret_cast<uintptr_t>(&op));
  ++in_ring_;
  return true;
}

// Null when the queue is full.  Only the ring's own thread may empty it (IORING_SETUP_SINGLE_ISSUER).
io_uring_sqe* UringEngine::NextEntry() noexcept {
  io_uring_sqe* const entry = io_uring_get_sqe(ring_.get());
  if (entry != nullptr || !IsAtHome()) return entry;
  io_uring_submit(ring_.get());
  return io_uring_get_sqe(ring_.get());
}

void UringEngine::EnterBacklog() noexcept {
  while (Runnable* first = backlog_.front()) {
    Op& op = static_cast<Op&>(*first);
    first->Unlink();
    if (Enter(op)) continue;
    // No place after all: back to the front, which for a list without one means behind the others, in order.
    IntrusiveList<Runnable> rest;
    rest.TakeAll(backlog_);
    backlog_.PushBack(op);
    backlog_.TakeAll(rest);
    return;
  }
}

void UringEngine::RequestCancel(Op& op) noexcept {
  if (!IsForRing(op.request().opcode)) {
    if (workers_.Remove(op)) op.Complete(-ECANCELED);
    return;
  }
  Runnable& queued = op;
  if (queued.linked()) {
    queued.Unlink();
    return op.Complete(-ECANCELED);
  }
  CancelInRing(op);
}

void UringEngine::CancelInRing(Op& op) noexcept {
  // The kernel sees entries in order, and no frame goes before Collect() has seen its completion: when another Op comes
  // to live at this address, this cancellation has been answered already.
  io_uring_sqe* entry = NextEntry();
  if (entry == nullptr && !IsAtHome()) return to_cancel_.push_back(&op);
  while (entry == nullptr) {
    Collect();
    if (static_cast<Runnable&>(op).linked()) return;  // completed meanwhile
    entry = NextEntry();
  }
  io_uring_prep_cancel64(entry, reinterpret_cast<uintptr_t>(&op), 0);
  io_uring_sqe_set_data64(entry, kNobody);
}

void UringEngine::WatchWake() noexcept {
  if (wake_watched_) return;
  io_uring_sqe* const entry = io_uring_get_sqe(ring_.get());
  if (entry == nullptr) return;  // the queue is full, so this turn does not wait
  if (wake_stays_) {
    io_uring_prep_poll_multishot(entry, wake_.get(), POLLIN);
  } else {
    io_uring_prep_poll_add(entry, wake_.get(), POLLIN);
  }
  io_uring_sqe_set_data64(entry, kWake);
  wake_watched_ = true;
}

void UringEngine::Poll(std::optional<Duration> wait) noexcept {
  WatchWake();
  EnterBacklog();
  while (!to_cancel_.empty()) {
    Op& op = *to_cancel_.back();
    to_cancel_.pop_back();
    CancelInRing(op);
  }
  io_uring* const ring = ring_.get();
  if (!wake_watched_ || wait == Duration::zero()) {
    if (io_uring_sq_ready(ring) > 0) {
      io_uring_submit_and_get_events(ring);
    } else if ((*static_cast<volatile unsigned*>(ring->sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0) {
      io_uring_get_events(ring);  // the kernel says that it has completions for us to fetch
    }
  } else {
    __kernel_timespec limit{};
    if (wait) {
      limit.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(*wait).count();
      limit.tv_nsec = (*wait % std::chrono::seconds(1)).count();
    }
    Wait(wait ? &limit : nullptr);
  }
  Collect();
}

// For a completion; null: as long as it takes.
void UringEngine::Wait(const __kernel_timespec* limit) noexcept {
  io_uring* const ring = ring_.get();
  io_uring_cqe* first = nullptr;
  // liburing 2.3 wants to change what it only reads.
  auto* const timeout = const_cast<__kernel_timespec*>(limit);
  if (!shared()) {
    io_uring_submit_and_wait_timeout(ring, &first, 1, timeout, nullptr);
    return;
  }
  // What helpers prepare while we wait is handed over afterwards.
  if (io_uring_sq_ready(ring) > 0) io_uring_submit(ring);
  const Away away(*this);
  io_uring_wait_cqe_timeout(ring, &first, timeout);
}

void UringEngine::Collect() noexcept {
  unsigned head = 0;
  unsigned seen = 0;
  io_uring_cqe* completion = nullptr;
  io_uring_for_each_cqe(ring_.get(), head, completion) {
    ++seen;
    CollectOne(*completion);
  }
  io_uring_cq_advance(ring_.get(), seen);
}

void UringEngine::CollectOne(const io_uring_cqe& completion) noexcept {
  if (completion.user_data == kNobody) return;
  if (completion.user_data == kWake) return OnWake(completion);
  --in_ring_;
  Op* const op = reinterpret_cast<Op*>(static_cast<uintptr_t>(completion.user_data));
  std::erase(to_cancel_, op);
  op->Complete(completion.res);
}

void UringEngine::OnWake(const io_uring_cqe& completion) noexcept {
  // Each write to the eventfd is told, whatever its counter says: nobody has to read it.
  if ((completion.flags & IORING_CQE_F_MORE) != 0) return;
  wake_watched_ = false;
  if (completion.res == -EINVAL) wake_stays_ = false;
  if (wake_stays_) return;
  eventfd_t drained;
  eventfd_read(wake_.get(), &drained);
}

}  // namespace

std::unique_ptr<Engine> MakeUringEngine() { return std::make_unique<UringEngine>(); }

}  // namespace sluice::runtime
