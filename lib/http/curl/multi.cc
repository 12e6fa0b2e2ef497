// SPDX-License-Identifier: Apache-2.0
#include "http/curl/multi.h"

#include <curl/curl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>

#include "base/check.h"
#include "http/ip_address.h"
#include "http/proxy.h"

namespace sluice::http::curl {
namespace {

struct EasyDelete {
  void operator()(CURL* easy) const noexcept { curl_easy_cleanup(easy); }
};
struct MultiDelete {
  void operator()(CURLM* multi) const noexcept { curl_multi_cleanup(multi); }
};
struct ListDelete {
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};
using FieldList = std::unique_ptr<curl_slist, ListDelete>;

long Milliseconds(Duration duration) noexcept {
  return static_cast<long>(std::chrono::ceil<std::chrono::milliseconds>(duration).count());
}

void Append(FieldList& list, const std::string& line) {
  curl_slist* const longer = curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) Throw(Errc::kLimit, "libcurl: no memory for a header field");
  static_cast<void>(list.release());  // it is the beginning of `longer` now
  list.reset(longer);
}

// "name;" is how libcurl is asked for a field without a value; "name:" would remove it.
FieldList MakeFields(const std::vector<Field>& fields) {
  FieldList list;
  for (const Field& field : fields) {
    Append(list, field.value.empty() ? field.name + ";" : field.name + ": " + field.value);
  }
  return list;
}

curl_blob Blob(const std::string& bytes) noexcept {
  return {.data = const_cast<char*>(bytes.data()), .len = bytes.size(), .flags = CURL_BLOB_COPY};
}

// What to call the failure of a transfer that none of our callbacks has ended.
Errc Classify(CURLcode code, bool unix_socket, long os_error) noexcept {
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT: return Errc::kTimeout;
    case CURLE_PEER_FAILED_VERIFICATION: return Errc::kPermission;
    case CURLE_SSL_CERTPROBLEM:     // our own certificate or key
    case CURLE_SSL_CACERT_BADFILE:  // our own authorities
      return Errc::kInvalidArgument;
    case CURLE_UNSUPPORTED_PROTOCOL:  // HTTP/0.9: bytes that are no header
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING: return Errc::kCorrupt;
    case CURLE_OUT_OF_MEMORY: return Errc::kLimit;
    case CURLE_COULDNT_CONNECT:
      // ECONNREFUSED: the file is there, but whoever listened on it is gone.
      if (unix_socket && os_error == ECONNREFUSED) return Errc::kNotFound;
      return unix_socket && os_error != 0 ? FromErrno(static_cast<int>(os_error)) : Errc::kIo;
    default: return Errc::kIo;
  }
}

// `address`: of the peer; nothing: no address that we could read.
bool Admits(Reach reach, const std::optional<IpAddress>& address) noexcept {
  if (reach == Reach::kAnywhere) return true;
  if (!address || address->IsLocal()) return false;
  return reach != Reach::kPublic || !address->IsPrivate();
}

const char* RefusalOf(Reach reach) noexcept {
  return reach == Reach::kPublic
             ? "its address is one of a private network or of this machine, where the server may not send us"
             : "its address is one of this machine or link, where the server may not send us";
}

}  // namespace

struct Multi::State {
  explicit State(Loop& l) : loop(l), multi(curl_multi_init()) {
    if (multi == nullptr) Throw(Errc::kLimit, "libcurl: no memory for a client");
  }
  // Tells the transfers that have ended.
  void Collect() noexcept;

  static int OnSocket(CURL*, curl_socket_t fd, int what, void* self, void*) noexcept {
    const bool readable = what == CURL_POLL_IN || what == CURL_POLL_INOUT;
    const bool writable = what == CURL_POLL_OUT || what == CURL_POLL_INOUT;
    static_cast<State*>(self)->loop.Watch(fd, readable, writable);
    return 0;
  }
  static int OnTimer(CURLM*, long timeout_ms, void* self) noexcept {
    std::optional<Duration> delay;
    if (timeout_ms >= 0) delay = std::chrono::milliseconds(timeout_ms);
    static_cast<State*>(self)->loop.SetTimer(delay);
    return 0;
  }

  Loop& loop;
  std::unique_ptr<CURLM, MultiDelete> multi;
  uint64_t transfers = 0;
};

struct Transfer::State {
  State(Multi::State& m, Receiver& r) : multi(m), receiver(r), easy(curl_easy_init()) {
    if (easy == nullptr) Throw(Errc::kLimit, "libcurl: no memory for a request");
  }

