// SPDX-License-Identifier: Apache-2.0
#include "frontend/cachefiles/catalog.h"

#include <fmt/format.h>

#include "base/check.h"
#include "base/error.h"
#include "frontend/cachefiles/keys.h"

namespace sluice::frontend::cachefiles {

ObjectKey Binding::Key() const { return {VolumeKey(domain, fsid), fsid}; }

ObjectKey Binding::KeyOf(const cache::BlobLayout& blob) const { return {VolumeKey(domain, fsid), blob.id().hex()}; }

std::string Binding::Name() const {
  return domain.empty() ? fmt::format("'{}'", fsid) : fmt::format("'{}' in domain '{}'", fsid, domain);
}

void Catalog::Check(const Binding& binding) const {
  RequireName(binding.fsid, "fsid");
  if (!binding.domain.empty()) RequireName(binding.domain, "domain");
  if (Find(binding.Key()) != nullptr) Throw(Errc::kExists, "{} is bound already", binding.Name());
  for (const auto& layout : binding.blobs) {
    const ObjectKey key = binding.KeyOf(*layout);
    if (key == binding.Key()) Throw(Errc::kExists, "{} is the name of one of its blobs", binding.Name());
    const Content* const known = Find(key);
    if (known == nullptr) continue;
    const Blob* const blob = std::get_if<Blob>(known);
    if (blob == nullptr)
      Throw(Errc::kExists, "{}: a bootstrap has the name of its blob {}", binding.Name(), key.cookie);
    if (blob->layout->digest() != layout->digest()) {
      Throw(Errc::kExists, "{}: its blob {} has other contents than that of {}; bind it in another domain",
            binding.Name(), key.cookie, blob->users.front()->Name());
    }
  }
}

void Catalog::Add(std::shared_ptr<const Binding> binding) {
  Check(*binding);
  for (const auto& layout : binding->blobs) {
    const auto at = contents_.try_emplace(binding->KeyOf(*layout), Blob{.layout = layout, .users = {}}).first;
    std::get<Blob>(at->second).users.push_back(binding);
  }
  contents_.emplace(binding->Key(), binding);
}

void Catalog::Remove(const Binding& binding) {
  const size_t removed = contents_.erase(binding.Key());
  SLUICE_CHECK(removed == 1, "what is removed from a catalog was in it");
  for (const auto& layout : binding.blobs) {
    const auto at = contents_.find(binding.KeyOf(*layout));
    if (at == contents_.end()) continue;  // an image that has a blob twice
    auto& users = std::get<Blob>(at->second).users;
    std::erase_if(users, [&](const auto& user) { return user.get() == &binding; });
    if (users.empty()) contents_.erase(at);
  }
}

const Catalog::Content* Catalog::Find(const ObjectKey& key) const noexcept {
  const auto found = contents_.find(key);
  return found == contents_.end() ? nullptr : &found->second;
}

}  // namespace sluice::frontend::cachefiles
