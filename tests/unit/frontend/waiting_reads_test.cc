// SPDX-License-Identifier: Apache-2.0
#include "frontend/cachefiles/waiting_reads.h"

#include <catch2/catch.hpp>
#include <cerrno>

namespace sluice::frontend::cachefiles {
namespace {

class CountingFd final : public ObjectFd {
 public:
  int64_t Write(ConstBytes, uint64_t) const noexcept override { return -ENOBUFS; }
  int64_t Seek(uint64_t, int) const noexcept override { return -ENOBUFS; }
  int64_t CompleteRead(uint32_t id) const noexcept override {
    completed.push_back(id);
    return result;
  }

  mutable std::vector<uint32_t> completed;
  int64_t result = 0;
};

TEST_CASE("a write completes the READs that are inside of it, the others are left to their owners") {
  CountingFd fd;
  WaitingReads reads;
  const WaitingReads::Read inside{1, {8192, 4096}};
  const WaitingReads::Read whole{2, {4096, 12288}};
  const WaitingReads::Read longer{3, {4096, 16384}};
  const WaitingReads::Read before{4, {0, 8192}};
  for (const auto* read : {&inside, &whole, &longer, &before}) reads.Add(*read);
  reads.Complete(fd, {4096, 12288});
  CHECK(fd.completed == std::vector<uint32_t>{1, 2});
  CHECK_FALSE(reads.Remove(inside));
  CHECK_FALSE(reads.Remove(whole));
  CHECK(reads.Remove(longer));
  CHECK(reads.Remove(before));
  reads.Complete(fd, {0, 1 << 20});
  CHECK(fd.completed.size() == 2);
}

TEST_CASE("a number that the kernel uses again does not mix up two READs") {
  CountingFd fd;
  WaitingReads reads;
  const WaitingReads::Read first{0, {0, 4096}};
  reads.Add(first);
  reads.Complete(fd, {0, 4096});
  const WaitingReads::Read second{0, {0, 4096}};
  reads.Add(second);
  CHECK_FALSE(reads.Remove(first));
  CHECK(reads.Remove(second));
}

TEST_CASE("a READ that the kernel does not let go is told, one whose reader was killed is not") {
  CountingFd fd;
  WaitingReads reads;
  const WaitingReads::Read read{7, {0, 4096}};
  for (const auto& [result, told] : {std::pair(-EINVAL, 0), std::pair(-EIO, -EIO)}) {
    fd.result = result;
    reads.Add(read);
    reads.Complete(fd, read.range);
    CHECK(reads.TakeError() == told);
    CHECK(reads.TakeError() == 0);
  }
}

}  // namespace
}  // namespace sluice::frontend::cachefiles
