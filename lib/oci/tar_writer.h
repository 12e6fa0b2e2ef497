// SPDX-License-Identifier: Apache-2.0
#pragma once
// Writes small deterministic tar files: owner 0:0, time 0, ustar headers.

#include <array>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "codec/stream.h"

namespace sluice::oci {

constexpr uint64_t kTarBlock = 512;

enum class TarMemberType : char { kFile = '0', kDirectory = '5' };

// The header block of a member.  `name` has 1 to 100 bytes, else kInvalidArgument.  Sizes of 8 GiB and more are written
// in GNU's base-256 form.
std::array<std::byte, kTarBlock> TarHeader(std::string_view name, TarMemberType type, uint16_t permissions,
                                           uint64_t size);

class TarWriter {
 public:
  // `sink` outlives the writer.
  explicit TarWriter(codec::ByteSink& sink) : sink_(sink) {}

  void AddDirectory(std::string_view name, uint16_t permissions);
  void AddFile(std::string_view name, uint16_t permissions, ConstBytes content);
  // Two blocks of zeros.  Nothing may follow.
  void Finish();

 private:
  codec::ByteSink& sink_;
};

}  // namespace sluice::oci
