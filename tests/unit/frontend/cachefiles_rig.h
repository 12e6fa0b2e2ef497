// SPDX-License-Identifier: Apache-2.0
#pragma once
// Images behind a cachefiles door in front of the model of the kernel.

#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "blobs.h"
#include "cachefiles_model.h"
#include "fake_source.h"
#include "frontend/cachefiles/door.h"
#include "runtime/semaphore.h"
#include "support/engines.h"

namespace sluice::frontend::cachefiles::testing {

class Rig {
 public:
  // Blobs by number; what an image's bootstrap holds is made from its fsid.
  Rig(test::TestEnv& env, size_t blobs, const ModelOptions& options = {}, const cache::CacheLimits& limits = {});

  // A daemon begins to serve `bindings`, which it knows from before.
  runtime::Task<void> Start();
  // It stops in good order.
  runtime::Task<void> Stop();
  // It is killed; its holder keeps the device.  The next one serves on.
  runtime::Task<void> Restart();

  // Binds an image of these blobs.
  runtime::Task<void> Bind(std::string fsid, std::string domain, std::vector<size_t> blobs);
  runtime::Task<void> Unbind(std::string fsid);
  const Binding& binding(const std::string& fsid) const { return *bindings_.at(fsid); }

  // The kernel opens the bootstrap, then the blobs.  0 or -errno.
  runtime::Task<int> Mount(std::string fsid);
  runtime::Task<void> Unmount(std::string fsid);
  // Reads through the kernel and compares what comes.  0 or -errno.
  runtime::Task<int> ReadBlob(std::string fsid, size_t blob, ByteRange range);
  runtime::Task<int> ReadBootstrap(std::string fsid, ByteRange range);

  ObjectKey KeyOf(const std::string& fsid, size_t blob) const;
  const std::vector<std::byte>& bootstrap(const std::string& fsid) const { return bootstraps_.at(fsid); }

  std::vector<cache::testing::TestBlob> blobs;
  std::vector<std::unique_ptr<cache::testing::FakeBackend>> backends;
  KernelModel kernel;

 private:
  runtime::Task<int> Compare(ObjectKey key, ByteRange range, ConstBytes right);
  std::vector<ObjectKey> KeysOf(const Binding& binding) const;

  test::TestEnv& env_;
  runtime::Offload workers_{2, runtime::ByHelpers::kYes};
  Log log_{LogLevel::kError, Log::Style::kPlain};
  const cache::CacheLimits limits_;
  std::vector<std::shared_ptr<const cache::BlobLayout>> layouts_;
  std::map<std::string, std::shared_ptr<const Binding>> bindings_;  // by fsid
  std::map<std::string, std::vector<std::byte>> bootstraps_;
  std::map<ObjectKey, int> mounted_;  // users of objects: EROFS shares them in a domain
  runtime::Semaphore mounting_{1};    // who mounts waits until the objects that others acquire are there

 public:
  // What the rig's daemon consists of; none while it is down.
  std::unique_ptr<ObjectShard> shard;
  std::unique_ptr<Door> door;
};

}  // namespace sluice::frontend::cachefiles::testing
