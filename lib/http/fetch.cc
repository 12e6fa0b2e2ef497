// SPDX-License-Identifier: Apache-2.0
#include "http/fetch.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/limits.h"
#include "http/answer_fields.h"

namespace sluice::http {

using runtime::Task;

namespace {

constexpr size_t kReadBytes = 64 * kKiB;

Errc CodeOfStatus(unsigned status) noexcept {
  switch (status) {
    case 404:
    case 410: return Errc::kNotFound;
    case 401:
    case 403:
    case 407:
    case 451: return Errc::kPermission;
    case 408:
    case 429:
    case 503: return Errc::kBusy;
    case 416: return Errc::kCorrupt;
    case 501: return Errc::kUnsupported;
    default: break;
  }
  if (status >= 500) return Errc::kIo;
  return status >= 400 ? Errc::kInvalidArgument : Errc::kUnsupported;
}

std::string NameOf(const std::string& method, const Url& url) { return method + " " + url.ForMessages(); }

std::string ShowRange(ByteRange range) { return fmt::format("{}-{}", range.offset, range.end() - 1); }

// Throws kCorrupt when the answer is not exactly the one for `range`.
void CheckRange(const ResponseHead& head, ByteRange range, const ObjectIdentity& identity) {
  const std::optional<std::string_view> text = head.Find("Content-Range");
  if (!text) Throw(Errc::kCorrupt, "a part (206) without a Content-Range");
  const std::optional<ContentRange> given = ParseContentRange(*text);
  if (!given) Throw(Errc::kCorrupt, "a malformed Content-Range");
  if (given->range != range) {
    Throw(Errc::kCorrupt, "bytes {} in place of {}", ShowRange(given->range), ShowRange(range));
  }
  if (identity.size && given->size && *given->size != *identity.size) {
    Throw(Errc::kCorrupt, "the object has {} bytes in place of {}", *given->size, *identity.size);
  }
  const std::optional<uint64_t> length = ContentLength(head);
  if (length && *length != range.length) {
    Throw(Errc::kCorrupt, "a Content-Length of {} for {} bytes", *length, range.length);
  }
  const std::optional<std::string_view> encoding = head.Find("Content-Encoding");
  if (encoding && !SameFieldName(*encoding, "identity")) {
    Throw(Errc::kCorrupt, "the content encoding '{}', which nobody asked for", *encoding);
  }
}

// Throws kCorrupt when `server` gave another tag before.
void CheckTag(const ResponseHead& head, const Origin& server, ObjectIdentity& identity) {
  const std::optional<std::string_view> tag = head.Find("ETag");
  if (!tag || tag->empty() || tag->front() != '"') return;  // none, or a weak one (W/"…") that promises no equal bytes
  const bool changed = identity.server == server && identity.etag != *tag;
  if (changed) {
    identity.etag.clear();
    identity.server.reset();
    Throw(Errc::kCorrupt, "the object has changed: its entity tag is another one");
  }
  identity.etag = *tag;
  identity.server = server;
}

}  // namespace

void ThrowStatus(const ClientRequest& request, const ResponseHead& head, RetryAdvice* advice) {
  if (advice != nullptr) advice->retry_after = RetryAfter(head);
  Throw(CodeOfStatus(head.status), "{}: answered with status {}", NameOf(request.method, request.url), head.status);
}

Task<std::string> ReadBody(Exchange& exchange, uint64_t max_bytes) {
  const std::optional<uint64_t> announced = ContentLength(exchange.head());
  if (announced && *announced > max_bytes) {
    Throw(Errc::kLimit, "{}: the answer has {} bytes, more than the {} that are allowed", exchange.url().ForMessages(),
          *announced, max_bytes);
  }
  std::string body;
  for (;;) {
    const size_t filled = body.size();
    body.resize(filled + kReadBytes);
    const MutableBytes free = std::as_writable_bytes(std::span(body.data() + filled, kReadBytes));
    const size_t got = co_await exchange.ReadSome(free);
    body.resize(filled + got);
    if (got == 0) co_return body;
    if (body.size() > max_bytes) {
      Throw(Errc::kLimit, "{}: the answer has more than the {} bytes that are allowed", exchange.url().ForMessages(),
            max_bytes);
    }
  }
}

Task<Document> FetchDocument(Transport& transport, ClientRequest request, uint64_t max_bytes, RetryAdvice* advice) {
  const std::unique_ptr<Exchange> exchange = co_await transport.Send(request);
  if (exchange->status() < 200 || exchange->status() > 299) ThrowStatus(request, exchange->head(), advice);
  std::string body;
  // The answer to a HEAD announces a body that does not come.
  if (request.method != "HEAD") body = co_await ReadBody(*exchange, max_bytes);
  co_return Document{.head = exchange->head(), .url = exchange->url(), .body = std::move(body)};
}

RangeStream::RangeStream(std::unique_ptr<Exchange> exchange, ByteRange range, std::string name)
    : exchange_(std::move(exchange)), range_(range), name_(std::move(name)) {}

Task<size_t> RangeStream::ReadSome(MutableBytes dst) {
  if (received_ < range_.length) {
    const MutableBytes wanted = dst.first(std::min<uint64_t>(dst.size(), range_.length - received_));
    const size_t got = co_await exchange_->ReadSome(wanted);
    if (got == 0) {
      Throw(Errc::kIo, "{}: the answer ends after {} of {} bytes from {}", name_, received_, range_.length,
            range_.offset);
    }
    received_ += got;
    co_return got;
  }
  if (!ended_) {
    std::array<std::byte, 1> beyond;
    const size_t got = co_await exchange_->ReadSome(beyond);
    if (got > 0) Throw(Errc::kCorrupt, "{}: the answer goes on behind bytes {}", name_, ShowRange(range_));
    ended_ = true;
  }
  co_return 0;
}

Task<std::unique_ptr<RangeStream>> OpenRange(Transport& transport, ClientRequest request, ByteRange range,
                                             ObjectIdentity& identity, RetryAdvice* advice) {
  SLUICE_CHECK(!range.empty() && range.end() > range.offset, "a range holds a byte and ends");
  request.method = "GET";
  request.fields.push_back({.name = "Range", .value = "bytes=" + ShowRange(range)});
  request.fields.push_back({.name = "Accept-Encoding", .value = "identity"});
  std::unique_ptr<Exchange> exchange = co_await transport.Send(request);
  std::string name = NameOf(request.method, request.url);
  if (exchange->status() == 200) {
    Throw(Errc::kUnsupported, "{}: the server sends the whole object where bytes {} are asked for", name,
          ShowRange(range));
  }
  if (exchange->status() != 206) ThrowStatus(request, exchange->head(), advice);
  try {
    CheckRange(exchange->head(), range, identity);
    CheckTag(exchange->head(), exchange->url().origin(), identity);
  } catch (Error& error) {
    error.AddContext(name);
    throw;
  }
  co_return std::make_unique<RangeStream>(std::move(exchange), range, std::move(name));
}

Task<void> FetchRange(Transport& transport, ClientRequest request, uint64_t offset, MutableBytes dst,
                      ObjectIdentity& identity, RetryAdvice* advice) {
  const ByteRange range{offset, dst.size()};
  const std::unique_ptr<RangeStream> stream =
      co_await OpenRange(transport, std::move(request), range, identity, advice);
  for (;;) {
    const MutableBytes rest = dst.subspan(stream->received());
    // Behind the last byte: sees the end, after which the connection serves others.
    if (co_await stream->ReadSome(rest) == 0) co_return;
  }
}

}  // namespace sluice::http
