// SPDX-License-Identifier: Apache-2.0
#include "oci/credential_helper.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/error.h"
#include "base/fd.h"
#include "base/limits.h"
#include "oci/auth_file.h"

namespace sluice::oci {
namespace {

constexpr size_t kMaxAnswer = 64 * kKiB;
// docker-credential-helpers, credentials/error.go
constexpr std::string_view kNoneFound = "credentials not found in native keychain";

std::string FindProgram(const std::string& program, std::string_view search_path) {
  while (!search_path.empty()) {
    const size_t colon = search_path.find(':');
    const std::string_view folder = search_path.substr(0, colon);
    search_path = colon == std::string_view::npos ? std::string_view() : search_path.substr(colon + 1);
    if (!folder.starts_with('/')) continue;
    std::string path = std::string(folder) + "/" + program;
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && ::access(path.c_str(), X_OK) == 0) return path;
  }
  Throw(Errc::kNotFound, "credential helper '{}' is in no folder of PATH", program);
}

// A program that runs with its input and output on our ends of two sockets.  Killed with its process group, and reaped,
// at destruction: nothing of it is left.
class Child {
 public:
  Child(const std::string& path, const std::string& name) {
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in.data()) != 0)
      ThrowErrno(errno, "cannot run '{}'", name);
    const UniqueFd child_in(in[1]);
    in_.Reset(in[0]);
    if (::pipe2(out.data(), O_CLOEXEC) != 0) ThrowErrno(errno, "cannot run '{}'", name);
    const UniqueFd child_out(out[1]);
    out_.Reset(out[0]);

    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, child_in.get(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, child_out.get(), STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    // Signals that this process blocks or ignores are the program's again, and it gets a group of its own.
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    std::string program = name;
    std::string command = "get";
    std::array<char*, 3> words = {program.data(), command.data(), nullptr};
    const int error = ::posix_spawn(&pid_, path.c_str(), &actions, &attributes, words.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (error != 0) {
      pid_ = -1;
      ThrowErrno(error, "cannot run '{}'", path);
    }
    end_.Reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    if (!end_) {
      const int reason = errno;
      (void)Reap();
      ThrowErrno(reason, "cannot watch '{}'", path);
    }
  }
  ~Child() {
    if (pid_ > 0) (void)Reap();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  int in() const noexcept { return in_.get(); }
  int out() const noexcept { return out_.get(); }
  int end() const noexcept { return end_.get(); }  // readable once it has ended
  void CloseInput() noexcept { in_.Reset(); }

  // Ends whatever still runs; the status of waitpid(2).
  int Reap() noexcept {
    // The group goes first: once the leader is reaped, its number may be somebody else's.
    ::kill(-pid_, SIGKILL);
    return Wait();
  }
  // Waits for an end that has come or is about to: its output was closed.
  int Wait() noexcept {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

 private:
  UniqueFd in_;
  UniqueFd out_;
  UniqueFd end_;
  pid_t pid_ = -1;
};

// Waits until something can be read from `fd`, or until the timer has run out: then throws kTimeout.
void WaitReadable(int fd, const UniqueFd& timer, const std::string& name) {
  for (;;) {
    std::array<pollfd, 2> ready = {pollfd{.fd = fd, .events = POLLIN, .revents = 0},
                                   pollfd{.fd = timer.get(), .events = POLLIN, .revents = 0}};
    if (::poll(ready.data(), ready.size(), -1) < 0) {
      if (errno == EINTR) continue;
      ThrowErrno(errno, "cannot wait for '{}'", name);
    }
    if (ready[0].revents != 0) return;
    if (ready[1].revents != 0) Throw(Errc::kTimeout, "credential helper '{}' has not answered in time", name);
  }
}

UniqueFd StartTimer(Duration duration) {
  UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
  itimerspec when{};
  when.it_value.tv_sec = seconds.count();
  when.it_value.tv_nsec = (duration - seconds).count();
  if (!timer || ::timerfd_settime(timer.get(), 0, &when, nullptr) != 0) ThrowErrno(errno, "cannot make a timer");
  return timer;
}

}  // namespace

std::optional<Credentials> AskCredentialHelper(const std::string& helper, std::string_view server,
                                               const HelperOptions& options) {
  const std::string name = "docker-credential-" + helper;
  const std::string path = FindProgram(name, options.search_path);
  const UniqueFd timer = StartTimer(options.deadline);
  Child child(path, name);
  // A few hundred bytes: they fit into the socket's buffer.  A program that does not read them may still answer.
  (void)::send(child.in(), server.data(), server.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  child.CloseInput();

  std::string answer;
  for (;;) {
    WaitReadable(child.out(), timer, name);
    std::array<char, 4096> piece;
    const ssize_t got = ::read(child.out(), piece.data(), piece.size());
    if (got < 0) ThrowErrno(errno, "cannot read from '{}'", name);
    if (got == 0) break;
    if (answer.size() + static_cast<size_t>(got) > kMaxAnswer)
      Throw(Errc::kLimit, "credential helper '{}' answers with more than {} bytes", name, kMaxAnswer);
    answer.append(piece.data(), static_cast<size_t>(got));
  }
  // It has closed its output; it has the rest of its time to end.
  WaitReadable(child.end(), timer, name);
  const int status = child.Wait();

  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return ParseHelperAnswer(AsBytes(answer), "'" + name + "'");
  if (answer.find(kNoneFound) != std::string::npos) return std::nullopt;
  if (WIFSIGNALED(status)) Throw(Errc::kIo, "credential helper '{}' was ended by signal {}", name, WTERMSIG(status));
  Throw(Errc::kIo, "credential helper '{}' has failed with exit code {}", name, WEXITSTATUS(status));
}

}  // namespace sluice::oci
