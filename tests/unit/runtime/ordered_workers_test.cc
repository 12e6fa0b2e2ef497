// SPDX-License-Identifier: Apache-2.0
#include "runtime/ordered_workers.h"

#include <catch2/catch.hpp>
#include <future>
#include <memory>
#include <vector>

#include "base/error.h"
#include "runtime/guarded.h"

namespace sluice::runtime {
namespace {

// Ends when the test says so; notes which worker ran it.
class Waiting final : public OrderedWork {
 public:
  Waiting(int its_number, std::shared_future<void> go, Guarded<std::vector<int>>& begun)
      : number(its_number), go_(std::move(go)), begun_(begun) {}

  const int number;
  size_t worker = SIZE_MAX;

 private:
  void Work(size_t worker_number) override {
    worker = worker_number;
    begun_.With([&](auto& begun) { begun.push_back(number); });
    go_.wait();
    if (number < 0) Throw(Errc::kCorrupt, "number {}", number);
  }

  const std::shared_future<void> go_;
  Guarded<std::vector<int>>& begun_;
};

int NumberOf(const std::unique_ptr<OrderedWork>& work) { return static_cast<const Waiting&>(*work).number; }

TEST_CASE("work comes back in the order it was given, not in the order it ended") {
  Guarded<std::vector<int>> begun;
  OrderedWorkers workers(2, "test");
  std::promise<void> first;
  std::promise<void> others;
  const std::shared_future<void> go_others = others.get_future().share();
  workers.Push(std::make_unique<Waiting>(0, first.get_future().share(), begun));
  for (int i = 1; i < 5; ++i) workers.Push(std::make_unique<Waiting>(i, go_others, begun));
  CHECK_FALSE(workers.OldestIsDone());
  others.set_value();
  first.set_value();
  for (int i = 0; i < 5; ++i) {
    const std::unique_ptr<OrderedWork> work = workers.TakeOldest();
    CHECK(NumberOf(work) == i);
    CHECK(static_cast<const Waiting&>(*work).worker < 2);
  }
  CHECK(workers.size() == 0);
  CHECK_FALSE(workers.OldestIsDone());
  CHECK(begun.With([](const auto& numbers) { return numbers.size(); }) == 5);
}

TEST_CASE("what work throws comes out where it is taken, and the rest goes on") {
  Guarded<std::vector<int>> begun;
  OrderedWorkers workers(1, "test");
  std::promise<void> go;
  const std::shared_future<void> gone = go.get_future().share();
  for (const int number : {1, -2, 3}) workers.Push(std::make_unique<Waiting>(number, gone, begun));
  go.set_value();
  CHECK(NumberOf(workers.TakeOldest()) == 1);
  CHECK_THROWS_WITH(workers.TakeOldest(), "number -2");
  CHECK(NumberOf(workers.TakeOldest()) == 3);
}

TEST_CASE("work that has not begun is dropped with its workers") {
  Guarded<std::vector<int>> begun;
  std::promise<void> go;
  const std::shared_future<void> gone = go.get_future().share();
  {
    OrderedWorkers workers(1, "test");
    for (int i = 0; i < 3; ++i) workers.Push(std::make_unique<Waiting>(i, gone, begun));
    go.set_value();
  }
  // At most: the destructor may come before the first began.
  const std::vector<int> ran = begun.With([](const auto& numbers) { return numbers; });
  CHECK(ran.size() <= 3);
  for (size_t i = 0; i < ran.size(); ++i) CHECK(ran[i] == static_cast<int>(i));
}

}  // namespace
}  // namespace sluice::runtime
