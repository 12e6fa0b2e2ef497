// SPDX-License-Identifier: Apache-2.0
#pragma once
// One store with one blob on the engine of a test.

#include <fcntl.h>

#include <catch2/catch.hpp>
#include <memory>
#include <optional>

#include "blobs.h"
#include "cache/blob_store.h"
#include "fake_source.h"
#include "support/engines.h"

namespace sluice::cache::testing {

// Not CHECK(co_await …): g++ 12 runs the await of the macro's dead branch, too.
inline runtime::Task<void> ExpectError(Errc expected, runtime::Task<void> task) {
  const Errc code = co_await test::ErrorOf(std::move(task));
  CHECK(code == expected);
}

// The source is near, however slow the machine is: nothing is fetched but what is asked for.
inline CacheLimits NearLimits() {
  CacheLimits limits;
  limits.stream.near = std::chrono::hours(1);
  return limits;
}

class CacheFixture {
 public:
  CacheFixture(test::TestEnv& env, const TestBlobOptions& options, const CacheLimits& limits = NearLimits())
      : blob(MakeBlob(options)),
        layout(std::make_shared<BlobLayout>(blob.blob)),
        backend(blob.stored),
        env_(env),
        offload_(2),
        store(env.engine(), offload_, env.directory(), env.rng().Next(), limits) {}

  // The cache with its data file attached.
  runtime::Task<BlobLease> Open() {
    BlobLease lease = co_await store.Acquire(layout, NewSource());
    std::exception_ptr error;
    try {
      if (!lease->has_data())
        lease->AttachData(co_await runtime::File::Open(env_.engine(), lease->data_path(), O_RDWR));
      co_return std::move(lease);
    } catch (const Error&) {
      error = std::current_exception();
    }
    co_await store.Release(std::move(lease));
    std::rethrow_exception(error);
  }
  std::unique_ptr<backend::BlobSource> NewSource() { return std::make_unique<FakeSource>(env_.engine(), backend); }

  ByteRange Plain(uint32_t position) const {
    return {layout->chunk(position).plain_offset, layout->chunk(position).plain_size};
  }
  ByteRange Stored(uint32_t position) const {
    return {layout->chunk(position).stored_offset, layout->chunk(position).stored_size};
  }
  // Whether the data file holds the right bytes of the chunks [first, end), and zeros behind them.
  runtime::Task<bool> DataIsRight(std::string path, uint32_t first, uint32_t end) {
    runtime::File data = co_await runtime::File::Open(env_.engine(), std::move(path), O_RDONLY);
    const uint64_t begin = layout->chunk(first).plain_offset;
    std::vector<std::byte> bytes(layout->chunk(end - 1).block_end() - begin);
    co_await data.ReadExactly(bytes, begin);
    co_return std::equal(bytes.begin(), bytes.end(), blob.plain.begin() + static_cast<ptrdiff_t>(begin));
  }

  runtime::Task<void> ExpectData(std::string path, uint32_t first, uint32_t end) {
    const bool right = co_await DataIsRight(std::move(path), first, end);
    CHECK(right);
  }

  const TestBlob blob;
  std::shared_ptr<const BlobLayout> layout;
  FakeBackend backend;

 private:
  test::TestEnv& env_;
  runtime::Offload offload_;

 public:
  BlobStore store;
};

}  // namespace sluice::cache::testing
