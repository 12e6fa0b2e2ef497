// SPDX-License-Identifier: Apache-2.0
#include "runtime/sim_engine.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/check.h"

namespace sluice::runtime {

namespace {

bool IsWait(Opcode opcode) noexcept { return opcode == Opcode::kWaitReadable || opcode == Opcode::kWaitWritable; }

}  // namespace

SimEngine::SimEngine(SimDisk& disk, uint64_t seed, const SimFaults& faults)
    : disk_(disk), seed_(seed), rng_(seed), faults_(faults), sockets_(rng_) {
  SetReason(fmt::format("seed {}", seed));
}

// Mostly a disk's, now and then a queue's.
TimePoint SimEngine::Later() noexcept {
  const uint64_t most_us = rng_.Chance(5) ? 20000 : 200;
  return now_ + std::chrono::microseconds(1 + rng_.Below(most_us));
}

bool SimEngine::RunInsteadOfWorker(Runnable& work) noexcept {
  pending_.push_back({.op = nullptr, .work = &work, .at = Later()});
  return true;
}

void SimEngine::Start(Op& op) noexcept {
  pending_.push_back({.op = &op, .at = IsWait(op.request().opcode) ? kNever : Later()});
}

void SimEngine::RequestCancel(Op& op) noexcept {
  const auto at = std::find_if(pending_.begin(), pending_.end(), [&](const Pending& each) { return each.op == &op; });
  SLUICE_CHECK(at != pending_.end(), "an operation is cancelled that is not in flight");
  // Waiting for a descriptor always ends; anything else may have gone too far.
  if (at->done || (!IsWait(op.request().opcode) && rng_.Chance(faults_.ignored_cancel))) return;
  *at = {.op = &op, .at = Later(), .done = true, .result = -ECANCELED};
}

void SimEngine::Poll(std::optional<Duration> wait) noexcept {
  ScheduleWaits();
  const TimePoint limit = wait ? now_ + *wait : kNever;
  const auto next = std::min_element(pending_.begin(), pending_.end(),
                                     [](const Pending& a, const Pending& b) { return a.at < b.at; });
  if (next == pending_.end() || next->at > limit || next->at == kNever) {
    if (!wait) std::fprintf(stderr, "simulator, seed %llu\n", static_cast<unsigned long long>(seed_));
    SLUICE_CHECK(wait.has_value(), "all tasks wait for something that can never happen");
    now_ = limit;
    return;
  }
  now_ = std::max(now_, next->at);
  if (next->op == nullptr) {
    Runnable& work = *next->work;
    pending_.erase(next);
    work.Run();
  } else if (!next->done) {
    next->result = Perform(next->op->request());
    next->done = true;
    next->at = Later();
  } else {
    const Pending completed = *next;
    pending_.erase(next);
    completed.op->Complete(completed.result);
  }
}

// Gives a moment to each wait whose descriptor has become ready.
void SimEngine::ScheduleWaits() noexcept {
  for (Pending& each : pending_) {
    if (each.at == kNever && IsReady(each.op->request())) each.at = Later();
  }
}

bool SimEngine::IsReady(const Request& request) const {
  return request.opcode == Opcode::kWaitReadable ? sockets_.IsReadable(request.fd) : sockets_.IsWritable(request.fd);
}

int64_t SimEngine::Call(const Request& request) noexcept {
  switch (request.opcode) {
    case Opcode::kClose: return CloseNow(request.fd);
    case Opcode::kSize: return OnFile(request);
    case Opcode::kListen: return sockets_.Listen(next_fd_++, request.path);
    case Opcode::kConnect: return sockets_.Connect(next_fd_++, request.path);
    case Opcode::kAccept: return sockets_.Accept(request.fd, next_fd_++);
    case Opcode::kReceive: return sockets_.Receive(request.fd, {static_cast<std::byte*>(request.buffer), request.size});
    case Opcode::kSend: return sockets_.Send(request.fd, {static_cast<std::byte*>(request.buffer), request.size});
    case Opcode::kShutdownSend: return sockets_.ShutdownSend(request.fd);
    default: SLUICE_CHECK(false, "a request that may block is made as a call"); return -EINVAL;
  }
}

int64_t SimEngine::CloseNow(int fd) {
  SLUICE_CHECK(std::none_of(pending_.begin(), pending_.end(),
                            [&](const Pending& each) { return each.op != nullptr && each.op->request().fd == fd; }),
               "a descriptor is closed while an operation uses it");
  sockets_.Close(fd);
  files_.erase(fd);
  return 0;
}

int64_t SimEngine::Perform(const Request& request) {
  switch (request.opcode) {
    case Opcode::kWaitReadable:
    case Opcode::kWaitWritable: return 0;
    case Opcode::kOpen: return Open(request);
    case Opcode::kRename: return disk_.Rename(request.path, request.new_path);
    case Opcode::kUnlink: return disk_.Unlink(request.path);
    case Opcode::kMakeDirectory: return disk_.MakeDirectory(request.path);
    case Opcode::kRemoveDirectory: return disk_.RemoveDirectory(request.path);
    case Opcode::kListDirectory:
      return disk_.List(request.path, request.size, *static_cast<std::vector<std::string>*>(request.buffer));
    default: return OnFile(request);
  }
}

int64_t SimEngine::Open(const Request& request) {
  SimDisk::NodePtr node;
  const int result = disk_.Open(request.path, request.flags, node);
  if (result < 0) return result;
  files_[next_fd_] = {.node = std::move(node), .flags = request.flags};
  return next_fd_++;
}

int64_t SimEngine::OnFile(const Request& request) {
  const auto at = files_.find(request.fd);
  if (at == files_.end()) return -EBADF;
  SimDisk::Node& node = *at->second.node;
  switch (request.opcode) {
    case Opcode::kRead:
    case Opcode::kWrite: return Transfer(request, at->second);
    case Opcode::kSync:
    case Opcode::kSyncData: return rng_.Chance(faults_.sync_error) ? -EIO : disk_.Sync(node);
    case Opcode::kTruncate: return disk_.Truncate(node, request.size);
    case Opcode::kPunchHole: return disk_.PunchHole(node, {request.offset, request.size});
    case Opcode::kSize: return disk_.Size(node);
    default: SLUICE_CHECK(false, "a request that the simulator does not know"); return -EINVAL;
  }
}

int64_t SimEngine::Transfer(const Request& request, const OpenFile& file) {
  const bool reading = request.opcode == Opcode::kRead;
  const int access = file.flags & O_ACCMODE;
  if (access == (reading ? O_WRONLY : O_RDONLY)) return -EBADF;
  if (rng_.Chance(reading ? faults_.read_error : faults_.write_error)) return -EIO;
  uint64_t size = request.size;
  if (size > 1 && rng_.Chance(faults_.short_transfer)) size = 1 + rng_.Below(size - 1);
  auto* const data = static_cast<std::byte*>(request.buffer);
  return reading ? disk_.Read(*file.node, {data, size}, request.offset)
                 : disk_.Write(*file.node, {data, size}, request.offset);
}

}  // namespace sluice::runtime