  template <typename T>
  void Set(CURLoption option, T value) {
    const CURLcode code = curl_easy_setopt(easy.get(), option, value);
    if (code == CURLE_OUT_OF_MEMORY) Throw(Errc::kLimit, "libcurl: no memory for a request");
    SLUICE_CHECK(code == CURLE_OK, "libcurl knows every option that is used here");
  }
  void SetUp(const ClientRequest& request, const Proxy* proxy, const std::string& user_agent,
             std::optional<uint64_t> upload_size);
  void SetUpTls(const TlsOptions& tls);
  void SetUpProxy(const Proxy* proxy);
  void End(CURLcode code) noexcept;

  static State& Of(void* self) noexcept { return *static_cast<State*>(self); }
  static size_t OnHeader(char* data, size_t, size_t size, void* self) noexcept {
    return Of(self).receiver.OnHeaderLine({data, size}) ? size : 0;
  }
  static size_t OnBody(char* data, size_t, size_t size, void* self) noexcept {
    return Of(self).receiver.OnBody(AsBytes({data, size})) ? size : CURL_WRITEFUNC_PAUSE;
  }
  static size_t OnUpload(char* data, size_t size, size_t count, void* self) noexcept {
    return Of(self).receiver.OnUpload({reinterpret_cast<std::byte*>(data), size * count}).value_or(CURL_READFUNC_PAUSE);
  }
  static int OnSeek(void* self, curl_off_t offset, int origin) noexcept {
    const bool start = offset == 0 && origin == SEEK_SET;
    return start && Of(self).receiver.OnRewind() ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_CANTSEEK;
  }
  static curl_socket_t OpenSocket(void*, curlsocktype, curl_sockaddr* address) noexcept {
    return socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->protocol);
  }
  // Also before a request goes over a connection that was opened for another one.
  static int BeforeRequest(void* self, char* peer, char*, int, int) noexcept {
    State& state = Of(self);
    const std::optional<IpAddress> address = state.straight ? IpAddress::Parse(peer) : std::nullopt;
    state.refused = state.straight && !Admits(state.reach, address);
    if (state.refused) return CURL_PREREQFUNC_ABORT;
    state.receiver.OnConnected(address);
    return CURL_PREREQFUNC_OK;
  }

  Multi::State& multi;
  Receiver& receiver;
  std::unique_ptr<CURL, EasyDelete> easy;
  FieldList fields;
  char reason[CURL_ERROR_SIZE] = "";
  bool unix_socket = false;
  bool straight = false;  // neither a proxy, whom the configuration names, nor a unix socket is the peer
  Reach reach = Reach::kAnywhere;
  bool refused = false;
};

void Transfer::State::SetUp(const ClientRequest& request, const Proxy* proxy, const std::string& user_agent,
                            std::optional<uint64_t> upload_size) {
  fields = MakeFields(request.fields);
  unix_socket = !request.connect.unix_socket.empty();
  straight = !unix_socket && proxy == nullptr;
  reach = request.connect.reach;

  Set(CURLOPT_PRIVATE, this);
  Set(CURLOPT_ERRORBUFFER, reason);
  Set(CURLOPT_NOSIGNAL, 1L);
  Set(CURLOPT_QUICK_EXIT, 1L);  // a transfer that is cut does not wait for the thread that looks up a name
  Set(CURLOPT_PROTOCOLS_STR, "http,https");
  Set(CURLOPT_PATH_AS_IS, 1L);  // paths are signed
  Set(CURLOPT_URL, request.url.ToString().c_str());
  Set(CURLOPT_USERAGENT, user_agent.c_str());
  Set(CURLOPT_HTTPHEADER, fields.get());
  Set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_2TLS});
  if (request.url.secure()) Set(CURLOPT_PIPEWAIT, 1L);  // rather share a connection that may turn out to be HTTP/2
  Set(CURLOPT_CONNECTTIMEOUT_MS, Milliseconds(request.patience.connect));
  Set(CURLOPT_TCP_KEEPALIVE, 1L);
  Set(CURLOPT_BUFFERSIZE, long{kBodyBytes});
  Set(CURLOPT_OPENSOCKETFUNCTION, &OpenSocket);
  Set(CURLOPT_PREREQFUNCTION, &BeforeRequest);
  Set(CURLOPT_PREREQDATA, this);
  Set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  Set(CURLOPT_HEADERFUNCTION, &OnHeader);
  Set(CURLOPT_HEADERDATA, this);
  Set(CURLOPT_WRITEFUNCTION, &OnBody);
  Set(CURLOPT_WRITEDATA, this);
  if (request.method == "HEAD") Set(CURLOPT_NOBODY, 1L);
  if (upload_size) {
    Set(CURLOPT_UPLOAD, 1L);
    Set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(*upload_size));
    Set(CURLOPT_READFUNCTION, &OnUpload);
    Set(CURLOPT_READDATA, this);
    Set(CURLOPT_SEEKFUNCTION, &OnSeek);
    Set(CURLOPT_SEEKDATA, this);
  }
  Set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  if (unix_socket) Set(CURLOPT_UNIX_SOCKET_PATH, request.connect.unix_socket.c_str());
  SetUpProxy(proxy);
  const TlsOptions strict;
  SetUpTls(request.connect.tls ? *request.connect.tls : strict);
}

