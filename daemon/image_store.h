// SPDX-License-Identifier: Apache-2.0
#pragma once
// Bootstraps on local disk, by digest: what the kernel mounts.  `<root>/images/<sha256>/bootstrap`, complete and
// synced. Everything here blocks: call it in Offload or before serving begins.

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/digest.h"

namespace sluice::daemon {

class ImageStore {
 public:
  // Makes the directory.
  explicit ImageStore(std::string directory);

  // Stores the bootstrap unless it is there already, and returns its sha256.
  Digest Put(ConstBytes bootstrap) const;
  // Throws kNotFound, kCorrupt when the file does not have its digest.
  std::vector<std::byte> Get(const Digest& digest) const;
  std::string PathOf(const Digest& digest) const;

 private:
  std::string directory_;
};

}  // namespace sluice::daemon
