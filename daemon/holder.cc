// SPDX-License-Identifier: Apache-2.0
#include "holder.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "service_manager.h"
#include "unix_address.h"

namespace sluice::daemon {
namespace {

constexpr size_t kMaxMessageBytes = 4096;
constexpr size_t kMaxFdsPerMessage = 16;
constexpr int kFirstPassedFd = 3;  // SD_LISTEN_FDS_START

// What came along with a message.
struct Ancillary {
  pid_t sender = 0;
  std::vector<UniqueFd> fds;
};

Ancillary TakeAncillary(msghdr& header) {
  Ancillary found;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET) continue;
    if (part->cmsg_type == SCM_RIGHTS) {
      const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (size_t index = 0; index < count; ++index) {
        int fd;
        std::memcpy(&fd, CMSG_DATA(part) + index * sizeof(int), sizeof(fd));
        found.fds.emplace_back(fd);
      }
    } else if (part->cmsg_type == SCM_CREDENTIALS) {
      ucred credentials;
      std::memcpy(&credentials, CMSG_DATA(part), sizeof(credentials));
      found.sender = credentials.pid;
    }
  }
  return found;
}

// Between fork(2) and execv(2): no allocation is unsafe here, since the holder has one thread.
[[noreturn]] void BecomeWorker(const HolderOptions& options, const DescriptorStore& store, const sigset_t& mask) {
  // A signal of the terminal reaches the holder only, which forwards it.
  ::setpgid(0, 0);
  const int count = static_cast<int>(store.entries().size());
  std::string names;
  std::vector<int> copies;
  for (const auto& entry : store.entries()) {
    // First away from the numbers that they are going to have.
    copies.push_back(::fcntl(entry.fd.get(), F_DUPFD_CLOEXEC, kFirstPassedFd + count));
    if (!names.empty()) names += ':';
    names += entry.name;
  }
  bool good = true;
  for (int index = 0; index < count; ++index) good = good && ::dup2(copies[index], kFirstPassedFd + index) >= 0;
  if (good) {
    ::setenv("NOTIFY_SOCKET", options.notify_path.c_str(), 1);
    // sd_listen_fds(3) takes a count of zero for an error.
    if (count > 0) {
      ::setenv("LISTEN_FDS", std::to_string(count).c_str(), 1);
      ::setenv("LISTEN_FDNAMES", names.c_str(), 1);
      ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
    }
    ::sigprocmask(SIG_SETMASK, &mask, nullptr);
    std::vector<char*> arguments;
    for (const std::string& argument : options.command) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    ::execv(arguments[0], arguments.data());
  }
  const std::string text = "sluiced: cannot start '" + options.command[0] + "': " + std::strerror(errno) + "\n";
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
  ::_exit(127);
}

