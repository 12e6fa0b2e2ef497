// SPDX-License-Identifier: Apache-2.0
#pragma once
// Puts files into an object store.  Belongs to one shard.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/object_store.h"
#include "backend/services.h"
#include "base/limits.h"
#include "base/range.h"
#include "http/fetch.h"
#include "http/retry.h"
#include "runtime/file.h"
#include "runtime/task.h"

namespace sluice::backend {

struct UploadLimits {
  uint64_t part_bytes = 16 * kMiB;  // larger files go in parts of at least this size; 5 MiB at least for S3
  uint64_t most_parts = 10'000;     // of one object (S3 and OSS)
  size_t parts_at_once = 4;
};

class ObjectUploader {
 public:
  ObjectUploader(Services services, std::unique_ptr<ObjectStore> store, http::RetryPolicy retry,
                 UploadLimits limits = {});
  ~ObjectUploader();

  // Makes the object `name` hold the first `size` bytes of `file`, which has them all and does not change.  An object
  // of that name and size is left as it is: names are digests.  False then.  Afterwards the store has been asked for
  // the size.  After an error or a stop request nothing of an upload in parts is left, as far as the store answers.
  // `file` outlives the task.
  runtime::Task<bool> Put(std::string name, runtime::File& file, uint64_t size);

  std::string Describe() const { return store_->Describe(); }

 private:
  struct Multipart;
  // Sends until it succeeds or the policy ends.  `upload`: the body, if there is one; its digest is signed.
  runtime::Task<http::Document> Send(ObjectStore::Operation operation, http::UploadSource* upload, std::string body);
  runtime::Task<http::Document> SendOnce(const ObjectStore::Operation& operation, http::UploadSource* upload,
                                         const std::string& body, http::RetryAdvice& advice);
  // Nothing: there is no such object, or we may not know.
  runtime::Task<std::optional<uint64_t>> FindSize(std::string name);
  runtime::Task<void> PutWhole(std::string name, runtime::File& file, uint64_t size);
  runtime::Task<void> PutParts(std::string name, runtime::File& file, uint64_t size);
  runtime::Task<void> SendParts(Multipart& upload);
  runtime::Task<void> SendSome(Multipart& upload);
  runtime::Task<void> Complete(const Multipart& upload);
  runtime::Task<void> Abort(std::string name, std::string id);

  class Transports;
  const Services services_;
  const std::unique_ptr<ObjectStore> store_;
  const http::RetryPolicy retry_;
  const UploadLimits limits_;
  const std::unique_ptr<Transports> transports_;
};

}  // namespace sluice::backend
