// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the kernel's cache holds under each name.  The kernel knows an object by its names and its size only: without
// the ledger, another image bound to the same names would read what the first one has left.  One file per object in
// `<root>/objects` (docs/formats/cache.md).  Everything here blocks: call it in Offload.

#include <optional>
#include <set>
#include <string>

#include "base/digest.h"
#include "frontend/cachefiles/message.h"

namespace sluice::daemon {

class ObjectLedger {
 public:
  // Makes the directory.
  explicit ObjectLedger(std::string directory);

  // nullopt: not known.
  std::optional<Digest> Find(const frontend::cachefiles::ObjectKey& key) const;
  // To be durable before the kernel may open the object.
  void Put(const frontend::cachefiles::ObjectKey& key, const Digest& content) const;
  // Forgets all others.
  void KeepOnly(const std::set<frontend::cachefiles::ObjectKey>& keys) const;

 private:
  std::string FileOf(const frontend::cachefiles::ObjectKey& key) const;
  std::string directory_;
};

}  // namespace sluice::daemon
