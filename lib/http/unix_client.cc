// SPDX-License-Identifier: Apache-2.0
#include "http/unix_client.h"

#include <curl/curl.h>
#include <sys/un.h>

#include <cerrno>

#include "base/check.h"
#include "base/limits.h"

namespace sluice::http {
namespace {

constexpr uint64_t kMaxAnswer = 64 * kMiB;  // the list of some hundred thousand mounts

struct CurlDelete {
  void operator()(CURL* curl) const noexcept { curl_easy_cleanup(curl); }
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};

// CURLOPT_WRITEFUNCTION: anything but `count` ends the transfer.
size_t AppendAnswer(char* data, size_t, size_t count, void* to) noexcept {
  auto& body = *static_cast<std::string*>(to);
  if (count > kMaxAnswer - body.size()) return 0;
  body.append(data, count);
  return count;
}

}  // namespace

struct UnixClient::State {
  std::string socket;
  std::unique_ptr<CURL, CurlDelete> curl;
};

UnixClient::UnixClient(std::string socket) : state_(std::make_unique<State>()) { state_->socket = std::move(socket); }
UnixClient::~UnixClient() = default;

Response UnixClient::Perform(std::string_view method, std::string_view target, std::string_view body) {
  const std::string& socket = state_->socket;
  if (socket.empty() || socket.size() >= sizeof(sockaddr_un::sun_path)) {
    Throw(Errc::kInvalidArgument, "socket '{}': the path has {} bytes, allowed are 1 to {}", socket, socket.size(),
          sizeof(sockaddr_un::sun_path) - 1);
  }
  if (!state_->curl) state_->curl.reset(curl_easy_init());
  CURL* const curl = state_->curl.get();
  if (curl == nullptr) Throw(Errc::kLimit, "libcurl: no memory for a connection");
  curl_easy_reset(curl);

  const std::string url = "http://localhost" + std::string(target);
  const std::string verb(method);
  char reason[CURL_ERROR_SIZE] = "";
  Response response;
  std::unique_ptr<curl_slist, CurlDelete> fields;
  CURLcode set = CURLE_OK;
  const auto option = [&](CURLoption name, auto value) {
    if (set == CURLE_OK) set = curl_easy_setopt(curl, name, value);
  };
  option(CURLOPT_ERRORBUFFER, reason);
  option(CURLOPT_UNIX_SOCKET_PATH, socket.c_str());
  option(CURLOPT_PROXY, "");  // http_proxy of the environment is not meant for this socket
  option(CURLOPT_NOSIGNAL, 1L);
  option(CURLOPT_URL, url.c_str());
  option(CURLOPT_CUSTOMREQUEST, verb.c_str());
  if (!body.empty()) {
    fields.reset(curl_slist_append(nullptr, "Content-Type: application/json"));
    option(CURLOPT_HTTPHEADER, fields.get());
    option(CURLOPT_POSTFIELDS, body.data());
    option(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  }
  option(CURLOPT_WRITEFUNCTION, &AppendAnswer);
  option(CURLOPT_WRITEDATA, &response.body);
  SLUICE_CHECK(set == CURLE_OK, "libcurl knows every option that is used here");

  const CURLcode done = curl_easy_perform(curl);
  if (done == CURLE_COULDNT_CONNECT) {
    long error = 0;
    curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &error);
    // ECONNREFUSED: the file is there, but whoever listened on it is gone.
    if (error == ENOENT || error == ECONNREFUSED) Throw(Errc::kNotFound, "socket '{}': nothing listens there", socket);
    if (error != 0) ThrowErrno(static_cast<int>(error), "connecting to socket '{}'", socket);
  }
  if (done == CURLE_WRITE_ERROR)
    Throw(Errc::kLimit, "socket '{}': an answer of more than {} bytes", socket, kMaxAnswer);
  if (done != CURLE_OK) {
    Throw(Errc::kIo, "socket '{}': {} {}: {}", socket, method, target,
          *reason != 0 ? reason : curl_easy_strerror(done));
  }
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  response.status = static_cast<unsigned>(status);
  if (const char* type = nullptr;
      curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type) == CURLE_OK && type != nullptr) {
    response.content_type = type;
  }
  return response;
}

}  // namespace sluice::http
