// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which extended attributes of a layer an image keeps.

#include <map>
#include <string>

namespace sluice::convert {

using Xattrs = std::map<std::string, std::string, std::less<>>;

// Removes what an image must not or cannot carry and returns how many attributes that were:
//  - security.selinux: labels of the machine that built the layer (umoci and containerd skip it too);
//  - trusted.overlay.* and user.overlay.*: an image could redirect lookups of an overlayfs that has it as a lower
//  layer;
//  - namespaces that neither Linux nor EROFS has (com.apple.*, system.nfs4_acl, …): setxattr(2) would refuse them, and
//    unpackers go on without.
// Throws kLimit when what is kept does not fit an EROFS inode.
size_t FilterXattrs(Xattrs& xattrs);

}  // namespace sluice::convert
