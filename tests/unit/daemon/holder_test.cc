// SPDX-License-Identifier: Apache-2.0
#include "holder.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>
#include <utility>

#include "base/bytes.h"
#include "base/error.h"
#include "durable_file.h"
#include "service_manager.h"
#include "support/temporary_directory.h"

namespace sluice::daemon {
namespace {

UniqueFd MemoryFile(const std::string& content) {
  UniqueFd fd(::memfd_create("test", MFD_CLOEXEC));
  REQUIRE(::write(fd.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size()));
  return fd;
}

std::string ContentOf(int fd) {
  std::string text(100, '\0');
  const ssize_t count = ::pread(fd, text.data(), text.size(), 0);
  text.resize(count < 0 ? 0 : static_cast<size_t>(count));
  return text;
}

// Runs `body` in a child process with NOTIFY_SOCKET set; gives its exit code.
pid_t Fork(const std::string& notify_path, const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("NOTIFY_SOCKET", notify_path.c_str(), 1);
    int code = 99;
    try {
      code = body();
    } catch (...) {
    }
    ::_exit(code);
  }
  return child;
}

int ExitCodeOf(pid_t child) {
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

NotifySocket::Message WaitForMessage(NotifySocket& socket) {
  pollfd wait{socket.fd(), POLLIN, 0};
  REQUIRE(::poll(&wait, 1, 10'000) == 1);
  auto message = socket.Receive();
  REQUIRE(message);
  return std::move(*message);
}

TEST_CASE("a stored descriptor arrives with its name and sender, and the sender learns that it did") {
  test::TemporaryDirectory directory;
  NotifySocket socket(directory / "notify");
  struct stat status {};
  REQUIRE(::stat(socket.path().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);

  const pid_t child = Fork(socket.path(), [] {
    const UniqueFd fd = MemoryFile("journal");
    ServiceManager::FromEnvironment().Store("journal-0", fd.get());
    return 0;
  });
  {
    const auto message = WaitForMessage(socket);
    CHECK(message.sender == child);
    CHECK(message.notification == Notification{.store = true, .fd_name = "journal-0"});
    REQUIRE(message.fds.size() == 1);
    CHECK(ContentOf(message.fds[0].get()) == "journal");
    CHECK((::fcntl(message.fds[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
  }
  // Store() returns only when the descriptor of the barrier is closed.
  {
    const auto message = WaitForMessage(socket);
    CHECK(message.notification.barrier);
    CHECK(::waitpid(child, nullptr, WNOHANG) == 0);
  }
  CHECK(ExitCodeOf(child) == 0);
}

TEST_CASE("a second holder does not take the socket of one that is alive, but what a dead one left") {
  test::TemporaryDirectory directory;
  const std::string path = directory / "notify";
  {
    NotifySocket first(path);
    CHECK_THROWS_AS(NotifySocket(path), Error);
    CHECK(std::filesystem::exists(path));
  }
  const pid_t child = Fork(path, [&] {
    new NotifySocket(path);  // never destroyed
    return 0;
  });
  CHECK(ExitCodeOf(child) == 0);
  CHECK(std::filesystem::exists(path));
  NotifySocket next(path);
}

TEST_CASE("without a service manager notifications go nowhere and storing is an error") {
  ::unsetenv("NOTIFY_SOCKET");
  const ServiceManager nobody = ServiceManager::FromEnvironment();
  CHECK_FALSE(nobody.present());
  nobody.Ready();
  const UniqueFd fd = MemoryFile("");
  CHECK_THROWS_AS(nobody.Store("name", fd.get()), Error);
}

TEST_CASE("a message that is too long is refused and consumed") {
  test::TemporaryDirectory directory;
  NotifySocket socket(directory / "notify");
  const pid_t child = Fork(socket.path(), [] {
    ServiceManager::FromEnvironment().Status(std::string(5000, 'x'));
    ServiceManager::FromEnvironment().Ready();
    return 0;
  });
  CHECK(ExitCodeOf(child) == 0);
  CHECK_THROWS_AS(socket.Receive(), Error);
  CHECK(socket.Receive()->notification.ready);
  CHECK_FALSE(socket.Receive());
}

TEST_CASE("the store replaces what has the same name, forgets what is removed, and has a limit") {
  DescriptorStore store;
  store.Put("a", MemoryFile("1"));
  store.Put("b", MemoryFile("2"));
  store.Put("a", MemoryFile("3"));
  REQUIRE(store.entries().size() == 2);
  CHECK(store.entries()[0].name == "a");
  CHECK(ContentOf(store.entries()[0].fd.get()) == "3");
  store.Remove("a");
  store.Remove("no such name");
  REQUIRE(store.entries().size() == 1);
  for (size_t index = 1; index < DescriptorStore::kMost; ++index) store.Put(std::to_string(index), UniqueFd());
  CHECK_THROWS_AS(store.Put("one more", UniqueFd()), Error);
}

TEST_CASE("a worker that had served is replaced at once, one that never did after growing delays") {
  RestartDelay delay;
  CHECK(delay.Next(true) == Duration::zero());
  CHECK(delay.Next(false) == RestartDelay::kFirst);
  CHECK(delay.Next(false) == 2 * RestartDelay::kFirst);
  for (int round = 0; round < 100; ++round) delay.Next(false);
  CHECK(delay.Next(false) == RestartDelay::kMost);
  CHECK(delay.Next(true) == Duration::zero());
  CHECK(delay.Next(false) == RestartDelay::kFirst);
}

// The holder around a worker that is a shell script.  systemd-notify(1) speaks from a process of its own, which the
// holder does not listen to, so the scripts use python3 -c with a socket.
class HolderRun {
 public:
  explicit HolderRun(const std::string& script) {
    const std::string worker = directory_ / "worker";
    WriteDurably(worker, AsBytes("#!/usr/bin/python3\n" + std::string(kPrelude) + script));
    std::filesystem::permissions(worker, std::filesystem::perms::owner_all);
    REQUIRE(::mkfifo((directory_ / "told").c_str(), 0600) == 0);
    fifo_.Reset(::open((directory_ / "told").c_str(), O_RDWR | O_CLOEXEC));
    pid_ = ::fork();
    if (pid_ == 0) {
      // A test that fails leaves nothing behind that runs; the workers do the same (kPrelude).
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::signal(SIGHUP, SIG_DFL);  // under nohup(1) it is ignored, and stays so in the workers
      ::unsetenv("NOTIFY_SOCKET");
      ::setenv("DIRECTORY", directory_.path().c_str(), 1);
      Log log(LogLevel::kError, Log::Style::kPlain);
      const HolderOptions options{.notify_path = directory_ / "notify", .command = {worker}};
      ::_exit(RunHolder(options, log));
    }
  }

  ~HolderRun() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  HolderRun(const HolderRun&) = delete;
  HolderRun& operator=(const HolderRun&) = delete;

  // The next line that a worker tells.
  std::string Told() {
    while (told_.find('\n') == std::string::npos) {
      pollfd wait{fifo_.get(), POLLIN, 0};
      REQUIRE(::poll(&wait, 1, 20'000) == 1);
      char text[100];
      const ssize_t count = ::read(fifo_.get(), text, sizeof(text));
      REQUIRE(count > 0);
      told_.append(text, static_cast<size_t>(count));
    }
    const std::string line = told_.substr(0, told_.find('\n'));
    told_.erase(0, line.size() + 1);
    return line;
  }
  void Signal(int number) { REQUIRE(::kill(pid_, number) == 0); }
  int ExitCode() { return ExitCodeOf(std::exchange(pid_, 0)); }

 private:
  static constexpr std::string_view kPrelude = R"(
import array, ctypes, os, signal, socket, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
def tell(line):
    with open(os.environ['DIRECTORY'] + '/told', 'w') as told: told.write(line + '\n')
def notify(text, fds=()):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.connect(os.environ['NOTIFY_SOCKET'])
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', fds))] if fds else []
    s.sendmsg([text.encode()], rights)
names = [name for name in os.environ.get('LISTEN_FDNAMES', '').split(':') if name]
if names: assert int(os.environ['LISTEN_PID']) == os.getpid() and int(os.environ['LISTEN_FDS']) == len(names)
)";

  test::TemporaryDirectory directory_;
  UniqueFd fifo_;  // what the workers tell; open for writing too, so that it never ends
  std::string told_;
  pid_t pid_ = 0;
};

TEST_CASE("a worker that is killed is replaced by one that gets the stored descriptors under their names") {
  HolderRun run(R"(
if names:
    tell(','.join(name + '=' + os.pread(3 + i, 100, 0).decode() for i, name in enumerate(names)))
    sys.exit(0)
for name in ('group-0', 'journal-0', 'gone'):
    fd = os.memfd_create(name)
    os.write(fd, b'content of ' + name.encode())
    notify('FDSTORE=1\nFDNAME=' + name, [fd])
notify('FDSTOREREMOVE=1\nFDNAME=gone')
notify('READY=1')
os.kill(os.getpid(), signal.SIGKILL)
)");
  CHECK(run.Told() == "group-0=content of group-0,journal-0=content of journal-0");
  CHECK(run.ExitCode() == 0);
}

TEST_CASE("a first worker that fails before it serves ends the holder with its code") {
  HolderRun run("sys.exit(2)\n");
  CHECK(run.ExitCode() == 2);
}

TEST_CASE("a stop request goes to the worker, whose refusal keeps the holder") {
  HolderRun run(R"(
# Blocked and waited for: a handler that runs just before pause(2) would leave it waiting.
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
notify('READY=1')
tell('ready')
for stops in (1, 2):
    signal.sigwait([signal.SIGTERM])
    tell('asked to stop %d' % stops)
)");
  CHECK(run.Told() == "ready");
  run.Signal(SIGTERM);
  CHECK(run.Told() == "asked to stop 1");
  run.Signal(SIGINT);
  CHECK(run.Told() == "asked to stop 2");
  CHECK(run.ExitCode() == 0);
}

TEST_CASE("a stop request that comes while a worker recovers waits until it serves") {
  HolderRun run(R"(
first = os.environ['DIRECTORY'] + '/first'
if not os.path.exists(first):
    open(first, 'w')
    notify('READY=1')
    tell('first')
    signal.pause()
# Until it is blocked the signal would kill this process.
os.kill(os.getppid(), signal.SIGTERM)
tell('recovering')
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
notify('READY=1')
signal.sigwait([signal.SIGTERM])
tell('stopped after ready')
)");
  CHECK(run.Told() == "first");
  run.Signal(SIGHUP);  // forwarded; ends the first worker
  CHECK(run.Told() == "recovering");
  CHECK(run.Told() == "stopped after ready");
  CHECK(run.ExitCode() == 0);
}

TEST_CASE("a stop request while no worker can start ends the holder, unless readers depend on what it keeps") {
  // The third worker that is asked to start does.
  const auto script = [](const std::string& kept) {
    return "kept = '" + kept + R"('
starts = len([name for name in os.listdir(os.environ['DIRECTORY']) if name.startswith('start-')])
open(os.environ['DIRECTORY'] + '/start-%d' % starts, 'w')
if starts == 0:
    notify('FDSTORE=1\nFDNAME=' + kept, [os.memfd_create(kept)])
    notify('READY=1')
    os.kill(os.getpid(), signal.SIGKILL)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
if starts == 1: os.kill(os.getppid(), signal.SIGTERM)
if starts < 3: sys.exit(3)
notify('READY=1')
signal.sigwait([signal.SIGTERM])
sys.exit(0)
)";
  };
  HolderRun only_api(script("api"));
  CHECK(only_api.ExitCode() == 3);
  HolderRun device(script("cachefiles"));
  CHECK(device.ExitCode() == 0);
}

}  // namespace
}  // namespace sluice::daemon
