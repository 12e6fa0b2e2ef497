// SPDX-License-Identifier: Apache-2.0
#include "frontend/error_log.h"

#include <catch2/catch.hpp>

namespace sluice::frontend {
namespace {

class HandMovedClock final : public Clock {
 public:
  TimePoint Now() const noexcept override { return now; }
  TimePoint now{};
};

TEST_CASE("the same error is said once in a period, others are said at once") {
  HandMovedClock clock;
  Log log(LogLevel::kError, Log::Style::kPlain);
  ErrorLog errors(clock, log);
  CHECK(errors.Report("blob a, chunk 1: broken", "the reader gets EIO"));
  CHECK_FALSE(errors.Report("blob a, chunk 1: broken", "the reader gets EIO"));
  CHECK(errors.Report("blob a, chunk 2: broken", "the reader gets EIO"));
  clock.now += ErrorLog::kPeriod - Duration(1);
  CHECK_FALSE(errors.Report("blob a, chunk 1: broken", "the reader gets EIO"));
  clock.now += Duration(1);
  CHECK(errors.Report("blob a, chunk 1: broken", "the reader gets EIO"));
  CHECK_FALSE(errors.Report("blob a, chunk 1: broken", "the reader gets EIO"));
}

TEST_CASE("different errors in one period are bounded") {
  HandMovedClock clock;
  Log log(LogLevel::kError, Log::Style::kPlain);
  ErrorLog errors(clock, log, 2);
  CHECK(errors.Report("chunk 0", "the reader gets EIO"));
  CHECK(errors.Report("chunk 1", "the reader gets EIO"));
  CHECK_FALSE(errors.Report("chunk 2", "the reader gets EIO"));
  clock.now += ErrorLog::kPeriod;
  CHECK(errors.Report("chunk 2", "the reader gets EIO"));
}

}  // namespace
}  // namespace sluice::frontend
