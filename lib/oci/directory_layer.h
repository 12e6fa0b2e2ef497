// SPDX-License-Identifier: Apache-2.0
#pragma once
// A directory tree as one layer: what tar would put into an archive, without the archive.  Internal to oci.

#include <memory>
#include <string>

#include "oci/layer_reader.h"

namespace sluice::oci {

// Everything below `path` as this process sees it (file systems mounted there too), the root first, then depth first in
// byte order of the names; names of one file in that order are hard links to the first.  Symbolic links are never
// followed.  Throws kNotFound when there is no such directory; a tree that changes meanwhile gives an error or a
// mixture.
std::unique_ptr<LayerReader> OpenDirectoryLayer(const std::string& path);

}  // namespace sluice::oci
