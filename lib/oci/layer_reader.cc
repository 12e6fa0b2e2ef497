// SPDX-License-Identifier: Apache-2.0
#include "oci/layer_reader.h"

#include "base/error.h"

namespace sluice::oci {

std::string LayerEntry::Name() const {
  std::string name;
  for (const std::string& part : path) name += (name.empty() ? "" : "/") + part;
  return name.empty() ? "." : name;
}

std::vector<std::string> SplitPath(std::string_view name) {
  if (name.empty()) Throw(Errc::kCorrupt, "empty name");
  if (name.size() > kMaxPathLength)
    Throw(Errc::kCorrupt, "name of {} bytes, more than {}", name.size(), kMaxPathLength);
  if (name.find('\0') != std::string_view::npos) Throw(Errc::kCorrupt, "name with a NUL in it");
  std::vector<std::string> parts;
  while (!name.empty()) {
    const size_t slash = name.find('/');
    const std::string_view part = name.substr(0, slash);
    name.remove_prefix(slash == std::string_view::npos ? name.size() : slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == "..") Throw(Errc::kCorrupt, "name with '..' in it");
    if (part.size() > kMaxNameLength)
      Throw(Errc::kCorrupt, "name with a component of {} bytes, more than {}", part.size(), kMaxNameLength);
    parts.emplace_back(part);
  }
  return parts;
}

}  // namespace sluice::oci
