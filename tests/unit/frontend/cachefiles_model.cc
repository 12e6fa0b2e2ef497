// SPDX-License-Identifier: Apache-2.0
#include "cachefiles_model.h"

#include <sys/eventfd.h>
#include <unistd.h>  // for SEEK_HOLE

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <condition_variable>
#include <cstring>
#include <mutex>

#include "base/limits.h"
#include "runtime/timer.h"

namespace sluice::frontend::cachefiles::testing {

using runtime::Task;

namespace {

constexpr uint64_t kBlock = kBlockSize;

void Append(std::vector<std::byte>& to, const void* from, size_t size) {
  const auto* bytes = static_cast<const std::byte*>(from);
  to.insert(to.end(), bytes, bytes + size);
}
template <typename T>
void Append(std::vector<std::byte>& to, T value) {
  Append(to, &value, sizeof(value));
}

// Something that a worker thread has done on the model's thread and waits for.
template <typename F>
class Errand final : public runtime::Runnable {
 public:
  explicit Errand(F& function) noexcept : function_(function) {}

  int64_t Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return result_.has_value(); });
    return *result_;
  }

 private:
  void Run() noexcept override {
    const int64_t result = function_();
    // Under the lock: the errand may be gone as soon as the result is seen.
    const std::lock_guard lock(mutex_);
    result_ = result;
    changed_.notify_one();
  }

  F& function_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<int64_t> result_;  // under mutex_
};

}  // namespace

class ModelObjectFd final : public ObjectFd {
 public:
  ModelObjectFd(KernelModel& model, std::shared_ptr<KernelModel::Object> object, int64_t id)
      : model_(model), object_(std::move(object)), id_(id), generation_(model.generation_) {
    ++model_.open_fds_;
  }
  ~ModelObjectFd() override {
    --model_.open_fds_;
    if (alive()) model_.CloseFd(object_, id_);
  }

  int64_t Write(ConstBytes src, uint64_t offset) const noexcept override {
    return OnModelThread([&] { return DoWrite(src, offset); });
  }
  int64_t Seek(uint64_t offset, int whence) const noexcept override {
    return OnModelThread([&] { return DoSeek(offset, whence); });
  }
  int64_t CompleteRead(uint32_t id) const noexcept override {
    return OnModelThread([&] { return DoCompleteRead(id); });
  }

 private:
  template <typename F>
  int64_t OnModelThread(F function) const noexcept {
    if (model_.engine_.IsCurrent()) return function();
    Errand<F> errand(function);
    model_.engine_.Post(errand);
    return errand.Wait();
  }

  int64_t DoWrite(ConstBytes src, uint64_t offset) const {
    if (!alive() || !object_->has_file) return -ENOBUFS;
    if (!IsAligned(offset, kBlock) || !IsAligned(src.size(), kBlock) ||
        !IsAligned(reinterpret_cast<uintptr_t>(src.data()), kBlock)) {
      ++model_.misuses_;
      return -EINVAL;
    }
    ModelFile& file = model_.files_[object_->key];
    if (offset + src.size() > AlignUp(file.size, kBlock)) ++model_.misuses_;
    if (model_.options.refusals > 0) {
      --model_.options.refusals;
      return -ENOBUFS;
    }
    if (model_.options.disk_fails) return -EIO;
    uint64_t count = src.size() / kBlock;
    if (model_.options.short_writes && count > 1 && model_.rng_.Below(3) == 0) count = 1 + model_.rng_.Below(count);
    if (model_.options.free_blocks < count) return -ENOBUFS;
    for (uint64_t block = 0; block < count; ++block) {
      const ConstBytes bytes = src.subspan(block * kBlock, kBlock);
      auto& stored = file.blocks[offset / kBlock + block];
      if (stored.empty()) --model_.options.free_blocks;
      stored.assign(bytes.begin(), bytes.end());
    }
    return static_cast<int64_t>(count * kBlock +
                                (model_.options.rounds_up && count == src.size() / kBlock ? kBlock : 0));
  }
  int64_t DoSeek(uint64_t offset, int whence) const {
    if (!alive() || !object_->has_file) return -ENOBUFS;
    return model_.Seek(object_->key, offset, whence == SEEK_HOLE);
  }
  int64_t DoCompleteRead(uint32_t id) const {
    const auto found = model_.requests_.find(id);
    if (!alive() || found == model_.requests_.end() || found->second->opcode != Opcode::kRead ||
        found->second->object != object_ || found->second->fresh) {
      return -EINVAL;
    }
    model_.Finish(id, 0);
    return 0;
  }

