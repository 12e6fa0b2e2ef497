// SPDX-License-Identifier: Apache-2.0
#include "backend/local_disk.h"

#include <fcntl.h>  // for O_RDONLY

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "backend/gpt.h"
#include "backend/read_stream.h"
#include "base/error.h"
#include "runtime/file.h"

namespace sluice::backend {

using runtime::File;
using runtime::Task;

// The device and where its blobs are.
class LocalDiskBackend::Disk {
 public:
  struct Opened {
    File file;
    std::map<std::string, ByteRange> blobs;  // by id, or by the first half of it

    // Throws kNotFound.
    ByteRange RangeOf(const BlobId& id) const;
  };

  explicit Disk(LocalDiskConfig config) : config_(std::move(config)) {}

  Task<std::shared_ptr<Opened>> Open();
  // The next reads open the device anew.
  void Forget(const Opened* opened) noexcept {
    if (opened_.get() == opened) opened_ = nullptr;
  }
  void Forget() noexcept { opened_ = nullptr; }
  const std::string& device() const noexcept { return config_.device; }

 private:
  Task<void> ReadPartitions(Opened& disk);

  const LocalDiskConfig config_;
  std::shared_ptr<Opened> opened_;  // null: to be opened
};

ByteRange LocalDiskBackend::Disk::Opened::RangeOf(const BlobId& id) const {
  auto found = blobs.find(id.hex());
  if (found == blobs.end()) found = blobs.find(id.hex().substr(0, 32));
  if (found == blobs.end()) Throw(Errc::kNotFound, "blob {} is not on disk '{}'", id.hex(), file.name());
  return found->second;
}

Task<std::shared_ptr<LocalDiskBackend::Disk::Opened>> LocalDiskBackend::Disk::Open() {
  if (opened_ != nullptr) co_return opened_;
  const runtime::Context& context = co_await runtime::CurrentContext();
  auto opened = std::make_shared<Opened>();
  opened->file = co_await File::Open(context.engine, config_.device, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (config_.gpt) {
    co_await ReadPartitions(*opened);
  } else {
    for (const auto& [id, range] : config_.blobs) opened->blobs.emplace(id.hex(), range);
  }
  opened_ = opened;
  co_return opened;
}

Task<void> LocalDiskBackend::Disk::ReadPartitions(Opened& disk) {
  const std::string what = "disk '" + config_.device + "'";
  std::vector<std::byte> sector(kSectorSize);
  co_await disk.file.ReadExactly(sector, kGptHeaderOffset);
  const GptHeader header = ParseGptHeader(sector, what);
  std::vector<std::byte> entries(header.entries_size);
  co_await disk.file.ReadExactly(entries, header.entries_offset);
  for (BlobPartition& partition : ParseGptEntries(header, entries, what))
    disk.blobs.emplace(std::move(partition.id), partition.range);
}

namespace {

class LocalDiskSource final : public BlobSource {
 public:
  LocalDiskSource(std::shared_ptr<LocalDiskBackend::Disk> disk, BlobId id)
      : disk_(std::move(disk)), id_(std::move(id)) {}

  Task<void> ReadAt(uint64_t offset, MutableBytes dst) override {
    // Reads that run keep the device that they began with.
    const std::shared_ptr<LocalDiskBackend::Disk::Opened> disk = co_await disk_->Open();
    try {
      const ByteRange place = disk->RangeOf(id_);
      if (offset > place.length || dst.size() > place.length - offset)
        Throw(Errc::kCorrupt, "blob {} on disk '{}' has {} bytes and ends before {} + {}", id_.hex(), disk->file.name(),
              place.length, offset, dst.size());
      co_await disk->file.ReadExactly(dst, place.offset + offset);
    } catch (const Error& e) {
      if (e.code() != Errc::kStopped) disk_->Forget(disk.get());
      throw;
    }
  }

  std::unique_ptr<BlobStream> OpenStream(uint64_t offset, uint64_t, runtime::Lane) override {
    return std::make_unique<ReadStream>(*this, offset);
  }

  void Distrust() noexcept override { disk_->Forget(); }
  std::string Describe() const override { return "disk '" + disk_->device() + "'"; }

 private:
  const std::shared_ptr<LocalDiskBackend::Disk> disk_;
  const BlobId id_;
};

}  // namespace

LocalDiskBackend::LocalDiskBackend(LocalDiskConfig config) : disk_(std::make_shared<Disk>(std::move(config))) {}

std::unique_ptr<BlobSource> LocalDiskBackend::Open(const BlobId& id) const {
  return std::make_unique<LocalDiskSource>(disk_, id);
}

}  // namespace sluice::backend
