// SPDX-License-Identifier: Apache-2.0
#pragma once
// The xattr body behind an EROFS inode: a 12-byte header, then entries that are padded to 4 bytes.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace sluice::image::erofs {

using Xattrs = std::map<std::string, std::string, std::less<>>;  // full names to raw values

// Parses a whole body (InodeHeader::xattr_size bytes).  `what` names the inode in errors.  Throws kCorrupt, or
// kUnsupported for shared xattrs and prefixes that RAFS v6 does not use.
Xattrs ParseXattrs(ConstBytes body, std::string_view what);

// Bytes that StoreXattrs writes; 0 for no xattrs.  Throws kInvalidArgument for a name without a known prefix
// (user. trusted. security. system.posix_acl_access system.posix_acl_default), a name or value that is too long, or
// a body above the 262148 bytes that an inode can express; the message names the xattr.
uint64_t XattrBodySize(const Xattrs& xattrs);

// Writes exactly XattrBodySize() bytes.
void StoreXattrs(const Xattrs& xattrs, MutableBytes to);

}  // namespace sluice::image::erofs
