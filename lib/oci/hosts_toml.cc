// SPDX-License-Identifier: Apache-2.0
#include "oci/hosts_toml.h"

#include <algorithm>

#include "base/error.h"
#include "oci/toml.h"

namespace sluice::oci {
namespace {

constexpr size_t kMaxHosts = 64;
constexpr size_t kMaxListed = 64;

// A string, or a list of strings.
std::vector<std::string> Texts(const toml::node& node, std::string_view key, std::string_view what) {
  std::vector<std::string> texts;
  if (node.is_string()) {
    texts.push_back(node.as_string()->get());
  } else if (const toml::array* list = node.as_array(); list != nullptr && list->size() <= kMaxListed) {
    for (const toml::node& element : *list) {
      if (!element.is_string()) Throw(Errc::kCorrupt, "{}: '{}' holds something that is no string", what, key);
      texts.push_back(element.as_string()->get());
    }
  } else {
    Throw(Errc::kCorrupt, "{}: '{}' is neither a string nor a list of at most {}", what, key, kMaxListed);
  }
  return texts;
}

// containerd, docs/hosts.md: one file with both parts, a list of such files, or a list of pairs.
std::vector<std::pair<std::string, std::string>> Clients(const toml::node& node, std::string_view what) {
  std::vector<std::pair<std::string, std::string>> clients;
  const toml::array* list = node.as_array();
  if (list != nullptr && list->size() <= kMaxListed && !list->empty() && list->get(0)->is_array()) {
    for (const toml::node& element : *list) {
      const std::vector<std::string> pair = Texts(element, "client", what);
      if (pair.empty() || pair.size() > 2) Throw(Errc::kCorrupt, "{}: 'client' holds a list of {}", what, pair.size());
      clients.emplace_back(pair.front(), pair.size() == 2 ? pair.back() : std::string());
    }
    return clients;
  }
  for (std::string& file : Texts(node, "client", what)) clients.emplace_back(std::move(file), std::string());
  return clients;
}

std::vector<std::pair<std::string, std::string>> Header(const toml::table& table, std::string_view what) {
  std::vector<std::pair<std::string, std::string>> fields;
  for (const auto& [name, node] : table) {
    for (std::string& value : Texts(node, name.str(), what)) {
      // RFC 9110 section 5: what would end the field or the header is not allowed in.
      const auto is_token = [](char c) { return c > ' ' && c < '\x7f' && c != ':'; };
      const auto is_control = [](char c) { return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == '\x7f'; };
      if (name.str().empty() || !std::ranges::all_of(name.str(), is_token) || std::ranges::any_of(value, is_control))
        Throw(Errc::kCorrupt, "{}: line {}: no header field", what, node.source().begin.line);
      fields.emplace_back(std::string(name.str()), std::move(value));
    }
  }
  if (fields.size() > kMaxListed)
    Throw(Errc::kCorrupt, "{}: {} header fields, more than {}", what, fields.size(), kMaxListed);
  return fields;
}

// The API below the URL of a server: its path is as it stands with override_path, else it ends with "/v2".
http::Url ApiOf(std::string_view text, bool override_path, std::string_view what) {
  try {
    const std::string full =
        text.find("://") == std::string_view::npos ? "https://" + std::string(text) : std::string(text);
    const http::Url url = http::Url::Parse(full);
    if (!url.query().empty()) Throw(Errc::kInvalidArgument, "a server has no query");
    std::string path = url.path();
    while (path.ends_with('/')) path.pop_back();
    if (!override_path && !path.ends_with("/v2")) path += "/v2";
    return url.WithPath(path.empty() ? "/" : path);
  } catch (Error& e) {
    e.AddContext(what);
    throw;
  }
}

HostsToml::Host ParseHost(const toml::table& table, std::string_view url, std::string_view what) {
  const bool override_path = FindBoolean(table, "override_path", what).value_or(false);
  HostsToml::Host host{.api = ApiOf(url, override_path, what)};
  if (const toml::node* node = table.get("capabilities")) {
    const std::vector<std::string> names = Texts(*node, "capabilities", what);
    const auto has = [&names](std::string_view name) { return std::ranges::find(names, name) != names.end(); };
    host.pull = has("pull");
    host.resolve = has("resolve");
    host.push = has("push");
  }
  host.skip_verify = FindBoolean(table, "skip_verify", what).value_or(false);
  if (const toml::node* node = table.get("ca")) host.ca = Texts(*node, "ca", what);
  if (const toml::node* node = table.get("client")) host.clients = Clients(*node, what);
  if (const toml::table* header = FindTable(table, "header", what)) host.header = Header(*header, what);
  return host;
}

}  // namespace

HostsToml HostsToml::Parse(std::string_view text, const http::Url& default_server, std::string_view what) {
  const toml::table table = ParseToml(text, what);
  HostsToml parsed;
  if (const toml::table* list = FindTable(table, "host", what)) {
    if (list->size() > kMaxHosts) Throw(Errc::kCorrupt, "{}: {} hosts, more than {}", what, list->size(), kMaxHosts);
    // The library sorts keys; the order in the file is the order of preference.
    std::vector<std::pair<std::string, const toml::table*>> hosts;
    for (const auto& [url, node] : *list) {
      if (!node.is_table()) Throw(Errc::kCorrupt, "{}: host '{}' is no table", what, url.str());
      hosts.emplace_back(url.str(), node.as_table());
    }
    std::ranges::sort(hosts, {}, [](const auto& host) {
      const toml::source_position& at = host.second->source().begin;
      return std::pair(at.line, at.column);
    });
    for (const auto& [url, host] : hosts) parsed.hosts.push_back(ParseHost(*host, url, what));
  }
  const std::string server = FindText(table, "server", what).value_or(default_server.ToString());
  parsed.hosts.push_back(ParseHost(table, server, what));
  parsed.hosts.back().is_server = true;
  return parsed;
}

}  // namespace sluice::oci
