// SPDX-License-Identifier: Apache-2.0
#include "runtime/shard.h"

#include <fmt/format.h>
#include <pthread.h>  // for pthread_setname_np

#include <mutex>
#include <system_error>

#include "base/check.h"
#include "base/error.h"

namespace sluice::runtime {

struct Shards::Start {
  explicit Start(size_t count) : done(static_cast<ptrdiff_t>(count)) {}
  std::latch done;
  std::mutex mutex;
  std::exception_ptr error;  // under mutex
};

Shards::Shards(size_t count, EngineKind kind) : left_(static_cast<ptrdiff_t>(count)) {
  SLUICE_CHECK(count >= 1 && count <= kMost, "the number of shards is out of range");
  Start start(count);
  for (size_t i = 0; i < count; ++i) shards_.push_back(std::unique_ptr<Shard>(new Shard(i)));
  threads_.reserve(count);
  try {
    for (const auto& shard : shards_) {
      threads_.emplace_back([this, &shard = *shard, kind, &start] { ThreadMain(shard, kind, start); });
    }
  } catch (const std::system_error& error) {
    const auto missing = static_cast<ptrdiff_t>(count - threads_.size());
    start.done.count_down(missing);
    left_.count_down(missing);
    const std::lock_guard lock(start.mutex);
    start.error = std::make_exception_ptr(Error(Errc::kLimit, fmt::format("shard threads: {}", error.what())));
  }
  start.done.wait();
  if (start.error) {
    Close();
    std::rethrow_exception(start.error);
  }
}

Shards::~Shards() { Close(); }

void Shards::Close() noexcept {
  for (const auto& shard : shards_) {
    if (shard->engine_) shard->engine_->Post(shard->close_);
  }
  for (std::thread& thread : threads_) thread.join();
}

void Shards::ThreadMain(Shard& shard, EngineKind kind, Start& start) noexcept {
  pthread_setname_np(pthread_self(), fmt::format("sluice-shard-{}", shard.index()).c_str());
  try {
    shard.engine_ = MakeEngine(kind);
  } catch (...) {
    const std::lock_guard lock(start.mutex);
    start.error = std::current_exception();
  }
  start.done.count_down();
  // `start` is gone from here on.
  if (shard.engine_) shard.engine_->Run(shard.closing_.Wait());
  left_.arrive_and_wait();
  shard.engine_.reset();
}

}  // namespace sluice::runtime
