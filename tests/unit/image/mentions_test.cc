// SPDX-License-Identifier: Apache-2.0
#include "image/mentions.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

namespace sluice::image {
namespace {

using Keys = std::vector<NameKey>;

Keys Libraries(std::initializer_list<std::string_view> stems) {
  Keys keys;
  for (const std::string_view stem : stems) keys.push_back(LibraryKey(stem));
  return keys;
}

Keys Modules(std::initializer_list<std::string_view> stems) {
  Keys keys;
  for (const std::string_view stem : stems) keys.push_back(ModuleKey(stem));
  return keys;
}

// A name as bytecode holds it.
std::string Interned(std::string_view name, char type = '\xda') {
  return std::string(1, type) + static_cast<char>(name.size()) + std::string(name);
}

const std::string kElf = std::string(
                             "\x7f"
                             "ELF\2\1\1",
                             7) +
                         std::string(9, '\0');
const std::string kBytecode = std::string("\xa7\r\r\n", 4) + std::string(12, '\0');

// Every beginning of `text` says a beginning of what all of it says.
template <typename F>
void CheckTruncations(const std::string& text, F find) {
  const Keys all = find(AsBytes(text));
  for (size_t size = 0; size < text.size(); ++size) {
    CAPTURE(size);
    // The exact size on the heap: a byte too far is found by a sanitizer.
    const std::vector<std::byte> part(AsBytes(text).begin(), AsBytes(text).begin() + static_cast<ptrdiff_t>(size));
    const Keys some = find(part);
    const size_t sure = some.empty() ? 0 : some.size() - 1;  // the last name may be cut
    REQUIRE(sure <= all.size());
    CHECK(std::equal(some.begin(), some.begin() + static_cast<ptrdiff_t>(sure), all.begin()));
  }
}

}  // namespace

TEST_CASE("a name is what comes before its first dot, libraries and modules are known by what follows") {
  CHECK(StemOf("libz.so.1.2.13") == "libz");
  CHECK(StemOf("enum.cpython-311.pyc") == "enum");
  CHECK(StemOf("README") == "README");
  CHECK(StemOf(".hidden").empty());
  for (const char* name : {"libz.so", "libz.so.1", "_json.cpython-311-x86_64-linux-gnu.so"}) CHECK(IsLibraryName(name));
  for (const char* name : {"libz.sofa", "libz.a", "so"}) CHECK_FALSE(IsLibraryName(name));
  for (const char* name : {"enum.py", "enum.cpython-311.pyc"}) CHECK(IsModuleName(name));
  for (const char* name : {"enum.pyx", "py", "enum.so"}) CHECK_FALSE(IsModuleName(name));
  CHECK(LibraryKey("json") != ModuleKey("json"));
}

TEST_CASE("an ELF file speaks of the libraries that its strings name") {
  using namespace std::string_literals;
  const std::string text = kElf + "/lib64/ld-linux-x86-64.so.2\0__gmon_start__\0libstdc++.so.6\0libm.so\0libm.so.6\0"s +
                           "not.so much\0.so\0.software\0"s;
  CHECK(FindLibraries(AsBytes(text)) == Libraries({"ld-linux-x86-64", "libstdc++", "libm"}));
  CheckTruncations(text, FindLibraries);
  CHECK(FindLibraries(AsBytes(text.substr(1))).empty());  // no ELF file
  // A name that is too long loses its beginning, not the time of its reader.
  CHECK(FindLibraries(AsBytes(kElf + std::string(1000, 'x') + ".so.1")) ==
        Libraries({std::string_view("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")}));
}

TEST_CASE("bytecode speaks of the modules whose names it interned") {
  const std::string text = kBytecode + "\xe3" + Interned("numpy.core") + Interned("enum", 'Z') + Interned("enum") +
                           Interned("a") + Interned("no word") + Interned("__init__") +
                           "\xfa\x03"
                           "abc" +
                           Interned("_json");
  CHECK(FindModules(AsBytes(text)) == Modules({"numpy", "core", "enum", "_json"}));
  CheckTruncations(text, FindModules);
}

TEST_CASE("source speaks of the modules of its import statements") {
  const std::string text =
      "# import nothing\nimport os, sys.path as way\nfrom . import (multiarray,\n    overrides)  # both\n"
      "  from ..lib import *\nimportant = fromage\ndoc = 'import'\nfrom enum import Flag";
  CHECK(FindModules(AsBytes(text)) ==
        Modules({"os", "sys", "path", "as", "way", "import", "multiarray", "overrides", "lib", "enum", "Flag"}));
  CheckTruncations(text, FindModules);
}

TEST_CASE("what is full of names ends soon") {
  std::string libraries = kElf, modules = kBytecode, statements;
  for (int i = 0; i < 100'000; ++i) {
    libraries += "l" + std::to_string(i) + ".so";
    libraries += '\0';
    modules += Interned("m" + std::to_string(i));
    statements += "import m" + std::to_string(i) + "\n";
  }
  CHECK(FindLibraries(AsBytes(libraries)).size() == kMostMentions);
  CHECK(FindModules(AsBytes(modules)).size() == kMostMentions);
  CHECK(FindModules(AsBytes(statements)).size() == kMostMentions);
  const std::string beyond = kElf + std::string(kMostMentionBytes, 'x') + " libz.so";
  CHECK(FindLibraries(AsBytes(beyond)).empty());
}

}  // namespace sluice::image
