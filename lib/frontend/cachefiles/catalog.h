// SPDX-License-Identifier: Apache-2.0
#pragma once
// What may be mounted by its fsid: which object has which content.  Owned by the door.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "backend/backend.h"
#include "cache/blob_layout.h"
#include "frontend/cachefiles/message.h"

namespace sluice::frontend::cachefiles {

// An image under a name of the kernel.
struct Binding {
  std::string fsid;
  std::string domain;  // empty: the image shares nothing
  std::string bootstrap_path;
  uint64_t bootstrap_size = 0;  // bytes
  std::vector<std::shared_ptr<const cache::BlobLayout>> blobs;
  std::function<std::unique_ptr<backend::BlobSource>(const BlobId& id)> open_source;

  ObjectKey Key() const;
  ObjectKey KeyOf(const cache::BlobLayout& blob) const;
  // For messages: "'fsid'" or "'fsid' in domain 'domain'".
  std::string Name() const;
};

class Catalog {
 public:
  // The blob of all bindings in one domain that have it.  They agree on its layout.
  struct Blob {
    std::shared_ptr<const cache::BlobLayout> layout;
    std::vector<std::shared_ptr<const Binding>> users;
  };
  using Content = std::variant<std::shared_ptr<const Binding>, Blob>;  // a bootstrap, or a blob

  // Throws what Add would throw.
  void Check(const Binding& binding) const;
  // Throws kInvalidArgument for a name that the kernel cannot use, kExists when the fsid is taken or another content
  // has the name of one of the image's objects: then nothing has changed.
  void Add(std::shared_ptr<const Binding> binding);
  // It is there.
  void Remove(const Binding& binding);

  // Null: there is no such object.
  const Content* Find(const ObjectKey& key) const noexcept;

 private:
  std::map<ObjectKey, Content> contents_;
};

}  // namespace sluice::frontend::cachefiles
