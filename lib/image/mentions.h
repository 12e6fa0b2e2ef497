// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which other files the beginning of a file speaks of: an ELF file names the libraries that it needs, a Python module
// those that it imports.  Whoever opened the one is likely to open the others.  Guesses from bytes that nobody vouches
// for: bounded, and never an error.  Pure.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace sluice::image {

// A name by which files are spoken of, as a hash that tells libraries from modules.  Whoever makes two names collide
// has files fetched that nobody wants, of his own image.
using NameKey = uint64_t;
NameKey LibraryKey(std::string_view stem) noexcept;
NameKey ModuleKey(std::string_view stem) noexcept;

// A file name up to its first dot: neither versions of libraries nor suffixes of modules are part of what others say.
std::string_view StemOf(std::string_view name) noexcept;
// "libz.so.1", "_json.cpython-311-x86_64-linux-gnu.so"
bool IsLibraryName(std::string_view name) noexcept;
// "enum.py", "enum.cpython-311.pyc"
bool IsModuleName(std::string_view name) noexcept;

constexpr size_t kMostMentionBytes = 512 * 1024;  // that are looked at
constexpr size_t kMostMentions = 4096;

// What `bytes`, the beginning of a file, speak of: each name once, in the order of its first appearance.  The names of
// libraries are taken from the strings of an ELF file, not from its dynamic section: that lies at the end of large
// files, the strings at their beginning.
std::vector<NameKey> FindLibraries(ConstBytes bytes);
// Of a file with a module's name, source or bytecode.
std::vector<NameKey> FindModules(ConstBytes bytes);

}  // namespace sluice::image
