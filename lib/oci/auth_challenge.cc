// SPDX-License-Identifier: Apache-2.0
#include "oci/auth_challenge.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/limits.h"

namespace sluice::oci {
namespace {

constexpr size_t kMaxFieldBytes = 16 * kKiB;
constexpr size_t kMaxChallenges = 16;
constexpr size_t kMaxParameters = 32;

bool IsAlphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
// RFC 9110 section 5.6.2
bool IsTokenCharacter(char c) {
  return IsAlphanumeric(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}
// RFC 9110 section 11.2, without the '=' at its end
bool IsToken68Character(char c) {
  return IsAlphanumeric(c) || std::string_view("-._~+/").find(c) != std::string_view::npos;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

// A cursor over the field.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::vector<AuthChallenge> Parse() {
    std::vector<AuthChallenge> challenges;
    SkipListSpace();
    while (!AtEnd()) {
      if (challenges.size() == kMaxChallenges) Refuse("has more than 16 challenges");
      challenges.push_back(ParseChallenge());
      SkipListSpace();
    }
    return challenges;
  }

 private:
  AuthChallenge ParseChallenge() {
    AuthChallenge challenge;
    challenge.scheme = Lower(Token());
    if (!AtEnd() && !IsSpace() && text_[at_] != ',') Refuse("has a scheme that does not end");
    if (!SkipSpace() || AtEnd() || text_[at_] == ',') return challenge;
    if (auto token = Token68()) {
      challenge.token = std::move(*token);
      return challenge;
    }
    do {
      if (challenge.parameters.size() == kMaxParameters) Refuse("has more than 32 parameters in a challenge");
      std::string name = Lower(Token());
      SkipSpace();
      Expect('=');
      SkipSpace();
      std::string value = !AtEnd() && text_[at_] == '"' ? Quoted() : std::string(Token());
      if (!challenge.parameters.emplace(std::move(name), std::move(value)).second) Refuse("has a parameter twice");
      SkipSpace();
      if (!AtEnd() && text_[at_] != ',') Refuse("has something behind a parameter");
    } while (NextIsParameter());
    return challenge;
  }

  // Behind a comma comes another parameter of this challenge ("name=") or the next challenge; moves to a parameter.
  bool NextIsParameter() {
    const size_t before = at_;
    SkipListSpace();
    const size_t start = at_;
    while (!AtEnd() && IsTokenCharacter(text_[at_])) ++at_;
    const bool named = at_ > start;
    SkipSpace();
    const bool parameter = named && !AtEnd() && text_[at_] == '=';
    at_ = parameter ? start : before;
    return parameter;
  }

  // token68 stands alone: up to a comma or the end.
  std::optional<std::string> Token68() {
    size_t end = at_;
    while (end < text_.size() && IsToken68Character(text_[end])) ++end;
    if (end == at_) return std::nullopt;
    while (end < text_.size() && text_[end] == '=') ++end;
    size_t behind = end;
    while (behind < text_.size() && (text_[behind] == ' ' || text_[behind] == '\t')) ++behind;
    if (behind < text_.size() && text_[behind] != ',') return std::nullopt;
    std::string token(text_.substr(at_, end - at_));
    at_ = behind;
    return token;
  }

  std::string_view Token() {
    const size_t start = at_;
    while (!AtEnd() && IsTokenCharacter(text_[at_])) ++at_;
    if (at_ == start) Refuse("has no token where one is expected");
    return text_.substr(start, at_ - start);
  }

  std::string Quoted() {
    std::string value;
    for (++at_; !AtEnd(); ++at_) {
      char c = text_[at_];
      if (c == '"') {
        ++at_;
        return value;
      }
      if (c == '\\') {
        if (++at_ == text_.size()) break;
        c = text_[at_];
      }
      if (static_cast<unsigned char>(c) < 0x20 && c != '\t') Refuse("has a control character in a string");
      if (c == '\x7f') Refuse("has a control character in a string");
      value += c;
    }
    Refuse("has a string without end");
  }

  void Expect(char c) {
    if (AtEnd() || text_[at_] != c) Refuse("has a parameter without a value");
    ++at_;
  }
  bool AtEnd() const { return at_ == text_.size(); }
  bool IsSpace() const { return text_[at_] == ' ' || text_[at_] == '\t'; }
  bool SkipSpace() {
    const size_t start = at_;
    while (!AtEnd() && IsSpace()) ++at_;
    return at_ > start;
  }
  // Lists may have empty elements (RFC 9110 section 5.6.1.2).
  void SkipListSpace() {
    while (!AtEnd() && (IsSpace() || text_[at_] == ',')) ++at_;
  }
  [[noreturn]] void Refuse(std::string_view why) const {
    Throw(Errc::kCorrupt, "WWW-Authenticate field of {} bytes {} (at {})", text_.size(), why, at_);
  }

  const std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

std::string_view AuthChallenge::Parameter(std::string_view name) const {
  const auto found = parameters.find(name);
  return found == parameters.end() ? std::string_view() : std::string_view(found->second);
}

std::vector<AuthChallenge> ParseAuthChallenges(std::string_view field) {
  if (field.size() > kMaxFieldBytes)
    Throw(Errc::kCorrupt, "WWW-Authenticate field of {} bytes, more than {}", field.size(), kMaxFieldBytes);
  return Parser(field).Parse();
}

std::string FormatAuthChallenges(const std::vector<AuthChallenge>& challenges) {
  std::string text;
  for (const AuthChallenge& challenge : challenges) {
    if (!text.empty()) text += ", ";
    text += challenge.scheme;
    if (!challenge.token.empty()) text += " " + challenge.token;
    std::string_view separator = " ";
    for (const auto& [name, value] : challenge.parameters) {
      text.append(separator).append(name).append("=\"");
      for (const char c : value) {
        if (c == '"' || c == '\\') text += '\\';
        text += c;
      }
      text += '"';
      separator = ", ";
    }
  }
  return text;
}

}  // namespace sluice::oci
