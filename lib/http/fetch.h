// SPDX-License-Identifier: Apache-2.0
#pragma once
// What is mostly asked of servers: a small document, an exact range of a large object.  A wrong answer is an error,
// never data.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "base/range.h"
#include "http/retry.h"
#include "http/transport.h"

namespace sluice::http {

// Throws the error that an unwelcome status means: kNotFound (404, 410), kPermission (401, 403, 407, 451), kBusy (408,
// 429, 503), kCorrupt (416: the object ends before), kUnsupported (1xx to 3xx, 501), kInvalidArgument (other 4xx), kIo
// (other 5xx).  `advice`, when not null, receives Retry-After.
[[noreturn]] void ThrowStatus(const ClientRequest& request, const ResponseHead& head, RetryAdvice* advice = nullptr);

// The rest of the body.  Throws kLimit when it has more than `max_bytes`, whether announced or not, and as ReadSome.
// `exchange` outlives the task.
runtime::Task<std::string> ReadBody(Exchange& exchange, uint64_t max_bytes);

struct Document {
  ResponseHead head;
  Url url;  // where it came from
  std::string body;
};

// Sends `request` and reads all of a 2xx answer as ReadBody(); throws ThrowStatus for others.  `advice` outlives the
// task.
runtime::Task<Document> FetchDocument(Transport& transport, ClientRequest request, uint64_t max_bytes,
                                      RetryAdvice* advice = nullptr);

// What all answers about one object must agree in.  Shared by all reads of the object at one place (URL).
struct ObjectIdentity {
  std::optional<uint64_t> size;  // bytes of the whole object, as the caller knows them
  // The strong entity tag, with its quotes, that `server` gave first; learned by reading.  Another server behind a
  // redirect has tags of its own.  A contradiction is an error and forgets the tag: an object that was put again, with
  // the same bytes, is read by the next try.
  std::string etag;
  std::optional<Origin> server;
};

// Bytes of a range, in order, while the answer runs.
class RangeStream {
 public:
  // `exchange` has been checked to be the answer for `range`.
  RangeStream(std::unique_ptr<Exchange> exchange, ByteRange range, std::string name);

  ByteRange range() const noexcept { return range_; }
  // Bytes of the object that were read so far.
  uint64_t received() const noexcept { return received_; }
  // Where the bytes come from: not the URL of the request after a redirect.
  const Url& url() const noexcept { return exchange_->url(); }
  // At least one byte, at most dst.size(); 0 when the whole range was given.  Throws kIo when the answer ends before,
  // kCorrupt when it goes on, kTimeout, kStopped.  Destroying the stream cuts the answer.
  runtime::Task<size_t> ReadSome(MutableBytes dst);

 private:
  std::unique_ptr<Exchange> exchange_;
  const ByteRange range_;
  const std::string name_;  // for messages
  uint64_t received_ = 0;
  bool ended_ = false;  // nothing came behind the range
};

// Asks for exactly `range` (not empty) with GET and checks that the answer is just that: 206, the Content-Range asked
// for, a Content-Length that fits, no Content-Encoding, and nothing that contradicts `identity`; throws kCorrupt
// otherwise, kUnsupported when the server ignores ranges, ThrowStatus for other answers.  `identity` is shared by all
// reads of the object; it and `advice` outlive the task.
runtime::Task<std::unique_ptr<RangeStream>> OpenRange(Transport& transport, ClientRequest request, ByteRange range,
                                                      ObjectIdentity& identity, RetryAdvice* advice = nullptr);

// Fills all of `dst` with the bytes from `offset`.  Errors as above.
runtime::Task<void> FetchRange(Transport& transport, ClientRequest request, uint64_t offset, MutableBytes dst,
                               ObjectIdentity& identity, RetryAdvice* advice = nullptr);

}  // namespace sluice::http
