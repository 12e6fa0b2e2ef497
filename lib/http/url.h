// SPDX-License-Identifier: Apache-2.0
#pragma once
// Absolute http and https URLs as checked values (RFC 3986), and what may be said about them.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::http {

// Who answers: credentials never leave the origin that they are meant for.
struct Origin {
  std::string scheme;  // "http" or "https"
  std::string host;    // lower case; an IPv6 address stands in brackets
  uint16_t port = 0;   // always filled in: 80 and 443 when the URL has none

  bool operator==(const Origin&) const = default;
  auto operator<=>(const Origin&) const = default;
  // "https://host", with ":port" unless it is the scheme's own.
  std::string ToString() const;
};

// A Url that exists is sane: scheme, host and port are valid, path and query hold only characters that may stand there.
class Url {
 public:
  static constexpr size_t kMaxLength = 16 * 1024;  // bytes; signed URLs of object stores have some 2 KiB

  // Throws kInvalidArgument for anything that is no absolute http or https URL, for user information (credentials do
  // not belong into URLs), for a host that is neither a name, a dotted IPv4 nor a bracketed IPv6 address, and for more
  // than kMaxLength bytes.  A fragment is left out.
  static Url Parse(std::string_view text);

  // The URL that `reference` (of a Location field) means when this one gave it (RFC 3986 section 5.2).  Throws as
  // Parse.
  Url Resolve(std::string_view reference) const;

  const Origin& origin() const noexcept { return origin_; }
  bool secure() const noexcept { return origin_.scheme == "https"; }
  const std::string& path() const noexcept { return path_; }  // begins with '/', still percent-encoded
  // Without the '?', still percent-encoded; empty when there is none.
  const std::string& query() const noexcept { return query_; }

  // The same place with another path; `path` begins with '/' and is percent-encoded.  Throws kInvalidArgument.
  Url WithPath(std::string_view path) const;
  // The same with "name=value" behind the query; both are percent-encoded here.
  Url WithQuery(std::string_view name, std::string_view value) const;
  // With this query, percent-encoded, in place of the present one.  Throws kInvalidArgument.
  Url WithRawQuery(std::string_view query) const;

  // All of it, for the wire.
  std::string ToString() const;
  // For errors, logs and status: without the query, which may hold a signature or a token.
  std::string ForMessages() const;

  bool operator==(const Url&) const = default;

 private:
  Url() = default;
  Origin origin_;
  std::string path_;
  std::string query_;
};

// True when `host` (of an Origin) is an address of this machine or of its link (loopback, unspecified, link-local, the
// metadata services of clouds) or "localhost": nothing that a server of the network may send us to.
bool IsLocalHost(std::string_view host);

}  // namespace sluice::http
