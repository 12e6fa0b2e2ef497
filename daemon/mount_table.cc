// SPDX-License-Identifier: Apache-2.0
#include "mount_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "durable_file.h"

namespace sluice::daemon {
namespace {

constexpr int kVersion = 1;
constexpr uint64_t kMaxRecordBytes = 64 * kKiB;
constexpr std::string_view kSuffix = ".json";

// Takes the fields out of an object one by one; what is left at the end is unknown.
class Fields {
 public:
  Fields(nlohmann::json object, const std::string& what) : object_(std::move(object)), what_(what) {
    if (!object_.is_object()) Throw(Errc::kCorrupt, "{}: not an object", what_);
  }

  template <typename T>
  T Take(const char* name) {
    const auto field = object_.find(name);
    if (field == object_.end()) Throw(Errc::kCorrupt, "{}: '{}' is missing", what_, name);
    try {
      T value = field->get<T>();
      object_.erase(field);
      return value;
    } catch (const nlohmann::json::exception&) {
      Throw(Errc::kCorrupt, "{}: '{}' has the wrong type", what_, name);
    }
  }
  bool Has(const char* name) const { return object_.contains(name); }
  void End() const {
    if (!object_.empty()) Throw(Errc::kCorrupt, "{}: unknown field '{}'", what_, object_.begin().key());
  }

 private:
  nlohmann::json object_;
  const std::string& what_;
};

}  // namespace

std::string FormatMountRecord(const MountRecord& record) {
  nlohmann::json object{
      {"version", kVersion},
      {"image", record.image},
      {"mountpoint", record.mountpoint},
      {"path", record.path},
      {"since", record.since.time_since_epoch().count()},
      {"bootstrap", record.bootstrap.Hex()},
      {"blob_directory", record.blob_directory},
  };
  if (record.inlined_id) object["inlined_id"] = record.inlined_id->hex();
  try {
    return object.dump(2) + "\n";
  } catch (const nlohmann::json::exception&) {
    Throw(Errc::kInvalidArgument, "the mountpoint '{}' is not UTF-8", record.path);
  }
}

MountRecord ParseMountRecord(std::string_view text, const std::string& what) {
  try {
    Fields fields(nlohmann::json::parse(text), what);
    if (const int version = fields.Take<int>("version"); version != kVersion) {
      Throw(Errc::kUnsupported, "{}: version {}, expected {}", what, version, kVersion);
    }
    MountRecord record;
    record.image = fields.Take<std::string>("image");
    record.mountpoint = fields.Take<std::string>("mountpoint");
    record.path = fields.Take<std::string>("path");
    record.since = std::chrono::sys_seconds(std::chrono::seconds(fields.Take<int64_t>("since")));
    record.bootstrap = Digest::FromHex(fields.Take<std::string>("bootstrap"));
    record.blob_directory = fields.Take<std::string>("blob_directory");
    if (fields.Has("inlined_id")) record.inlined_id = BlobId::Parse(fields.Take<std::string>("inlined_id"));
    fields.End();
    return record;
  } catch (const nlohmann::json::exception& error) {
    Throw(Errc::kCorrupt, "{}: {}", what, error.what());
  } catch (Error& error) {
    if (error.code() == Errc::kInvalidArgument) Throw(Errc::kCorrupt, "{}: {}", what, error.message());
    throw;
  }
}

MountTable::MountTable(std::string directory) : directory_(std::move(directory)) { MakeDirectories(directory_); }

std::string MountTable::FileOf(const MountRecord& record) const {
  // Not by its path: what was unmounted there may still be mounted in another mount namespace, and needs its record.
  const Digest name = DigestOf(DigestAlgorithm::kSha256, AsBytes(FormatMountRecord(record)));
  return fmt::format("{}/{}{}", directory_, name.Hex(), kSuffix);
}

std::vector<MountRecord> MountTable::Load() const {
  std::vector<MountRecord> records;
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    const std::string path = entry.path().string();
    if (!path.ends_with(kSuffix)) continue;  // a temporary file of a worker that was killed
    if (records.size() >= kMostMounts) Throw(Errc::kLimit, "'{}' has more than {} mounts", directory_, kMostMounts);
    const auto content = ReadWholeFile(path, kMaxRecordBytes);
    records.push_back(ParseMountRecord(AsText(content), fmt::format("mount record '{}'", path)));
  }
  std::sort(records.begin(), records.end(),
            [](const auto& a, const auto& b) { return std::tie(a.path, b.since) < std::tie(b.path, a.since); });
  return records;
}

void MountTable::Put(const MountRecord& record) const {
  const std::string text = FormatMountRecord(record);
  if (text.size() > kMaxRecordBytes) {
    Throw(Errc::kLimit, "the record of mountpoint '{}' has {} bytes, at most {} are read back", record.path,
          text.size(), kMaxRecordBytes);
  }
  WriteDurably(FileOf(record), AsBytes(text));
}

void MountTable::Remove(const MountRecord& record) const { RemoveDurably(FileOf(record)); }

}  // namespace sluice::daemon
