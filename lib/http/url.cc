// SPDX-License-Identifier: Apache-2.0
#include "http/url.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "http/ip_address.h"
#include "http/percent.h"
#include "http/text.h"

namespace sluice::http {
namespace {

constexpr size_t kMaxHostLength = 253;  // RFC 1035 section 2.3.4, as text
constexpr size_t kMaxLabelLength = 63;

bool IsDigit(char c) noexcept { return c >= '0' && c <= '9'; }
bool IsAlpha(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsHex(char c) noexcept { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

uint16_t DefaultPort(std::string_view scheme) noexcept { return scheme == "https" ? 443 : 80; }

// `text` may hold secrets: messages name neither what stands before an '@' nor what stands behind a '?'.
[[noreturn]] void Refuse(std::string_view text, std::string_view why) {
  const size_t at = text.rfind('@');
  const bool hidden = at != std::string_view::npos;
  if (hidden) text.remove_prefix(at);
  std::string shown(text.substr(0, std::min(text.find('?'), size_t{200})));
  for (char& c : shown) c = static_cast<unsigned char>(c) < ' ' ? '?' : c;
  Throw(Errc::kInvalidArgument, "URL '{}{}': {}", hidden ? "…" : "", shown, why);
}

// Printable ASCII, and each '%' begins an escape.  More than RFC 3986 allows: servers give us such, and it is theirs to
// understand them again.
bool IsPathOrQuery(std::string_view text) noexcept {
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c <= ' ' || c > '~' || c == '"' || c == '<' || c == '>' || c == '\\' || c == '#') return false;
    if (c == '%' && (i + 2 >= text.size() || !IsHex(text[i + 1]) || !IsHex(text[i + 2]))) return false;
  }
  return true;
}

bool IsLabel(std::string_view label) noexcept {
  return !label.empty() && label.size() <= kMaxLabelLength && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(),
                     [](char c) { return IsAlpha(c) || IsDigit(c) || c == '-' || c == '_'; });
}

bool IsName(std::string_view host) noexcept {
  if (host.empty() || host.size() > kMaxHostLength) return false;
  std::string_view last;
  for (std::string_view rest = host;;) {
    const size_t dot = rest.find('.');
    last = rest.substr(0, dot);
    if (!IsLabel(last)) return false;
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  // "127.1", "0x7f000001", "2130706433": getaddrinfo(3) takes them for addresses, so nobody else may take them for
  // names.
  const bool number = std::all_of(last.begin(), last.end(), IsDigit) ||
                      (last.size() >= 2 && last[0] == '0' && (last[1] == 'x' || last[1] == 'X'));
  return !number;
}

// The host as an Origin holds it; empty when it is none.
std::string ParseHost(std::string_view host) {
  if (const std::optional<IpAddress> address = IpAddress::Parse(host)) {
    const bool bracketed = host.front() == '[';
    if (bracketed != (address->bits() == 128)) return {};
    return bracketed ? "[" + address->ToString() + "]" : address->ToString();
  }
  return IsName(host) ? LowerCase(host) : std::string();
}

// RFC 3986 section 5.2.4.  `path` begins with '/'.
std::string WithoutDotSegments(std::string_view path) {
  std::vector<std::string_view> segments;
  bool directory = false;  // the result ends with '/'
  for (std::string_view rest = path.substr(1);;) {
    const size_t slash = rest.find('/');
    const std::string_view segment = rest.substr(0, slash);
    directory = segment == "." || segment == "..";
    if (segment == "..") {
      if (!segments.empty()) segments.pop_back();
    } else if (segment != ".") {
      segments.push_back(segment);
    }
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  std::string result;
  for (const std::string_view segment : segments) (result += '/') += segment;
  if (directory || result.empty()) result += '/';
  return result;
}

}  // namespace

std::string Origin::ToString() const {
  return port == DefaultPort(scheme) ? fmt::format("{}://{}", scheme, host)
                                     : fmt::format("{}://{}:{}", scheme, host, port);
}

Url Url::Parse(std::string_view text) {
  if (text.size() > kMaxLength) {
    Refuse(text, fmt::format("has {} bytes, more than the {} that are allowed", text.size(), kMaxLength));
  }
  Url url;
  const std::string_view whole = text;
  const size_t colon = text.find("://");
  if (colon == std::string_view::npos) Refuse(whole, "begins with no 'http://' or 'https://'");
  url.origin_.scheme = LowerCase(text.substr(0, colon));
  if (url.origin_.scheme != "http" && url.origin_.scheme != "https") Refuse(whole, "is neither http nor https");
  text.remove_prefix(colon + 3);
  text = text.substr(0, text.find('#'));

  const size_t authority_end = std::min(text.find_first_of("/?"), text.size());
  const std::string_view authority = text.substr(0, authority_end);
  text.remove_prefix(authority_end);
  if (authority.find('@') != std::string_view::npos) Refuse(whole, "holds user information, which belongs elsewhere");
  // The port stands behind the last colon that is not inside brackets.
  const size_t bracket = authority.rfind(']');
  const size_t port_at = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  url.origin_.host = ParseHost(authority.substr(0, port_at));
  if (url.origin_.host.empty()) Refuse(whole, "has no valid host");
  url.origin_.port = DefaultPort(url.origin_.scheme);
  if (port_at != std::string_view::npos && port_at + 1 < authority.size()) {
    const std::string_view digits = authority.substr(port_at + 1);
    const std::optional<uint16_t> port = ParseNumber<uint16_t>(digits);
    if (!port || *port == 0) Refuse(whole, "has no valid port");
    url.origin_.port = *port;
  }

  const size_t question = text.find('?');
  url.path_ = text.empty() || text.front() == '?' ? "/" : std::string(text.substr(0, question));
  if (question != std::string_view::npos) url.query_ = text.substr(question + 1);
  if (!IsPathOrQuery(url.path_) || !IsPathOrQuery(url.query_)) {
    Refuse(whole, "holds a character that has to be percent-encoded, or a '%' without two hexadecimal digits");
  }
  return url;
}

Url Url::Resolve(std::string_view reference) const {
  reference = reference.substr(0, reference.find('#'));
  if (reference.substr(0, 2) == "//") return Parse(origin_.scheme + ":" + std::string(reference));
  // A scheme is a letter and then letters, digits, "+-." up to the first colon (RFC 3986 section 3.1).
  const size_t end = reference.find_first_of(":/?");
  if (end != std::string_view::npos && reference[end] == ':' && end > 0 && IsAlpha(reference[0])) {
    return Parse(reference);
  }
  const size_t question = reference.find('?');
  const std::string_view path = reference.substr(0, question);
  Url url = *this;
  if (path.empty()) {
    if (question != std::string_view::npos) url.query_ = reference.substr(question + 1);
  } else {
    const std::string joined =
        path.front() == '/' ? std::string(path) : path_.substr(0, path_.rfind('/') + 1) + std::string(path);
    url.path_ = WithoutDotSegments(joined);
    url.query_ = question == std::string_view::npos ? std::string() : std::string(reference.substr(question + 1));
  }
  return Parse(url.ToString());
}

Url Url::WithPath(std::string_view path) const {
  if (path.empty() || path.front() != '/' || !IsPathOrQuery(path) || path.find('?') != std::string_view::npos) {
    Throw(Errc::kInvalidArgument, "URL: '{}' is no path", path);
  }
  Url url = *this;
  url.path_ = path;
  return url;
}

Url Url::WithQuery(std::string_view name, std::string_view value) const {
  Url url = *this;
  if (!url.query_.empty()) url.query_ += '&';
  url.query_ += PercentEncode(name) + "=" + PercentEncode(value);
  return url;
}

Url Url::WithRawQuery(std::string_view query) const {
  if (!IsPathOrQuery(query)) Throw(Errc::kInvalidArgument, "URL '{}': its query is malformed", ForMessages());
  Url url = *this;
  url.query_ = query;
  return url;
}

std::string Url::ToString() const {
  std::string text = ForMessages();
  if (!query_.empty()) (text += '?') += query_;
  return text;
}

std::string Url::ForMessages() const { return origin_.ToString() + path_; }

bool IsLocalHost(std::string_view host) {
  if (const std::optional<IpAddress> address = IpAddress::Parse(host)) return address->IsLocal();
  const std::string_view suffix = ".localhost";
  return host == "localhost" || (host.size() > suffix.size() && host.substr(host.size() - suffix.size()) == suffix);
}

}  // namespace sluice::http
