// SPDX-License-Identifier: Apache-2.0
#include "cachefiles_rig.h"

#include <fcntl.h>  // for O_CREAT

#include <functional>

#include "runtime/file.h"

namespace sluice::frontend::cachefiles::testing {

using cache::testing::FakeBackend;
using cache::testing::FakeSource;
using runtime::Task;

Rig::Rig(test::TestEnv& env, size_t count, const ModelOptions& options, const cache::CacheLimits& limits)
    : kernel(env.engine(), Rng(env.rng().Next()), options), env_(env), limits_(limits) {
  for (size_t index = 0; index < count; ++index) {
    blobs.push_back(cache::testing::MakeBlob({.chunks = 16, .max_size = 20000, .seed = index + 1}));
    backends.push_back(std::make_unique<FakeBackend>(blobs.back().stored));
    layouts_.push_back(std::make_shared<const cache::BlobLayout>(blobs.back().blob));
  }
}

Task<void> Rig::Start() {
  shard = std::make_unique<ObjectShard>(env_.engine(), "/cache", workers_, workers_, log_, limits_);
  door = std::make_unique<Door>(env_.engine(), kernel.OpenDevice(), *shard, log_);
  for (const auto& [fsid, bound] : bindings_) door->Bind(bound);
  door->device().Command("restore");
  door->Open();
  co_return;
}

Task<void> Rig::Stop() {
  co_await door->Close();
  door.reset();
  shard.reset();
}

Task<void> Rig::Restart() {
  kernel.Crash();
  co_await Stop();
  co_await Start();
}

Task<void> Rig::Bind(std::string fsid, std::string domain, std::vector<size_t> of) {
  Rng rng(std::hash<std::string>()(fsid));
  std::vector<std::byte> content(300000 + rng.Below(10000));
  for (std::byte& byte : content) byte = static_cast<std::byte>(rng.Next());
  Binding made;
  made.fsid = fsid;
  made.domain = std::move(domain);
  made.bootstrap_path = env_.Path(fsid);
  made.bootstrap_size = content.size();
  for (const size_t blob : of) made.blobs.push_back(layouts_[blob]);
  made.open_source = [this](const BlobId& id) -> std::unique_ptr<backend::BlobSource> {
    for (size_t blob = 0; blob < layouts_.size(); ++blob) {
      if (layouts_[blob]->id() == id) return std::make_unique<FakeSource>(env_.engine(), *backends[blob]);
    }
    return nullptr;
  };
  runtime::File file = co_await runtime::File::Open(env_.engine(), made.bootstrap_path, O_WRONLY | O_CREAT);
  co_await file.WriteAll(content, 0);
  auto bound = std::make_shared<const Binding>(std::move(made));
  bootstraps_.insert_or_assign(fsid, std::move(content));
  door->Bind(bound);
  bindings_.emplace(fsid, bound);
}

Task<void> Rig::Unbind(std::string fsid) {
  const auto bound = bindings_.at(fsid);
  bindings_.erase(fsid);
  door->Unbind(*bound);
  co_return;
}

ObjectKey Rig::KeyOf(const std::string& fsid, size_t blob) const { return bindings_.at(fsid)->KeyOf(*layouts_[blob]); }

std::vector<ObjectKey> Rig::KeysOf(const Binding& binding) const {
  std::vector<ObjectKey> keys{binding.Key()};
  for (const auto& layout : binding.blobs) keys.push_back(binding.KeyOf(*layout));
  return keys;
}

Task<int> Rig::Mount(std::string fsid) {
  const runtime::Permit alone = co_await mounting_.Acquire(1);
  for (const ObjectKey& key : KeysOf(*bindings_.at(fsid))) {
    if (mounted_[key]++ > 0) continue;
    const int error = co_await kernel.Acquire(key);
    if (error != 0) co_return error;
  }
  co_return 0;
}

Task<void> Rig::Unmount(std::string fsid) {
  const runtime::Permit alone = co_await mounting_.Acquire(1);
  for (const ObjectKey& key : KeysOf(*bindings_.at(fsid))) {
    if (--mounted_[key] == 0) co_await kernel.Withdraw(key);
  }
}

Task<int> Rig::Compare(ObjectKey key, ByteRange range, ConstBytes right) {
  auto result = co_await kernel.Read(std::move(key), range);
  if (result.error == 0) {
    result.bytes.resize(right.size());
    const bool equal = std::equal(right.begin(), right.end(), result.bytes.begin(), result.bytes.end());
    CHECK(equal);
  }
  co_return result.error;
}

Task<int> Rig::ReadBlob(std::string fsid, size_t blob, ByteRange range) {
  const ConstBytes right = blobs[blob].Plain(range.offset, range.length);
  const int error = co_await Compare(KeyOf(fsid, blob), range, right);
  co_return error;
}

Task<int> Rig::ReadBootstrap(std::string fsid, ByteRange range) {
  const auto& content = bootstraps_.at(fsid);
  const uint64_t end = std::min<uint64_t>(range.end(), content.size());
  const ConstBytes right = ConstBytes(content).subspan(range.offset, end - range.offset);
  const int error = co_await Compare(bindings_.at(fsid)->Key(), range, right);
  co_return error;
}

}  // namespace sluice::frontend::cachefiles::testing
