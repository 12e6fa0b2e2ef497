// SPDX-License-Identifier: Apache-2.0
#include "shard_service.h"

#include "base/error.h"

namespace sluice::daemon {

ShardService::ShardService(const ShardParts& parts, const std::string& root, frontend::fanotify::Gate gate)
    : network_(parts.engine, parts.asking, parts.network, Rng(parts.seed).Next()),
      store_(parts.engine, parts.computing, root, parts.seed, parts.limits),
      door_(parts.engine, parts.blocking, std::move(gate), parts.log) {}

runtime::Task<cache::BlobLease> ShardService::Acquire(std::shared_ptr<const cache::BlobLayout> layout,
                                                      const BackendSpec& backend, const BackendSecrets& secrets) {
  auto source = network_.OpenBlob(backend, secrets, layout->id());
  cache::BlobLease lease = co_await store_.Acquire(std::move(layout), std::move(source));
  std::exception_ptr failure;
  try {
    door_.Add(*lease);
    co_return lease;
  } catch (...) {
    failure = std::current_exception();
  }
  co_await store_.Release(std::move(lease));
  std::rethrow_exception(failure);
}

runtime::Task<void> ShardService::Release(cache::BlobLease lease) {
  co_await door_.Remove(*lease);
  const cache::BlobStats& stats = lease->stats();
  closed_.fetched_stored_bytes += stats.fetched_stored_bytes;
  closed_.fetched_plain_bytes += stats.fetched_plain_bytes;
  co_await store_.Release(std::move(lease));
}

runtime::Task<void> ShardService::Close() {
  co_await door_.Close();
  co_await network_.Close();
}

void ShardService::AddTo(api::Status& status) const {
  const auto& door = door_.stats();
  status.counters.events += door.events;
  status.counters.hits += door.hits;
  status.counters.misses += door.misses;
  status.counters.errors += door.errors;
  status.counters.fetched_stored_bytes += closed_.fetched_stored_bytes;
  status.counters.fetched_plain_bytes += closed_.fetched_plain_bytes;
  store_.ForEach([&](const cache::BlobCache& blob, uint64_t leases) {
    status.blobs.push_back({.id = blob.layout().id().hex(),
                            .plain_bytes = blob.layout().chunk_bytes(),
                            .ready_bytes = blob.ready_bytes(),
                            .stored_bytes = blob.layout().stored_size(),
                            .complete = blob.complete(),
                            .references = leases});
    status.counters.fetched_stored_bytes += blob.stats().fetched_stored_bytes;
    status.counters.fetched_plain_bytes += blob.stats().fetched_plain_bytes;
  });
}

}  // namespace sluice::daemon
