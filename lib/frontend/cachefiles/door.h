// SPDX-License-Identifier: Apache-2.0
#pragma once
// The cachefiles door of the whole daemon: receives the kernel's messages and answers them.  Everything is called on
// the shard of the device, which owns the objects, too.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "frontend/cachefiles/catalog.h"
#include "frontend/cachefiles/device.h"
#include "frontend/cachefiles/message.h"
#include "frontend/cachefiles/open_object.h"
#include "runtime/event.h"
#include "runtime/helpers.h"
#include "runtime/scope.h"
#include "runtime/semaphore.h"

namespace sluice::frontend::cachefiles {

class BlobObject;

class Door {
 public:
  // Requests that are being answered.  Each is a thread that waits in the kernel, so it is the kernel that queues more.
  static constexpr uint64_t kMostAnswers = 4096;

  // Engine, objects and log outlive the door.
  Door(runtime::Engine& engine, std::unique_ptr<Device> device, ObjectShard& objects, Log& log);
  // Closed.
  ~Door();

  // Begins to answer; before that, readers and mounts wait.
  void Open();
  // Ends answering and closes all objects, then the device.
  runtime::Task<void> Close();

  // Throws what Bind would throw.
  void CheckBindable(const Binding& binding) const { catalog_.Check(binding); }
  // From now on the image can be mounted.  Throws what Catalog::Add throws.
  void Bind(std::shared_ptr<const Binding> binding);
  // Who mounts it afterwards gets ENOENT.  Its objects that are open stay so, without its source.
  void Unbind(const Binding& binding);

  // The kernel uses the object, as far as this process has been told.
  bool IsOpen(const ObjectKey& key) const noexcept;
  // Any object.
  bool IsAnyOpen() const noexcept { return !objects_.empty(); }
  // The kernel lets go of objects some time after umount(2).  End when the object, or each object, is not open.
  runtime::Task<void> Closed(ObjectKey key);
  runtime::Task<void> AllClosed();
  const Device& device() const noexcept { return *device_; }

 private:
  struct Entry {
    ObjectKey key;
    std::unique_ptr<OpenObject> object;
  };

  runtime::Task<void> ReceiveForever();
  void OnReadable() noexcept;
  runtime::Task<void> ReceiveOne();
  runtime::Task<void> Vital(runtime::Task<void> task);
  std::optional<runtime::Task<void>> TakeMessage();
  runtime::Task<void> Receive(ConstBytes bytes);
  void Refuse(ConstBytes bytes, const std::string& why);
  void RefuseRead(uint32_t id, uint32_t object) const;

  runtime::Task<void> OnOpen(Message message, std::unique_ptr<ObjectFd> fd);
  runtime::Task<void> OnRead(uint32_t id, uint32_t object, ByteRange range);
  runtime::Task<void> OnClose(uint32_t object);

  std::unique_ptr<OpenObject> MakeObject(const ObjectKey& key, const Catalog::Content& content,
                                         std::unique_ptr<ObjectFd> fd) const;
  static runtime::Task<void> CloseObject(Entry entry);
  bool AnswerOpen(uint32_t id, int64_t size_or_error);
  std::vector<BlobObject*> OpenBlobsOf(const Binding& binding) const;

  runtime::Engine& engine_;
  std::unique_ptr<Device> device_;
  ObjectShard& shard_;
  Log& log_;
  ErrorLog errors_;
  Catalog catalog_;
  std::map<uint32_t, Entry> objects_;  // by the kernel's id
  runtime::Event fewer_;               // objects than before
  runtime::Semaphore answering_{kMostAnswers};
  runtime::Scope scope_;  // what receives and at most kMostAnswers answers
  runtime::Step<Door, &Door::OnReadable> on_readable_{*this};
  std::optional<runtime::Helpers> helpers_;  // where the device has a descriptor
};

}  // namespace sluice::frontend::cachefiles
