// SPDX-License-Identifier: Apache-2.0
#include "oci/registries_conf.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "oci/toml.h"

namespace sluice::oci {
namespace {

constexpr size_t kMaxRegistries = 4096;
constexpr size_t kMaxMirrors = 64;

// A part of an image's name: checked as one when it is used.
std::string CleanLocation(std::string location, std::string_view what) {
  while (location.ends_with('/')) location.pop_back();
  if (location.find("://") != std::string::npos)
    Throw(Errc::kCorrupt, "{}: location '{}' has a scheme: write 'insecure = true' for http", what, location);
  return location;
}

RegistriesConf::Place ParsePlace(const toml::table& table, std::string_view what) {
  RegistriesConf::Place place;
  place.location = CleanLocation(FindText(table, "location", what).value_or(""), what);
  place.insecure = FindBoolean(table, "insecure", what).value_or(false);
  const std::string pull = FindText(table, "pull-from-mirror", what).value_or("all");
  if (pull == "digest-only") {
    place.pull = RegistriesConf::Pull::kDigestOnly;
  } else if (pull == "tag-only") {
    place.pull = RegistriesConf::Pull::kTagOnly;
  } else if (pull != "all" && !pull.empty()) {
    Throw(Errc::kCorrupt, "{}: pull-from-mirror is '{}', not all, digest-only or tag-only", what, pull);
  }
  return place;
}

RegistriesConf::Registry ParseRegistry(const toml::table& table, std::string_view what) {
  RegistriesConf::Registry registry;
  registry.place = ParsePlace(table, what);
  registry.prefix = CleanLocation(FindText(table, "prefix", what).value_or(""), what);
  registry.blocked = FindBoolean(table, "blocked", what).value_or(false);
  if (registry.prefix.empty()) registry.prefix = registry.place.location;
  if (registry.prefix.empty()) Throw(Errc::kCorrupt, "{}: a registry without prefix and location", what);
  const bool wildcard = registry.prefix.starts_with("*.");
  if (registry.place.location.empty() && !wildcard) registry.place.location = registry.prefix;
  if (wildcard && registry.prefix.find('/') != std::string::npos)
    Throw(Errc::kCorrupt, "{}: prefix '{}' has a wildcard and a path", what, registry.prefix);

  const bool by_digest_only = FindBoolean(table, "mirror-by-digest-only", what).value_or(false);
  if (const toml::array* mirrors = FindArray(table, "mirror", what)) {
    if (mirrors->size() > kMaxMirrors)
      Throw(Errc::kCorrupt, "{}: {} mirrors of '{}', more than {}", what, mirrors->size(), registry.prefix,
            kMaxMirrors);
    for (const toml::node& node : *mirrors) {
      if (!node.is_table()) Throw(Errc::kCorrupt, "{}: a mirror of '{}' is no table", what, registry.prefix);
      RegistriesConf::Place mirror = ParsePlace(*node.as_table(), what);
      if (mirror.location.empty()) Throw(Errc::kCorrupt, "{}: a mirror of '{}' has no location", what, registry.prefix);
      if (by_digest_only) mirror.pull = RegistriesConf::Pull::kDigestOnly;
      registry.mirrors.push_back(std::move(mirror));
    }
  }
  return registry;
}

// How many characters of `name` the prefix matches: up to a place where a part of the name ends.  0: not at all.
size_t MatchLength(const std::string& prefix, const RegistryReference& image, const std::string& name) {
  if (prefix.starts_with("*.")) {
    const std::string_view domain = std::string_view(prefix).substr(1);
    const std::string_view host = std::string_view(image.host).substr(0, image.host.find(':'));
    const bool matches = host.size() > domain.size() && (host.ends_with(domain) || image.host.ends_with(domain));
    return matches ? 1 : 0;  // less than any prefix that is written out
  }
  if (!name.starts_with(prefix)) return 0;
  return name.size() == prefix.size() || name[prefix.size()] == '/' ? prefix.size() : 0;
}

}  // namespace

void RegistriesConf::Add(std::string_view text, std::string_view what) {
  const toml::table table = ParseToml(text, what);
  if (table.get("registries") != nullptr)
    Throw(Errc::kUnsupported, "{} is of version 1: see containers-registries.conf(5)", what);
  const toml::array* list = FindArray(table, "registry", what);
  if (list == nullptr) return;
  if (list->size() > kMaxRegistries)
    Throw(Errc::kCorrupt, "{}: {} registries, more than {}", what, list->size(), kMaxRegistries);
  for (const toml::node& node : *list) {
    if (!node.is_table()) Throw(Errc::kCorrupt, "{}: a registry is no table", what);
    Registry registry = ParseRegistry(*node.as_table(), what);
    std::erase_if(registries_, [&registry](const Registry& other) { return other.prefix == registry.prefix; });
    registries_.push_back(std::move(registry));
  }
  if (registries_.size() > kMaxRegistries)
    Throw(Errc::kCorrupt, "{}: {} registries, more than {}", what, registries_.size(), kMaxRegistries);
}

const RegistriesConf::Registry* RegistriesConf::Find(const RegistryReference& image) const {
  const std::string name = image.Name();
  const Registry* best = nullptr;
  size_t best_length = 0;
  for (const Registry& registry : registries_) {
    const size_t length = MatchLength(registry.prefix, image, name);
    // Of two wildcards the longer one says more.
    const bool better =
        length > best_length || (length != 0 && length == best_length && registry.prefix.size() > best->prefix.size());
    if (!better) continue;
    best = &registry;
    best_length = length;
  }
  return best;
}

std::string RegistriesConf::Rewrite(const Registry& registry, const std::string& location,
                                    const RegistryReference& image) {
  const std::string name = image.Name();
  // A wildcard stands for the whole host.
  const size_t matched = registry.prefix.starts_with("*.") ? image.host.size() : registry.prefix.size();
  return location.empty() ? name : location + name.substr(matched);
}

}  // namespace sluice::oci
