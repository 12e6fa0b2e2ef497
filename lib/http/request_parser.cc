// SPDX-License-Identifier: Apache-2.0
#include "http/request_parser.h"

#include <http_parser.h>

#include <algorithm>
#include <string_view>

#include "base/check.h"
#include "http/percent.h"

namespace sluice::http {
namespace {

bool EqualsIgnoringCase(std::string_view a, std::string_view lower) noexcept {
  return std::equal(a.begin(), a.end(), lower.begin(), lower.end(),
                    [](char x, char y) { return (x >= 'A' && x <= 'Z' ? x - 'A' + 'a' : x) == y; });
}

std::vector<std::pair<std::string, std::string>> ParseQuery(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> query;
  while (!text.empty()) {
    const size_t end = std::min(text.find('&'), text.size());
    const std::string_view item = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (item.empty()) continue;
    const size_t equals = std::min(item.find('='), item.size());
    const std::string_view value = item.substr(std::min(equals + 1, item.size()));
    query.emplace_back(PercentDecode(item.substr(0, equals)), PercentDecode(value));
  }
  return query;
}

// The part of `target` that http_parser found for `field`; empty when there is none.
std::string_view Part(const http_parser_url& url, http_parser_url_fields field, std::string_view target) {
  if ((url.field_set & (1u << field)) == 0) return {};
  return target.substr(url.field_data[field].off, url.field_data[field].len);
}

// Not 1 or 2, which on_headers_complete takes for "there is no body".
constexpr int kEndParse = -1;

}  // namespace

// http_parser calls back with pieces of arbitrary length; a callback that returns kEndParse ends the parse, and
// `refusal` says why.  No exception crosses the C code.
struct RequestParser::State {
  explicit State(RequestLimits l) : limits(l) {
    http_parser_settings_init(&settings);
    settings.on_message_begin = [](http_parser* p) noexcept { return Of(p).Begin(); };
    settings.on_url = [](http_parser* p, const char* at, size_t n) noexcept { return Of(p).Url({at, n}); };
    settings.on_header_field = [](http_parser* p, const char* at, size_t n) noexcept { return Of(p).Field({at, n}); };
    settings.on_header_value = [](http_parser* p, const char* at, size_t n) noexcept { return Of(p).Value({at, n}); };
    settings.on_headers_complete = [](http_parser* p) noexcept { return Of(p).HeadersComplete(); };
    settings.on_body = [](http_parser* p, const char* at, size_t n) noexcept { return Of(p).Body({at, n}); };
    settings.on_message_complete = [](http_parser* p) noexcept { return Of(p).Complete(); };
    Reset();
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  static State& Of(http_parser* p) noexcept { return *static_cast<State*>(p->data); }

  void Reset() {
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = this;
    started = complete = expects_continue = headers_complete = last_was_value = false;
    header_bytes = 0;
    target.clear();
    field.clear();
    value.clear();
    request = Request();
  }

  int Refuse(unsigned status, Errc code, const char* reason) noexcept {
    refusal_status = status;
    refusal_code = code;
    refusal = reason;
    return kEndParse;
  }

  int CountHeader(size_t bytes) noexcept {
    header_bytes += bytes;
    return header_bytes <= limits.header_bytes ? 0 : Refuse(431, Errc::kLimit, "the header is too large");
  }

  int Begin() noexcept {
    started = true;
    return 0;
  }

  int Url(std::string_view piece) {
    if (CountHeader(piece.size()) != 0) return kEndParse;
    target += piece;
    return 0;
  }

  int Field(std::string_view piece) {
    if (CountHeader(piece.size()) != 0) return kEndParse;
    if (last_was_value) EndField();
    // RFC 9112 section 5.1; http_parser lets it pass unless it was built to be strict.
    if (piece.find(' ') != std::string_view::npos) {
      return Refuse(400, Errc::kInvalidArgument, "white space in a field name");
    }
    field += piece;
    return 0;
  }

  int Value(std::string_view piece) {
    if (CountHeader(piece.size()) != 0) return kEndParse;
    last_was_value = true;
    value += piece;
    return 0;
  }

  // A field and its value are whole: what this server heeds beyond what http_parser does itself.
  void EndField() {
    if (EqualsIgnoringCase(field, "expect") && EqualsIgnoringCase(value, "100-continue")) expects_continue = true;
    field.clear();
    value.clear();
    last_was_value = false;
  }

  int HeadersComplete() {
    EndField();
    headers_complete = true;
    if (parser.http_major != 1 || parser.http_minor > 1) {
      return Refuse(505, Errc::kUnsupported, "HTTP/1.0 and HTTP/1.1 are spoken here");
    }
    if (parser.method == HTTP_CONNECT) return Refuse(501, Errc::kUnsupported, "CONNECT is not offered here");
    // ULLONG_MAX: no Content-Length.
    if (parser.content_length != UINT64_MAX && parser.content_length > limits.body_bytes) {
      return Refuse(413, Errc::kLimit, "the body is too large");
    }
    request.method = http_method_str(static_cast<http_method>(parser.method));
    request.keep_alive = http_should_keep_alive(&parser) != 0;
    return 0;
  }

  int Body(std::string_view piece) {
    if (piece.size() > limits.body_bytes - request.body.size()) {
      return Refuse(413, Errc::kLimit, "the body is too large");
    }
    expects_continue = false;
    request.body += piece;
    return 0;
  }

  int Complete() noexcept {
    complete = true;
    http_parser_pause(&parser, 1);
    return 0;
  }

  const RequestLimits limits;
  http_parser parser;
  http_parser_settings settings;
  bool started, complete, expects_continue, headers_complete, last_was_value;
  uint64_t header_bytes;     // of this request so far, without separators: http_parser bounds those
  std::string target;        // as sent
  std::string field, value;  // the header field that is being read
  Request request;           // without what Take() adds
  unsigned refusal_status = 400;
  Errc refusal_code = Errc::kInvalidArgument;
  const char* refusal = nullptr;
};

RequestParser::RequestParser(RequestLimits limits) : state_(std::make_unique<State>(limits)) {}
RequestParser::~RequestParser() = default;

bool RequestParser::started() const noexcept { return state_->started; }
bool RequestParser::complete() const noexcept { return state_->complete; }
bool RequestParser::expects_continue() const noexcept {
  return state_->expects_continue && state_->headers_complete && !state_->complete;
}
unsigned RequestParser::refusal_status() const noexcept { return state_->refusal_status; }

size_t RequestParser::Feed(ConstBytes bytes) {
  SLUICE_CHECK(!state_->complete, "a complete request is taken before more is fed");
  if (bytes.empty()) return 0;  // http_parser takes an empty piece for the end of the connection
  const std::string_view text = AsText(bytes);
  const size_t used = http_parser_execute(&state_->parser, &state_->settings, text.data(), text.size());
  if (state_->complete) return used;
  if (state_->refusal != nullptr) Throw(state_->refusal_code, "HTTP request: {}", state_->refusal);
  const http_errno error = HTTP_PARSER_ERRNO(&state_->parser);
  if (error == HPE_HEADER_OVERFLOW) {
    state_->refusal_status = 431;
    Throw(Errc::kLimit, "HTTP request: the header is too large");
  }
  if (error != HPE_OK) Throw(Errc::kInvalidArgument, "HTTP request: {}", http_errno_description(error));
  return used;
}

Request RequestParser::Take() {
  SLUICE_CHECK(state_->complete, "only a complete request can be taken");
  const std::string target = std::move(state_->target);
  Request request = std::move(state_->request);
  state_->Reset();

  http_parser_url url;
  http_parser_url_init(&url);
  const bool parsed = target.size() <= UINT16_MAX && http_parser_parse_url(target.data(), target.size(), 0, &url) == 0;
  const std::string_view path = parsed ? Part(url, UF_PATH, target) : std::string_view();
  if (path.empty() || path.front() != '/') Throw(Errc::kInvalidArgument, "HTTP request: the target is not a path");
  request.path = PercentDecode(path);
  request.query = ParseQuery(Part(url, UF_QUERY, target));
  return request;
}

}  // namespace sluice::http
