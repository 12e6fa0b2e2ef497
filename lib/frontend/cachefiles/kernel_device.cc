// SPDX-License-Identifier: Apache-2.0
#include "frontend/cachefiles/kernel_device.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/cachefiles.h>  // for CACHEFILES_IOC_READ_COMPLETE
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>

#include "base/error.h"
#include "runtime/file.h"

namespace sluice::frontend::cachefiles {
namespace {

constexpr const char* kDevicePath = "/dev/cachefiles";
// The device of a process that was killed is closed when the kernel has given back the last of its descriptors.
constexpr int kMostBusyTries = 50;
constexpr int kBusyPauseMs = 100;

int64_t Write(int fd, std::string_view command) noexcept {
  const ssize_t count = ::write(fd, command.data(), command.size());
  return count < 0 ? -errno : count;
}

// 0, or the errno of the failure.
template <typename F>
int RetryWhileBusy(F attempt) {
  for (int tries = 1;; ++tries) {
    const int error = attempt();
    if (error != EBUSY || tries == kMostBusyTries) return error;
    ::poll(nullptr, 0, kBusyPauseMs);
  }
}

UniqueFd OpenDevicePath() {
  UniqueFd device;
  const int error = RetryWhileBusy([&] {
    device.Reset(::open(kDevicePath, O_RDWR | O_CLOEXEC));
    return device ? 0 : errno;
  });
  switch (error) {
    case 0: return device;
    case ENOENT:
    case ENODEV:
    case ENXIO:
      Throw(
          Errc::kUnsupported,
          "there is no '{}': the kernel needs CONFIG_CACHEFILES_ONDEMAND and its module cachefiles (Linux 5.19 to 7.1)",
          kDevicePath);
    case EPERM: Throw(Errc::kPermission, "'{}' needs CAP_SYS_ADMIN in the initial user namespace", kDevicePath);
    case EBUSY:
      Throw(Errc::kBusy,
            "'{}' is in use: the kernel serves one daemon at a time (cachefilesd, another sluiced, nydusd)",
            kDevicePath);
    default: ThrowErrno(error, "cannot open '{}'", kDevicePath);
  }
}

void Configure(const UniqueFd& device, const std::string& command) {
  const int64_t result = Write(device.get(), command);
  if (result < 0) ThrowErrno(static_cast<int>(-result), "'{}' refuses '{}'", kDevicePath, command);
}

void Bind(const UniqueFd& device, const std::string& directory) {
  const int error =
      RetryWhileBusy([&] { return static_cast<int>(-std::min<int64_t>(Write(device.get(), "bind ondemand"), 0)); });
  switch (error) {
    case 0: return;
    case EINVAL:
      Throw(Errc::kUnsupported, "this kernel's cachefiles cannot serve on demand (CONFIG_CACHEFILES_ONDEMAND)");
    case EOPNOTSUPP:
      Throw(Errc::kUnsupported,
            "'{}' cannot hold the kernel's cache: its file system needs extended attributes, temporary files, O_DIRECT "
            "and "
            "blocks of at most a page (ext4, xfs, btrfs)",
            directory);
    case EBUSY: Throw(Errc::kBusy, "'{}' is the cache of another daemon", directory);
    default: ThrowErrno(error, "cannot serve the kernel's cache '{}'", directory);
  }
}

class KernelObject final : public ObjectFd {
 public:
  explicit KernelObject(UniqueFd fd) noexcept : fd_(std::move(fd)) {}

  int64_t Write(ConstBytes src, uint64_t offset) const noexcept override {
    const ssize_t count = ::pwrite(fd_.get(), src.data(), src.size(), static_cast<off_t>(offset));
    return count < 0 ? -errno : count;
  }
  int64_t Seek(uint64_t offset, int whence) const noexcept override {
    const off_t found = ::lseek(fd_.get(), static_cast<off_t>(offset), whence);
    return found < 0 ? -errno : found;
  }
  int64_t CompleteRead(uint32_t id) const noexcept override {
    return ::ioctl(fd_.get(), CACHEFILES_IOC_READ_COMPLETE, static_cast<unsigned long>(id)) < 0 ? -errno : 0;
  }

 private:
  const UniqueFd fd_;
};

class KernelDevice final : public Device {
 public:
  KernelDevice(runtime::Engine& engine, UniqueFd fd) noexcept : engine_(engine), fd_(std::move(fd)) {}

  int descriptor() const noexcept override { return fd_.get(); }
  runtime::Task<void> WaitReadable() override { return runtime::WaitReadable(engine_, fd_.get()); }
  int64_t Read(MutableBytes message) noexcept override {
    const ssize_t count = ::read(fd_.get(), message.data(), message.size());
    return count < 0 ? -errno : count;
  }
  int64_t Command(std::string_view command) const noexcept override { return cachefiles::Write(fd_.get(), command); }
  std::unique_ptr<ObjectFd> TakeObject(int fd) override {
    UniqueFd owned(fd);
    // The kernel makes it without; a child must not keep objects open.
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    return std::make_unique<KernelObject>(std::move(owned));
  }

 private:
  runtime::Engine& engine_;
  const UniqueFd fd_;
};

}  // namespace

UniqueFd OpenDevice(const CacheSettings& settings) {
  std::error_code failure;
  std::filesystem::create_directories(settings.directory, failure);
  if (!failure) std::filesystem::permissions(settings.directory, std::filesystem::perms::owner_all, failure);
  if (failure) ThrowErrno(failure.value(), "cannot prepare the cache directory '{}'", settings.directory);
  UniqueFd device = OpenDevicePath();
  Configure(device, "dir " + settings.directory);
  Configure(device, "tag " + settings.tag);
  // stop < cull < run must hold after each command, whatever the defaults are: apart first, then where they belong.
  for (const char kind : {'b', 'f'}) {
    Configure(device, fmt::format("{}run 99%", kind));
    Configure(device, fmt::format("{}stop 0%", kind));
    Configure(device, fmt::format("{}cull {}%", kind, settings.cull));
    Configure(device, fmt::format("{}stop {}%", kind, settings.stop));
    Configure(device, fmt::format("{}run {}%", kind, settings.run));
  }
  Bind(device, settings.directory);
  return device;
}

bool RestoreRequests(const UniqueFd& device) { return Write(device.get(), "restore") > 0; }

bool IsDead(const Device& device) noexcept {
  // A dead cache answers every command so, before it looks at it.
  return device.Command("alive") == -EIO;
}

std::unique_ptr<Device> MakeKernelDevice(runtime::Engine& engine, UniqueFd fd) {
  return std::make_unique<KernelDevice>(engine, std::move(fd));
}

}  // namespace sluice::frontend::cachefiles
