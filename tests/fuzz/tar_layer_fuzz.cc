// SPDX-License-Identifier: Apache-2.0
// The input is a layer, compressed or not.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include "oci/tar_layer.h"
#include "support/streams.h"

namespace {

using namespace sluice;

void CheckEntry(const oci::LayerEntry& entry) {
  for (const auto* path : {&entry.path, &entry.link_path}) {
    for (const std::string& part : *path) {
      SLUICE_CHECK(!part.empty() && part.size() <= kMaxNameLength && part != "." && part != ".." &&
                       part.find('/') == std::string::npos && part.find('\0') == std::string::npos,
                   "components are names");
    }
  }
  SLUICE_CHECK(!entry.path.empty() || entry.type == oci::EntryType::kDirectory, "the root is a directory");
  SLUICE_CHECK(entry.link_path.empty() == (entry.type != oci::EntryType::kHardLink), "hard links lead somewhere");
  SLUICE_CHECK(entry.symlink_target.empty() == (entry.type != oci::EntryType::kSymlink), "so do symbolic ones");
  SLUICE_CHECK(entry.mtime_nanoseconds < 1'000'000'000, "nanoseconds are below a second");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string layer(reinterpret_cast<const char*>(data), size);
  try {
    // Small pieces, so that headers and bodies are cut everywhere.
    const auto reader =
        oci::OpenTarLayer(std::make_unique<test::MemorySource>(layer, 700), "layer", {}, {.max_plain_bytes = 4 * kMiB});
    while (const auto entry = reader->Next()) {
      CheckEntry(*entry);
      uint64_t end = 0;
      while (const auto piece = reader->NextData()) {
        SLUICE_CHECK(piece->offset >= end && !piece->bytes.empty() && piece->offset <= entry->size &&
                         piece->bytes.size() <= entry->size - piece->offset,
                     "data come in order and lie in the file");
        end = piece->offset + piece->bytes.size();
      }
    }
  } catch (const Error&) {
  }
  return 0;
}
