// SPDX-License-Identifier: Apache-2.0
#pragma once
// Files without a name: gone when they are closed.

#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/fd.h"

namespace sluice::oci {

class TemporaryFile {
 public:
  // In $TMPDIR, else /var/tmp.  Throws as open(2) does, naming the directory.
  TemporaryFile();

  // Writes behind what was written so far.  Throws kNoSpace and kIo, naming the directory.
  void Append(ConstBytes bytes);
  // For whoever reads it.
  UniqueFd Take() noexcept { return std::move(fd_); }

 private:
  std::string directory_;
  UniqueFd fd_;
};

}  // namespace sluice::oci
