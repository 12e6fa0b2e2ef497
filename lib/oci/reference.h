// SPDX-License-Identifier: Apache-2.0
#pragma once
// How users name images: a transport and a place.

#include <optional>
#include <string>
#include <string_view>

#include "oci/registry_reference.h"

namespace sluice::oci {

enum class Transport {
  kOci,            // oci:DIR[:TAG]               OCI image layout
  kOciArchive,     // oci-archive:FILE[:TAG]      tar of an OCI image layout
  kDockerArchive,  // docker-archive:FILE[:TAG]   what docker save writes
  kRootfs,         // rootfs:DIR                  a directory tree, as one layer
  kTar,            // tar:FILE                    a layer tar, of any compression
  kRafs,           // rafs:BOOTSTRAP[:BLOBDIR]    a nydus bootstrap, or a blob with one inside
  kDocker,         // docker://NAME               in a registry, see RegistryReference::Parse
};

// The prefix in front of the colon.
std::string_view Name(Transport transport) noexcept;

struct Reference {
  Transport transport = Transport::kOci;
  std::string path;                           // never empty, but for kDocker
  std::string tag;                            // kOci, kOciArchive, kDockerArchive; empty: not given
  std::string blob_dir;                       // kRafs; empty: not given
  std::optional<RegistryReference> registry;  // kDocker: always, others: never

  // Throws kInvalidArgument saying what is wrong with `text`.  Except for rootfs: and tar:, the path ends at the first
  // colon (as with skopeo); a tag behind it may hold colons itself ("oci-archive:f.tar:docker.io/library/a:1").
  static Reference Parse(std::string_view text);
  // The text that Parse accepts.
  std::string ToString() const;

  bool operator==(const Reference&) const = default;
};

}  // namespace sluice::oci
