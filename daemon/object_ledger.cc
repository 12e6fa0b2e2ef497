// SPDX-License-Identifier: Apache-2.0
#include "object_ledger.h"

#include <fmt/format.h>

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

}  // namespace sluice::daemon
