// SPDX-License-Identifier: Apache-2.0
#pragma once
// The keys of an object store: found once, kept, and found again when the store refuses them or they expire.

#include <optional>
#include <string>
#include <string_view>

#include "backend/config.h"
#include "backend/request_signature.h"
#include "backend/services.h"
#include "base/clock.h"
#include "runtime/semaphore.h"
#include "runtime/task.h"

namespace sluice::backend {

// The keys of `profile` in a file like ~/.aws/credentials; nothing when it has no such profile.  Throws kCorrupt,
// without quoting the file, for lines that are neither section, setting nor comment, and for half a key.
std::optional<AccessKey> ParseCredentialsFile(std::string_view text, std::string_view profile, std::string_view what);

// Keys that end at some time.
struct TemporaryKey {
  AccessKey key;
  WallTime expires;
};
// What the metadata service of a virtual machine says about a role (JSON).  Throws kCorrupt, kPermission when it
// refuses.
TemporaryKey ParseInstanceKey(std::string_view text);

// Belongs to one shard.
class ObjectCredentials {
 public:
  ObjectCredentials(Services services, ObjectCredentialsConfig config, ObjectSignature signature);

  // Nothing: requests go unsigned.  Throws kNotFound when there are no keys anywhere, and the errors of the places
  // where they are looked for.
  runtime::Task<std::optional<AccessKey>> Get();
  // The store refused the keys.  True: they come from somewhere that may have others by now, Get() looks again.
  bool Forget() noexcept;

 private:
  std::string Environment(const char* name) const;  // empty when it is not set
  std::optional<AccessKey> FromEnvironment() const;
  runtime::Task<std::optional<AccessKey>> FromFile();
  runtime::Task<TemporaryKey> FromInstance();
  runtime::Task<std::string> AskInstance(http::ClientRequest request);

  const Services services_;
  const ObjectCredentialsConfig config_;
  const bool aws_;
  runtime::Semaphore searching_{1};  // one task looks, the others wait for what it finds
  std::optional<AccessKey> key_;
  std::optional<WallTime> expires_;  // of key_; nothing: it does not
  bool renewable_ = false;           // where key_ is from may have another one later
};

}  // namespace sluice::backend
