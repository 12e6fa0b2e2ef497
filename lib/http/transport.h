// SPDX-License-Identifier: Apache-2.0
#pragma once
// One HTTP request and its answer as values and tasks.  What sends requests is a Transport; policies (redirects,
// authorization, tests) are transports around another one.  Everything belongs to one shard.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "http/ip_address.h"
#include "http/url.h"
#include "runtime/task.h"
#include "runtime/workers.h"  // for Lane

namespace sluice::http {

class ProxyRules;

// A header field.  A secret one (credentials) goes to the origin of its request only and is never part of a message.
struct Field {
  std::string name;
  std::string value;
  bool secret = false;
};

// Compares names of header fields, which know no case.
bool SameFieldName(std::string_view a, std::string_view b) noexcept;

// How the peer of a TLS connection is checked, and who we are.  Contents of files, not their names: reading them is
// done once, by whoever reads the configuration.
struct TlsOptions {
  bool verify = true;       // false: any certificate and any name will do
  std::string extra_ca;     // PEM certificates that are trusted besides those of the system
  std::string client_cert;  // PEM; empty: none
  std::string client_key;   // PEM; secret
};

// Which addresses a name may stand for that somebody else has given us.
enum class Reach : uint8_t {
  kAnywhere,
  kNotLocal,  // none of this machine or its link (IpAddress::IsLocal)
  kPublic,    // nor of a private network (IpAddress::IsPrivate)
};

// How a server is reached.
struct ConnectOptions {
  std::shared_ptr<const TlsOptions> tls;      // null: TlsOptions{}
  std::shared_ptr<const ProxyRules> proxies;  // null: straight.  Asked anew for each URL, also after a redirect
  std::string unix_socket;                    // path; not empty: this socket, whatever host and port the URL names
  // kPermission for other addresses, also behind names and on connections that are open already.  A proxy is asked
  // whatever the URL is: it knows names by itself.
  Reach reach = Reach::kAnywhere;
};

// What makes a request too slow.  None of these bounds the whole: that is WithTimeout's business.
struct Patience {
  Duration connect = std::chrono::seconds(10);                // name lookup, TCP, TLS
  std::optional<Duration> answer = std::chrono::seconds(30);  // from the end of the request to the end of the header
  // Less than so many bytes of a body, sent or received, in each such window is too slow.  Only time in which somebody
  // waits for bytes counts.
  uint64_t low_speed_bytes = 10'000;
  Duration low_speed_window = std::chrono::seconds(10);
};

// The body of a request that is too large for memory.  Outlives the exchange.
class UploadSource {
 public:
  virtual ~UploadSource() = default;
  // Bytes from the start to the end; sent as Content-Length.
  virtual uint64_t size() const = 0;
  // At least one byte, 0 after the last.
  virtual runtime::Task<size_t> ReadSome(MutableBytes dst) = 0;
  // Back to the first byte, for another try.
  virtual void Rewind() = 0;
};

struct ClientRequest {
  ClientRequest(std::string method_, Url url_) : method(std::move(method_)), url(std::move(url_)) {}

  std::string method;  // "GET", "HEAD", "PUT", …
  Url url;
  std::vector<Field> fields;       // besides Host and Content-Length, which are made from url and body
  std::string body;                // sent when the method has one: POST, PUT, PATCH
  UploadSource* upload = nullptr;  // not null: in place of `body`
  ConnectOptions connect;
  Patience patience;
  runtime::Lane lane = runtime::Lane::kDemand;  // background requests never take the last connections to a host
};

// The header of an answer.
struct ResponseHead {
  unsigned status = 0;
  std::vector<Field> fields;  // in the order of their arrival, names as the server wrote them

  // The value of the only field of this name; nothing when there is none.  Throws kCorrupt when there are several:
  // two readers of such an answer may disagree.
  std::optional<std::string_view> Find(std::string_view name) const;
};

// An answer whose header is there and whose body has not been read.  Destroying it before the end of the body cuts the
// transfer.  Its transport outlives it.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual const ResponseHead& head() const noexcept = 0;
  // Where the answer came from: not the URL of the request after a redirect.
  virtual const Url& url() const noexcept = 0;
  // The address of the server that gave it; nothing behind a proxy and on a unix socket.
  virtual std::optional<IpAddress> peer() const noexcept { return std::nullopt; }
  // At least one byte of the body; 0 when it ended as it was announced.  Throws kIo when it ended early, kTimeout when
  // it is too slow, kStopped.  One task at a time; `dst` is not touched after the task has ended.
  virtual runtime::Task<size_t> ReadSome(MutableBytes dst) = 0;

  unsigned status() const noexcept { return head().status; }
};

class Transport {
 public:
  virtual ~Transport() = default;
  // Ends when the header of the answer is there, whatever its status.  Throws kIo when there is none (no such host, no
  // connection, a reset), kTimeout, kPermission (a certificate that is not trusted, an address that is refused),
  // kNotFound (nobody listens on the unix socket), kCorrupt (no HTTP), kLimit (a header without end), kStopped.
  // Messages begin with the method and Url::ForMessages().
  virtual runtime::Task<std::unique_ptr<Exchange>> Send(ClientRequest request) = 0;
};

}  // namespace sluice::http
