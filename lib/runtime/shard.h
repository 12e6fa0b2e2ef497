// SPDX-License-Identifier: Apache-2.0
#pragma once
// A fixed set of threads, each with its own engine.  State belongs to one of them; the others reach it with RunOn().

#include <cstddef>
#include <exception>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include "runtime/engine.h"
#include "runtime/event.h"

namespace sluice::runtime {

// Thread-safe in itself; its engine is for its own thread (and Engine::Post for all).
class Shard {
 public:
  Engine& engine() const noexcept { return *engine_; }
  size_t index() const noexcept { return index_; }
  // True on the thread of this shard.
  bool IsCurrent() const noexcept { return engine_->IsCurrent(); }

 private:
  friend class Shards;
  explicit Shard(size_t index) noexcept : index_(index) {}
  // Ends the loop; posted from another thread.
  void OnClose() noexcept { closing_.Set(); }

  const size_t index_;
  std::unique_ptr<Engine> engine_;
  Event closing_;
  Step<Shard, &Shard::OnClose> close_{*this};
};

class Shards {
 public:
  // Starts `count` (1 to kMost) threads and returns when all engines run.  Throws what an engine throws at its making.
  Shards(size_t count, EngineKind kind);
  // All tasks have ended by then.  Ends the loops, then the engines, each on its thread.
  ~Shards();
  Shards(const Shards&) = delete;
  Shards& operator=(const Shards&) = delete;

  static constexpr size_t kMost = 64;
  size_t size() const noexcept { return shards_.size(); }
  Shard& operator[](size_t index) noexcept { return *shards_[index]; }

 private:
  struct Start;
  void ThreadMain(Shard& shard, EngineKind kind, Start& start) noexcept;
  void Close() noexcept;

  std::vector<std::unique_ptr<Shard>> shards_;
  std::latch left_;  // no engine goes before all loops have ended: until then any shard may post to any other
  std::vector<std::thread> threads_;
};

}  // namespace sluice::runtime
