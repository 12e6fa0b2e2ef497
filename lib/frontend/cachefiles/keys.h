// SPDX-License-Identifier: Apache-2.0
#pragma once
// The names that EROFS gives to its objects, and the file that the kernel keeps of each.  Pure.

#include <cstdint>
#include <string>
#include <string_view>

#include "frontend/cachefiles/message.h"

namespace sluice::frontend::cachefiles {

// The kernel's file name of a volume key is one letter longer, that of a cookie key one to three (NAME_MAX 255); an
// fsid stands in both.
constexpr size_t kMaxNameBytes = 200;

// Throws kInvalidArgument naming `what` unless `name` has 1 to kMaxNameBytes letters, digits, dots, underscores and
// hyphens: what needs no quoting in mount options and file names.
void RequireName(std::string_view name, std::string_view what);

// "erofs,<domain>", without a domain "erofs,<fsid>" (fs/erofs/fscache.c).
std::string VolumeKey(std::string_view domain, std::string_view fsid);

// Where the kernel keeps the object, relative to the cache's directory: "cache/I<volume>/@<hh>"
// (fs/cachefiles/volume.c, namei.c).  The keys have passed RequireName.
std::string DirectoryOf(const ObjectKey& key);
// Its name there: "D<cookie>" (fs/cachefiles/key.c).
std::string FileNameOf(const ObjectKey& key);

}  // namespace sluice::frontend::cachefiles
