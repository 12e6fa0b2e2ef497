// SPDX-License-Identifier: Apache-2.0
#include "bind_service.h"

#include <catch2/catch.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "base/digest.h"
#include "bind_rig.h"
#include "image/rafs/bootstrap_reader.h"

namespace sluice::daemon {
namespace {

using frontend::cachefiles::ObjectKey;
using runtime::Task;
using Names = std::vector<std::string>;

ObjectKey Bootstrap(const std::string& fsid) { return {"erofs," + fsid, fsid}; }
ObjectKey Blob(const std::string& volume, const std::string& made) {
  return {"erofs," + volume, BindRig::BlobOf(made)};
}

std::vector<std::byte> BytesInTheKernel(BindRig& rig, const ObjectKey& key) {
  std::vector<std::byte> bytes;
  for (const auto& [number, block] : rig.kernel.file(key).blocks) bytes.insert(bytes.end(), block.begin(), block.end());
  return bytes;
}

// Opens bootstrap and blob, reads both.
Task<void> MountAndRead(BindRig& rig, std::string fsid, std::string made) {
  for (const ObjectKey& key : {Bootstrap(fsid), Blob(fsid, made)}) {
    const int error = co_await rig.kernel.Acquire(key);
    REQUIRE(error == 0);
    const int64_t count = co_await rig.ReadAll(key);
    CHECK(count >= static_cast<int64_t>(rig.kernel.file(key).size));
  }
}

Task<void> UmountAll(BindRig& rig, std::string fsid, std::string made) {
  co_await rig.kernel.Withdraw(Bootstrap(fsid));
  co_await rig.kernel.Withdraw(Blob(fsid, made));
  co_await rig.service->Sweep();
}

Task<void> BindTwice(BindRig& rig) {
  const api::BindingInfo first = co_await rig.Bind("dir-zstd", "one");
  CHECK(first.fsid == "one");
  CHECK(first.blobs == Names{BindRig::BlobOf("dir-zstd")});
  Errc code = co_await rig.BindFails(BindRig::Reference("tar-lz4-toc"), "one");
  CHECK(code == Errc::kExists);
  co_await rig.Bind("dir-zstd", "two");
  co_await rig.Bind("dir-zstd", "one", "shared");
  CHECK(rig.Bound() == Names{"one", "two", "shared/one"});
  co_await MountAndRead(rig, "one", "dir-zstd");
  const int error = co_await rig.kernel.Acquire(Bootstrap("three"));
  CHECK(error == -ENOENT);
  co_await UmountAll(rig, "one", "dir-zstd");
  CHECK(rig.kernel.misuses() == 0);
}

TEST_CASE("a name is bound once, an image under as many names as one likes") { OnShards(BindTwice); }

Task<void> WithoutDomains(BindRig& rig) {
  co_await rig.Stop();
  rig.domains = false;
  co_await rig.Start();
  const Errc code = co_await rig.BindFails(BindRig::Reference("dir-zstd"), "one", "shared");
  CHECK(code == Errc::kUnsupported);
  co_await rig.Bind("dir-zstd", "one");
  co_await MountAndRead(rig, "one", "dir-zstd");
  co_await UmountAll(rig, "one", "dir-zstd");
}

TEST_CASE("on a kernel without domains images are bound without, and asking for one is refused") {
  OnShards(WithoutDomains);
}

// Mounts at a folder of that name; returns what the kernel was asked for.
Task<frontend::FsidMount> Mount(BindRig& rig, std::string made, std::string folder) {
  api::MountRequest request{.image = BindRig::Reference(made), .mountpoint = rig.directory / folder};
  std::filesystem::create_directory(request.mountpoint);
  co_await rig.service->Mount(std::move(request));
  co_return rig.mounts.back();
}

Task<void> NamesOfMounts(BindRig& rig) {
  for (const bool domains : {true, false}) {
    co_await rig.Stop();
    rig.domains = domains;
    co_await rig.Start();
    const std::string number = domains ? "with" : "without";
    const frontend::FsidMount first = co_await Mount(rig, "dir-zstd", "first-" + number);
    CHECK(first.domain == (domains ? BindService::kMountDomain : ""));
    CHECK(first.fsid.ends_with("-0"));
    // The kernel asks for it under that name, and then it is in use.
    const ObjectKey key{"erofs," + (domains ? first.domain : first.fsid), first.fsid};
    const int error = co_await rig.kernel.Acquire(key);
    CHECK(error == 0);
    const frontend::FsidMount second = co_await Mount(rig, "dir-zstd", "second-" + number);
    CHECK(second.domain == first.domain);
    CHECK(second.fsid == first.fsid.substr(0, first.fsid.size() - 1) + "1");
    co_await rig.kernel.Withdraw(key);
    co_await rig.service->Sweep();
    CHECK(rig.Bound().empty());
    // The same image, the same name: what the kernel has is found again.
    const frontend::FsidMount again = co_await Mount(rig, "dir-zstd", "again-" + number);
    CHECK(again.fsid == first.fsid);
    co_await rig.service->Sweep();
  }
}

TEST_CASE("an image that is mounted gets a name of its contents, in a domain where the kernel has them") {
  OnShards(NamesOfMounts);
}

Task<void> DefaultName(BindRig& rig) {
  const api::BindingInfo info = co_await rig.Bind("dir-zstd", "");
  std::ifstream file(BindRig::Reference("dir-zstd").substr(5), std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(file), {}};
  CHECK(info.fsid == DigestOf(DigestAlgorithm::kSha256, AsBytes(content)).Hex());
}

TEST_CASE("an image that is bound without a name has that of its bootstrap's sha256") { OnShards(DefaultName); }

Task<void> UnbindWhileMounted(BindRig& rig) {
  co_await rig.Bind("dir-zstd", "one");
  co_await MountAndRead(rig, "one", "dir-zstd");
  Errc code = co_await rig.UnbindFails("one");
  CHECK(code == Errc::kBusy);
  CHECK(rig.service->Bindings().at(0).open);
  const bool free = co_await rig.service->UnmountAll();
  CHECK_FALSE(free);
  co_await UmountAll(rig, "one", "dir-zstd");
  co_await rig.service->Unbind("one", {});
  CHECK(rig.Bound().empty());
  code = co_await rig.UnbindFails("one");
  CHECK(code == Errc::kNotFound);
  const int error = co_await rig.kernel.Acquire(Bootstrap("one"));
  CHECK(error == -ENOENT);
}

TEST_CASE("what is mounted is not unbound, what is unbound cannot be mounted") { OnShards(UnbindWhileMounted); }

Task<void> BindAfterStop(BindRig& rig) {
  const bool free = co_await rig.service->UnmountAll();
  CHECK(free);
  const Errc code = co_await rig.BindFails(BindRig::Reference("dir-zstd"), "one");
  CHECK(code == Errc::kBusy);
}

TEST_CASE("a daemon that is stopping binds nothing") { OnShards(BindAfterStop); }

Task<void> LoaderFails(BindRig& rig) {
  const std::string cut = rig.directory / "cut";
  std::filesystem::copy(BindRig::Reference("dir-zstd").substr(5), cut);
  std::filesystem::resize_file(cut, std::filesystem::file_size(cut) - 4096);
  const struct {
    std::string reference, fsid;
    Errc code;
  } cases[] = {{"rafs:/nowhere", "one", Errc::kNotFound},
               {"rafs:" + cut, "one", Errc::kCorrupt},
               {BindRig::Reference("zran"), "one", Errc::kUnsupported},
               {BindRig::Reference("dir-zstd"), "one/two", Errc::kInvalidArgument},
               {BindRig::Reference("dir-zstd"), BindRig::BlobOf("dir-zstd"), Errc::kExists}};
  for (const auto& one : cases) {
    INFO(one.reference << " as " << one.fsid);
    const Errc code = co_await rig.BindFails(one.reference, one.fsid);
    CHECK(code == one.code);
  }
  CHECK(rig.Bound().empty());
  co_await rig.Stop();
  co_await rig.Start();
  CHECK(rig.Bound().empty());
}

TEST_CASE("what cannot be bound leaves nothing behind") { OnShards(LoaderFails); }

Task<void> BindInlined(BindRig& rig) {
  co_await rig.Bind("inline", "one");
  co_await MountAndRead(rig, "one", "inline");
  const auto bytes = BytesInTheKernel(rig, Bootstrap("one"));
  CHECK(image::rafs::ValidateBootstrap(bytes).blobs.at(0).id.hex() == BindRig::BlobOf("inline"));
  co_await rig.Restart();
  CHECK(rig.Bound() == Names{"one"});
  co_await UmountAll(rig, "one", "inline");
}

TEST_CASE("a bootstrap that was inside its blob names it for the kernel") { OnShards(BindInlined); }

Task<void> RestartWithLedger(BindRig& rig) {
  co_await rig.Bind("dir-zstd", "one");
  co_await rig.Bind("tar-lz4-toc", "two", "shared");
  const auto before = rig.service->Bindings();
  co_await rig.Stop();
  const std::string same = rig.LeaveFile(Bootstrap("one"), 1);
  co_await rig.Start();
  CHECK(rig.service->Bindings() == before);
  CHECK(std::filesystem::exists(same));

  // The kernel's file of that name holds another image.
  co_await rig.service->Unbind("one", {});
  co_await rig.Stop();
  co_await rig.Start();
  co_await rig.Bind("dir-zstd", "one");
  CHECK(std::filesystem::exists(same));
  co_await rig.service->Unbind("one", {});
  rig.culling.in_use.insert("Done");
  Errc code = co_await rig.BindFails(BindRig::Reference("tar-lz4-toc"), "one");
  CHECK(code == Errc::kBusy);
  CHECK(rig.Bound() == Names{"shared/two"});
  rig.culling.in_use.clear();
  co_await rig.Bind("tar-lz4-toc", "one");
  CHECK_FALSE(std::filesystem::exists(same));
}

TEST_CASE("after a restart the names are bound as before, and mean what is on record") { OnShards(RestartWithLedger); }

Task<void> RestartWithoutOneImage(BindRig& rig) {
  co_await rig.Bind("dir-zstd", "one");
  co_await rig.Bind("tar-lz4-toc", "two");
  co_await rig.Stop();
  std::ifstream file(BindRig::Reference("dir-zstd").substr(5), std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(file), {}};
  std::filesystem::remove_all(rig.directory / "root/images/" +
                              DigestOf(DigestAlgorithm::kSha256, AsBytes(content)).Hex());
  co_await rig.Start();
  CHECK(rig.Bound() == Names{"two"});
  co_await MountAndRead(rig, "two", "tar-lz4-toc");
  co_await UmountAll(rig, "two", "tar-lz4-toc");
}

TEST_CASE("an image that is lost does not keep the others from being bound again") { OnShards(RestartWithoutOneImage); }

Task<void> TakeOver(BindRig& rig) {
  co_await rig.Bind("dir-zstd", "one");
  const int error = co_await rig.kernel.Acquire(Bootstrap("one"));
  REQUIRE(error == 0);
  co_await rig.Restart();
  const int64_t count = co_await rig.ReadAll(Bootstrap("one"));
  CHECK(count == static_cast<int64_t>(rig.kernel.file(Bootstrap("one")).size));
  const Errc code = co_await rig.UnbindFails("one");
  CHECK(code == Errc::kBusy);
  co_await rig.kernel.Withdraw(Bootstrap("one"));
  co_await rig.service->Unbind("one", {});
}

TEST_CASE("the next worker serves what the killed one had bound") { OnShards(TakeOver); }

Task<void> Quota(BindRig& rig) {
  const std::string busy = rig.LeaveFile({"erofs,gone", "busy"}, 8192);
  const std::string idle = rig.LeaveFile({"erofs,gone", "idle"}, 8192);
  rig.culling.in_use.insert("Dbusy");
  co_await rig.service->Sweep();
  CHECK(std::filesystem::exists(idle));
  co_await rig.Stop();
  rig.options.quota = 1;
  co_await rig.Start();
  co_await rig.service->Sweep();
  CHECK_FALSE(std::filesystem::exists(idle));
  CHECK(std::filesystem::exists(busy));
}

TEST_CASE("above the quota goes what is not in use") { OnShards(Quota); }

Task<void> DeadCache(BindRig& rig) {
  co_await rig.service->Sweep();
  CHECK_FALSE(rig.abandoned);
  rig.culling.dead = true;
  try {
    co_await rig.service->Sweep();
  } catch (const Error&) {  // here abandon() returns
  }
  CHECK(rig.abandoned);
  rig.culling.dead = false;
}

TEST_CASE("a cache that the kernel has given up is abandoned") { OnShards(DeadCache); }

}  // namespace
}  // namespace sluice::daemon
