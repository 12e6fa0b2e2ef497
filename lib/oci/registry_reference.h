// SPDX-License-Identifier: Apache-2.0
#pragma once
// The name of an image in a registry.

#include <optional>
#include <string>
#include <string_view>

#include "base/digest.h"

namespace sluice::oci {

// What exists is well-formed: its parts are safe in URLs, messages and file names.
struct RegistryReference {
  std::string host;              // "registry.example:5000", lower case; "docker.io" for Docker Hub
  std::string repository;        // "library/debian"
  std::string tag;               // empty: none
  std::optional<Digest> digest;  // names the manifest; goes before the tag

  // "[HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]" after the grammar of Docker's and OCI's distribution documents: what is
  // in front of the first slash is a host when it holds a dot or a colon, or is "localhost", else the image is one of
  // docker.io.  Without tag and digest the tag is "latest".  Throws kInvalidArgument.
  static RegistryReference Parse(std::string_view text);

  // Host and repository: "registry.example:5000/library/debian".
  std::string Name() const { return host + "/" + repository; }
  // What the manifest is asked for by: the digest, else the tag.
  std::string ManifestName() const;
  // With all parts; Parse accepts it.
  std::string ToString() const;

  bool operator==(const RegistryReference&) const = default;
};

}  // namespace sluice::oci
