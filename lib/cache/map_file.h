// SPDX-License-Identifier: Apache-2.0
#pragma once
// The map file on disk.  Owned by the blob's shard.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cache/blob_layout.h"
#include "cache/chunk_map.h"
#include "cache/map_format.h"
#include "runtime/engine.h"
#include "runtime/file.h"
#include "runtime/task.h"

namespace sluice::cache {

class MapFile {
 public:
  struct Loaded;

  // nullopt: there is no intact map of `layout` at `path`.  Chunks of damaged pages are missing.
  static runtime::Task<std::optional<Loaded>> Load(runtime::Engine& engine, std::string path, const BlobLayout& layout);
  // An empty map in place of whatever is at `directory`/map.  Durable when the task ends; after a crash before that the
  // old map may still be there.
  static runtime::Task<MapFile> Make(runtime::Engine& engine, std::string directory, const BlobLayout& layout,
                                     uint64_t nonce);

  // Writes `pages` and syncs them.  What they call ready is durable in the data file already.
  runtime::Task<void> Save(const std::vector<ChunkMap::Page>& pages);

 private:
  MapFile(runtime::File file, const MapIdentity& identity) noexcept : file_(std::move(file)), identity_(identity) {}

  runtime::File file_;
  MapIdentity identity_;
};

struct MapFile::Loaded {
  MapFile file;
  ChunkMap map;
};

}  // namespace sluice::cache