  bool alive() const noexcept { return generation_ == model_.generation_; }
  KernelModel& model_;
  const std::shared_ptr<KernelModel::Object> object_;
  const int64_t id_;
  const uint64_t generation_;
};

class ModelDevice final : public Device {
 public:
  explicit ModelDevice(KernelModel& model) : model_(model), generation_(model.generation_) {}

  int descriptor() const noexcept override { return model_.readable_fd_.get(); }
  Task<void> WaitReadable() override { return model_.readable_.Wait(); }
  int64_t Read(MutableBytes message) noexcept override {
    if (generation_ != model_.generation_) {
      model_.Rest();
      return 0;
    }
    return model_.Tell(message);
  }
  int64_t Command(std::string_view command) const noexcept override {
    return generation_ == model_.generation_ ? model_.Command(command) : -EIO;
  }
  std::unique_ptr<ObjectFd> TakeObject(int fd) override {
    const auto found = model_.fds_.find(fd);
    if (found == model_.fds_.end()) {
      ++model_.misuses_;
      return nullptr;
    }
    auto taken = std::make_unique<ModelObjectFd>(model_, found->second.first, found->second.second);
    model_.fds_.erase(found);
    return taken;
  }

 private:
  KernelModel& model_;
  const uint64_t generation_;
};

