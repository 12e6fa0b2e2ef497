// SPDX-License-Identifier: Apache-2.0
#include "backend/explaining_transport.h"

#include "backend/xml_element.h"
#include "base/error.h"
#include "base/limits.h"
#include "http/fetch.h"

namespace sluice::backend {

using http::ClientRequest;
using http::Exchange;
using runtime::Task;

namespace {

constexpr uint64_t kMaxExplanationBytes = 64 * kKiB;

// The code of the error if it is a word: nothing else of the answer gets into a message.
std::string ReasonIn(std::string_view document) {
  const auto code = FindXmlText(document, "Code");
  if (!code || code->empty() || code->size() > 64) return {};
  for (const char c : *code) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.';
    if (!letter) return {};
  }
  return " (" + *code + ")";
}

}  // namespace

Task<std::unique_ptr<Exchange>> ExplainingTransport::Send(ClientRequest request) {
  const std::string name = request.method + " " + request.url.ForMessages();
  std::unique_ptr<Exchange> exchange = co_await inner_.Send(std::move(request));
  if (exchange->status() != 400 && exchange->status() != 403) co_return exchange;
  std::string reason;
  try {
    const std::string body = co_await http::ReadBody(*exchange, kMaxExplanationBytes);
    reason = ReasonIn(body);
  } catch (const Error& e) {
    if (e.code() == Errc::kStopped) throw;
    // The status says enough.
  }
  Throw(Errc::kPermission, "{}: answered with status {}{}", name, exchange->status(), reason);
}

}  // namespace sluice::backend
