// SPDX-License-Identifier: Apache-2.0
// The door on the running kernel: reads of a marked file, answered from a blob.
#include "frontend/fanotify/door.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <optional>

#include "blobs.h"
#include "cache/blob_store.h"
#include "fake_source.h"
#include "runtime/combine.h"
#include "support/engines.h"

namespace sluice::frontend::fanotify {
namespace {

using cache::testing::FakeBackend;
using runtime::Task;

// nullopt: the kernel or the process lacks what it takes, which is said.
std::optional<Group> TryGroup() {
  try {
    return Group::Create();
  } catch (const Error& error) {
    WARN("left out: " << error.message());
    return std::nullopt;
  }
}

// Waits for the kernel: never on a shard.
struct ReadResult {
  int error = 0;
  std::vector<std::byte> bytes;
};
ReadResult ReadFile(const std::string& path, ByteRange range) {
  ReadResult result;
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  result.bytes.resize(range.length);
  const ssize_t count = ::pread(file.get(), result.bytes.data(), range.length, static_cast<off_t>(range.offset));
  if (count < 0) result.error = errno;
  result.bytes.resize(count < 0 ? 0 : static_cast<size_t>(count));
  return result;
}

// A blob behind a door.
class Rig {
 public:
  Rig(test::TestEnv& env, Gate gate)
      : blob(cache::testing::MakeBlob({.chunks = 16, .max_size = 20000})),
        backend(blob.stored),
        env_(env),
        workers_(6),
        store_(env.engine(), workers_, env.directory(), env.rng().Next()),
        log_(LogLevel::kError, Log::Style::kPlain),
        door(env.engine(), workers_, std::move(gate), log_) {}

  Task<void> Begin() {
    auto layout = std::make_shared<cache::BlobLayout>(blob.blob);
    auto source = std::make_unique<cache::testing::FakeSource>(env_.engine(), backend);
    cache::BlobLease acquired = co_await store_.Acquire(std::move(layout), std::move(source));
    lease_.emplace(std::move(acquired));
    door.Add(**lease_);
    door.Opened(**lease_);
    door.Open();
  }
  Task<void> End() {
    co_await door.Remove(**lease_);
    cache::BlobLease lease = std::move(*lease_);
    lease_.reset();
    co_await store_.Release(std::move(lease));
    co_await door.Close();
  }

  Task<ReadResult> Read(ByteRange range) {
    auto read = [path = cache().data_path(), range] { return ReadFile(path, range); };
    ReadResult result = co_await workers_.Run(env_.engine(), std::move(read));
    co_return result;
  }
  Task<void> ExpectRead(ByteRange range) {
    const ReadResult result = co_await Read(range);
    CHECK(result.error == 0);
    CHECK(Matches(result.bytes, range));
  }
  // Runs a function that waits for the kernel.
  template <typename F>
  Task<std::invoke_result_t<F&>> Block(F function) {
    return workers_.Run(env_.engine(), std::move(function));
  }

  bool Matches(const std::vector<std::byte>& bytes, ByteRange range) const {
    const ConstBytes right = blob.Plain(range.offset, range.length);
    return std::equal(bytes.begin(), bytes.end(), right.begin(), right.end());
  }
  cache::BlobCache& cache() { return **lease_; }
  ByteRange all() const { return {0, blob.plain.size()}; }

  const cache::testing::TestBlob blob;
  FakeBackend backend;

 private:
  test::TestEnv& env_;
  runtime::Offload workers_;
  cache::BlobStore store_;
  Log log_;
  std::optional<cache::BlobLease> lease_;

