// SPDX-License-Identifier: Apache-2.0
#include "object_ledger.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "base/bytes.h"
#include "base/error.h"
#include "durable_file.h"

namespace sluice::daemon {
namespace {

constexpr uint64_t kMaxEntryBytes = 128;

}  // namespace

ObjectLedger::ObjectLedger(std::string directory) : directory_(std::move(directory)) { MakeDirectories(directory_); }

std::string ObjectLedger::FileOf(const frontend::cachefiles::ObjectKey& key) const {
  // Neither name holds a slash.
  const Digest name = DigestOf(DigestAlgorithm::kSha256, AsBytes(key.volume + "/" + key.cookie));
  return fmt::format("{}/{}", directory_, name.Hex());
}

std::optional<Digest> ObjectLedger::Find(const frontend::cachefiles::ObjectKey& key) const {
  try {
    const auto content = ReadWholeFile(FileOf(key), kMaxEntryBytes);
    return Digest::FromHex(AsText(content));
  } catch (const Error& error) {
    // What cannot be read is not known: the kernel's file goes, and the entry is written anew.
    if (error.code() != Errc::kNotFound && error.code() != Errc::kInvalidArgument && error.code() != Errc::kLimit)
      throw;
  }
  return std::nullopt;
}

void ObjectLedger::Put(const frontend::cachefiles::ObjectKey& key, const Digest& content) const {
  const std::string text = content.Hex();
  WriteDurably(FileOf(key), AsBytes(text));
}

void ObjectLedger::KeepOnly(const std::set<frontend::cachefiles::ObjectKey>& keys) const {
  std::set<std::string> kept;
  for (const auto& key : keys) kept.insert(FileOf(key));
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    // Also what a crash left of an entry that was being written.  To come back after a power loss does no harm.
    if (!kept.contains(entry.path().string())) ::unlink(entry.path().c_str());
  }
}

}  // namespace sluice::daemon
