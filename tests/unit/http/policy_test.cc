// SPDX-License-Identifier: Apache-2.0
// When is asked again, whom and how often: with the simulator's time and seeded chance.

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "http/fetch.h"
#include "http/hedge.h"
#include "http/host_health.h"
#include "http/retry.h"
#include "runtime/combine.h"
#include "support/engines.h"
#include "support/scripted_transport.h"

namespace sluice::http {
namespace {

using namespace std::chrono_literals;
using runtime::Task;
using test::ScriptedAnswer;
using test::ScriptedTransport;
using test::TestEnv;

constexpr uint64_t kSeeds = 20;
// Operations of the simulator end a little later than they could.
constexpr Duration kSlack = 25ms;

const Error kBroken(Errc::kIo, "broken");

Task<Errc> CodeOf(Task<int> task) {
  try {
    co_await std::move(task);
  } catch (const Error& error) {
    co_return error.code();
  }
  FAIL("no error");
  co_return Errc::kIo;
}

// Tries that fail with `code` until the one numbered `success` (from 1); counts them.
struct Tries {
  unsigned success = UINT_MAX;
  Errc code = Errc::kIo;
  std::optional<Duration> retry_after;
  unsigned made = 0;

  Task<int> Make(RetryAdvice& advice) {
    ++made;
    advice.retry_after = retry_after;
    if (made < success) Throw(code, "try {}", made);
    co_return 42;
  }
};

Task<int> Retry(TestEnv& env, const RetryPolicy& policy, Tries& tries) {
  auto attempt = [&tries](RetryAdvice& advice) { return tries.Make(advice); };
  return WithRetry(env.engine(), env.rng(), policy, std::move(attempt));
}

TEST_CASE("what fails for a while is tried again until it succeeds") {
  const auto body = [](TestEnv& env) -> Task<void> {
    for (const Errc code : {Errc::kIo, Errc::kTimeout, Errc::kBusy}) {
      Tries tries{.success = 4, .code = code};
      const int result = co_await Retry(env, {.tries = 4}, tries);
      CHECK(result == 42);
      CHECK(tries.made == 4);
    }
  };
  test::RunOnSimulator(body, kSeeds);
}

TEST_CASE("what cannot become better is tried once") {
  const auto body = [](TestEnv& env) -> Task<void> {
    for (const Errc code : {Errc::kPermission, Errc::kNotFound, Errc::kCorrupt, Errc::kInvalidArgument, Errc::kStopped,
                            Errc::kLimit, Errc::kUnsupported}) {
      Tries tries{.code = code};
      const Errc got = co_await CodeOf(Retry(env, {.tries = 4}, tries));
      CHECK(got == code);
      CHECK(tries.made == 1);
    }
  };
  test::RunOnSimulator(body, 1);
}

TEST_CASE("tries come to an end by number and by budget") {
  const auto body = [](TestEnv& env) -> Task<void> {
    Tries counted;
    const RetryPolicy four{.tries = 4};
    const Errc by_number = co_await CodeOf(Retry(env, four, counted));
    CHECK(by_number == Errc::kIo);
    CHECK(counted.made == 4);

    Tries endless;
    const RetryPolicy brief{.tries = 1000, .first_delay = 10ms, .most_delay = 100ms, .budget = 1s};
    const TimePoint start = env.engine().Now();
    const Errc by_budget = co_await CodeOf(Retry(env, brief, endless));
    CHECK(by_budget == Errc::kIo);
    CHECK(env.engine().Now() - start <= 1s + kSlack);
    CHECK(endless.made > 5);  // 10 delays of 100 ms at most, none longer
  };
  test::RunOnSimulator(body, kSeeds);
}

TEST_CASE("delays are spread between zero and a ceiling that doubles") {
  class HandClock final : public Clock {
   public:
    TimePoint Now() const noexcept override { return TimePoint(); }
  } clock;
  Rng rng(1);
  const RetryPolicy policy{.tries = 10, .first_delay = 100ms, .most_delay = 1s, .budget = 1h};
  std::vector<Duration> least(9, 1h), most(9, 0s);
  for (int run = 0; run < 1000; ++run) {
    Backoff backoff(clock, rng, policy);
    for (size_t i = 0; i < 9; ++i) {
      const Duration delay = backoff.Next(kBroken, {}).value();
      least[i] = std::min(least[i], delay);
      most[i] = std::max(most[i], delay);
    }
    CHECK_FALSE(backoff.Next(kBroken, {}));
  }
  const std::vector<Duration> ceilings{100ms, 200ms, 400ms, 800ms, 1s, 1s, 1s, 1s, 1s};
  for (size_t i = 0; i < 9; ++i) {
    INFO("delay " << i);
    CHECK(least[i] < ceilings[i] / 20);
    CHECK(most[i] <= ceilings[i]);
    CHECK(most[i] > ceilings[i] * 19 / 20);
  }
}

TEST_CASE("a server's Retry-After is kept, unless the budget ends before") {
  const auto body = [](TestEnv& env) -> Task<void> {
    Tries tries{.success = 2, .code = Errc::kBusy, .retry_after = 3s};
    const TimePoint start = env.engine().Now();
    const int result = co_await Retry(env, {.budget = 10s}, tries);
    CHECK(result == 42);
    CHECK(env.engine().Now() - start >= 3s);
    CHECK(env.engine().Now() - start <= 3s + 100ms + kSlack);

    Tries hopeless{.success = 2, .code = Errc::kBusy, .retry_after = 1h};
    const TimePoint second = env.engine().Now();
    const Errc got = co_await CodeOf(Retry(env, {.budget = 10s}, hopeless));
    CHECK(got == Errc::kBusy);
    CHECK(hopeless.made == 1);
    CHECK(env.engine().Now() == second);  // nobody waits for what is not tried
  };
  test::RunOnSimulator(body, kSeeds);
}

TEST_CASE("a stop request ends the wait between two tries") {
  const auto body = [](TestEnv& env) -> Task<void> {
    Tries tries{.retry_after = 20s};
    const Errc got = co_await CodeOf(runtime::WithTimeout(env.engine(), 1s, Retry(env, {.budget = 1h}, tries)));
    CHECK(got == Errc::kTimeout);
    CHECK(tries.made == 1);
  };
  test::RunOnSimulator(body, kSeeds);
}

TEST_CASE("a range whose answers break is fetched by the try that does not") {
  const auto body = [](TestEnv& env) -> Task<void> {
    const std::string object = "0123456789";
    const auto script = [&, asked = 0u](const ClientRequest&) mutable {
      ScriptedAnswer answer;
      ++asked;
      if (asked == 1) answer.failure = kBroken;
      if (asked == 2) answer.head = {429, {{"Retry-After", "2"}}};
      if (asked >= 3) {
        answer.head = {206, {{"Content-Range", "bytes 0-9/10"}}};
        answer.body = object;
        answer.piece = 3;
      }
      if (asked == 3) answer.cut_at = 7;
      return answer;
    };
    ScriptedTransport transport(script);
    const TimePoint start = env.engine().Now();
    std::vector<std::byte> dst(10);
    ObjectIdentity identity;
    auto attempt = [&](RetryAdvice& advice) {
      return FetchRange(transport, ClientRequest("GET", Url::Parse("http://h/o")), 0, dst, identity, &advice);
    };
    co_await WithRetry(env.engine(), env.rng(), RetryPolicy{}, std::move(attempt));
    CHECK(AsText(dst) == object);
    CHECK(transport.requests().size() == 4);
    CHECK(env.engine().Now() - start >= 2s);
  };
  test::RunOnEngines(body, kSeeds);
}

// A clock that a test moves.
class HandClock final : public Clock {
 public:
  TimePoint Now() const noexcept override { return now_; }
  void Pass(Duration time) { now_ += time; }

