// SPDX-License-Identifier: Apache-2.0
#include "http/head_parser.h"

#include <algorithm>

#include "http/text.h"

namespace sluice::http {
namespace {

bool IsValueCharacter(char c) noexcept { return c == '\t' || static_cast<unsigned char>(c) >= ' '; }

std::string_view WithoutLineEnd(std::string_view line) noexcept {
  if (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

std::string_view WithoutSpace(std::string_view text) noexcept {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

}  // namespace

void HeadParser::Feed(std::string_view line) {
  bytes_ += line.size();
  if (bytes_ > most_bytes_) Throw(Errc::kLimit, "the header of the answer has more than {} bytes", most_bytes_);
  if (complete_) return;
  line = WithoutLineEnd(line);
  if (!begun_) return ParseStatusLine(line);
  if (!line.empty()) return ParseField(line);
  begun_ = false;
  complete_ = head_.status >= 200;
}

// "HTTP/1.1 206 Partial Content", "HTTP/2 206 ".
void HeadParser::ParseStatusLine(std::string_view line) {
  const size_t space = line.find(' ');
  if (line.substr(0, 5) != "HTTP/" || space == std::string_view::npos) {
    Throw(Errc::kCorrupt, "the answer begins with no status line");
  }
  const std::string_view digits = line.substr(space + 1, 3);
  const std::string_view reason = line.substr(space + 1 + digits.size());
  const std::optional<unsigned> status = ParseNumber<unsigned>(digits);
  if (digits.size() != 3 || !status || *status < 100 || (!reason.empty() && reason.front() != ' ')) {
    Throw(Errc::kCorrupt, "the answer has no status of three digits");
  }
  head_ = {.status = *status};
  begun_ = true;
}

void HeadParser::ParseField(std::string_view line) {
  const size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  // This refuses folded lines too: they begin with a space, and no two readers agree what they mean.
  if (colon == std::string_view::npos || !IsToken(name)) {
    Throw(Errc::kCorrupt, "line {} of the header is no field", head_.fields.size() + 2);
  }
  const std::string_view value = WithoutSpace(line.substr(colon + 1));
  if (!std::all_of(value.begin(), value.end(), IsValueCharacter)) {
    Throw(Errc::kCorrupt, "the header field '{}' holds a control character", name);
  }
  if (SameFieldName(name, "Transfer-Encoding") && !SameFieldName(value, "chunked")) {
    Throw(Errc::kUnsupported, "the answer has the transfer coding '{}', which nobody asked for", value);
  }
  head_.fields.push_back({.name = std::string(name), .value = std::string(value)});
}

}  // namespace sluice::http
