// SPDX-License-Identifier: Apache-2.0
#include "runtime/semaphore.h"

#include <catch2/catch.hpp>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "runtime/buffer_pool.h"
#include "runtime/event.h"
#include "runtime/scope.h"
#include "support/engines.h"

namespace sluice::runtime {
namespace {

using namespace std::chrono_literals;
using test::RunOnEngines;
using test::TestEnv;

// Records its name when it gets `amount`, and keeps it until `go`.
Task<void> Hold(Semaphore& semaphore, uint64_t amount, int name, std::vector<int>& served, Event& go) {
  const Permit permit = co_await semaphore.Acquire(amount);
  served.push_back(name);
  co_await go.Wait();
}

TEST_CASE("a large request is not overtaken by small ones") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    Semaphore semaphore(10);
    Scope scope(env.engine(), "holders");
    std::vector<int> served;
    Event first, rest;
    scope.Spawn(Hold(semaphore, 6, 1, served, first));
    scope.Spawn(Hold(semaphore, 8, 2, served, rest));
    scope.Spawn(Hold(semaphore, 1, 3, served, rest));
    co_await Sleep(env.engine(), 1ms);
    CHECK(served == std::vector{1});
    first.Set();
    co_await Sleep(env.engine(), 1ms);
    CHECK(served == std::vector{1, 2, 3});
    CHECK(semaphore.free() == 1);
    rest.Set();
    co_await scope.Join();
    CHECK(semaphore.free() == 10);
  });
}

TEST_CASE("a waiting request that is stopped lets those behind it go") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    Semaphore semaphore(10);
    Scope large(env.engine(), "large"), small(env.engine(), "small");
    std::vector<int> served;
    Event go;
    Permit held = co_await semaphore.Acquire(5);
    large.Spawn(Hold(semaphore, 9, 1, served, go));
    small.Spawn(Hold(semaphore, 5, 2, served, go));
    large.RequestStop();
    co_await large.Join();
    co_await Sleep(env.engine(), 1ms);
    CHECK(served == std::vector{2});
    go.Set();
    co_await small.Join();
    held.Release();
    CHECK(semaphore.free() == 10);
  });
}

TEST_CASE("what a stopped task was given before the stop is not lost") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    Semaphore semaphore(4);
    Scope scope(env.engine(), "unlucky");
    std::vector<int> served;
    Event go;
    Permit held = co_await semaphore.Acquire(4);
    scope.Spawn(Hold(semaphore, 4, 1, served, go));
    held.Release();       // served now, resumed later
    scope.RequestStop();  // in between
    co_await scope.Join();
    CHECK(served == std::vector{1});
    CHECK(semaphore.free() == 4);
  });
}

TEST_CASE("buffers are aligned, and wait for the budget") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    BufferPool pool(16384);
    Buffer first = co_await pool.Take(5000);
    CHECK(first.size() == 5000);
    CHECK(first.capacity() == 8192);
    CHECK(IsAligned(reinterpret_cast<uintptr_t>(first.data()), 4096));
    CHECK(pool.used() == 8192);

    // More than the whole budget: alone.
    Scope scope(env.engine(), "giant");
    bool got = false;
    auto giant = [](BufferPool& from, bool& done) -> Task<void> {
      const Buffer buffer = co_await from.Take(1 << 20);
      done = buffer.size() == 1 << 20;
    };
    scope.Spawn(giant(pool, got));
    co_await Sleep(env.engine(), 1ms);
    CHECK_FALSE(got);
    { const Buffer gone = std::move(first); }
    co_await scope.Join();
    CHECK(got);
    CHECK(pool.used() == 0);
  });
}

TEST_CASE("the memory of a buffer serves the next one") {
  RunOnEngines([](TestEnv&) -> Task<void> {
    BufferPool pool(1 << 20);
    const std::byte* memory = nullptr;
    {
      Buffer buffer = co_await pool.Take(300000);
      memory = buffer.data();
      buffer.data()[299999] = std::byte{1};
    }
    Buffer small = co_await pool.Take(10);
    CHECK(small.data() == memory);
    CHECK(small.size() == 10);
    Buffer other = co_await pool.Take(10);
    CHECK(other.data() != memory);
    small = std::move(other);  // `other` now holds the first memory
    CHECK(small.data() != memory);
  });
}

}  // namespace
}  // namespace sluice::runtime
