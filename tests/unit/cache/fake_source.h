// SPDX-License-Identifier: Apache-2.0
#pragma once
// A backend for tests that fails on request.

#include <set>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/read_stream.h"
#include "base/error.h"
#include "base/range.h"
#include "runtime/engine.h"
#include "runtime/event.h"
#include "runtime/timer.h"

namespace sluice::cache::testing {

// What a test sets and looks at; outlives the sources that follow it.
struct FakeBackend {
  explicit FakeBackend(std::vector<std::byte> content) : stored(std::move(content)) { open.Set(); }

  std::vector<std::byte> stored;
  bool missing = false;
  int wrong_reads = 0;           // so many of the next reads that touch `wrong_at` have a flipped bit there
  uint64_t wrong_at = 0;         // offset of the byte
  runtime::Event open;           // reads wait for it
  std::vector<ByteRange> reads;  // in the order of their beginning
  int distrusted = 0;
};

class FakeSource final : public backend::BlobSource {
 public:
  FakeSource(runtime::Engine& engine, FakeBackend& backend) : engine_(engine), backend_(backend) {}

  runtime::Task<void> ReadAt(uint64_t offset, MutableBytes dst) override {
    const ByteRange range{offset, dst.size()};
    backend_.reads.push_back(range);
    co_await runtime::Sleep(engine_, std::chrono::microseconds(50));
    co_await backend_.open.Wait();
    if (backend_.missing) Throw(Errc::kNotFound, "{} does not exist", Describe());
    if (range.end() > backend_.stored.size())
      Throw(Errc::kCorrupt, "{} ends at {}, wanted up to {}", Describe(), backend_.stored.size(), range.end());
    std::copy_n(backend_.stored.begin() + static_cast<ptrdiff_t>(offset), dst.size(), dst.begin());
    if (backend_.wrong_reads > 0 && range.Contains({backend_.wrong_at, 1})) {
      --backend_.wrong_reads;
      dst[backend_.wrong_at - offset] ^= std::byte{1};
    }
  }
  std::unique_ptr<backend::BlobStream> OpenStream(uint64_t offset, uint64_t) override {
    return std::make_unique<backend::ReadStream>(*this, offset);
  }
  void Distrust() noexcept override { ++backend_.distrusted; }
  std::string Describe() const override { return "a fake"; }

 private:
  runtime::Engine& engine_;
  FakeBackend& backend_;
};

}  // namespace sluice::cache::testing
