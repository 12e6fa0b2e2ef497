// SPDX-License-Identifier: Apache-2.0
#include "backend/object_upload.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "backend/explaining_transport.h"
#include "backend/xml_element.h"
#include "base/digest.h"
#include "base/error.h"
#include "http/answer_fields.h"
#include "http/fetch.h"
#include "http/redirect.h"
#include "runtime/combine.h"

namespace sluice::backend {

using http::ClientRequest;
using http::Document;
using http::RetryAdvice;
using runtime::File;
using runtime::Task;

namespace {

constexpr uint64_t kMaxAnswerBytes = 1 * kMiB;
constexpr size_t kReadBytes = 256 * kKiB;
constexpr auto kAbortTimeout = std::chrono::seconds(10);

// A range of a file as a body.
class FilePart final : public http::UploadSource {
 public:
  FilePart(File& file, ByteRange range) noexcept : file_(file), range_(range) {}

  uint64_t size() const override { return range_.length; }
  Task<size_t> ReadSome(MutableBytes dst) override {
    const MutableBytes wanted = dst.first(std::min<uint64_t>(dst.size(), range_.length - done_));
    co_await file_.ReadExactly(wanted, range_.offset + done_);
    done_ += wanted.size();
    co_return wanted.size();
  }
  void Rewind() override { done_ = 0; }

  Task<std::string> Sha256() {
    Hasher hasher(DigestAlgorithm::kSha256);
    std::vector<std::byte> buffer(std::min<uint64_t>(kReadBytes, range_.length));
    Rewind();
    for (uint64_t left = range_.length; left > 0;) {
      const size_t got = co_await ReadSome(buffer);
      hasher.Update(ConstBytes(buffer).first(got));
      left -= got;
    }
    Rewind();
    co_return hasher.Finish().Hex();
  }

