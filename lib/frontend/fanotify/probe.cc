// SPDX-License-Identifier: Apache-2.0
#include "frontend/fanotify/probe.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <vector>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/limits.h"
#include "frontend/erofs_mount.h"
#include "frontend/fanotify/event.h"
#include "frontend/fanotify/group.h"
#include "image/rafs/bootstrap_builder.h"

namespace sluice::frontend::fanotify {
namespace {

constexpr int kEventTimeoutMs = 5000;
constexpr std::byte kFill{0xA5};
constexpr const char* kFileName = "file";

std::vector<std::byte> BuildImage() {
  const std::vector<std::byte> content(kBlockSize, kFill);
  image::rafs::Chunk chunk;
  chunk.digest = DigestOf(DigestAlgorithm::kBlake3, content);
  chunk.plain_size = chunk.stored_size = kBlockSize;
  image::rafs::Blob blob{.id = BlobId::Parse(chunk.digest.Hex())};
  blob.chunk_count = 1;
  blob.compression = Compression::kNone;
  blob.features = image::rafs::blob_feature::kAligned;
  blob.stored_size = blob.plain_size = kBlockSize;
  blob.chunks = {chunk};
  image::rafs::Image image;
  image.chunk_size = kBlockSize;
  image.compression = Compression::kNone;
  image.blobs.push_back(std::move(blob));
  image::Inode file;
  file.permissions = 0400;
  file.size = kBlockSize;
  file.chunks = {{.blob = 0, .chunk = 0}};
  const image::InodeId id = image.tree.Add(std::move(file));
  image.tree.Get(image.tree.root()).entries.emplace(kFileName, id);
  return image::rafs::BuildBootstrap(image);
}

// `content` is written and synced; then the file is extended to `size` with a hole.
void MakeFile(const std::string& path, ConstBytes content, uint64_t size) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file || ::write(file.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size()) ||
      ::ftruncate(file.get(), static_cast<off_t>(size)) != 0 || ::fsync(file.get()) != 0) {
    ThrowErrno(errno, "cannot make '{}'", path);
  }
}

// The process that waits for its bytes: 0 when they are right.
int ReadThroughMount(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<std::byte, kBlockSize> content{};
  if (::pread(file.get(), content.data(), content.size(), 0) != static_cast<ssize_t>(content.size())) return 1;
  for (const std::byte byte : content) {
    if (byte != kFill) return 2;
  }
  return 0;
}

void AnswerOneEvent(const Group& group) {
  pollfd wait{group.fd(), POLLIN, 0};
  std::array<std::byte, kEventBytes> message{};
  if (::poll(&wait, 1, kEventTimeoutMs) != 1 || group.Read(message) == 0) {
    Throw(Errc::kUnsupported, "a read of a mounted file raised no pre-content event within {} ms", kEventTimeoutMs);
  }
  const auto event = EventReader(message).Next();
  if (!event || !event->WantsAnswer()) Throw(Errc::kUnsupported, "a pre-content event came without a descriptor");
  const UniqueFd file(event->fd);
  const std::vector<std::byte> content(kBlockSize, kFill);
  const bool written = ::pwrite(file.get(), content.data(), content.size(), 0) == static_cast<ssize_t>(content.size());
  const int error = errno;
  group.Respond(file.get(), written ? kAllow : DenyWithIoError());
  if (!written) ThrowErrno(error, "cannot write through the descriptor of an event");
}

// In a process of its own, which takes mounts, marks and waiting readers with it when it ends.
void TryEverything(const std::string& directory) {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    ThrowErrno(errno, "cannot make a private mount namespace (CAP_SYS_ADMIN is needed)");
  }
  const ErofsMount mount{
      .bootstrap = directory + "/bootstrap", .devices = {directory + "/data"}, .mountpoint = directory + "/mountpoint"};
  std::filesystem::create_directories(mount.mountpoint);
  const auto bootstrap = BuildImage();
  MakeFile(mount.bootstrap, bootstrap, bootstrap.size());
  MakeFile(mount.devices[0], {}, kBlockSize);
  const Group group = Group::Create();
  group.Mark(mount.devices[0]);
  MountErofs(mount);

  const pid_t reader = ::fork();
  if (reader < 0) ThrowErrno(errno, "cannot fork");
  if (reader == 0) ::_exit(ReadThroughMount(mount.mountpoint + "/" + kFileName));
  AnswerOneEvent(group);
  int status = 0;
  if (::waitpid(reader, &status, 0) != reader || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    Throw(Errc::kUnsupported, "a reader got an error or other bytes than were put into the file (status {:#x})",
          status);
  }
}

// What the child says: one byte of Errc, then the message; nothing when all is well.
[[noreturn]] void TellAndExit(const UniqueFd& pipe, Errc code, const std::string& message) {
  const std::string text = static_cast<char>(code) + message;
  [[maybe_unused]] const ssize_t count = ::write(pipe.get(), text.data(), text.size());
  ::_exit(1);
}

[[noreturn]] void RunChild(const std::string& directory, const UniqueFd& pipe) {
  // A reader of a hung probe ends with it.
  ::alarm(2 * kEventTimeoutMs / 1000);
  try {
    TryEverything(directory);
  } catch (const Error& error) {
    TellAndExit(pipe, error.code(), error.message());
  } catch (const std::exception& error) {
    TellAndExit(pipe, Errc::kIo, error.what());
  }
  ::_exit(0);
}

}  // namespace

void Probe(const std::string& directory) {
  std::array<int, 2> ends;
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) ThrowErrno(errno, "cannot make a pipe");
  UniqueFd from(ends[0]);
  UniqueFd to(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) ThrowErrno(errno, "cannot fork");
  if (child == 0) RunChild(directory, to);
  to.Reset();
  std::string told;
  std::array<char, 512> part;
  for (ssize_t count; (count = ::read(from.get(), part.data(), part.size())) > 0;) {
    told.append(part.data(), static_cast<size_t>(count));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
  if (!told.empty()) Throw(static_cast<Errc>(told[0]), "{}", told.substr(1));
  if (status != 0) Throw(Errc::kUnsupported, "the probe ended with status {:#x}", status);
}

}  // namespace sluice::frontend::fanotify