void Transfer::State::SetUpProxy(const Proxy* proxy) {
  // Not null: libcurl does not look into the environment.
  Set(CURLOPT_PROXY, proxy == nullptr ? "" : proxy->url.origin().ToString().c_str());
  Set(CURLOPT_NOPROXY, "");
  if (proxy == nullptr || proxy->user.empty()) return;
  Set(CURLOPT_PROXYAUTH, long{CURLAUTH_BASIC});
  Set(CURLOPT_PROXYUSERNAME, proxy->user.c_str());
  Set(CURLOPT_PROXYPASSWORD, proxy->password.c_str());
}

void Transfer::State::SetUpTls(const TlsOptions& tls) {
  Set(CURLOPT_SSL_VERIFYPEER, tls.verify ? 1L : 0L);
  Set(CURLOPT_SSL_VERIFYHOST, tls.verify ? 2L : 0L);
  const auto set_blob = [this](CURLoption option, const std::string& pem) {
    curl_blob blob = Blob(pem);
    if (!pem.empty()) Set(option, &blob);
  };
  // It takes the place of the system's bundle; the system's directory (CURLOPT_CAPATH) is still looked into.
  set_blob(CURLOPT_CAINFO_BLOB, tls.extra_ca);
  set_blob(CURLOPT_SSLCERT_BLOB, tls.client_cert);
  set_blob(CURLOPT_SSLKEY_BLOB, tls.client_key);
}

void Transfer::State::End(CURLcode code) noexcept {
  if (code == CURLE_OK) return receiver.OnEnd(nullptr);
  long os_error = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_OS_ERRNO, &os_error);
  const Error failure(refused ? Errc::kPermission : Classify(code, unix_socket, os_error),
                      refused        ? RefusalOf(reach)
                      : *reason != 0 ? reason
                                     : curl_easy_strerror(code));
  receiver.OnEnd(&failure);
}

Transfer::Transfer(Multi& multi, Receiver& receiver, const ClientRequest& request, const Proxy* proxy,
                   const std::string& user_agent, std::optional<uint64_t> upload_size)
    : state_(std::make_unique<State>(*multi.state_, receiver)) {
  state_->SetUp(request, proxy, user_agent, upload_size);
  const CURLMcode added = curl_multi_add_handle(state_->multi.multi.get(), state_->easy.get());
  SLUICE_CHECK(added == CURLM_OK || added == CURLM_OUT_OF_MEMORY, "a fresh handle can be added");
  if (added != CURLM_OK) Throw(Errc::kLimit, "libcurl: no memory for a request");
  ++state_->multi.transfers;
}

Transfer::~Transfer() {
  curl_multi_remove_handle(state_->multi.multi.get(), state_->easy.get());
  --state_->multi.transfers;
}

void Transfer::Resume() noexcept {
  // A failure of what is delivered here is told with the end of the transfer.
  curl_easy_pause(state_->easy.get(), CURLPAUSE_CONT);
  state_->multi.Collect();
}

void Multi::State::Collect() noexcept {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    void* transfer = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    static_cast<Transfer::State*>(transfer)->End(message->data.result);
  }
}

Multi::Multi(Loop& loop, uint64_t idle_connections) : state_(std::make_unique<State>(loop)) {
  CURLM* const multi = state_->multi.get();
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &State::OnSocket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, state_.get());
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &State::OnTimer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, state_.get());
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, static_cast<long>(idle_connections));
}

Multi::~Multi() { SLUICE_CHECK(state_->transfers == 0, "a client ends before its exchanges"); }

void Multi::OnReady(int fd, bool readable, bool writable, bool broken) noexcept {
  const int what =
      (readable ? CURL_CSELECT_IN : 0) | (writable ? CURL_CSELECT_OUT : 0) | (broken ? CURL_CSELECT_ERR : 0);
  int running = 0;
  curl_multi_socket_action(state_->multi.get(), fd, what, &running);
  state_->Collect();
}

void Multi::OnTimeout() noexcept {
  int running = 0;
  curl_multi_socket_action(state_->multi.get(), CURL_SOCKET_TIMEOUT, 0, &running);
  state_->Collect();
}

}  // namespace sluice::http::curl