// The life of the workers.
class Holder {
 public:
  Holder(const HolderOptions& options, Log& log)
      : options_(options), log_(log), notify_(options.notify_path), manager_(ServiceManager::FromEnvironment()) {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&signals, number);
    ::sigprocmask(SIG_BLOCK, &signals, &worker_mask_);
    signals_.Reset(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_) ThrowErrno(errno, "cannot receive signals");
  }

  int Run() {
    StartWorker();
    while (!exit_code_) {
      std::array<pollfd, 2> waits{pollfd{signals_.get(), POLLIN, 0}, pollfd{notify_.fd(), POLLIN, 0}};
      const int timeout_ms =
          worker_ > 0 ? -1 : static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(delay_).count());
      const int count = ::poll(waits.data(), waits.size(), timeout_ms);
      if (count < 0 && errno != EINTR) ThrowErrno(errno, "the holder cannot wait");
      // Messages first: what a worker sent before it died counts.
      ReceiveNotifications();
      ReceiveSignals();
      if (count == 0 && worker_ == 0) StartWorker();
    }
    return *exit_code_;
  }

 private:
  void StartWorker() {
    ready_ = false;
    const pid_t child = ::fork();
    if (child < 0) {
      delay_ = restart_.Next(false);
      log_.Error("cannot start a worker: {}, trying again in {} ms", std::strerror(errno),
                 delay_ / std::chrono::milliseconds(1));
      return;
    }
    if (child == 0) BecomeWorker(options_, store_, worker_mask_);
    worker_ = child;
  }

  void ReceiveNotifications() {
    for (;;) {
      try {
        auto message = notify_.Receive();
        if (!message) return;
        if (message->sender == worker_) Apply(std::move(*message));
      } catch (const Error& error) {
        log_.Warning("ignoring a notification: {}", error.message());
      }
    }
  }

  void Apply(NotifySocket::Message message) {
    const Notification& told = message.notification;
    if (told.remove) store_.Remove(told.fd_name);
    if (told.store) {
      for (UniqueFd& fd : message.fds) store_.Put(told.fd_name, std::move(fd));
    }
    // BARRIER=1 needs nothing but that the descriptor of the message is closed, which happens on return.
    if (told.ready) ready_ = ever_ready_ = true;
    if (told.ready) {
      manager_.Ready();
      ForwardStop();
    }
    if (told.stopping) manager_.Stopping();
    if (!told.status.empty()) manager_.Status(told.status);
  }

  void ReceiveSignals() {
    signalfd_siginfo signal;
    while (::read(signals_.get(), &signal, sizeof(signal)) == static_cast<ssize_t>(sizeof(signal))) {
      switch (signal.ssi_signo) {
        case SIGCHLD: ReapWorker(); break;
        case SIGHUP:
          if (worker_ > 0) ::kill(worker_, SIGHUP);
          break;
        default: stop_requested_ = true;
      }
    }
    ForwardStop();
  }

  // Only a worker that serves knows the mounts and can end them; one that never served has none.
  void ForwardStop() {
    if (!stop_requested_ || worker_ == 0 || (ever_ready_ && !ready_)) return;
    stop_requested_ = !ready_;
    ::kill(worker_, SIGTERM);
  }

  // No reader depends on what is kept.
  bool NothingOfTheKernelIsKept() const {
    const auto& kept = store_.entries();
    return std::all_of(kept.begin(), kept.end(), [](const auto& entry) { return entry.name == kApiSocketName; });
  }

  void ReapWorker() {
    int status = 0;
    // Other children do not exist.
    if (worker_ == 0 || ::waitpid(worker_, &status, WNOHANG) != worker_) return;
    // What it sent while it died.
    ReceiveNotifications();
    const pid_t ended = std::exchange(worker_, 0);
    const bool exited = WIFEXITED(status);
    const int code = exited ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    const bool cannot_start = exited && !ready_;
    if ((exited && code == 0) || (!ever_ready_ && (exited || stop_requested_)) ||
        (stop_requested_ && cannot_start && NothingOfTheKernelIsKept())) {
      exit_code_ = code;
      return;
    }
    delay_ = restart_.Next(ready_);
    log_.Error("worker {} ended with {} {}, starting the next in {} ms; {} descriptors are kept", ended,
               exited ? "exit code" : "signal", exited ? code : WTERMSIG(status), delay_ / std::chrono::milliseconds(1),
               store_.entries().size());
    if (delay_ == Duration::zero()) StartWorker();
  }

  const HolderOptions& options_;
  Log& log_;
  NotifySocket notify_;
  ServiceManager manager_;  // whoever started the holder; told what the worker tells
  DescriptorStore store_;
  RestartDelay restart_;
  Duration delay_{};
  sigset_t worker_mask_{};
  UniqueFd signals_;
  pid_t worker_ = 0;  // 0: none runs
  bool ready_ = false;
  bool ever_ready_ = false;
  bool stop_requested_ = false;
  std::optional<int> exit_code_;
};

}  // namespace

void DescriptorStore::Put(std::string name, UniqueFd fd) {
  const auto same =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.name == name; });
  if (same != entries_.end()) {
    same->fd = std::move(fd);
    return;
  }
  if (entries_.size() >= kMost) Throw(Errc::kLimit, "descriptor '{}' is one more than {}", name, kMost);
  entries_.push_back({std::move(name), std::move(fd)});
}

void DescriptorStore::Remove(std::string_view name) noexcept {
  std::erase_if(entries_, [&](const Entry& entry) { return entry.name == name; });
}

Duration RestartDelay::Next(bool was_ready) noexcept {
  last_ = was_ready ? Duration::zero() : std::clamp<Duration>(2 * last_, kFirst, kMost);
  return last_;
}

NotifySocket::NotifySocket(std::string path)
    : path_(std::move(path)), fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  if (!fd_) ThrowErrno(errno, "cannot make a socket");
  const sockaddr_un address = UnixAddress(path_);
  {
    const UniqueFd other(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (::connect(other.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
      Throw(Errc::kBusy, "another sluiced holds '{}'", path_);
    }
  }
  ::unlink(path_.c_str());
  const int on = 1;
  const mode_t mask = ::umask(0177);
  const int bound = ::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int error = errno;
  ::umask(mask);
  if (bound != 0) ThrowErrno(error, "cannot bind the holder's socket '{}'", path_);
  if (::setsockopt(fd_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0) {
    ThrowErrno(errno, "cannot ask who writes to '{}'", path_);
  }
}

NotifySocket::~NotifySocket() { ::unlink(path_.c_str()); }

std::optional<NotifySocket::Message> NotifySocket::Receive() {
  std::array<char, kMaxMessageBytes> text;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxFdsPerMessage) + CMSG_SPACE(sizeof(ucred))> control;
  iovec part{text.data(), text.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  const ssize_t count = ::recvmsg(fd_.get(), &header, MSG_CMSG_CLOEXEC);
  if (count < 0) {
    if (errno == EAGAIN || errno == EINTR) return std::nullopt;
    ThrowErrno(errno, "cannot receive from '{}'", path_);
  }
  Ancillary found = TakeAncillary(header);
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    Throw(Errc::kCorrupt, "a notification of more than {} bytes or {} descriptors", kMaxMessageBytes,
          kMaxFdsPerMessage);
  }
  return Message{.sender = found.sender,
                 .notification = ParseNotification({text.data(), static_cast<size_t>(count)}),
                 .fds = std::move(found.fds)};
}

int RunHolder(const HolderOptions& options, Log& log) { return Holder(options, log).Run(); }

}  // namespace sluice::daemon
