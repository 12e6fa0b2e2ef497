// SPDX-License-Identifier: Apache-2.0
#pragma once
// The content of containers-registries.conf(5), version 2: which registries are blocked, insecure or mirrored.  Pure.

#include <string>
#include <string_view>
#include <vector>

#include "oci/registry_reference.h"

namespace sluice::oci {

class RegistriesConf {
 public:
  enum class Pull { kAll, kDigestOnly, kTagOnly };
  struct Place {
    std::string location;  // "host[:port][/path]"
    bool insecure = false;
    Pull pull = Pull::kAll;
  };
  struct Registry {
    std::string prefix;  // "host[:port][/path]", or "*.domain"
    Place place;         // location is empty with a wildcard: the image's own host
    bool blocked = false;
    std::vector<Place> mirrors;
  };

  // Adds what `text` says; an entry for a prefix that is there already replaces it.  Keys that are not about the above
  // are passed over.  Throws kCorrupt naming `what` and the place, kUnsupported for version 1.
  void Add(std::string_view text, std::string_view what);

  // The entry whose prefix matches most of the image's name; null: none.  Valid until the next Add.
  const Registry* Find(const RegistryReference& image) const;

  // The image's name below `location` in place of the prefix: "mirror.local/hub/library/debian".
  static std::string Rewrite(const Registry& registry, const std::string& location, const RegistryReference& image);

 private:
  std::vector<Registry> registries_;
};

}  // namespace sluice::oci
