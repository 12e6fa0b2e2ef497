// SPDX-License-Identifier: Apache-2.0
#include "mount_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <tuple>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "durable_file.h"
#include "json_fields.h"

namespace sluice::daemon {
namespace {

constexpr int kVersion = 2;
constexpr uint64_t kMaxRecordBytes = 64 * kKiB;
constexpr uint64_t kMaxSecretsBytes = 2 * kMiB;  // more than a request can bring
constexpr std::string_view kSuffix = ".json";
constexpr std::string_view kSecretsSuffix = ".secrets";

}  // namespace

std::string FormatMountRecord(const MountRecord& record) {
  nlohmann::json object{
      {"version", kVersion},
      {"image", record.image},
      {"mountpoint", record.mountpoint},
      {"path", record.path},
      {"since", record.since.time_since_epoch().count()},
      {"bootstrap", record.bootstrap.Hex()},
      {"backend", ToJson(record.backend)},
  };
  if (record.inlined_id) object["inlined_id"] = record.inlined_id->hex();
  if (!record.fsid.empty()) object["fsid"] = record.fsid;
  if (!record.domain.empty()) object["domain"] = record.domain;
  try {
    return object.dump(2) + "\n";
  } catch (const nlohmann::json::exception&) {
    Throw(Errc::kInvalidArgument, "the mountpoint '{}' is not UTF-8", record.path);
  }
}

MountRecord ParseMountRecord(std::string_view text, const std::string& what) {
  try {
    JsonFields fields(nlohmann::json::parse(text), what);
    const int version = fields.Take<int>("version");
    if (version < 1 || version > kVersion) {
      Throw(Errc::kUnsupported, "{}: version {}, expected 1 to {}", what, version, kVersion);
    }
    MountRecord record;
    record.image = fields.Take<std::string>("image");
    record.mountpoint = fields.Take<std::string>("mountpoint");
    record.path = fields.Take<std::string>("path");
    record.since = std::chrono::sys_seconds(std::chrono::seconds(fields.Take<int64_t>("since")));
    record.bootstrap = Digest::FromHex(fields.Take<std::string>("bootstrap"));
    if (version == 1) {
      record.backend = DirectorySpec{.path = fields.Take<std::string>("blob_directory")};
    } else {
      record.backend = ParseBackendSpec(fields.Take<nlohmann::json>("backend"), what);
    }
    if (fields.Has("inlined_id")) record.inlined_id = BlobId::Parse(fields.Take<std::string>("inlined_id"));
    if (fields.Has("fsid")) record.fsid = fields.Take<std::string>("fsid");
    if (fields.Has("domain")) record.domain = fields.Take<std::string>("domain");
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

std::string MountTable::NameOf(const MountRecord& record) const {
  // Not by its path: what was unmounted there may still be mounted in another mount namespace, and needs its record.
  const Digest name = DigestOf(DigestAlgorithm::kSha256, AsBytes(FormatMountRecord(record)));
  return directory_ + "/" + name.Hex();
}

std::vector<MountRecord> MountTable::Load() const {
  std::vector<MountRecord> records;
  std::vector<std::pair<std::string, MountRecord>> old;  // of an earlier version, hence of another name
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    const std::filesystem::path& path = entry.path();
    if (path.extension() == kSecretsSuffix) {
      std::filesystem::path record = path;
      // Its record comes after it and goes before it.
      if (!std::filesystem::exists(record.replace_extension(kSuffix))) RemoveDurably(path.string());
    }
    if (path.extension() != kSuffix) continue;  // also a temporary file of a worker that was killed
    if (records.size() >= kMostMounts) Throw(Errc::kLimit, "'{}' has more than {} mounts", directory_, kMostMounts);
    const auto content = ReadWholeFile(path.string(), kMaxRecordBytes);
    records.push_back(ParseMountRecord(AsText(content), fmt::format("mount record '{}'", path.string())));
    if (NameOf(records.back()) + std::string(kSuffix) != path) old.emplace_back(path.string(), records.back());
  }
  for (const auto& [path, record] : old) {
    Put(record, {});  // earlier versions know no secrets
    RemoveDurably(path);
  }
  std::sort(records.begin(), records.end(),
            [](const auto& a, const auto& b) { return std::tie(a.path, b.since) < std::tie(b.path, a.since); });
  return records;
}

BackendSecrets MountTable::LoadSecrets(const MountRecord& record) const {
  if (!HasSecrets(record.backend)) return {};
  const std::string path = NameOf(record).append(kSecretsSuffix);
  const auto content = ReadWholeFile(path, kMaxSecretsBytes);
  return ParseSecrets(AsText(content), fmt::format("secrets '{}'", path));
}

void MountTable::Put(const MountRecord& record, const BackendSecrets& secrets) const {
  const std::string text = FormatMountRecord(record);
  if (text.size() > kMaxRecordBytes) {
    Throw(Errc::kLimit, "the record of mountpoint '{}' has {} bytes, at most {} are read back", record.path,
          text.size(), kMaxRecordBytes);
  }
  const std::string name = NameOf(record);
  if (HasSecrets(record.backend)) {
    const std::string hidden = FormatSecrets(secrets);
    if (hidden.size() > kMaxSecretsBytes) {
      Throw(Errc::kLimit, "the secrets of mountpoint '{}' have {} bytes, at most {} are read back", record.path,
            hidden.size(), kMaxSecretsBytes);
    }
    WriteDurably(name + std::string(kSecretsSuffix), AsBytes(hidden));
  }
  WriteDurably(name + std::string(kSuffix), AsBytes(text));
}

void MountTable::Remove(const MountRecord& record) const {
  const std::string name = NameOf(record);
  RemoveDurably(name + std::string(kSuffix));
  if (HasSecrets(record.backend)) RemoveDurably(name + std::string(kSecretsSuffix));
}

}  // namespace sluice::daemon
