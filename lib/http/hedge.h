// SPDX-License-Identifier: Apache-2.0
#pragma once
// A second request when the first one takes unusually long.

#include <array>
#include <cstddef>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "runtime/combine.h"
#include "runtime/engine.h"
#include "runtime/event.h"
#include "runtime/task.h"

namespace sluice::http {

// The recent latencies of one kind of request.  Owned by one shard.
class Latencies {
 public:
  void Add(Duration latency);
  // What 95 of 100 recent requests stayed below; nothing before kFewest are known.
  std::optional<Duration> P95() const;

  static constexpr size_t kFewest = 16;

 private:
  static constexpr size_t kMost = 128;
  std::array<Duration, kMost> recent_{};
  size_t count_ = 0;
};

}  // namespace sluice::http