 private:
  TimePoint now_{};
};

const Origin kA{"https", "a", 443};
const Origin kB{"https", "b", 443};

TEST_CASE("a host that fails again and again is left alone for a while, then probed by one request") {
  HandClock clock;
  Rng rng(7);
  HostHealth health(clock, rng, {.failures = 3, .first_pause = 1s, .most_pause = 4s});
  for (int i = 0; i < 3; ++i) {
    CHECK(health.Admit(kA));
    health.ReportFailure(kA, kBroken);
  }
  CHECK_FALSE(health.Admit(kA));
  CHECK(health.Admit(kB));
  CHECK_THROWS_AS(health.AdmitOrThrow(kA), Error);
  clock.Pass(1s);
  CHECK(health.Admit(kA));
  CHECK_FALSE(health.Admit(kA));  // the probe is under way
  health.ReportSuccess(kA);
  for (int i = 0; i < 5; ++i) CHECK(health.Admit(kA));
}

TEST_CASE("the pauses of a host that stays broken double up to a limit") {
  HandClock clock;
  Rng rng(7);
  HostHealth health(clock, rng, {.failures = 1, .first_pause = 1s, .most_pause = 4s});
  for (const Duration pause : {1s, 2s, 4s, 4s}) {
    health.ReportFailure(kA, kBroken);
    clock.Pass(pause * 3 / 4 - 1ms);
    CHECK_FALSE(health.Admit(kA));
    clock.Pass(pause / 4 + 1ms);
    CHECK(health.Admit(kA));
  }
}

TEST_CASE("only what says something about the host counts") {
  HandClock clock;
  Rng rng(7);
  HostHealth health(clock, rng, {.failures = 2});
  for (int i = 0; i < 10; ++i) {
    health.ReportFailure(kA, kBroken);
    health.ReportFailure(kA, Error(Errc::kNotFound, "it answers"));
  }
  CHECK(health.Admit(kA));
  for (int i = 0; i < 10; ++i) health.ReportFailure(kA, Error(Errc::kStopped, "we left"));
  CHECK(health.Admit(kA));
  // A probe that was stopped makes room for another.
  health.ReportFailure(kA, kBroken);
  health.ReportFailure(kA, kBroken);
  clock.Pass(1s);
  CHECK(health.Admit(kA));
  health.ReportFailure(kA, Error(Errc::kStopped, "we left"));
  CHECK(health.Admit(kA));
}

TEST_CASE("a probe whose end nobody reports blocks its host for one pause at most") {
  HandClock clock;
  Rng rng(7);
  HostHealth health(clock, rng, {.failures = 1, .first_pause = 1s, .most_pause = 4s});
  health.ReportFailure(kA, kBroken);
  clock.Pass(1s);
  CHECK(health.Admit(kA));
  clock.Pass(4s);
  CHECK(health.Admit(kA));
}

TEST_CASE("mirrors are tried as preferred, and again so when the first one recovers") {
  HandClock clock;
  Rng rng(7);
  HostHealth health(clock, rng, {.failures = 1, .first_pause = 1s, .most_pause = 1min});
  const std::vector<Origin> mirrors{kA, kB};
  using Order = std::vector<size_t>;
  CHECK(health.Order(mirrors) == Order{0, 1});
  health.ReportFailure(kA, kBroken);
  CHECK(health.Order(mirrors) == Order{1, 0});
  // Both are out: the one that comes back first is tried first.
  clock.Pass(500ms);
  health.ReportFailure(kB, kBroken);
  CHECK(health.Order(mirrors) == Order{0, 1});
  clock.Pass(2s);
  CHECK(health.Order(mirrors) == Order{0, 1});
  // The probe of A is under way: everybody else goes to B.
  CHECK(health.Admit(kA));
  CHECK(health.Order(mirrors) == Order{1, 0});
  health.ReportSuccess(kA);
  CHECK(health.Order(mirrors) == Order{0, 1});
}

TEST_CASE("a hedge is asked only when the first request is late, and the first answer counts") {
  const auto body = [](TestEnv& env) -> Task<void> {
    struct Case {
      Duration first, second;
      unsigned asked;
      int winner;
    };
    for (const Case& each : {Case{50ms, 50ms, 1, 1}, Case{1s, 50ms, 2, 2}, Case{300ms, 1s, 2, 1}}) {
      unsigned asked = 0;
      auto attempt = [&]() -> Task<int> {
        const unsigned number = ++asked;
        co_await runtime::Sleep(env.engine(), number == 1 ? each.first : each.second);
        co_return static_cast<int>(number);
      };
      const TimePoint start = env.engine().Now();
      const int winner = co_await Hedged(env.engine(), 200ms, std::move(attempt));
      CHECK(asked == each.asked);
      CHECK(winner == each.winner);
      CHECK(env.engine().Now() - start <= 300ms + kSlack);  // the loser is not waited for
    }
  };
  test::RunOnSimulator(body, kSeeds);
}

TEST_CASE("a hedge survives the failure of one of the two, not of both") {
  const auto body = [](TestEnv& env) -> Task<void> {
    unsigned asked = 0;
    const auto attempt = [&](bool second_fails) -> Task<int> {
      const unsigned number = ++asked;
      co_await runtime::Sleep(env.engine(), number == 1 ? 300ms : 500ms);
      if (number == 1 || second_fails) throw Error(kBroken);
      co_return 2;
    };
    auto one_fails = [&] { return attempt(false); };
    const int winner = co_await Hedged(env.engine(), 100ms, std::move(one_fails));
    CHECK(winner == 2);
    asked = 0;
    auto both_fail = [&] { return attempt(true); };
    const Errc both = co_await CodeOf(Hedged(env.engine(), 100ms, std::move(both_fail)));
    CHECK(both == Errc::kIo);
    // Before the hedge is due a failure is the retry policy's.
    asked = 0;
    auto fails_early = [&] { return attempt(true); };
    const Errc early = co_await CodeOf(Hedged(env.engine(), 400ms, std::move(fails_early)));
    CHECK(early == Errc::kIo);
    CHECK(asked == 1);
  };
  test::RunOnSimulator(body, kSeeds);
}

TEST_CASE("a stop request reaches both requests of a hedge") {
  const auto body = [](TestEnv& env) -> Task<void> {
    unsigned stopped = 0;
    auto attempt = [&]() -> Task<int> {
      try {
        co_await runtime::Sleep(env.engine(), 1h);
      } catch (const Error&) {
        ++stopped;
        throw;
      }
      co_return 1;
    };
    Task<int> hedged = Hedged(env.engine(), 10ms, std::move(attempt));
    const Errc code = co_await CodeOf(runtime::WithTimeout(env.engine(), 1s, std::move(hedged)));
    CHECK(code == Errc::kTimeout);
    CHECK(stopped == 2);
  };
  test::RunOnSimulator(body, kSeeds);
}

TEST_CASE("the latency that 95 of 100 requests stay below") {
  Latencies latencies;
  for (int i = 1; i < 16; ++i) latencies.Add(1s);
  CHECK_FALSE(latencies.P95());
  for (int i = 1; i <= 1000; ++i) latencies.Add(i % 50 == 0 ? 1s : 1ms);
  CHECK(latencies.P95() == Duration(1ms));
  for (int i = 1; i <= 1000; ++i) latencies.Add(i % 10 == 0 ? 1s : 1ms);
  CHECK(latencies.P95() == Duration(1s));
}

}  // namespace
}  // namespace sluice::http