 public:
  Door door;
};

Gate NewGate(Group group) { return {.group = std::move(group), .journal = Journal::Create(), .stale_numbers = {}}; }

void OnRealEngines(const std::function<Task<void>(test::TestEnv&, Group)>& body) {
  test::RunOnEngines(
      [&](test::TestEnv& env) -> Task<void> {
        if (auto group = TryGroup()) co_await body(env, std::move(*group));
      },
      0);
}

TEST_CASE("a reader of a marked file gets the bytes of the blob, once they are there") {
  OnRealEngines([](test::TestEnv& env, Group group) -> Task<void> {
    Rig rig(env, NewGate(std::move(group)));
    co_await rig.Begin();
    rig.backend.open.Reset();
    const auto [first, second] = std::pair(ByteRange{0, 5000}, ByteRange{4096, 30000});
    std::vector<Task<void>> readers;
    readers.push_back(rig.ExpectRead(first));
    readers.push_back(rig.ExpectRead(second));
    readers.push_back([](FakeBackend& backend) -> Task<void> {
      backend.open.Set();
      co_return;
    }(rig.backend));
    co_await runtime::WhenAll(std::move(readers));
    CHECK(rig.door.stats().misses >= 1);
    CHECK(rig.door.stats().errors == 0);
    const uint64_t hits = rig.door.stats().hits;
    co_await rig.ExpectRead(first);
    CHECK(rig.door.stats().hits > hits);
    co_await rig.End();
  });
}

TEST_CASE("a reader of a blob that cannot be had gets EIO, and the bytes when it is back") {
  OnRealEngines([](test::TestEnv& env, Group group) -> Task<void> {
    Rig rig(env, NewGate(std::move(group)));
    co_await rig.Begin();
    rig.backend.missing = true;
    const ByteRange range{0, 4096};
    const ReadResult failed = co_await rig.Read(range);
    CHECK(failed.error == EIO);
    CHECK(rig.door.stats().errors >= 1);
    rig.backend.missing = false;
    co_await rig.ExpectRead(range);
    co_await rig.End();
  });
}

TEST_CASE("the kernel does not ask about a complete blob any more") {
  OnRealEngines([](test::TestEnv& env, Group group) -> Task<void> {
    Rig rig(env, NewGate(std::move(group)));
    co_await rig.Begin();
    co_await rig.ExpectRead(rig.all());
    CHECK(rig.cache().complete());
    const uint64_t events = rig.door.stats().events;
    co_await rig.ExpectRead(rig.all());
    CHECK(rig.door.stats().events == events);
    co_await rig.End();
  });
}

TEST_CASE("a blob can go as soon as the answer for a reader that was killed has failed") {
  OnRealEngines([](test::TestEnv& env, Group group) -> Task<void> {
    Rig rig(env, NewGate(std::move(group)));
    co_await rig.Begin();
    rig.backend.open.Reset();
    rig.backend.missing = true;
    const pid_t reader = ::fork();
    if (reader == 0) ::_exit(ReadFile(rig.cache().data_path(), {0, 4096}).error);
    while (rig.door.stats().misses == 0) co_await runtime::Sleep(env.engine(), std::chrono::milliseconds(1));
    auto kill = [reader] {
      ::kill(reader, SIGKILL);
      ::waitpid(reader, nullptr, 0);
    };
    co_await rig.Block(std::move(kill));
    std::vector<Task<void>> ends;
    ends.push_back(rig.End());
    ends.push_back([](FakeBackend& backend) -> Task<void> {
      backend.open.Set();
      co_return;
    }(rig.backend));
    co_await runtime::WhenAll(std::move(ends));
    CHECK(rig.door.stats().errors == 1);
  });
}

TEST_CASE("a marked file that no blob is behind reads as an error, never as zeros") {
  OnRealEngines([](test::TestEnv& env, Group group) -> Task<void> {
    const std::string other = env.Path("other");
    const UniqueFd file(::open(other.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    REQUIRE(::ftruncate(file.get(), 8192) == 0);
    group.Mark(other);
    Rig rig(env, NewGate(std::move(group)));
    co_await rig.Begin();
    auto read = [other] { return ReadFile(other, {0, 4096}); };
    const ReadResult result = co_await rig.Block(std::move(read));
    CHECK(result.error == EIO);
    co_await rig.End();
  });
}

TEST_CASE("more readers than journal slots all get their bytes") {
  OnRealEngines([](test::TestEnv& env, Group group) -> Task<void> {
    Gate gate = NewGate(std::move(group));
    // All slots but two are taken, as by answers that take long.
    std::vector<uint32_t> taken;
    while (const auto slot = gate.journal.Take()) taken.push_back(*slot);
    for (size_t index = 0; index < 2; ++index) gate.journal.Clear(taken[index]);
    Rig rig(env, std::move(gate));
    co_await rig.Begin();
    std::vector<Task<void>> readers;
    for (uint64_t index = 0; index < 6; ++index) readers.push_back(rig.ExpectRead(ByteRange{index * 8192, 8192}));
    co_await runtime::WhenAll(std::move(readers));
    co_await rig.End();
  });
}

// A worker that received one event and died: before or after it noted the file, without having answered.
void DieWithEvent(const Group& group, Journal& journal, bool noted, int number) {
  pollfd wait{group.fd(), POLLIN, 0};
  ::poll(&wait, 1, 20'000);
  // The event gets a number that the next worker does not use for anything else.
  while (::dup(group.fd()) < number - 1) {
  }
  const uint32_t slot = journal.Take().value();
  if (group.Read(journal.Message(slot)) == 0) ::_exit(1);
  if (noted) journal.Identify(slot, IdentityOf(EventReader(journal.Message(slot)).Next()->fd));
  ::kill(::getpid(), SIGKILL);
}

TEST_CASE("what a killed worker received is answered by the next one") {
  const bool noted = GENERATE(true, false);
  const bool all_served = GENERATE(true, false);
  // Not noted, the event may mean a blob that the next worker cannot serve: holes must not be read as zeros.
  const bool denied = !noted && !all_served;
  OnRealEngines([noted, all_served, denied](test::TestEnv& env, Group group) -> Task<void> {
    Journal journal = Journal::Create();
    // The data file as the store makes it, marked by the first worker.
    std::string path;
    {
      Rig first(env, {.group = Group::Adopt(UniqueFd(::fcntl(group.fd(), F_DUPFD_CLOEXEC, 3))),
                      .journal = Journal::Create(),
                      .stale_numbers = {}});
      co_await first.Begin();
      path = first.cache().data_path();
      co_await first.End();
    }
    group.Mark(path);
    const ByteRange range{4096, 16384};
    int result_pipe[2];
    REQUIRE(::pipe2(result_pipe, O_CLOEXEC) == 0);
    const UniqueFd from(result_pipe[0]);
    UniqueFd to(result_pipe[1]);
    const pid_t reader = ::fork();
    if (reader == 0) {
      const ReadResult result = ReadFile(path, range);
      [[maybe_unused]] const ssize_t written = ::write(to.get(), result.bytes.data(), result.bytes.size());
      ::_exit(result.error);
    }
    to.Reset();
    const pid_t dead = ::fork();
    if (dead == 0) DieWithEvent(group, journal, noted, 100);
    int status = 0;
    REQUIRE(::waitpid(dead, &status, 0) == dead);
    REQUIRE((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));

    Journal adopted = Journal::Adopt(UniqueFd(::fcntl(journal.fd(), F_DUPFD_CLOEXEC, 3)));
    REQUIRE(adopted.stale().size() == 1);
    CHECK(adopted.stale()[0].identity.has_value() == noted);
    StaleNumbers numbers(adopted.stale());
    const int number = adopted.stale()[0].event.fd;
    CHECK(::fcntl(number, F_GETFD) >= 0);
    Rig rig(env, {.group = std::move(group), .journal = std::move(adopted), .stale_numbers = std::move(numbers)});
    co_await rig.Begin();
    CHECK_FALSE(rig.cache().has_data());
    co_await rig.door.Recover(all_served);
    auto collect = [reader, fd = from.get()] {
      ReadResult result;
      result.bytes.resize(1 << 20);
      size_t size = 0;
      for (ssize_t count; (count = ::read(fd, result.bytes.data() + size, result.bytes.size() - size)) > 0;) {
        size += static_cast<size_t>(count);
      }
      result.bytes.resize(size);
      int ended = 0;
      ::waitpid(reader, &ended, 0);
      result.error = WEXITSTATUS(ended);
      return result;
    };
    const ReadResult result = co_await rig.Block(std::move(collect));
    CHECK(result.error == (denied ? EIO : 0));
    if (!denied) CHECK(rig.Matches(result.bytes, range));
    CHECK(::fcntl(number, F_GETFD) < 0);
    co_await rig.End();
  });
}

}  // namespace
}  // namespace sluice::frontend::fanotify
