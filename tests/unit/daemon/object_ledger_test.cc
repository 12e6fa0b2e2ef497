// SPDX-License-Identifier: Apache-2.0
#include "object_ledger.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "durable_file.h"
#include "support/temporary_directory.h"

namespace sluice::daemon {
namespace {

using frontend::cachefiles::ObjectKey;

Digest Content(std::string_view text) { return DigestOf(DigestAlgorithm::kSha256, AsBytes(text)); }

TEST_CASE("the ledger tells the objects of different volumes apart and survives a restart") {
  test::TemporaryDirectory directory;
  const std::string path = directory / "objects";
  const ObjectKey one("erofs,a", "img");
  const ObjectKey other("erofs,b", "img");
  {
    const ObjectLedger ledger(path);
    CHECK_FALSE(ledger.Find(one));
    ledger.Put(one, Content("first"));
    ledger.Put(other, Content("second"));
    ledger.Put(one, Content("third"));
  }
  const ObjectLedger ledger(path);
  CHECK(ledger.Find(one) == Content("third"));
  CHECK(ledger.Find(other) == Content("second"));
}

TEST_CASE("what the kernel does not have any more is forgotten") {
  test::TemporaryDirectory directory;
  const ObjectLedger ledger(directory / "objects");
  const ObjectKey kept("erofs,a", "img");
  const ObjectKey gone("erofs,b", "img");
  ledger.Put(kept, Content("first"));
  ledger.Put(gone, Content("second"));
  ledger.KeepOnly({kept, ObjectKey("erofs,c", "other")});
  CHECK(ledger.Find(kept) == Content("first"));
  CHECK_FALSE(ledger.Find(gone));
}

TEST_CASE("an entry that is damaged counts as none") {
  test::TemporaryDirectory directory;
  const ObjectLedger ledger(directory / "objects");
  const ObjectKey key("erofs,a", "img");
  const auto damage = GENERATE(as<std::string>{}, "", "0123", std::string(200, 'a'));
  ledger.Put(key, Content("content"));
  for (const auto& entry : std::filesystem::directory_iterator(directory / "objects")) {
    WriteDurably(entry.path(), AsBytes(damage));
  }
  CHECK_FALSE(ledger.Find(key));
}

}  // namespace
}  // namespace sluice::daemon
