// SPDX-License-Identifier: Apache-2.0
#include "backend/local_disk.h"

#include <fcntl.h>
#include <zlib.h>

#include <catch2/catch.hpp>

#include "backend/gpt.h"
#include "base/error.h"
#include "runtime/file.h"
#include "support/engines.h"

namespace sluice::backend {
namespace {

using runtime::File;
using runtime::Task;
using test::RunOnEngines;
using test::TestEnv;

const std::string kFirst(64, 'a');
const std::string kSecond = "00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef";

struct Partition {
  std::string id;
  uint64_t first;
  uint64_t last;
  bool old = false;  // nydus-localdisk's first format
};

void Put(std::string& disk, size_t at, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; ++i) disk[at + i] = static_cast<char>(value >> (8 * i));
}

uint32_t Checksum(std::string_view bytes) {
  return static_cast<uint32_t>(
      ::crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

// The bytes of a GUID whose digits, printed without hyphens, are these.
std::string Guid(const std::string& digits) {
  std::string guid;
  for (const size_t at : {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15})
    guid += static_cast<char>(std::stoi(digits.substr(2 * at, 2), nullptr, 16));
  return guid;
}

// A disk of 64 sectors, its table written down from UEFI 2.10 chapter 5.3; sector N is full of byte N.
std::string MakeDisk(const std::vector<Partition>& partitions) {
  std::string disk;
  for (char sector = 0; sector < 64; ++sector) disk += std::string(512, sector);
  const size_t entries = 2 * 512;
  const size_t count = 8;
  disk.replace(entries, count * 128, std::string(count * 128, '\0'));
  for (size_t i = 0; i < partitions.size(); ++i) {
    const size_t at = entries + i * 128;
    const Partition& partition = partitions[i];
    disk.replace(at, 16, Guid(partition.old ? "ebd0a0a2b9e5443387c068b6b72699c7" : "0fc63daf848347728e793d69d8477de4"));
    disk.replace(at + 16, 16,
                 Guid(partition.old || partition.id.size() < 64 ? std::string(32, '7') : partition.id.substr(32)));
    Put(disk, at + 32, partition.first, 8);
    Put(disk, at + 40, partition.last, 8);
    for (size_t c = 0; c < std::min<size_t>(32, partition.id.size()); ++c)
      Put(disk, at + 56 + 2 * c, static_cast<unsigned char>(partition.id[c]), 2);
  }
  disk.replace(512, 512, std::string(512, '\0'));
  disk.replace(512, 8, "EFI PART");
  Put(disk, 512 + 8, 0x00010000, 4);
  Put(disk, 512 + 12, 92, 4);
  Put(disk, 512 + 24, 1, 8);
  Put(disk, 512 + 72, 2, 8);
  Put(disk, 512 + 80, count, 4);
  Put(disk, 512 + 84, 128, 4);
  Put(disk, 512 + 88, Checksum(std::string_view(disk).substr(entries, count * 128)), 4);
  Put(disk, 512 + 16, Checksum(std::string_view(disk).substr(512, 92)), 4);
  return disk;
}

std::vector<BlobPartition> Parse(const std::string& disk) {
  const ConstBytes bytes = AsBytes(disk);
  const GptHeader header = ParseGptHeader(bytes.subspan(512, 512), "disk");
  return ParseGptEntries(header, Slice(bytes, header.entries_offset, header.entries_size, "disk"), "disk");
}

Task<void> WriteDisk(TestEnv& env, std::string content) {
  File file = co_await File::Open(env.engine(), env.Path("disk"), O_RDWR | O_CREAT | O_TRUNC);
  co_await file.WriteAll(AsBytes(content), 0);
}

}  // namespace

TEST_CASE("partitions are named by blob ids, in both formats") {
  const auto found = Parse(MakeDisk({{kFirst, 10, 11}, {kSecond, 12, 12}, {kSecond, 20, 29, true}, {"data", 30, 31}}));
  CHECK(found == std::vector<BlobPartition>{{kFirst, {10 * 512, 2 * 512}},
                                            {kSecond, {12 * 512, 512}},
                                            {kSecond.substr(0, 32), {20 * 512, 10 * 512}}});
}

TEST_CASE("a partition table that is damaged at any byte is refused") {
  const std::string disk = MakeDisk({{kFirst, 10, 11}});
  REQUIRE(Parse(disk).size() == 1);
  for (size_t at = 512; at < 512 + 92; ++at) {
    std::string bad = disk;
    bad[at] ^= 1;
    INFO(at);
    CHECK_THROWS_AS(Parse(bad), Error);
  }
  for (size_t at = 1024; at < 1024 + 8 * 128; ++at) {
    std::string bad = disk;
    bad[at] ^= 1;
    INFO(at);
    CHECK_THROWS_AS(Parse(bad), Error);
  }
}

TEST_CASE("a partition table whose numbers make no sense is refused, whatever its checksums") {
  CHECK_THROWS_WITH(Parse(MakeDisk({{kFirst, 11, 10}})), Catch::Contains(kFirst));
  CHECK_THROWS_WITH(Parse(MakeDisk({{kFirst, 1, UINT64_MAX}})), Catch::Contains(kFirst));
  CHECK_THROWS_WITH(Parse(MakeDisk({{kFirst, 10, 10}, {kFirst, 11, 11}})), Catch::Contains("two partitions"));
  const std::pair<size_t, uint64_t> fields[] = {{12, 91},         {12, 513}, {72, 1},  {72, UINT64_MAX},
                                                {80, UINT32_MAX}, {84, 0},   {84, 64}, {84, 129}};
  for (const auto& [at, value] : fields) {
    INFO(at << " " << value);
    std::string disk = MakeDisk({{kFirst, 10, 11}});
    Put(disk, 512 + at, value, at == 72 ? 8 : 4);
    Put(disk, 512 + 16, 0, 4);
    Put(disk, 512 + 16, Checksum(std::string_view(disk).substr(512, 92)), 4);
    CHECK_THROWS_AS(Parse(disk), Error);
  }
}

TEST_CASE("blobs are read from the partitions of a disk") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    const std::vector<Partition> partitions{{kFirst, 10, 11}, {kSecond, 12, 12, true}};
    co_await WriteDisk(env, MakeDisk(partitions));
    LocalDiskConfig config;
    config.device = env.Path("disk");
    const LocalDiskBackend backend(config);
    const auto first = backend.Open(BlobId::Parse(kFirst));
    std::vector<std::byte> bytes(4);
    co_await first->ReadAt(510, bytes);
    CHECK(AsText(bytes) == "\x0A\x0A\x0B\x0B");
    const auto second = backend.Open(BlobId::Parse(kSecond));
    co_await second->ReadAt(0, bytes);
    CHECK(AsText(bytes) == "\x0C\x0C\x0C\x0C");
    const Errc beyond = co_await test::ErrorOf(second->ReadAt(509, bytes));
    CHECK(beyond == Errc::kCorrupt);
    const auto missing = backend.Open(BlobId::Parse(std::string(64, 'b')));
    const Errc error = co_await test::ErrorOf(missing->ReadAt(0, bytes));
    CHECK(error == Errc::kNotFound);
    const auto stream = first->OpenStream(511, 2, runtime::Lane::kDemand);
    std::vector<std::byte> two(2);
    co_await stream->Read(two);
    CHECK(AsText(two) == "\x0A\x0B");
  });
}

TEST_CASE("blobs are read at the offsets that are configured, and a disk that is exchanged is seen") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    const BlobId id = BlobId::Parse(kFirst);
    LocalDiskConfig config;
    config.device = env.Path("disk");
    config.gpt = false;
    config.blobs.emplace(id, ByteRange{3, 4});
    const LocalDiskBackend backend(config);
    const auto source = backend.Open(id);
    std::vector<std::byte> bytes(2);
    const Errc missing = co_await test::ErrorOf(source->ReadAt(0, bytes));
    CHECK(missing == Errc::kNotFound);
    co_await WriteDisk(env, "0123456789");
    co_await source->ReadAt(2, bytes);
    CHECK(AsText(bytes) == "56");
    const Errc beyond = co_await test::ErrorOf(source->ReadAt(3, bytes));
    CHECK(beyond == Errc::kCorrupt);
    co_await WriteDisk(env, "01234");  // ends within the blob
    source->Distrust();
    const Errc cut = co_await test::ErrorOf(source->ReadAt(1, bytes));
    CHECK(cut == Errc::kCorrupt);
  });
}

}  // namespace sluice::backend
