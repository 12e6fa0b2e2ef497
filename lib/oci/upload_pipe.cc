// SPDX-License-Identifier: Apache-2.0
#include "oci/upload_pipe.h"

#include <utility>

namespace sluice::oci {

using runtime::Task;

UploadPipe::UploadPipe(runtime::Engine& engine, RepositoryWriter& writer) : upload_(writer), scope_(engine, "upload") {}

Task<uint64_t> UploadPipe::Start() {
  co_await upload_.Start();
  co_return upload_.piece_bytes();
}

Task<void> UploadPipe::Push(std::vector<std::byte> piece) {
  runtime::Permit turn = co_await turn_.Acquire(1);
  ThrowIfFailed();
  scope_.Spawn(Send(std::move(piece), std::move(turn)));
}

Task<void> UploadPipe::Send(std::vector<std::byte> piece, runtime::Permit) {
  try {
    co_await upload_.Append(piece);
  } catch (const Error& error) {
    failure_ = error;
  }
}

Task<void> UploadPipe::Finish(Digest digest) {
  const runtime::Permit turn = co_await turn_.Acquire(1);
  ThrowIfFailed();
  co_await upload_.Finish(digest);
  finished_ = true;
}

Task<void> UploadPipe::Close() {
  scope_.RequestStop();
  co_await scope_.Join();
  if (!finished_) co_await upload_.Cancel();
}

void UploadPipe::ThrowIfFailed() const {
  if (failure_) throw Error(*failure_);
}

}  // namespace sluice::oci
