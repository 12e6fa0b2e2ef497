// SPDX-License-Identifier: Apache-2.0
#include "image/mentions.h"

#include <algorithm>
#include <unordered_set>

namespace sluice::image {
namespace {

constexpr size_t kMostNameBytes = 64;   // of one name; longer ones are passed over
constexpr size_t kMostMatches = 16384;  // places that look like a name; bounds the time for bytes that are full of them
constexpr std::string_view kSharedObject = ".so";
constexpr std::string_view kPackage = "__init__";

bool IsLetter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsDigit(char c) noexcept { return c >= '0' && c <= '9'; }
bool IsWord(char c) noexcept { return IsLetter(c) || IsDigit(c); }
bool IsLibraryChar(char c) noexcept { return IsWord(c) || c == '-' || c == '+' || c == '.'; }

// FNV-1a
NameKey KeyOf(char kind, std::string_view stem) noexcept {
  uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&](char c) { hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3; };
  add(kind);
  for (const char c : stem) add(c);
  return hash;
}

class Mentions {
 public:
  void Add(NameKey key) {
    if (!full() && seen_.insert(key).second) keys_.push_back(key);
  }
  // The parts of a dotted name.
  void AddModules(std::string_view name) {
    while (!name.empty()) {
      const std::string_view part = name.substr(0, name.find('.'));
      if (part.size() > 1 && part.size() <= kMostNameBytes && part != kPackage) Add(ModuleKey(part));
      name.remove_prefix(std::min(name.size(), part.size() + 1));
    }
  }
  bool full() const noexcept { return keys_.size() == kMostMentions; }
  std::vector<NameKey> Take() && { return std::move(keys_); }

 private:
  std::vector<NameKey> keys_;
  std::unordered_set<NameKey> seen_;
};

std::string_view Beginning(ConstBytes bytes) noexcept {
  return AsText(bytes.first(std::min(bytes.size(), kMostMentionBytes)));
}

// Bytecode holds names as TYPE_SHORT_ASCII_INTERNED ('Z', with or without FLAG_REF), their length in one byte, their
// characters (CPython, Python/marshal.c).
void FindInBytecode(std::string_view text, Mentions& found) {
  for (size_t at = 0; at + 2 < text.size() && !found.full(); ++at) {
    if ((text[at] & 0x7f) != 'Z') continue;
    const size_t length = static_cast<unsigned char>(text[at + 1]);
    if (length > kMostNameBytes || length > text.size() - at - 2) continue;
    const std::string_view name = text.substr(at + 2, length);
    if (name.empty() || !IsLetter(name[0])) continue;
    if (!std::all_of(name.begin(), name.end(), [](char c) { return IsWord(c) || c == '.'; })) continue;
    found.AddModules(name);
    at += 1 + length;
  }
}

// The words of a statement, which ends with its line, or with the parenthesis that it opens.
size_t FindInStatement(std::string_view text, size_t at, Mentions& found) {
  bool open = false;
  while (at < text.size() && (open || text[at] != '\n') && text[at] != ')') {
    if (text[at] == '(') open = true;
    if (!IsLetter(text[at])) {
      ++at;
      continue;
    }
    const size_t begin = at;
    while (at < text.size() && IsWord(text[at])) ++at;
    found.AddModules(text.substr(begin, at - begin));
  }
  return at;
}

void FindInSource(std::string_view text, Mentions& found) {
  for (size_t at = 0; at < text.size() && !found.full();) {
    const size_t word = std::min(text.find_first_not_of(" \t", at), text.size());
    const std::string_view line = text.substr(word);
    for (const std::string_view keyword : {"import ", "from "}) {
      if (line.starts_with(keyword)) {
        at = FindInStatement(text, word + keyword.size(), found);
        break;
      }
    }
    const size_t end = text.find('\n', std::max(at, word));
    at = end == text.npos ? text.size() : end + 1;
  }
}

}  // namespace

NameKey LibraryKey(std::string_view stem) noexcept { return KeyOf('L', stem); }
NameKey ModuleKey(std::string_view stem) noexcept { return KeyOf('M', stem); }

std::string_view StemOf(std::string_view name) noexcept { return name.substr(0, name.find('.')); }

bool IsLibraryName(std::string_view name) noexcept {
  const size_t at = name.rfind(kSharedObject);
  return at != name.npos && (at + kSharedObject.size() == name.size() || name[at + kSharedObject.size()] == '.');
}

bool IsModuleName(std::string_view name) noexcept { return name.ends_with(".py") || name.ends_with(".pyc"); }

std::vector<NameKey> FindLibraries(ConstBytes bytes) {
  const std::string_view text = Beginning(bytes);
  if (!text.starts_with("\x7f"
                        "ELF"))
    return {};
  Mentions found;
  size_t matches = 0;
  for (size_t at = 0; (at = text.find(kSharedObject, at)) != text.npos; at += kSharedObject.size()) {
    if (++matches > kMostMatches || found.full()) break;
    const size_t end = at + kSharedObject.size();
    if (end == text.size() || (text[end] != '\0' && text[end] != '.')) continue;
    size_t begin = at;
    while (begin > 0 && at - begin < kMostNameBytes && IsLibraryChar(text[begin - 1])) --begin;
    const std::string_view stem = StemOf(text.substr(begin, at - begin));
    if (!stem.empty()) found.Add(LibraryKey(stem));
  }
  return std::move(found).Take();
}

std::vector<NameKey> FindModules(ConstBytes bytes) {
  const std::string_view text = Beginning(bytes);
  Mentions found;
  // The magic number of bytecode ends so that no text is mistaken for it (CPython,
  // Lib/importlib/_bootstrap_external.py).
  if (text.size() >= 4 && text.substr(2, 2) == "\r\n") {
    FindInBytecode(text, found);
  } else {
    FindInSource(text, found);
  }
  return std::move(found).Take();
}

}  // namespace sluice::image
