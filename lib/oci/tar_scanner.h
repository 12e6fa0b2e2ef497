// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where the members of a tar stream lie and what they are called, and the refusal of everything that tar readers
// understand in different ways (TARmageddon, CVE-2025-62518).  Internal to oci.
//
// libarchive forgives a lot: a size in the PAX header of a link, two extension headers in a row, numbers with garbage
// behind them, a missing end.  What it forgives, another reader may take for something else, and an image would show
// one tree to a scanner and another to us.  So the scanner looks at the same bytes first, without forgiving, and the
// layer reader compares both views of each member.

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "oci/pax.h"
#include "oci/tar_writer.h"

namespace sluice::oci {

struct TarMember {
  char type = '0';             // '0' regular (also written NUL or '7'), '1' to '6' as in ustar, 'S' old GNU sparse
  std::string name;            // raw; from the ustar, GNU or PAX field that counts
  std::string link;            // types '1' and '2'
  std::vector<PaxRecord> pax;  // of this member
  uint16_t permissions = 0;    // 07777
  uint64_t header_offset = 0;  // of the first header that belongs to the member
  uint64_t body_offset = 0;
  uint64_t body_size = 0;  // as stored; of a sparse file with its map and without its holes
};

// Push parser: feed it the stream in any pieces, take the members.
class TarScanner {
 public:
  // The next bytes of the stream.  Throws kCorrupt or kUnsupported naming offset and reason.
  void Feed(ConstBytes bytes);
  // How many of the next bytes are of no interest, and a way to pass over at most that many without feeding them.
  uint64_t skippable() const noexcept { return skip_; }
  void Skip(uint64_t count);
  // The stream is over.  Throws kCorrupt unless that is where an archive ends.
  void Finish() const;

  // Whether the end-of-archive mark has been seen.
  bool ended() const noexcept { return state_ == State::kEnded; }
  uint64_t offset() const noexcept { return offset_; }
  // The oldest member found and not taken yet.  At most one for each 512 bytes fed since the last call.
  std::optional<TarMember> Take();

 private:
  enum class State { kHeader, kExtension, kSparseMap, kHalfEnded, kEnded };
  using Block = std::array<std::byte, kTarBlock>;

  void OnBlock(const Block& block);
  void OnHeader(const Block& block);
  void OnExtension();
  void OnMember(const Block& block, char type, uint64_t size);
  void BeginBody();
  uint64_t header_start() const noexcept { return offset_ - kTarBlock; }

  State state_ = State::kHeader;
  uint64_t offset_ = 0;  // of the next byte
  uint64_t skip_ = 0;    // bytes of a body and its padding still to come
  Block block_{};
  size_t block_fill_ = 0;

  // The extension headers in front of the member to come.
  char extension_type_ = 0;
  std::string extension_;
  uint64_t extension_size_ = 0;
  std::optional<uint64_t> first_header_;
  std::optional<std::string> long_name_;
  std::optional<std::string> long_link_;
  std::optional<std::vector<PaxRecord>> pax_;

  TarMember member_;  // waiting for the rest of its sparse map
  std::deque<TarMember> found_;
};

}  // namespace sluice::oci
