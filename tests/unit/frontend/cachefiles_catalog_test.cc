// SPDX-License-Identifier: Apache-2.0
#include "frontend/cachefiles/catalog.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "blobs.h"
#include "frontend/cachefiles/keys.h"

namespace sluice::frontend::cachefiles {
namespace {

std::shared_ptr<const cache::BlobLayout> Layout(uint64_t seed, uint32_t chunks = 4) {
  return std::make_shared<const cache::BlobLayout>(cache::testing::MakeBlob({.chunks = chunks, .seed = seed}).blob);
}

std::shared_ptr<const Binding> MakeBinding(std::string fsid, std::string domain,
                                           std::vector<std::shared_ptr<const cache::BlobLayout>> blobs) {
  Binding binding;
  binding.fsid = std::move(fsid);
  binding.domain = std::move(domain);
  binding.blobs = std::move(blobs);
  return std::make_shared<const Binding>(std::move(binding));
}

Errc AddError(Catalog& catalog, std::shared_ptr<const Binding> binding) {
  try {
    catalog.Add(std::move(binding));
  } catch (const Error& error) {
    return error.code();
  }
  FAIL("the binding was accepted");
  return Errc::kStopped;
}

TEST_CASE("an object's file is where the kernel puts it") {
  // Seen with Linux 6.1.192.
  CHECK(DirectoryOf({"erofs,dom", "img"}) == "cache/Ierofs,dom/@84");
  CHECK(DirectoryOf({"erofs,dom", "blob1"}) == "cache/Ierofs,dom/@19");
  CHECK(FileNameOf({"erofs,dom", "blob1"}) == "Dblob1");
}

TEST_CASE("names that mount options or file names would need quotes for are refused") {
  for (const char* good : {"a", "debian-12.5_x", "0"}) CHECK_NOTHROW(RequireName(good, "fsid"));
  CHECK_NOTHROW(RequireName(std::string(kMaxNameBytes, 'a'), "fsid"));
  for (const std::string& bad : {std::string(), std::string("a/b"), std::string("a,b"), std::string("a b"),
                                 std::string("\xC3\xA4"), std::string(kMaxNameBytes + 1, 'a'), std::string("a\0", 2)}) {
    CHECK_THROWS_AS(RequireName(bad, "fsid"), Error);
  }
}

TEST_CASE("without a domain an image has a volume of its own, in a domain they share blobs") {
  const auto shared = Layout(1);
  const auto alone = MakeBinding("a", "", {shared});
  const auto first = MakeBinding("b", "d", {shared, Layout(2)});
  const auto second = MakeBinding("c", "d", {shared});
  Catalog catalog;
  for (const auto& binding : {alone, first, second}) catalog.Add(binding);
  const auto users = [&](const Binding& binding) -> size_t {
    const Catalog::Content* const content = catalog.Find(binding.KeyOf(*shared));
    return content == nullptr ? 0 : std::get<Catalog::Blob>(*content).users.size();
  };
  CHECK(users(*alone) == 1);
  CHECK(users(*first) == 2);
  CHECK(catalog.Find({"erofs,a", "a"}) != nullptr);
  CHECK(catalog.Find({"erofs,d", "a"}) == nullptr);
  catalog.Remove(*first);
  CHECK(users(*first) == 1);
  CHECK(catalog.Find(first->KeyOf(*first->blobs[1])) == nullptr);
  catalog.Remove(*second);
  CHECK(users(*first) == 0);
  CHECK(users(*alone) == 1);
}

TEST_CASE("what would give one name to two contents is refused and changes nothing") {
  const auto layout = Layout(1);
  Catalog catalog;
  catalog.Add(MakeBinding("a", "d", {layout}));
  CHECK(AddError(catalog, MakeBinding("a", "d", {Layout(2)})) == Errc::kExists);
  CHECK(catalog.Find({"erofs,d", Layout(2)->id().hex()}) == nullptr);
  // The same blob id with another chunk table.
  CHECK(AddError(catalog, MakeBinding("b", "d", {Layout(2), Layout(1, 5)})) == Errc::kExists);
  CHECK(catalog.Find({"erofs,d", "b"}) == nullptr);
  CHECK(catalog.Find({"erofs,d", Layout(2)->id().hex()}) == nullptr);
  CHECK(AddError(catalog, MakeBinding(layout->id().hex(), "d", {})) == Errc::kExists);
  CHECK(AddError(catalog, MakeBinding(layout->id().hex(), "e", {layout})) == Errc::kExists);
  CHECK(AddError(catalog, MakeBinding("a/b", "d", {})) == Errc::kInvalidArgument);
  CHECK_NOTHROW(catalog.Add(MakeBinding("b", "e", {Layout(1, 5)})));
}

}  // namespace
}  // namespace sluice::frontend::cachefiles