KernelModel::KernelModel(runtime::Engine& engine, Rng rng, const ModelOptions& the_options)
    : options(the_options), engine_(engine), rng_(std::move(rng)), scope_(engine, "kernel model") {
  if (!engine.simulated()) readable_fd_.Reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

KernelModel::~KernelModel() = default;

void KernelModel::Wake() {
  readable_.Set();
  if (readable_fd_) eventfd_write(readable_fd_.get(), 1);
}

void KernelModel::Rest() {
  readable_.Reset();
  eventfd_t drained;
  if (readable_fd_) eventfd_read(readable_fd_.get(), &drained);
}

std::unique_ptr<Device> KernelModel::OpenDevice() { return std::make_unique<ModelDevice>(*this); }

void KernelModel::Crash() {
  ++generation_;
  fds_.clear();
  for (const auto& [key, object] : objects_) {
    if (object->id > 0) CloseFd(object, object->id);
  }
  Wake();
}

void KernelModel::Release() {
  Crash();
  dead_ = true;
  while (!requests_.empty()) Finish(requests_.begin()->first, -EIO);
}

// cachefiles_ondemand_fd_release
void KernelModel::CloseFd(const std::shared_ptr<Object>& object, int64_t id) {
  if (object->id != id) return;
  object->id = -1;
  if (object->state != State::kDropping) object->state = State::kClose;
  std::vector<uint32_t> closing;
  for (const auto& [request_id, request] : requests_) {
    if (request->object == object && request->opcode == Opcode::kClose && request->fresh) closing.push_back(request_id);
  }
  for (const uint32_t request_id : closing) Finish(request_id, 0);
  Wake();
}

std::shared_ptr<KernelModel::Request> KernelModel::Enqueue(std::shared_ptr<Object> object, Opcode opcode,
                                                           ByteRange range) {
  auto request = std::make_shared<Request>();
  uint32_t id = options.cyclic_ids ? next_id_ : 0;
  while (requests_.contains(id)) ++id;
  next_id_ = id + 1;
  request->id = id;
  request->opcode = opcode;
  request->object = std::move(object);
  request->range = range;
  requests_.emplace(id, request);
  Wake();
  return request;
}

// cachefiles_ondemand_send_req
Task<int> KernelModel::Send(std::shared_ptr<Object> object, Opcode opcode, ByteRange range) {
  if (dead_ || object->state == State::kDropping) co_return -EIO;
  if (opcode == Opcode::kClose && object->state != State::kOpen) co_return -EIO;
  const auto request = Enqueue(std::move(object), opcode, range);
  co_await request->done.Wait();
  co_return request->error;
}

void KernelModel::Finish(uint32_t id, int error) {
  const auto request = requests_.at(id);
  requests_.erase(id);
  request->error = error;
  request->done.Set();
}

Task<int> KernelModel::Acquire(ObjectKey key) {
  if (objects_.contains(key)) co_return -EBUSY;
  auto object = std::make_shared<Object>();
  object->key = key;
  objects_.emplace(key, object);
  const uint64_t old_size = files_[key].size;
  const int error = co_await Send(object, Opcode::kOpen, {});
  if (error != 0) {
    objects_.erase(key);
    co_return error;
  }
  // An existing file with another size is replaced.
  ModelFile& file = files_[key];
  if (old_size != 0 && old_size != file.size) file.blocks.clear();
  // The lookup of the file goes on behind the answer's back.
  co_await runtime::Sleep(engine_, std::chrono::microseconds(rng_.Below(900)));
  object->has_file = true;
  co_return 0;
}

Task<void> KernelModel::Withdraw(ObjectKey key) {
  const auto object = objects_.at(key);
  co_await Send(object, Opcode::kClose, {});
  object->state = State::kDropping;
  std::vector<uint32_t> left;
  for (const auto& [id, request] : requests_) {
    if (request->object == object) left.push_back(id);
  }
  for (const uint32_t id : left) Finish(id, -EIO);
  object->has_file = false;
  objects_.erase(key);
}

int64_t KernelModel::Seek(const ObjectKey& key, uint64_t offset, bool hole) const {
  const ModelFile& file = files_.at(key);
  const uint64_t end = AlignUp(file.size, kBlock);
  if (offset >= end) return -ENXIO;
  for (uint64_t block = offset / kBlock; block < end / kBlock; ++block) {
    if (file.blocks.contains(block) != hole) return static_cast<int64_t>(std::max(offset, block * kBlock));
  }
  return hole ? static_cast<int64_t>(end) : -ENXIO;
}

Task<int> KernelModel::Demand(ObjectKey key, ByteRange range) {
  ++reads_;
  const auto found = objects_.find(key);
  if (found == objects_.end()) co_return -EIO;
  co_return co_await Send(found->second, Opcode::kRead, range);
}

// fs/erofs/fscache.c over cachefiles_prepare_read: what is there is read, for each hole there is one READ.
Task<KernelModel::ReadResult> KernelModel::Read(ObjectKey key, ByteRange range) {
  ReadResult result;
  const uint64_t end = range.end();
  bool asked = false;
  for (uint64_t at = range.offset; at < end;) {
    if (dead_) {
      result.error = -EIO;
      co_return result;
    }
    const int64_t data = Seek(key, at, false);
    if (data == static_cast<int64_t>(at)) {
      const uint64_t to = std::min(static_cast<uint64_t>(Seek(key, at, true)), end);
      for (; at < to; at += kBlock) {
        const auto& block = files_.at(key).blocks.at(at / kBlock);
        result.bytes.insert(result.bytes.end(), block.begin(), block.end());
      }
      asked = false;
      continue;
    }
    // A READ that has brought nothing is not repeated.
    if (std::exchange(asked, true)) {
      result.error = -EIO;
      co_return result;
    }
    const uint64_t to = data < 0 ? end : std::min(static_cast<uint64_t>(data), end);
    const ByteRange missing{at, to - at};
    const int error = co_await Demand(key, missing);
    if (error != 0) {
      result.error = error;
      co_return result;
    }
  }
  co_return result;
}

// cachefiles_ondemand_select_req
std::shared_ptr<KernelModel::Request> KernelModel::Select() {
  const auto search = [&](auto from, auto to) -> std::shared_ptr<Request> {
    for (auto at = from; at != to; ++at) {
      const auto& request = at->second;
      if (!request->fresh) continue;
      if (request->opcode != Opcode::kRead) return request;
      if (request->object->state == State::kClose) {
        request->object->state = State::kReopening;
        scope_.Spawn(Reopen(request->object));
        return nullptr;  // the map has changed
      }
      if (request->object->state == State::kReopening) continue;
      return request;
    }
    return nullptr;
  };
  const auto middle = requests_.lower_bound(next_told_);
  auto found = search(middle, requests_.end());
  return found ? found : search(requests_.begin(), requests_.lower_bound(next_told_));
}

Task<void> KernelModel::Reopen(std::shared_ptr<Object> object) {
  const int error = co_await Send(object, Opcode::kOpen, {});
  if (error != 0 && object->state == State::kReopening) object->state = State::kClose;
}

// cachefiles_ondemand_daemon_read
int64_t KernelModel::Tell(MutableBytes message) {
  if (!injected_.empty()) {
    const auto& bytes = injected_.front();
    if (bytes.size() > message.size()) return -EMSGSIZE;
    std::copy(bytes.begin(), bytes.end(), message.begin());
    const auto size = static_cast<int64_t>(bytes.size());
    injected_.pop_front();
    return size;
  }
  const size_t before = requests_.size();
  std::shared_ptr<Request> request = Select();
  if (!request && requests_.size() != before) request = Select();  // an OPEN was added
  if (!request) {
    Rest();
    return 0;
  }
  std::vector<std::byte> payload;
  if (request->opcode == Opcode::kOpen) {
    const std::string& volume = request->object->key.volume;
    const std::string& cookie = request->object->key.cookie;
    Append(payload, static_cast<uint32_t>(volume.size() + 1));
    Append(payload, static_cast<uint32_t>(cookie.size()));
    Append(payload, next_fd_);
    Append(payload, uint32_t{0});
    Append(payload, volume.c_str(), volume.size() + 1);
    Append(payload, cookie.data(), cookie.size());
  } else if (request->opcode == Opcode::kRead) {
    Append(payload, request->range.offset);
    Append(payload, request->range.length);
  }
  const size_t size = 16 + payload.size();
  if (size > message.size()) return -EMSGSIZE;
  request->fresh = false;
  next_told_ = request->id + 1;
  if (request->opcode == Opcode::kOpen) {
    // cachefiles_ondemand_get_fd
    if (request->object->id > 0) {
      ++misuses_;
      Finish(request->id, -EEXIST);
      return -EEXIST;
    }
    request->object->id = next_object_++;
    fds_.emplace(next_fd_++, std::pair(request->object, request->object->id));
  }
  std::vector<std::byte> bytes;
  Append(bytes, request->id);
  Append(bytes, static_cast<uint32_t>(request->opcode));
  Append(bytes, static_cast<uint32_t>(size));
  Append(bytes, static_cast<uint32_t>(request->object->id));
  Append(bytes, payload.data(), payload.size());
  std::copy(bytes.begin(), bytes.end(), message.begin());
  if (request->opcode == Opcode::kClose) Finish(request->id, 0);
  return static_cast<int64_t>(size);
}

// cachefiles_ondemand_copen, cachefiles_ondemand_restore
int64_t KernelModel::Command(std::string_view command) {
  const auto size_of_command = static_cast<int64_t>(command.size());
  if (dead_) return -EIO;
  if (command == "restore") {
    for (const auto& [id, request] : requests_) request->fresh = true;
    Wake();
    return size_of_command;
  }
  if (!command.starts_with("copen ")) return -EOPNOTSUPP;
  command.remove_prefix(6);
  uint32_t id = 0;
  int64_t size = 0;
  const auto number = std::from_chars(command.data(), command.data() + command.size(), id);
  const char* const comma = number.ptr;
  if (number.ec != std::errc() || comma == command.data() + command.size() || *comma != ',') return -EINVAL;
  std::from_chars(comma + 1, command.data() + command.size(), size);
  const auto found = requests_.find(id);
  if (found == requests_.end() || found->second->opcode != Opcode::kOpen || found->second->object->id == 0) {
    ++misuses_;
    return -EINVAL;
  }
  const auto request = found->second;
  if (size < 0) {
    if (size < -4095) ++misuses_;
    Finish(id, static_cast<int>(size));
    return size_of_command;
  }
  if (request->object->id == -1) {
    Finish(id, -EBADFD);
    return size_of_command;
  }
  ModelFile& file = files_[request->object->key];
  if (request->object->has_file && file.size != static_cast<uint64_t>(size)) ++misuses_;
  file.size = static_cast<uint64_t>(size);
  request->object->state = State::kOpen;
  Finish(id, 0);
  Wake();
  return size_of_command;
}

}  // namespace sluice::frontend::cachefiles::testing
