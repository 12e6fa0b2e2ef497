// SPDX-License-Identifier: Apache-2.0
#include "bind_rig.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "runtime/run_on.h"

namespace sluice::daemon {

using frontend::cachefiles::Device;
using frontend::cachefiles::ObjectFd;
using frontend::cachefiles::ObjectKey;
using runtime::Task;

namespace {

// Cull commands go to the file system, all else to the model.
class CullingDevice final : public Device {
 public:
  CullingDevice(std::unique_ptr<Device> model, const Culling& culling) : model_(std::move(model)), culling_(culling) {}

  int descriptor() const noexcept override { return -1; }
  Task<void> WaitReadable() override { return model_->WaitReadable(); }
  int64_t Read(MutableBytes message) noexcept override { return model_->Read(message); }
  std::unique_ptr<ObjectFd> TakeObject(int fd) override { return model_->TakeObject(fd); }
  int64_t Command(std::string_view command) const noexcept override {
    if (culling_.dead) return -EIO;
    const bool cull = command.starts_with("cull ");
    if (!cull && !command.starts_with("inuse ")) return model_->Command(command);
    const std::string name(command.substr(command.find(' ') + 1));
    if (culling_.in_use.contains(name)) return -EBUSY;
    // Relative to the working directory of the thread, as the kernel does it.
    if (cull && ::unlink(name.c_str()) != 0) return -ESTALE;
    return static_cast<int64_t>(command.size());
  }

 private:
  const std::unique_ptr<Device> model_;
  const Culling& culling_;
};

Task<void> RunOne(runtime::Shard& shard, const std::function<Task<void>(BindRig&)>& body) {
  BindRig rig(shard);
  std::exception_ptr failure;
  try {
    co_await rig.Start();
    co_await body(rig);
  } catch (...) {
    failure = std::current_exception();
  }
  if (rig.service) co_await rig.Stop();
  co_await rig.kernel.Join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

void OnShards(const std::function<Task<void>(BindRig&)>& body) {
  for (const auto kind : {runtime::EngineKind::kAuto, runtime::EngineKind::kEpoll}) {
    runtime::Shards shards(1, kind);
    INFO("engine " << shards[0].engine().name());
    auto run = [&] { return RunOne(shards[0], body); };
    runtime::BlockOn(shards[0], std::move(run));
  }
}

BindRig::BindRig(runtime::Shard& shard) : kernel(shard.engine(), Rng(1)), shard_(shard) {
  options.settings.directory = directory / "cachefiles";
  std::filesystem::create_directory(options.settings.directory);
  options.settings.cull = 0;  // however full this disk is
  options.settings.run = 0;
}

Task<void> BindRig::Start(bool taken_over) {
  const ShardParts object_parts{.engine = shard_.engine(),
                                .computing = working_,
                                .blocking = working_,
                                .asking = working_,
                                .network = network_,
                                .limits = limits_,
                                .log = log_,
                                .seed = 1};
  objects = std::make_unique<ObjectService>(object_parts, options.settings.directory, working_);
  fetcher_ = std::make_unique<ImageFetcher>(ImageFetcher::Parts{.engine = shard_.engine(),
                                                                .blocking = working_,
                                                                .computing = working_,
                                                                .networks = {{shard_, objects->network()}},
                                                                .timeout = std::chrono::seconds(60),
                                                                .log = log_});
  const BindService::Parts parts{.engine = shard_.engine(),
                                 .blocking = working_,
                                 .computing = working_,
                                 .culling = culling_thread_,
                                 .fetcher = *fetcher_,
                                 .objects = *objects,
                                 .options = options,
                                 .log = log_,
                                 .mount = [this](const auto& mount) { mounts.push_back(mount); },
                                 .abandon = [this] { abandoned = true; },
                                 .domains = domains,
                                 .close_time = std::chrono::milliseconds(20)};
  auto device = std::make_unique<CullingDevice>(kernel.OpenDevice(), culling);
  if (taken_over) device->Command("restore");
  service = std::make_unique<BindService>(parts, std::move(device), directory / "root", api::Status());
  co_await service->Restore(taken_over);
  service->Open();
}

Task<void> BindRig::Stop() {
  co_await service->Close();
  service.reset();
  fetcher_.reset();
  co_await objects->Close();
  objects.reset();
}

Task<void> BindRig::Restart() {
  kernel.Crash();
  co_await Stop();
  co_await Start(true);
}

std::string BindRig::BlobOf(const std::string& made) {
  const std::filesystem::path blobs = std::string(SLUICE_RAFS_DATA) + "/made/" + made + "/blobs";
  return std::filesystem::directory_iterator(blobs)->path().filename();
}

std::string BindRig::Reference(const std::string& made) {
  const std::string folder = std::string(SLUICE_RAFS_DATA) + "/made/" + made;
  const std::string bootstrap = folder + "/image.boot";
  return "rafs:" + (std::filesystem::exists(bootstrap) ? bootstrap : folder + "/blobs/" + BlobOf(made));
}

Task<api::BindingInfo> BindRig::Bind(std::string made, std::string fsid, std::string domain) {
  api::BindRequest request{.image = Reference(made), .fsid = std::move(fsid), .domain = std::move(domain)};
  co_return co_await service->Bind(std::move(request));
}

Task<Errc> BindRig::BindFails(std::string reference, std::string fsid, std::string domain) {
  api::BindRequest request{.image = std::move(reference), .fsid = std::move(fsid), .domain = std::move(domain)};
  try {
    co_await service->Bind(std::move(request));
  } catch (const Error& error) {
    co_return error.code();
  }
  FAIL("the image is bound");
  co_return Errc::kIo;
}

Task<Errc> BindRig::UnbindFails(std::string fsid) {
  try {
    co_await service->Unbind(std::move(fsid), {});
  } catch (const Error& error) {
    co_return error.code();
  }
  FAIL("the image is unbound");
  co_return Errc::kIo;
}

Task<int64_t> BindRig::ReadAll(ObjectKey key) {
  const uint64_t size = kernel.file(key).size;
  auto result = co_await kernel.Read(std::move(key), {0, AlignUp(size, 4096)});
  co_return result.error != 0 ? result.error : static_cast<int64_t>(result.bytes.size());
}

std::string BindRig::LeaveFile(const ObjectKey& key, size_t bytes) const {
  const std::string path = frontend::cachefiles::CacheDirectory(options.settings.directory).PathOf(key);
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path) << std::string(bytes, 'x');
  return path;
}

std::vector<std::string> BindRig::Bound() const {
  std::vector<std::string> names;
  for (const api::BindingInfo& binding : service->Bindings()) {
    names.push_back(binding.domain.empty() ? binding.fsid : binding.domain + "/" + binding.fsid);
  }
  return names;
}

}  // namespace sluice::daemon
