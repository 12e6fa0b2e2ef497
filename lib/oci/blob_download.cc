// SPDX-License-Identifier: Apache-2.0
#include "oci/blob_download.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "oci/media_types.h"
#include "oci/temporary_file.h"

namespace sluice::oci {

using runtime::Task;

namespace {

constexpr size_t kReadBytes = 256 * kKiB;

// Reads the file of a download on the caller's thread; asks the shard only when it has caught up.
class DownloadSource final : public codec::ByteSource {
 public:
  DownloadSource(RegistrySession& session, Repository& repository, Descriptor descriptor, http::RetryPolicy retry)
      : session_(session), size_(descriptor.size), file_(TemporaryFile().Take()) {
    UniqueFd shared = Duplicate(file_);
    auto start = [&]() -> Task<void> {
      download_ = std::make_unique<BlobDownload>(session_.services(), repository, std::move(descriptor), retry,
                                                 std::move(shared));
      download_->Start();
      co_return;
    };
    runtime::BlockOn(session_.shard(), std::move(start));
  }
  ~DownloadSource() override {
    auto stop = [this]() -> Task<void> {
      co_await download_->Stop();
      download_.reset();
    };
    runtime::BlockOn(session_.shard(), std::move(stop));
  }

  size_t Read(MutableBytes dst) override {
    if (offset_ == size_) return 0;
    if (offset_ == available_) available_ = session_.Run([this] { return download_->WaitBeyond(offset_); });
    const size_t want = std::min<uint64_t>(dst.size(), available_ - offset_);
    ssize_t count = 0;
    do {
      count = ::pread(file_.get(), dst.data(), want, static_cast<off_t>(offset_));
    } while (count < 0 && errno == EINTR);
    if (count < 0) ThrowErrno(errno, "cannot read a temporary file at {}", offset_);
    if (count == 0) Throw(Errc::kIo, "a temporary file ends at {} of {} bytes", offset_, available_);
    offset_ += static_cast<uint64_t>(count);
    return static_cast<size_t>(count);
  }

 private:
  RegistrySession& session_;
  const uint64_t size_;
  const UniqueFd file_;
  std::unique_ptr<BlobDownload> download_;
  uint64_t available_ = 0;
  uint64_t offset_ = 0;
};

}  // namespace

BlobDownload::BlobDownload(RegistryServices services, Repository& repository, Descriptor descriptor,
                           http::RetryPolicy retry, UniqueFd file)
    : services_(services),
      repository_(repository),
      descriptor_(std::move(descriptor)),
      retry_(retry),
      file_(runtime::File::Adopt(services.engine, std::move(file), "temporary file")),
      scope_(services.engine, "download") {}

void BlobDownload::Start() { scope_.Spawn(Fetch()); }

Task<uint64_t> BlobDownload::WaitBeyond(uint64_t offset) {
  while (received_ <= offset && received_ < descriptor_.size && !failure_) co_await progress_.Wait();
  // What is there is good, even if no more comes.
  if (received_ <= offset && failure_) throw Error(*failure_);
  co_return received_;
}

Task<void> BlobDownload::Stop() {
  scope_.RequestStop();
  co_await scope_.Join();
}

Task<void> BlobDownload::Fetch() {
  try {
    co_await FetchAll();
  } catch (Error& error) {
    // The manifest may say where else it is: whoever has written that is not asked on our behalf.
    if (error.code() == Errc::kNotFound && media_type::IsNondistributable(descriptor_.media_type))
      error.AddContext("a layer that registries need not have, and that is taken from nowhere else");
    failure_ = error;
  }
  progress_.Set();
}

Task<void> BlobDownload::FetchAll() {
  std::optional<http::Backoff> backoff;
  while (received_ < descriptor_.size) {
    const uint64_t before = received_;
    std::optional<Error> failure;
    try {
      co_await CopyRest();
    } catch (const Error& error) {
      failure = error;
    }
    if (!failure) continue;
    if (failure->code() == Errc::kUnsupported && received_ > 0 && !from_start_) {
      from_start_ = true;
      continue;
    }
    // Progress makes up for earlier failures: what counts is how often in a row nothing came.
    if (!backoff || received_ > before) backoff.emplace(services_.engine, services_.rng, retry_);
    const http::RetryAdvice none;
    const std::optional<Duration> delay = backoff->Next(*failure, none);
    if (!delay) throw Error(*std::move(failure));
    co_await runtime::Sleep(services_.engine, *delay);
  }
}

Task<void> BlobDownload::CopyRest() {
  const uint64_t start = from_start_ ? 0 : received_;
  const ByteRange range{start, descriptor_.size - start};
  const std::unique_ptr<http::RangeStream> stream =
      co_await repository_.OpenBlob(descriptor_.digest, descriptor_.size, range);
  std::vector<std::byte> buffer(kReadBytes);
  for (uint64_t position = start;;) {
    const size_t count = co_await stream->ReadSome(buffer);
    if (count == 0) break;
    const uint64_t known = std::min<uint64_t>(count, received_ - std::min(position, received_));
    const ConstBytes fresh = ConstBytes(buffer).first(count).subspan(known);
    position += count;
    if (fresh.empty()) continue;
    co_await file_.WriteAll(fresh, received_);
    received_ += fresh.size();
    progress_.Set();
    progress_.Reset();
  }
}

std::unique_ptr<codec::ByteSource> StartDownload(RegistrySession& session, Repository& repository,
                                                 const Descriptor& descriptor, http::RetryPolicy retry) {
  return std::make_unique<DownloadSource>(session, repository, descriptor, retry);
}

}  // namespace sluice::oci
