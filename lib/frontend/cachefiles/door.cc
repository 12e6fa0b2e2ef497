// SPDX-License-Identifier: Apache-2.0
#include "frontend/cachefiles/door.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/check.h"
#include "base/error.h"
#include "frontend/cachefiles/blob_object.h"
#include "frontend/cachefiles/bootstrap_object.h"
#include "runtime/combine.h"

namespace sluice::frontend::cachefiles {
namespace {

// So many messages are received before other tasks of the shard get their turn.
constexpr int kBurst = 32;
// Threads that answer: one always listens, the others may be busy with files.
constexpr size_t kHelpers = 4;

runtime::Task<void> Nothing() { co_return; }

// `task` with its share of a budget.
runtime::Task<void> Holding(runtime::Permit permit, runtime::Task<void> task) {
  co_await std::move(task);
  permit.Release();
}

std::string Describe(const ObjectKey& key) { return fmt::format("object '{}' of volume '{}'", key.cookie, key.volume); }

}  // namespace

Door::Door(runtime::Engine& engine, std::unique_ptr<Device> device, ObjectShard& objects, Log& log)
    : engine_(engine),
      device_(std::move(device)),
      shard_(objects),
      log_(log),
      errors_(engine, log),
      scope_(engine, "cachefiles door") {}

Door::~Door() { SLUICE_CHECK(objects_.empty(), "a door is closed before it is destroyed"); }

void Door::Open() {
  if (device_->descriptor() < 0) return scope_.Spawn(Vital(ReceiveForever()));
  helpers_.emplace(engine_, device_->descriptor(), kHelpers, "sluice-door", on_readable_);
  helpers_->Rearm();
}

runtime::Task<void> Door::Close() {
  scope_.RequestStop();
  while (!objects_.empty()) {
    Entry entry = std::move(objects_.extract(objects_.begin()).mapped());
    co_await CloseObject(std::move(entry));
  }
  if (helpers_) co_await helpers_->Stop();
  co_await scope_.Join();
  helpers_.reset();
  device_.reset();
}

runtime::Task<void> Door::Vital(runtime::Task<void> task) {
  try {
    co_await std::move(task);
  } catch (const std::exception& error) {
    const auto* known = dynamic_cast<const Error*>(&error);
    if (known != nullptr && known->code() == Errc::kStopped) throw;
    // Readers would wait for ever.  The next worker hears their requests again.
    log_.Error("cannot serve any more, leaving it to the next worker: {}", error.what());
    std::abort();
  }
}

runtime::Task<void> Door::ReceiveForever() {
  for (;;) {
    co_await device_->WaitReadable();
    for (int count = 0; count < kBurst; ++count) {
      runtime::Permit permit = co_await answering_.Acquire(1);
      std::optional<runtime::Task<void>> answer = TakeMessage();
      if (!answer) break;
      scope_.Spawn(Holding(std::move(permit), *std::move(answer)));
    }
  }
}

// On a helper's thread.
void Door::OnReadable() noexcept {
  // What is not received any more is for the next worker.
  if (!scope_.stop_requested()) scope_.Spawn(Vital(ReceiveOne()));
}

runtime::Task<void> Door::ReceiveOne() {
  const runtime::Permit permit = co_await answering_.Acquire(1);
  std::optional<runtime::Task<void>> answer = TakeMessage();
  // The next message is for another thread, if there is one already.
  helpers_->Rearm();
  if (answer) co_await *std::move(answer);
}

// Empty: there is none.
std::optional<runtime::Task<void>> Door::TakeMessage() {
  alignas(8) std::array<std::byte, kMaxMessageBytes> bytes;
  const int64_t size = device_->Read(bytes);
  if (size == 0) return std::nullopt;
  if (size > 0) return Receive(ConstBytes(bytes).first(static_cast<size_t>(size)));
  // The kernel has failed the request itself, for lack of a descriptor number for example.
  errors_.Report(fmt::format("cannot receive a message: {}", std::strerror(static_cast<int>(-size))),
                 "whoever waits for the answer gets an error");
  return Nothing();
}

// The task that answers the message; what needs no waiting is done before this returns.
runtime::Task<void> Door::Receive(ConstBytes bytes) {
  Message message;
  try {
    message = ParseMessage(bytes);
  } catch (const Error& error) {
    Refuse(bytes, error.message());
    return Nothing();
  }
  if (const auto* open = std::get_if<OpenMessage>(&message.content)) {
    std::unique_ptr<ObjectFd> fd = device_->TakeObject(open->fd);
    return OnOpen(std::move(message), std::move(fd));
  }
  if (const auto* read = std::get_if<ReadMessage>(&message.content)) {
    return OnRead(message.id, message.object, read->range);
  }
  return OnClose(message.object);
}

// Nobody is left waiting for the answer to a message that makes no sense.
void Door::Refuse(ConstBytes bytes, const std::string& why) {
  errors_.Report(why, "whoever waits for the answer gets an error");
  const auto header = ParseHeader(bytes);
  if (!header) return;
  if (header->opcode == Opcode::kOpen) {
    AnswerOpen(header->id, -EINVAL);
    if (header->fd >= 0) device_->TakeObject(header->fd);
  } else if (header->opcode == Opcode::kRead) {
    RefuseRead(header->id, header->object);
  }
}

// An unknown object has no descriptor to answer through; kernels before the hardening of 2024 take any.
void Door::RefuseRead(uint32_t id, uint32_t object) const {
  auto through = objects_.find(object);
  if (through == objects_.end()) through = objects_.begin();
  if (through != objects_.end()) through->second.object->Refuse(id);
}

runtime::Task<void> Door::OnOpen(Message message, std::unique_ptr<ObjectFd> fd) {
  const ObjectKey& key = std::get<OpenMessage>(message.content).key;
  const Catalog::Content* const content = catalog_.Find(key);
  if (content == nullptr) {
    errors_.Report(Describe(key) + " is not bound", "it cannot be mounted");
    AnswerOpen(message.id, -ENOENT);
    co_return;
  }
  // Nothing is opened behind the back of Close(); the next worker hears of it again.
  if (scope_.stop_requested()) co_return;
  Entry entry{.key = key, .object = nullptr};
  try {
    entry.object = MakeObject(key, *content, std::move(fd));
  } catch (const std::exception& error) {
    errors_.Report(fmt::format("{}: {}", Describe(key), error.what()), "it cannot be mounted");
    AnswerOpen(message.id, -EIO);
    co_return;
  }
  // In its place before the kernel can ask.  The kernel does not use an id twice at a time.
  if (const auto stale = objects_.find(message.object); stale != objects_.end()) {
    Entry old = std::exchange(stale->second, std::move(entry));
    co_await CloseObject(std::move(old));
  } else {
    objects_.emplace(message.object, std::move(entry));
  }
  const auto placed = objects_.find(message.object);
  if (placed == objects_.end()) co_return;  // closed meanwhile
  OpenObject& object = *placed->second.object;
  if (AnswerOpen(message.id, static_cast<int64_t>(object.size()))) co_return object.Opened();
  Entry refused = std::move(objects_.extract(placed).mapped());
  co_await CloseObject(std::move(refused));
}

runtime::Task<void> Door::OnRead(uint32_t id, uint32_t object, ByteRange range) {
  const auto found = objects_.find(object);
  if (found == objects_.end()) {
    errors_.Report(fmt::format("a read of object {}, which is not open", object), "the reader gets an error");
    RefuseRead(id, object);
    co_return;
  }
  // Its closing waits for the answer.
  co_await found->second.object->Answer(id, range);
}

runtime::Task<void> Door::OnClose(uint32_t object) {
  const auto found = objects_.find(object);
  if (found == objects_.end()) co_return;
  Entry entry = std::move(objects_.extract(found).mapped());
  fewer_.Set();
  co_await CloseObject(std::move(entry));
}

runtime::Task<void> Door::Closed(ObjectKey key) {
  while (IsOpen(key)) {
    fewer_.Reset();
    co_await fewer_.Wait();
  }
}

runtime::Task<void> Door::AllClosed() {
  while (IsAnyOpen()) {
    fewer_.Reset();
    co_await fewer_.Wait();
  }
}

std::unique_ptr<OpenObject> Door::MakeObject(const ObjectKey& key, const Catalog::Content& content,
                                             std::unique_ptr<ObjectFd> fd) const {
  if (const auto* bootstrap = std::get_if<std::shared_ptr<const Binding>>(&content)) {
    return std::make_unique<BootstrapObject>(shard_, std::move(fd), (*bootstrap)->bootstrap_path,
                                             (*bootstrap)->bootstrap_size);
  }
  const auto& blob = std::get<Catalog::Blob>(content);
  auto object = std::make_unique<BlobObject>(shard_, std::move(fd), key, blob.layout);
  for (const auto& user : blob.users) object->AddSource(user->Name(), user->open_source(blob.layout->id()));
  return object;
}

runtime::Task<void> Door::CloseObject(Entry entry) { co_await runtime::WithoutStop(entry.object->Close()); }

// False: nobody waits for it any more, or the cache is dead.
bool Door::AnswerOpen(uint32_t id, int64_t size_or_error) {
  const int64_t result = device_->Command(OpenAnswer(id, size_or_error));
  if (result >= 0) return size_or_error >= 0;
  if (result != -EINVAL) {
    errors_.Report(fmt::format("cannot answer a message: {}", std::strerror(static_cast<int>(-result))),
                   "the mount fails");
  }
  return false;
}

std::vector<BlobObject*> Door::OpenBlobsOf(const Binding& binding) const {
  std::vector<BlobObject*> blobs;
  for (const auto& layout : binding.blobs) {
    const ObjectKey key = binding.KeyOf(*layout);
    for (const auto& [id, entry] : objects_) {
      if (entry.key == key) blobs.push_back(static_cast<BlobObject*>(entry.object.get()));
    }
  }
  return blobs;
}

void Door::Bind(std::shared_ptr<const Binding> binding) {
  catalog_.Add(binding);
  for (BlobObject* const blob : OpenBlobsOf(*binding)) {
    blob->AddSource(binding->Name(), binding->open_source(blob->layout().id()));
  }
}

void Door::Unbind(const Binding& binding) {
  catalog_.Remove(binding);
  for (BlobObject* const blob : OpenBlobsOf(binding)) blob->RemoveSource(binding.Name());
}

bool Door::IsOpen(const ObjectKey& key) const noexcept {
  for (const auto& [id, entry] : objects_) {
    if (entry.key == key) return true;
  }
  return false;
}

}  // namespace sluice::frontend::cachefiles
