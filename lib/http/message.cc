// SPDX-License-Identifier: Apache-2.0
#include "http/message.h"

namespace sluice::http {

unsigned StatusOf(Errc code) noexcept {
  switch (code) {
    case Errc::kInvalidArgument: return 400;
    case Errc::kPermission: return 403;
    case Errc::kNotFound: return 404;
    case Errc::kExists:
    case Errc::kBusy: return 409;
    case Errc::kCorrupt: return 422;
    case Errc::kIo: return 500;
    case Errc::kUnsupported: return 501;
    case Errc::kLimit:
    case Errc::kStopped: return 503;
    case Errc::kTimeout: return 504;
    case Errc::kNoSpace: return 507;
  }
  return 500;
}

std::string_view ReasonPhrase(unsigned status) noexcept {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 204: return "No Content";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 422: return "Unprocessable Content";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "";
  }
}

}  // namespace sluice::http
