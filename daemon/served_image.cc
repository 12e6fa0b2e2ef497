// SPDX-License-Identifier: Apache-2.0
#include "served_image.h"

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "image/rafs/blob_table.h"
#include "image/rafs/bootstrap_reader.h"
#include "runtime/run_on.h"

namespace sluice::daemon {

const ShardServices::Member& ShardServices::Of(const BlobId& id) const {
  // The id is a digest: its first digits are as good as any hash.
  const uint64_t hash = std::strtoull(id.hex().substr(0, 8).c_str(), nullptr, 16);
  return members_[hash % members_.size()];
}

Layouts LayoutsOf(ConstBytes bootstrap, const std::optional<BlobId>& inlined_id) {
  auto summary = image::rafs::ValidateBootstrap(bootstrap, {.inlined_id = inlined_id});
  Layouts layouts;
  for (size_t i = 0; i < summary.blobs.size(); ++i) {
    image::rafs::RequireServable(summary.blobs[i]);
    layouts.push_back(std::make_shared<const cache::BlobLayout>(summary.blobs[i], std::move(summary.advice[i])));
  }
  return layouts;
}

runtime::Task<std::unique_ptr<ServedImage>> ServedImage::Serve(const ShardServices& services, Layouts layouts,
                                                               BackendSpec backend, BackendSecrets secrets) {
  std::unique_ptr<ServedImage> image(new ServedImage(services));
  std::exception_ptr failure;
  try {
    for (const auto& layout : layouts) co_await image->Acquire(layout, backend, secrets);
    co_return image;
  } catch (...) {
    failure = std::current_exception();
  }
  co_await image->Opened();
  co_await image->Release();
  std::rethrow_exception(failure);
}

runtime::Task<std::unique_ptr<ServedImage>> ServedImage::ServeAgain(const ShardServices& services, Layouts layouts,
                                                                    BackendSpec backend, BackendSecrets secrets,
                                                                    Log& log) {
  std::unique_ptr<ServedImage> image(new ServedImage(services));
  for (const auto& layout : layouts) {
    try {
      co_await image->Acquire(layout, backend, secrets);
    } catch (const Error& error) {
      log.Error("cannot serve blob {} again: {}; its readers get EIO", layout->id().hex(), error.message());
      image->lacks_blobs_ = true;
    }
  }
  co_await image->Opened();
  co_return image;
}

runtime::Task<void> ServedImage::Acquire(std::shared_ptr<const cache::BlobLayout> layout, const BackendSpec& backend,
                                         const BackendSecrets& secrets) {
  const ShardServices::Member& member = services_.Of(layout->id());
  auto acquire = [&] { return member.service.Acquire(layout, backend, secrets); };
  cache::BlobLease lease = co_await runtime::RunOn(member.shard, std::move(acquire));
  leases_.push_back(std::move(lease));
}

runtime::Task<void> ServedImage::Opened() {
  for (const cache::BlobLease& lease : leases_) {
    const ShardServices::Member& member = services_.Of(lease->layout().id());
    auto opened = [&]() -> runtime::Task<void> {
      member.service.Opened(lease);
      co_return;
    };
    co_await runtime::RunOn(member.shard, std::move(opened));
  }
}

runtime::Task<void> ServedImage::Release() {
  while (!leases_.empty()) {
    const ShardServices::Member& member = services_.Of(leases_.back()->layout().id());
    auto release = [&] { return member.service.Release(std::move(leases_.back())); };
    co_await runtime::RunOn(member.shard, std::move(release));
    leases_.pop_back();
  }
}

std::vector<std::string> ServedImage::data_paths() const {
  std::vector<std::string> paths;
  for (const cache::BlobLease& lease : leases_) paths.push_back(lease->data_path());
  return paths;
}

std::vector<std::string> ServedImage::blob_ids() const {
  std::vector<std::string> ids;
  for (const cache::BlobLease& lease : leases_) ids.push_back(lease->layout().id().hex());
  return ids;
}

}  // namespace sluice::daemon
