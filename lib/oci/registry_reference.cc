// SPDX-License-Identifier: Apache-2.0
#include "oci/registry_reference.h"

#include <algorithm>
#include <cctype>

#include "base/error.h"
#include "oci/documents.h"

namespace sluice::oci {
namespace {

constexpr std::string_view kDockerHub = "docker.io";
constexpr size_t kMaxHostLength = 255;
constexpr size_t kMaxRepositoryLength = 255;
constexpr size_t kMaxTagLength = 128;  // distribution-spec, "Pulling manifests"

bool IsLowerOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsWord(char c) { return IsLowerOrDigit(c) || (c >= 'A' && c <= 'Z') || c == '_'; }

bool IsPort(std::string_view text) {
  return !text.empty() && text.size() <= 5 && std::ranges::all_of(text, IsDigit) && text != "0";
}

// Labels of letters, digits and inner dashes, or a bracketed IPv6 address; then perhaps a port.
bool IsHost(std::string_view host) {
  if (host.empty() || host.size() > kMaxHostLength) return false;
  std::string_view name = host;
  if (host.front() == '[') {
    const size_t close = host.find(']');
    if (close == std::string_view::npos) return false;
    const std::string_view address = host.substr(1, close - 1);
    const auto allowed = [](char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || c == ':' || c == '.'; };
    if (address.size() < 2 || !std::ranges::all_of(address, allowed)) return false;
    const std::string_view rest = host.substr(close + 1);
    return rest.empty() || (rest.front() == ':' && IsPort(rest.substr(1)));
  }
  if (const size_t colon = host.find(':'); colon != std::string_view::npos) {
    if (!IsPort(host.substr(colon + 1))) return false;
    name = host.substr(0, colon);
  }
  for (;;) {
    const size_t dot = name.find('.');
    const std::string_view label = name.substr(0, dot);
    if (label.empty() || label.front() == '-' || label.back() == '-') return false;
    if (!std::ranges::all_of(label, [](char c) { return IsLowerOrDigit(c) || c == '-'; })) return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

// [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*
bool IsComponent(std::string_view text) {
  if (text.empty() || !IsLowerOrDigit(text.front()) || !IsLowerOrDigit(text.back())) return false;
  for (size_t at = 0; at < text.size();) {
    const size_t end = static_cast<size_t>(
        std::find_if(text.begin() + static_cast<ptrdiff_t>(at), text.end(), IsLowerOrDigit) - text.begin());
    const std::string_view separator = text.substr(at, end - at);
    const bool dashes = std::ranges::all_of(separator, [](char c) { return c == '-'; });
    if (!dashes && separator != "." && separator != "_" && separator != "__") return false;
    at = end + 1;
  }
  return true;
}

bool IsRepository(std::string_view text) {
  if (text.size() > kMaxRepositoryLength) return false;
  for (;;) {
    const size_t slash = text.find('/');
    if (!IsComponent(text.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    text.remove_prefix(slash + 1);
  }
}

bool IsTag(std::string_view text) {
  return !text.empty() && text.size() <= kMaxTagLength && IsWord(text.front()) &&
         std::ranges::all_of(text, [](char c) { return IsWord(c) || c == '.' || c == '-'; });
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

// What may be repeated to a terminal.
std::string Shown(std::string_view text) {
  std::string shown(text.substr(0, 300));
  for (char& c : shown) {
    if (std::isprint(static_cast<unsigned char>(c)) == 0) c = '?';
  }
  return shown;
}

}  // namespace

RegistryReference RegistryReference::Parse(std::string_view text) {
  const auto refuse = [text](std::string_view why) {
    Throw(Errc::kInvalidArgument, "image name '{}' {}", Shown(text), why);
  };
  RegistryReference reference;
  std::string_view rest = text;
  if (const size_t at = rest.find('@'); at != std::string_view::npos) {
    try {
      reference.digest = ParseDigest(rest.substr(at + 1));
    } catch (const Error&) {
      refuse("has no sha256 digest behind its '@'");
    }
    rest = rest.substr(0, at);
  }
  const size_t slash = rest.find('/');
  const std::string_view first = rest.substr(0, slash);
  if (slash != std::string_view::npos &&
      (first.find_first_of(".:") != std::string_view::npos || Lower(first) == "localhost")) {
    reference.host = Lower(first);
    rest = rest.substr(slash + 1);
    if (!IsHost(reference.host)) refuse("has a malformed host or port");
  } else {
    reference.host = kDockerHub;
  }
  if (const size_t colon = rest.find(':'); colon != std::string_view::npos) {
    reference.tag = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
    if (!IsTag(reference.tag)) refuse("has a tag of other characters than A-Z a-z 0-9 _ . -, or of more than 128");
  }
  reference.repository = rest;
  if (reference.host == "index.docker.io" || reference.host == "registry-1.docker.io") reference.host = kDockerHub;
  if (reference.host == kDockerHub && rest.find('/') == std::string_view::npos)
    reference.repository = "library/" + reference.repository;
  if (!IsRepository(reference.repository))
    refuse("has a repository that is not made of lower-case letters, digits and single separators");
  if (reference.tag.empty() && !reference.digest) reference.tag = "latest";
  return reference;
}

std::string RegistryReference::ManifestName() const { return digest ? FormatDigest(*digest) : tag; }

std::string RegistryReference::ToString() const {
  std::string text = Name();
  if (!tag.empty()) text += ":" + tag;
  if (digest) text += "@" + FormatDigest(*digest);
  return text;
}

}  // namespace sluice::oci
