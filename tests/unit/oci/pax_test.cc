// SPDX-License-Identifier: Apache-2.0
#include "oci/pax.h"

#include <catch2/catch.hpp>
#include <string>

#include "base/error.h"
#include "oci/posix_acl.h"
#include "unit/oci/tar_bytes.h"

namespace sluice::oci {

TEST_CASE("PAX records keep raw values, also with newlines, NULs and equals signs") {
  const std::string value("a=b\n\0c", 6);
  const std::string body = test::PaxBody({{"k", value}, {"empty", ""}, {"long", std::string(1000, 'x')}});
  const auto records = ParsePaxRecords(AsBytes(body));
  REQUIRE(records.size() == 3);
  CHECK(*FindPax(records, "k") == value);
  CHECK(FindPax(records, "empty")->empty());
  CHECK(FindPax(records, "long")->size() == 1000);
  CHECK(FindPax(records, "K") == nullptr);
}

TEST_CASE("malformed PAX records are refused, not skipped (CVE-2026-32766)") {
  const std::string good = test::PaxBody({{"path", "x"}});
  for (const std::string& bad :
       {std::string("x"), std::string("5"), std::string(" a=b\n"), std::string("-6 a=b\n"), std::string("6 a=b\n "),
        std::string("7 a=b\n"), std::string("5 a=b\n"), std::string("6 a=bc"), std::string("4 =\n"),
        std::string("6 =bc\n"), std::string("6 abc\n"), std::string("0 a=b\n"), std::string("3 \n"),
        std::string("99999999999999999999 a=b\n"), std::string("8 a\0b=c\n", 8), good + good,
        good.substr(0, good.size() - 1)}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(ParsePaxRecords(AsBytes(bad)), Error);
  }
  // The one place where keys repeat: GNU's sparse format 0.0.
  const std::string repeated = test::PaxBody({{"GNU.sparse.offset", "0"}, {"GNU.sparse.offset", "1"}});
  CHECK_NOTHROW(ParsePaxRecords(AsBytes(repeated)));
}

TEST_CASE("PAX times count forward from the second below") {
  struct Case {
    std::string text;
    int64_t seconds;
    uint32_t nanoseconds;
  };
  const Case cases[] = {{"0", 0, 0},
                        {"1.5", 1, 500'000'000},
                        {"1.123456789999", 1, 123'456'789},
                        {"-1", -1, 0},
                        {"-1.5", -2, 500'000'000},
                        {"-0.25", -1, 750'000'000},
                        {"9223372036854775807", INT64_MAX, 0}};
  for (const Case& c : cases) {
    CAPTURE(c.text);
    const PaxTime time = ParsePaxTime("mtime", c.text);
    CHECK(time.seconds == c.seconds);
    CHECK(time.nanoseconds == c.nanoseconds);
  }
  for (const std::string bad :
       {"", "-", ".", "1.", ".5", "--1", "1e3", "1 ", "0x1", "9223372036854775808", "1.2.3", "1,5"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(ParsePaxTime("mtime", bad), Error);
  }
}

TEST_CASE("PAX numbers have digits only") {
  CHECK(ParsePaxNumber("size", "0012") == 12);
  CHECK(ParsePaxNumber("size", "9223372036854775807") == INT64_MAX);
  for (const std::string bad : {"", "-1", "+1", "1 ", " 1", "12abc", "9223372036854775808"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(ParsePaxNumber("size", bad), Error);
  }
}

TEST_CASE("ACL texts become what setxattr would store") {
  // As in include/uapi/linux/posix_acl_xattr.h: version, then tag, permissions and id of each entry in order.
  const std::string expected(
      "\x02\0\0\0"
      "\x01\0\x06\0\xff\xff\xff\xff"
      "\x02\0\x04\0\xe8\x03\0\0"
      "\x04\0\x05\0\xff\xff\xff\xff"
      "\x10\0\x07\0\xff\xff\xff\xff"
      "\x20\0\0\0\xff\xff\xff\xff",
      44);
  CHECK(AclAttribute("user::rw-,user:1000:r--,group::r-x,mask::rwx,other::---", AclKind::kAccess) == expected);
  CHECK(AclAttribute("other::---\nmask::rwx\ngroup::r-x\nuser:bob:r--:1000\nuser::rw-\n", AclKind::kDefault) ==
        expected);
  CHECK(AclAttribute("user::rw-\nuser:1000:r--\t#effective:r--\ngroup::r-x\nmask:rwx\nother:---", AclKind::kAccess) ==
        expected);
  // No more than the permission bits say; as a default ACL it says something.
  CHECK(AclAttribute("user::rw-,group::r--,other::r--", AclKind::kAccess).empty());
  CHECK(AclAttribute("user::rw-,group::r--,other::r--", AclKind::kDefault).size() == 28);
  CHECK(AclAttribute("", AclKind::kDefault).empty());
}

TEST_CASE("ACL texts that the kernel would not take are refused") {
  const std::string base = "user::rw-,group::r--,other::r--";
  for (const std::string& bad :
       {std::string("user::rw-"), base + ",user:1:rwx", base + ",user:1:rwx,user:1:r--,mask::rwx", base + ",other::r--",
        base + ",mask::rwz", base + ",mask::rw", base + ",mask::rwx,mask::rwx", base + ",what:1:rwx",
        base + ",user:4294967295:rwx,mask::rwx", base + ",mask:1:rwx", base + ",user", base + ",user:1:rwx:1:1"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(AclAttribute(bad, AclKind::kAccess), Error);
  }
  try {
    (void)AclAttribute(base + ",user:bob:rwx,mask::rwx", AclKind::kAccess);
    FAIL_CHECK("accepted");
  } catch (const Error& e) {
    CHECK(e.code() == Errc::kUnsupported);
  }
}

}  // namespace sluice::oci
