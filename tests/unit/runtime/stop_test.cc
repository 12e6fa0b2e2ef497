// SPDX-License-Identifier: Apache-2.0
#include "runtime/stop.h"

#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "base/error.h"

namespace sluice::runtime {
namespace {

struct Callback final : StopCallback {
  explicit Callback(std::function<void()> f) : function(std::move(f)) {}
  void OnStop() noexcept override { function(); }
  std::function<void()> function;
};

TEST_CASE("a stop request tells each callback once, oldest first") {
  std::vector<int> told;
  StopSource source;
  const StopToken token(source);
  Callback first([&] { told.push_back(1); });
  Callback second([&] { told.push_back(2); });
  token.Subscribe(first);
  token.Subscribe(second);
  token.ThrowIfRequested();
  source.RequestStop();
  source.RequestStop();
  CHECK(told == std::vector{1, 2});
  CHECK(token.requested());
  CHECK_THROWS_AS(token.ThrowIfRequested(), Error);
}

TEST_CASE("a callback that another one destroys is not told") {
  bool told = false;
  StopSource source;
  auto second = std::make_unique<Callback>([&] { told = true; });
  Callback first([&] { second.reset(); });
  StopToken(source).Subscribe(first);
  StopToken(source).Subscribe(*second);
  source.RequestStop();
  CHECK_FALSE(told);
}

TEST_CASE("a linked source is stopped with its parent, but not the other way round") {
  StopSource parent;
  {
    LinkedStopSource child{StopToken(parent)};
    child.RequestStop();
    CHECK(child.token().requested());
    CHECK_FALSE(parent.requested());
  }
  LinkedStopSource child{StopToken(parent)};
  parent.RequestStop();
  CHECK(child.token().requested());
  LinkedStopSource late{StopToken(parent)};
  CHECK(late.token().requested());
}

}  // namespace
}  // namespace sluice::runtime
