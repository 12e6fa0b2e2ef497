// SPDX-License-Identifier: Apache-2.0
#pragma once
// A BindService between the model of the kernel and a real disk: one worker after the other on the same root.

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "bind_service.h"
#include "cachefiles_model.h"
#include "runtime/shard.h"
#include "support/temporary_directory.h"

namespace sluice::daemon {

// What the kernel does with the files of its cache, which the model does not have.
struct Culling {
  std::set<std::string> in_use;  // names of files
  bool dead = false;             // the kernel has given up its cache
};

class BindRig;

// Runs `body` on a shard, once for each of the real engines.
void OnShards(const std::function<runtime::Task<void>(BindRig&)>& body);

class BindRig {
 public:
  explicit BindRig(runtime::Shard& shard);
  // Stopped.
  ~BindRig() = default;

  // `taken_over`: its device comes from the worker before.
  runtime::Task<void> Start(bool taken_over = false);
  runtime::Task<void> Stop();
  // The worker is killed, its holder keeps the device; the next one takes over.
  runtime::Task<void> Restart();

  // Of nydus, from tests/data.
  static std::string Reference(const std::string& made);
  static std::string BlobOf(const std::string& made);  // id of its only blob

  // Binds one of those.
  runtime::Task<api::BindingInfo> Bind(std::string made, std::string fsid, std::string domain = {});
  // The error of a Bind that fails.
  runtime::Task<Errc> BindFails(std::string reference, std::string fsid, std::string domain = {});
  runtime::Task<Errc> UnbindFails(std::string fsid);
  // Reads all of an open object through the kernel; returns its size, or a negative errno.
  runtime::Task<int64_t> ReadAll(frontend::cachefiles::ObjectKey key);
  // Leaves a file of `bytes` bytes as the kernel does when an object is not in use any more; returns its path.
  std::string LeaveFile(const frontend::cachefiles::ObjectKey& key, size_t bytes) const;
  // Names of what is bound.
  std::vector<std::string> Bound() const;

  const test::TemporaryDirectory directory;
  frontend::cachefiles::testing::KernelModel kernel;
  Culling culling;
  // Of the workers to come.
  CachefilesOptions options;
  bool domains = true;
  bool abandoned = false;                   // by the service
  std::vector<frontend::FsidMount> mounts;  // asked for by the service; nothing is mounted
  std::unique_ptr<ObjectService> objects;   // of the worker; none while it is down
  std::unique_ptr<BindService> service;

 private:
  runtime::Shard& shard_;
  runtime::Offload working_{2};
  runtime::Offload culling_thread_{1};
  Log log_{LogLevel::kError, Log::Style::kPlain};
  const Network::Configuration network_ = Network::Configuration::Make({});
  const cache::CacheLimits limits_;
  std::unique_ptr<ImageFetcher> fetcher_;
};

}  // namespace sluice::daemon
