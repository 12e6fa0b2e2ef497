// SPDX-License-Identifier: Apache-2.0
// Archives that no reader should trust: each is refused with layer, entry and reason, never skipped.
#include <catch2/catch.hpp>
#include <memory>
#include <span>
#include <string>

#include "base/error.h"
#include "oci/tar_layer.h"
#include "support/streams.h"
#include "unit/oci/tar_bytes.h"

namespace sluice::oci {
namespace {

using test::GnuLong;
using test::kGnuMagic;
using test::Pax;
using test::SparseMember;
using test::TarEnd;
using test::TarMemberBytes;

struct Case {
  const char* name;
  std::string tar;   // without the end-of-archive mark
  std::string part;  // of the message
  Errc code = Errc::kCorrupt;
};

const std::string kNext = TarMemberBytes({.name = "next"});

void CheckAll(std::span<const Case> cases) {
  for (const Case& c : cases) {
    CAPTURE(c.name);
    try {
      const auto reader = OpenTarLayer(std::make_unique<test::MemorySource>(c.tar + TarEnd()), "layer 7", {});
      while (reader->Next()) {
      }
      FAIL_CHECK("accepted");
    } catch (const Error& e) {
      CHECK(e.code() == c.code);
      CHECK_THAT(e.what(), Catch::StartsWith("layer 7") && Catch::Contains(c.part));
    }
  }
}

}  // namespace

TEST_CASE("names and links that lead out, nowhere or past the limits are refused") {
  const Case cases[] = {
      {"name with ..", TarMemberBytes({.name = "a/../b"}), "'a/../b': name with '..'"},
      {"name only ..", TarMemberBytes({.name = ".."}), "'..'"},
      {"empty name", TarMemberBytes({.name = ""}), "empty name"},
      {"PAX name empty", Pax({{"path", ""}}) + kNext, "PAX record 'path' is empty"},
      {"PAX name with NUL", Pax({{"path", std::string("a\0b", 3)}}) + kNext, "NUL"},
      {"PAX link with NUL", Pax({{"linkpath", std::string("a\0b", 3)}}) + TarMemberBytes({.type = '2'}), "NUL"},
      {"GNU name with NUL", GnuLong('L', std::string("a\0b", 3)) + kNext, "NUL"},
      {"GNU name without text", TarMemberBytes({.type = 'L'}) + kNext, "extension header 'L' of 0 bytes"},
      {"component too long", Pax({{"path", std::string(256, 'c')}}) + kNext, "component of 256 bytes"},
      {"name too long", Pax({{"path", std::string(2000, 'c') + "/" + std::string(2100, 'd')}}) + kNext,
       "name of 4101 bytes"},
      {"symlink too long", Pax({{"linkpath", std::string(4096, 't')}}) + TarMemberBytes({.type = '2'}),
       "target of 4096 bytes"},
      {"symlink to nothing", TarMemberBytes({.name = "l", .type = '2'}), "'l': symbolic link to a target of 0 bytes"},
      {"hard link with ..", TarMemberBytes({.name = "h", .type = '1', .link = "../x"}),
       "'h': hard link target: name with '..'"},
      {"hard link to the root", TarMemberBytes({.name = "h", .type = '1', .link = "./"}),
       "hard link target: the root directory"},
      {"hard link to nothing", TarMemberBytes({.name = "h", .type = '1'}), "hard link target: empty name"},
      {"root as a symlink (CVE-2021-29136)", TarMemberBytes({.name = ".", .type = '2', .link = "/etc"}),
       "root directory"},
      {"root as a file", TarMemberBytes({.name = "./."}), "root directory"},
      {"root as a hard link", TarMemberBytes({.name = "/.", .type = '1', .link = "x"}), "root directory"},
      {"file called directory", TarMemberBytes({.name = "d/", .content = "x"}), "'d/' is no directory"},
      {"link name of a file", Pax({{"linkpath", "a"}}) + kNext, "'next' is no link"},
  };
  CheckAll(cases);
}

TEST_CASE("numbers that readers take in different ways are refused") {
  const Case cases[] = {
      {"size 0 in the header, more in PAX, for a link (TARmageddon, CVE-2025-62518)",
       Pax({{"size", "512"}}) + TarMemberBytes({.name = "l", .type = '2', .content = "", .link = "x"}) + kNext,
       "512 bytes of data"},
      {"negative size", TarMemberBytes({.size = std::string(12, '\xff')}), "negative size"},
      {"size of 2^63", TarMemberBytes({.size = std::string("\x80\0\0\0\x80\0\0\0\0\0\0\0", 12)}),
       "'size' is no number"},
      {"size of 2^63 - 1", TarMemberBytes({.size = std::string("\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12)}),
       "ends past 2^63"},
      {"size of 2^80", TarMemberBytes({.size = std::string("\x80\0\1\0\0\0\0\0\0\0\0\0", 12)}), "'size' is no number"},
      {"size with garbage", TarMemberBytes({.size = "0000000001x"}), "'size' is no number"},
      {"size with garbage behind", TarMemberBytes({.size = std::string("0000001 8", 9)}), "'size' is no number"},
      {"uid with garbage", TarMemberBytes({.uid = "x000000"}), "'uid' is no number"},
      {"uid 2^32 - 1", TarMemberBytes({.uid = std::string("\x80\0\0\0\xff\xff\xff\xff", 8)}), "uid 4294967295"},
      {"negative gid", TarMemberBytes({.gid = std::string(8, '\xff')}), "gid -1"},
      {"PAX size negative", Pax({{"size", "-1"}}) + kNext, "'size'"},
      {"PAX size with garbage", Pax({{"size", "1x"}}) + kNext, "'size'"},
      {"PAX size empty", Pax({{"size", ""}}) + kNext, "'size'"},
      {"PAX uid with garbage", Pax({{"uid", "1x"}}) + kNext, "'uid'"},
      {"PAX uid 2^32 - 1", Pax({{"uid", "4294967295"}}) + kNext, "uid 4294967295"},
      {"PAX mtime with garbage", Pax({{"mtime", "soon"}}) + kNext, "'mtime'"},
      {"wrong checksum", kNext + std::string(512, 'x'), "tar block at 512: header with a wrong checksum"},
      {"device number too large",
       TarMemberBytes({.name = "c", .type = '3'}, [](std::string& h) { test::Put(h, 329, "0010000"); }),
       "'c': device number 4096:0"},
  };
  CheckAll(cases);
}

TEST_CASE("headers and archives that readers take in different ways are refused") {
  const Case cases[] = {
      {"not a tar", std::string(2048, 'x'), "not a tar archive"},
      {"old directory with data", TarMemberBytes({.name = "d/", .type = '\0', .content = "x"}), "1 bytes of data"},
      {"hard link with data", TarMemberBytes({.name = "h", .type = '1', .content = "data", .link = "x"}),
       "4 bytes of data"},
      {"directory with data", TarMemberBytes({.name = "d", .type = '5', .content = "data"}), "4 bytes of data"},
      {"PAX record malformed (CVE-2026-32766)", TarMemberBytes({.type = 'x', .content = "8 path=x\n"}) + kNext,
       "PAX record 0"},
      {"PAX record twice", Pax({{"path", "a"}, {"path", "b"}}) + kNext, "'path' twice"},
      {"two PAX headers", Pax({{"path", "a"}}) + Pax({{"path", "b"}}) + kNext, "two extension headers"},
      {"two GNU names", GnuLong('L', "a") + GnuLong('L', "b") + kNext, "two extension headers"},
      {"a PAX and a GNU name", Pax({{"path", "a"}}) + GnuLong('L', "b") + kNext, "both a PAX and a GNU name"},
      {"a PAX and a GNU link", Pax({{"linkpath", "a"}}) + GnuLong('K', "b") + TarMemberBytes({.type = '2'}),
       "both a PAX and a GNU link"},
      {"PAX header without a member", kNext + Pax({{"path", "a"}}), "between an extension header and its member"},
      {"PAX header too large", TarMemberBytes({.type = 'x', .content = std::string((1 << 20) + 1, 'x')}) + kNext,
       "extension header 'x'"},
      {"global PAX header", Pax({{"path", "all"}}, 'g') + kNext, "global PAX header sets 'path'", Errc::kUnsupported},
      {"Solaris extended header", Pax({{"path", "x"}}, 'X') + kNext, "type 0x58", Errc::kUnsupported},
      {"volume label", TarMemberBytes({.name = "v", .type = 'V'}), "'v' is of type 0x56", Errc::kUnsupported},
      {"rest of a file of another volume", TarMemberBytes({.name = "m", .type = 'M'}), "type 0x4d", Errc::kUnsupported},
      {"unknown type", TarMemberBytes({.name = "z", .type = 'Z'}), "type 0x5a", Errc::kUnsupported},
      {"unknown magic", TarMemberBytes({.magic = "ustax\00000"}), "unknown magic"},
      {"prefix of another version", TarMemberBytes({.magic = std::string("ustar\0xx", 8), .prefix = "p"}), "prefix"},
      {"one block of zeros", kNext + std::string(512, '\0') + kNext + TarEnd(), "only one block of zeros"},
      {"archive behind the archive", kNext + TarEnd() + kNext, "data behind the end-of-archive mark"},
      {"data behind the archive", kNext + TarEnd() + std::string(511, '\0') + "x",
       "data behind the end-of-archive mark"},
      {"half a block behind the archive", kNext + TarEnd() + std::string(100, '\0'), "truncated"},
  };
  CheckAll(cases);
}

TEST_CASE("attributes and sparse maps that contradict themselves are refused") {
  const Case cases[] = {
      {"attribute without a name", Pax({{"SCHILY.xattr.", "x"}}) + kNext, "names no attribute"},
      {"attribute name too long", Pax({{"SCHILY.xattr." + std::string(256, 'n'), "x"}}) + kNext,
       "'next': extended attribute with a name of 256"},
      {"attribute too large", Pax({{"SCHILY.xattr.user.x", std::string(65537, 'v')}}) + kNext,
       "'user.x' of 65537 bytes"},
      {"attribute with two values", Pax({{"LIBARCHIVE.xattr.user.x", "YQ"}, {"SCHILY.xattr.user.x", "b"}}) + kNext,
       "two values"},
      {"malformed ACL", Pax({{"SCHILY.acl.access", "user::rwx"}}) + kNext, "'next': ACL"},
      {"NFS ACL", Pax({{"SCHILY.acl.ace", "x"}}) + kNext, "SCHILY.acl.ace", Errc::kUnsupported},
      {"sparse symlink",
       Pax({{"GNU.sparse.major", "1"}, {"GNU.sparse.minor", "0"}}) +
           TarMemberBytes({.name = "l", .type = '2', .link = "x"}),
       "sparse"},
      {"sparse map with garbage", Pax({{"GNU.sparse.map", "0,x"}, {"GNU.sparse.size", "4"}}) + kNext,
       "list of numbers"},
      {"sparse map past the end", SparseMember("1\n4000\n512\n", 512) + kNext, "sparse"},
      {"sparse map that overlaps", SparseMember("2\n1024\n512\n1024\n512\n", 1024) + kNext, "sparse"},
      {"sparse map out of order", SparseMember("2\n2048\n512\n1024\n512\n", 1024) + kNext, "sparse"},
      {"sparse map of more than there is", SparseMember("2\n1024\n512\n2048\n512\n", 512) + kNext, "sparse"},
      {"sparse map of less than there is", SparseMember("1\n1024\n512\n", 1024) + kNext, ""},
      {"sparse size without a map",
       Pax({{"GNU.sparse.realsize", "4096"}}) + TarMemberBytes({.name = "f", .content = "x"}), "'f'"},
      {"old sparse in another format", TarMemberBytes({.name = "s", .type = 'S'}), "not in GNU's format"},
      {"Solaris sparse", Pax({{"SUN.holesdata", " 0 1"}}) + kNext, "SUN.holesdata", Errc::kUnsupported},
      {"star sparse", Pax({{"SCHILY.realsize", "9"}}) + kNext, "SCHILY.realsize", Errc::kUnsupported},
  };
  CheckAll(cases);
}

}  // namespace sluice::oci