 private:
  File& file_;
  const ByteRange range_;
  uint64_t done_ = 0;
};

}  // namespace

class ObjectUploader::Transports {
 public:
  explicit Transports(http::Transport& sender) : redirecting(sender), explaining(redirecting) {}
  http::RedirectingTransport redirecting;
  ExplainingTransport explaining;
};

// An upload in parts that has begun.
struct ObjectUploader::Multipart {
  std::string name;
  std::string id;  // that the store gave it
  File& file;
  uint64_t size;
  uint64_t part_bytes;
  std::vector<std::string> tags;  // of the parts that are there
  size_t next = 0;                // the next part to send
};

ObjectUploader::ObjectUploader(Services services, std::unique_ptr<ObjectStore> store, http::RetryPolicy retry,
                               UploadLimits limits)
    : services_(std::move(services)),
      store_(std::move(store)),
      retry_(retry),
      limits_(limits),
      transports_(std::make_unique<Transports>(services_.transport)) {}

ObjectUploader::~ObjectUploader() = default;

Task<Document> ObjectUploader::SendOnce(const ObjectStore::Operation& operation, http::UploadSource* upload,
                                        const std::string& body, RetryAdvice& advice) {
  ClientRequest request = co_await store_->MakeRequest(operation);
  if (upload != nullptr) upload->Rewind();
  request.upload = upload;
  request.body = body;
  co_return co_await http::FetchDocument(transports_->explaining, std::move(request), kMaxAnswerBytes, &advice);
}

Task<Document> ObjectUploader::Send(ObjectStore::Operation operation, http::UploadSource* upload, std::string body) {
  auto attempt = [&](RetryAdvice& advice) { return SendOnce(operation, upload, body, advice); };
  co_return co_await http::WithRetry(services_.engine, services_.rng, retry_, std::move(attempt));
}

Task<std::optional<uint64_t>> ObjectUploader::FindSize(std::string name) {
  ObjectStore::Operation operation{.method = "HEAD", .name = std::move(name)};
  try {
    const Document answer = co_await Send(std::move(operation), nullptr, {});
    co_return http::ContentLength(answer.head);
  } catch (const Error& e) {
    // S3 does not even say that an object is missing to those who may not list its bucket.
    if (e.code() != Errc::kNotFound && e.code() != Errc::kPermission) throw;
  }
  co_return std::nullopt;
}

Task<bool> ObjectUploader::Put(std::string name, File& file, uint64_t size) {
  const std::optional<uint64_t> there = co_await FindSize(name);
  if (there == size) co_return false;
  if (size <= limits_.part_bytes) {
    co_await PutWhole(name, file, size);
  } else {
    co_await PutParts(name, file, size);
  }
  const std::optional<uint64_t> stored = co_await FindSize(name);
  if (stored != size) {
    Throw(Errc::kIo, "{}: object '{}' was put with {} bytes, but the store shows {}", Describe(), name, size,
          stored ? fmt::format("{} bytes", *stored) : "none");
  }
  co_return true;
}

Task<void> ObjectUploader::PutWhole(std::string name, File& file, uint64_t size) {
  FilePart body(file, ByteRange{0, size});
  ObjectStore::Operation operation{.method = "PUT", .name = std::move(name)};
  operation.payload_sha256 = co_await body.Sha256();
  co_await Send(std::move(operation), &body, {});
}

Task<void> ObjectUploader::PutParts(std::string name, File& file, uint64_t size) {
  const uint64_t fewest = (size + limits_.most_parts - 1) / limits_.most_parts;
  Multipart upload{
      .name = name, .file = file, .size = size, .part_bytes = std::max(limits_.part_bytes, AlignUp(fewest, kMiB))};
  upload.tags.resize((size + upload.part_bytes - 1) / upload.part_bytes);

  ObjectStore::Operation begin{.method = "POST", .name = name, .query = {{"uploads", ""}}};
  begin.payload_sha256 = DigestOf(DigestAlgorithm::kSha256, {}).Hex();
  const Document begun = co_await Send(std::move(begin), nullptr, {});
  const auto id = FindXmlText(begun.body, "UploadId");
  if (!id || id->empty()) Throw(Errc::kCorrupt, "{}: an upload of '{}' has begun without an id", Describe(), name);
  upload.id = *id;

  std::exception_ptr failure;
  try {
    co_await SendParts(upload);
    co_await Complete(upload);
    co_return;
  } catch (...) {
    failure = std::current_exception();
  }
  // The store keeps and charges for parts until it is told.
  co_await runtime::WithoutStop(Abort(name, upload.id));
  std::rethrow_exception(failure);
}

Task<void> ObjectUploader::SendParts(Multipart& upload) {
  std::vector<Task<void>> senders;
  const size_t count = std::min(limits_.parts_at_once, upload.tags.size());
  for (size_t i = 0; i < count; ++i) senders.push_back(SendSome(upload));
  co_await runtime::WhenAll(std::move(senders));
}

// Sends parts until none is left or one of them fails.
Task<void> ObjectUploader::SendSome(Multipart& upload) {
  while (upload.next < upload.tags.size()) {
    const size_t part = upload.next++;
    const uint64_t offset = part * upload.part_bytes;
    FilePart body(upload.file, ByteRange{offset, std::min(upload.part_bytes, upload.size - offset)});
    ObjectStore::Operation operation{.method = "PUT",
                                     .name = upload.name,
                                     .query = {{"partNumber", std::to_string(part + 1)}, {"uploadId", upload.id}}};
    std::optional<std::string_view> tag;
    try {
      operation.payload_sha256 = co_await body.Sha256();
      const Document answer = co_await Send(std::move(operation), &body, {});
      tag = answer.head.Find("ETag");
      if (!tag || tag->empty())
        Throw(Errc::kCorrupt, "{}: part {} of '{}' has no entity tag", Describe(), part + 1, upload.name);
      upload.tags[part] = *tag;
    } catch (...) {
      upload.next = upload.tags.size();  // the others need not go on
      throw;
    }
  }
}

Task<void> ObjectUploader::Complete(const Multipart& upload) {
  std::string body = "<CompleteMultipartUpload>";
  for (size_t part = 0; part < upload.tags.size(); ++part)
    body +=
        fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", part + 1, EscapeXml(upload.tags[part]));
  body += "</CompleteMultipartUpload>";
  ObjectStore::Operation operation{.method = "POST", .name = upload.name, .query = {{"uploadId", upload.id}}};
  operation.payload_sha256 = DigestOf(DigestAlgorithm::kSha256, AsBytes(body)).Hex();
  std::exception_ptr failure;
  try {
    const Document answer = co_await Send(std::move(operation), nullptr, std::move(body));
    // The answer's status is sent before the work is done: it may turn out to be an error.
    if (FindXmlText(answer.body, "ETag")) co_return;
    const auto code = FindXmlText(answer.body, "Code");
    Throw(Errc::kIo, "{}: the parts of '{}' were not put together: {}", Describe(), upload.name,
          code.value_or("no reason given"));
  } catch (const Error& e) {
    // The answer to a try that succeeded may have been lost; the next one then finds no such upload.
    if (e.code() != Errc::kNotFound) throw;
    failure = std::current_exception();
  }
  const std::optional<uint64_t> size = co_await FindSize(upload.name);
  if (size != upload.size) std::rethrow_exception(failure);
}

Task<void> ObjectUploader::Abort(std::string name, std::string id) {
  ObjectStore::Operation operation{.method = "DELETE", .name = std::move(name), .query = {{"uploadId", std::move(id)}}};
  try {
    co_await runtime::WithTimeout(services_.engine, kAbortTimeout, Send(std::move(operation), nullptr, {}));
  } catch (const Error&) {
    // What made the upload fail is the error to tell.
  }
}

}  // namespace sluice::backend
