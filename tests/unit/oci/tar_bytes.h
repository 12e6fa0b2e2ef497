// SPDX-License-Identifier: Apache-2.0
#pragma once
// Tar archives made byte by byte, also such as no tar program would write.

#include <fmt/core.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::test {

inline void Put(std::string& block, size_t offset, std::string_view text) { block.replace(offset, text.size(), text); }

// Makes the checksum of a header block right.
inline void Sign(std::string& block) {
  Put(block, 148, "        ");
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  Put(block, 148, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
}

inline std::string Padded(std::string data) {
  data.resize((data.size() + 511) / 512 * 512);
  return data;
}

inline const std::string kGnuMagic("ustar  \0", 8);

struct TarFields {
  std::string name = "file";
  char type = '0';
  std::string content = {};
  std::string link = {};
  std::string mode = "0000644";
  std::string uid = "0000000";
  std::string gid = "0000000";
  std::string size = {};  // empty: that of `content`
  std::string mtime = "00000000000";
  std::string magic = std::string("ustar\00000", 8);
  std::string prefix = {};
};

// A header and its body.  `edit` changes the header before it is signed.
inline std::string TarMemberBytes(const TarFields& fields, const std::function<void(std::string&)>& edit = {}) {
  std::string block(512, '\0');
  Put(block, 0, fields.name);
  Put(block, 100, fields.mode);
  Put(block, 108, fields.uid);
  Put(block, 116, fields.gid);
  Put(block, 124, fields.size.empty() ? fmt::format("{:011o}", fields.content.size()) : fields.size);
  Put(block, 136, fields.mtime);
  block[156] = fields.type;
  Put(block, 157, fields.link);
  Put(block, 257, fields.magic);
  Put(block, 345, fields.prefix);
  if (edit) edit(block);
  Sign(block);
  return block + Padded(fields.content);
}

using PaxPairs = std::vector<std::pair<std::string, std::string>>;

inline std::string PaxBody(const PaxPairs& records) {
  std::string body;
  for (const auto& [key, value] : records) {
    const size_t rest = key.size() + value.size() + 3;  // space, '=', newline
    size_t length = rest + 1;
    while (length != rest + std::to_string(length).size()) ++length;
    body += std::to_string(length) + " " + key + "=" + value + "\n";
  }
  return body;
}

inline std::string Pax(const PaxPairs& records, char type = 'x') {
  return TarMemberBytes({.name = "PaxHeaders/x", .type = type, .content = PaxBody(records)});
}

inline std::string GnuLong(char type, std::string_view text) {
  return TarMemberBytes(
      {.name = "././@LongLink", .type = type, .content = std::string(text) + '\0', .magic = kGnuMagic});
}

// A GNU sparse file of format 1.0 called "sparse": 4096 bytes, of which `data_size` are stored.
inline std::string SparseMember(const std::string& map, size_t data_size) {
  return Pax({{"GNU.sparse.major", "1"},
              {"GNU.sparse.minor", "0"},
              {"GNU.sparse.name", "sparse"},
              {"GNU.sparse.realsize", "4096"}}) +
         TarMemberBytes({.name = "GNUSparseFile.0/sparse", .content = Padded(map) + std::string(data_size, 'd')});
}

inline std::string TarEnd() { return std::string(1024, '\0'); }

}  // namespace sluice::test
