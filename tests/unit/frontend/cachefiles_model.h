// SPDX-License-Identifier: Apache-2.0
#pragma once
// The kernel's side of /dev/cachefiles in memory: what fs/cachefiles/ondemand.c and io.c do with objects, requests and
// readers.  On one shard, where descriptors do what other threads ask of them; each call of the kernel's side is a task
// that waits like a process does.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/rng.h"
#include "frontend/cachefiles/device.h"
#include "frontend/cachefiles/message.h"
#include "runtime/event.h"
#include "runtime/scope.h"

namespace sluice::frontend::cachefiles::testing {

struct ModelOptions {
  bool cyclic_ids = true;  // kernels with the hardening of 2024; before, the lowest free id is used again at once
  bool rounds_up = false;  // before Linux 6.13 a write returns whole pages more
  uint64_t free_blocks = 1 << 20;  // of the cache's file system, above its stop limit
  uint32_t refusals = 0;           // so many writes fail with ENOBUFS although there is space
  bool short_writes = false;       // some writes take a part only
  bool disk_fails = false;         // writes fail with EIO
};

// The file of an object: what is there, block by block.
struct ModelFile {
  uint64_t size = 0;  // as answered; 0: never opened
  std::map<uint64_t, std::vector<std::byte>> blocks;
};

class KernelModel {
 public:
  KernelModel(runtime::Engine& engine, Rng rng, const ModelOptions& options = {});
  ~KernelModel();

  // The daemon's view.  One at a time; the next after Crash().
  std::unique_ptr<Device> OpenDevice();
  // The daemon is killed, a holder keeps the device: its objects are closed, what it had received is not told again
  // until the next one writes "restore".
  void Crash();
  // The last descriptor of the device is closed.
  void Release();

  // What processes do.  Results: 0 or -errno; each waits as long as the daemon makes it wait.
  // The object is in use from now on: OPEN, then, some time after the answer, its file.
  runtime::Task<int> Acquire(ObjectKey key);
  // CLOSE.
  runtime::Task<void> Withdraw(ObjectKey key);
  struct ReadResult {
    int error = 0;
    std::vector<std::byte> bytes;
  };
  runtime::Task<ReadResult> Read(ObjectKey key, ByteRange range);
  // A READ request as such, for requests that no EROFS makes.
  runtime::Task<int> Demand(ObjectKey key, ByteRange range);

  // Gives the daemon this message as it is.
  void Inject(std::vector<std::byte> message) {
    injected_.push_back(std::move(message));
    Wake();
  }
  // Loses all that is there of an object's file.
  void Punch(const ObjectKey& key) { files_[key].blocks.clear(); }
  const ModelFile& file(const ObjectKey& key) { return files_[key]; }
  // Requests that nobody has answered.
  size_t pending() const noexcept { return requests_.size(); }
  uint64_t reads() const noexcept { return reads_; }      // READ requests made
  uint64_t misuses() const noexcept { return misuses_; }  // calls of the daemon that the kernel refuses, or should
  size_t open_fds() const noexcept { return open_fds_; }
  ModelOptions options;

 private:
  friend class ModelDevice;
  friend class ModelObjectFd;
  enum class State { kClose, kOpen, kReopening, kDropping };
  struct Object {
    ObjectKey key;
    State state = State::kClose;
    int64_t id = 0;  // of the descriptor; -1: closed
    bool has_file = false;
  };
  struct Request {
    uint32_t id = 0;
    Opcode opcode = Opcode::kOpen;
    std::shared_ptr<Object> object;
    ByteRange range;
    bool fresh = true;  // not told yet
    int error = 0;
    runtime::Event done;
  };

  void Wake();
  void Rest();
  std::shared_ptr<Request> Enqueue(std::shared_ptr<Object> object, Opcode opcode, ByteRange range);
  runtime::Task<int> Send(std::shared_ptr<Object> object, Opcode opcode, ByteRange range);
  void Finish(uint32_t id, int error);
  std::shared_ptr<Request> Select();
  runtime::Task<void> Reopen(std::shared_ptr<Object> object);
  int64_t Seek(const ObjectKey& key, uint64_t offset, bool hole) const;

  int64_t Tell(MutableBytes message);
  int64_t Command(std::string_view command);
  void CloseFd(const std::shared_ptr<Object>& object, int64_t id);

  runtime::Engine& engine_;
  Rng rng_;
  std::map<ObjectKey, ModelFile> files_;
  std::map<ObjectKey, std::shared_ptr<Object>> objects_;
  std::map<uint32_t, std::shared_ptr<Request>> requests_;
  std::deque<std::vector<std::byte>> injected_;
  std::map<int, std::pair<std::shared_ptr<Object>, int64_t>> fds_;  // not taken yet
  uint32_t next_id_ = 0;
  uint32_t next_told_ = 0;
  int64_t next_object_ = 1;
  int next_fd_ = 1000;
  size_t open_fds_ = 0;
  uint64_t generation_ = 0;  // of the daemon
  bool dead_ = false;
  uint64_t reads_ = 0;
  uint64_t misuses_ = 0;
  runtime::Event readable_;
  UniqueFd readable_fd_;  // an eventfd that says the same; none in the simulator
  runtime::Scope scope_;

 public:
  // Before it is destroyed: ends what it does by itself.
  runtime::Task<void> Join() { return scope_.Join(); }
};

}  // namespace sluice::frontend::cachefiles::testing
