// SPDX-License-Identifier: Apache-2.0
#include "backend/local.h"

#include <fcntl.h>

#include <catch2/catch.hpp>

#include "base/error.h"
#include "runtime/file.h"
#include "support/engines.h"

namespace sluice::backend {
namespace {

using runtime::File;
using runtime::Task;
using test::RunOnEngines;
using test::TestEnv;

const BlobId kId = BlobId::Parse(std::string(64, 'c'));

Task<void> Put(TestEnv& env, std::string path, std::string content) {
  File file = co_await File::Open(env.engine(), std::move(path), O_RDWR | O_CREAT | O_TRUNC);
  co_await file.WriteAll(AsBytes(content), 0);
}

Task<std::string> Read(BlobSource& source, uint64_t offset, size_t size) {
  std::vector<std::byte> bytes(size);
  co_await source.ReadAt(offset, bytes);
  co_return std::string(AsText(bytes));
}

Task<void> ExpectError(BlobSource& source, uint64_t offset, size_t size, Errc code, std::string message) {
  std::vector<std::byte> bytes(size);
  try {
    co_await source.ReadAt(offset, bytes);
    FAIL("read " << size << " bytes at " << offset);
  } catch (const Error& e) {
    CHECK(e.code() == code);
    CHECK_THAT(e.message(), Catch::Contains(message));
  }
}

}  // namespace

TEST_CASE("a blob is read from the first directory that has it") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    co_await MakeDirectory(env.engine(), env.Path("a"));
    co_await MakeDirectory(env.engine(), env.Path("b"));
    co_await Put(env, env.Path("b/" + kId.hex()), "0123456789");
    const LocalBackend backend({env.Path("a"), env.Path("b")});
    const auto source = backend.Open(kId);
    const std::string middle = co_await Read(*source, 3, 4);
    CHECK(middle == "3456");
    const std::string all = co_await Read(*source, 0, 10);
    CHECK(all == "0123456789");
    CHECK(source->Describe() == "directories '" + env.Path("a") + "', '" + env.Path("b") + "'");
    CHECK(LocalBackend({"/a"}).Open(kId)->Describe() == "directory '/a'");
  });
}

// More parts than one call of the kernel takes.
TEST_CASE("an open file is read without the engine, into as many parts as there are") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    constexpr size_t kParts = 2500;
    std::string content;
    for (size_t i = 0; i < 3 * kParts; ++i) content.push_back(static_cast<char>('a' + i % 23));
    co_await Put(env, env.Path(kId.hex()), content);
    const LocalBackend backend({env.directory()});
    const auto source = backend.Open(kId);
    CHECK(source->file() == nullptr);
    co_await source->OpenFile();
    const auto file = source->file();
    REQUIRE(file != nullptr);
    std::vector<std::byte> bytes(2 * kParts);
    std::vector<iovec> parts;  // the last ones of the buffer first
    for (size_t i = kParts; i-- > 0;) parts.push_back({bytes.data() + 2 * i, 2});
    const bool read = file->TryRead(1, parts);
    CHECK(read == !env.engine().simulated());
    if (!read) co_return;
    std::string seen;
    for (const iovec& part : parts) seen += AsText({static_cast<const std::byte*>(part.iov_base), part.iov_len});
    CHECK(seen == content.substr(1, 2 * kParts));
    CHECK_FALSE(file->TryRead(kParts + 2, parts));  // ends inside
  });
}

TEST_CASE("a blob that is missing is named, and found when it appears") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    const LocalBackend backend({env.directory()});
    const auto source = backend.Open(kId);
    co_await ExpectError(*source, 0, 1, Errc::kNotFound, kId.hex());
    co_await Put(env, env.Path(kId.hex()), "here");
    const std::string found = co_await Read(*source, 0, 4);
    CHECK(found == "here");
  });
}

TEST_CASE("a blob that ends too early is corrupt, and read anew when it was replaced") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    co_await Put(env, env.Path(kId.hex()), "cut");
    const LocalBackend backend({env.directory()});
    const auto source = backend.Open(kId);
    co_await ExpectError(*source, 2, 2, Errc::kCorrupt, kId.hex());
    co_await ExpectError(*source, 100, 2, Errc::kCorrupt, kId.hex());
    const std::string rest = co_await Read(*source, 0, 3);
    CHECK(rest == "cut");
    co_await Put(env, env.Path("new"), "complete");
    co_await Rename(env.engine(), env.Path("new"), env.Path(kId.hex()));
    co_await ExpectError(*source, 2, 2, Errc::kCorrupt, kId.hex());  // still the old file; that was its last chance
    const std::string replaced = co_await Read(*source, 2, 2);
    CHECK(replaced == "mp");
  });
}

TEST_CASE("a distrusted blob is opened again") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    co_await Put(env, env.Path(kId.hex()), "wrong");
    const LocalBackend backend({env.directory()});
    const auto source = backend.Open(kId);
    const std::string before = co_await Read(*source, 0, 5);
    CHECK(before == "wrong");
    co_await Put(env, env.Path("new"), "right");
    co_await Rename(env.engine(), env.Path("new"), env.Path(kId.hex()));
    source->Distrust();
    const std::string after = co_await Read(*source, 0, 5);
    CHECK(after == "right");
  });
}

TEST_CASE("what is not a file is an error") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    co_await MakeDirectory(env.engine(), env.Path(kId.hex()));
    const LocalBackend backend({env.directory()});
    const auto source = backend.Open(kId);
    std::vector<std::byte> bytes(1);
    bool failed = false;
    try {
      co_await source->ReadAt(0, bytes);
    } catch (const Error&) {
      failed = true;
    }
    CHECK(failed);
  });
}

TEST_CASE("a stream of a directory gives the blob's bytes in order") {
  RunOnEngines([](TestEnv& env) -> Task<void> {
    co_await MakeDirectory(env.engine(), env.Path("a"));
    co_await Put(env, env.Path("a/" + kId.hex()), "0123456789");
    const LocalBackend backend({env.Path("a")});
    const auto source = backend.Open(kId);
    const auto stream = source->OpenStream(2, 8, runtime::Lane::kDemand);
    std::string read(8, ' ');
    const MutableBytes bytes = std::as_writable_bytes(std::span(read));
    co_await stream->Read(bytes.first(3));
    co_await stream->Read(bytes.subspan(3, 5));
    CHECK(read == "23456789");
  });
}

}  // namespace sluice::backend
