// SPDX-License-Identifier: Apache-2.0
#pragma once
// A backend for tests that fails on request.

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/check.h"
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
  std::atomic<bool> missing = false;
  std::atomic<int> wrong_reads = 0;    // so many of the next reads that touch `wrong_at` have a flipped bit there
  std::atomic<uint64_t> wrong_at = 0;  // offset of the byte
  runtime::Event open;                 // reads wait for it
  std::vector<ByteRange> reads;        // in the order of their beginning; each stream once, as a whole
  int distrusted = 0;
  bool is_file = false;  // can be read by other threads; these reads do not wait for `open`
  std::atomic<int> file_reads = 0;
  std::atomic<bool> file_hangs = false;  // reads by other threads do not end before it is false again
  uint64_t file_system = 1;

  // Of streams only.
  std::vector<ByteRange> streams;    // those of `reads` that are streams
  std::vector<runtime::Lane> lanes;  // theirs
  uint64_t cut_at = UINT64_MAX;      // reads beyond this offset fail
  uint64_t hold_at = UINT64_MAX;     // reads beyond this offset wait for `held`
  runtime::Event held;

  void Copy(ByteRange range, MutableBytes dst) {
    std::copy_n(stored.begin() + static_cast<ptrdiff_t>(range.offset), dst.size(), dst.begin());
    const uint64_t at = wrong_at;
    if (wrong_reads > 0 && range.Contains({at, 1})) {
      --wrong_reads;
      dst[at - range.offset] ^= std::byte{1};
    }
  }
};

class FakeFile final : public backend::BlobFile {
 public:
  explicit FakeFile(FakeBackend& backend) : backend_(backend) {}

  bool TryRead(uint64_t offset, std::span<const iovec> parts) const noexcept override {
    ++backend_.file_reads;
    backend_.file_hangs.wait(true);
    for (const iovec& part : parts) {
      const ByteRange range{offset, part.iov_len};
      if (backend_.missing || range.end() > backend_.stored.size()) return false;
      backend_.Copy(range, {static_cast<std::byte*>(part.iov_base), part.iov_len});
      offset = range.end();
    }
    return true;
  }
  uint64_t file_system() const noexcept override { return backend_.file_system; }

 private:
  FakeBackend& backend_;
};

class FakeSource final : public backend::BlobSource {
 public:
  FakeSource(runtime::Engine& engine, FakeBackend& backend) : engine_(engine), backend_(backend) {}

  runtime::Task<void> ReadAt(uint64_t offset, MutableBytes dst) override {
    backend_.reads.push_back({offset, dst.size()});
    return Give(backend_.reads.back(), dst);
  }
  runtime::Task<void> Give(ByteRange range, MutableBytes dst) {
    co_await runtime::Sleep(engine_, std::chrono::microseconds(50));
    co_await backend_.open.Wait();
    if (backend_.missing) Throw(Errc::kNotFound, "{} does not exist", Describe());
    if (range.end() > backend_.stored.size())
      Throw(Errc::kCorrupt, "{} ends at {}, wanted up to {}", Describe(), backend_.stored.size(), range.end());
    backend_.Copy(range, dst);
  }
  std::unique_ptr<backend::BlobStream> OpenStream(uint64_t offset, uint64_t length, runtime::Lane lane) override;
  std::shared_ptr<const backend::BlobFile> file() const noexcept override {
    return backend_.is_file ? std::make_shared<FakeFile>(backend_) : nullptr;
  }
  void Distrust() noexcept override { ++backend_.distrusted; }
  std::string Describe() const override { return "a fake"; }

 private:
  runtime::Engine& engine_;
  FakeBackend& backend_;
};

class FakeStream final : public backend::BlobStream {
 public:
  FakeStream(FakeBackend& backend, ByteRange range, runtime::Lane lane, FakeSource& source)
      : backend_(backend), range_(range), lane_(lane), source_(source) {}

  runtime::Task<void> Read(MutableBytes dst) override {
    if (at_ == 0) {
      backend_.reads.push_back(range_);
      backend_.streams.push_back(range_);
      backend_.lanes.push_back(lane_);
    }
    const ByteRange part{range_.offset + at_, dst.size()};
    if (part.end() > backend_.cut_at) Throw(Errc::kIo, "cut at {}", backend_.cut_at);
    if (part.end() > backend_.hold_at) co_await backend_.held.Wait();
    SLUICE_CHECK(part.end() <= range_.end(), "a stream is asked for more than it was opened for");
    co_await source_.Give(part, dst);
    at_ += dst.size();
  }

 private:
  FakeBackend& backend_;
  const ByteRange range_;
  const runtime::Lane lane_;
  FakeSource& source_;
  uint64_t at_ = 0;
};

inline std::unique_ptr<backend::BlobStream> FakeSource::OpenStream(uint64_t offset, uint64_t length,
                                                                   runtime::Lane lane) {
  return std::make_unique<FakeStream>(backend_, ByteRange{offset, length}, lane, *this);
}

}  // namespace sluice::cache::testing
