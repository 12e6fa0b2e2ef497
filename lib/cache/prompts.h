// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which missing chunks the files speak of that readers have opened (image/mentions.h): the libraries that a program
// needs, the modules that a module imports, and in turn what these speak of.  Pure; owned by the blob's shard.

#include <cstdint>
#include <deque>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "cache/blob_layout.h"
#include "cache/cache_limits.h"
#include "cache/chunk_map.h"

namespace sluice::cache {

class Prompts {
 public:
  // `layout` outlives the object.  Uses a byte for each chunk from the first name that is followed.
  Prompts(const BlobLayout& layout, const PromptLimits& limits) noexcept : layout_(layout), limits_(limits) {}

  // Readers have asked for `chunks`, be they there already or not.  The first to come speaks of what every program
  // needs that is linked dynamically.
  void OnRead(ChunkSpan chunks);
  // The verified bytes of a chunk.
  void OnBytes(uint32_t position, ConstBytes plain);

  // The next run of missing chunks that were spoken of, within `limits`; empty: none.  What was spoken of last comes
  // first: a module is opened before the others that its importer names.
  ChunkSpan Pick(const ChunkMap& map, const RunLimits& limits);

 private:
  using Module = image::rafs::FileNames::Module;
  using Name = image::rafs::FileNames::Name;

  void Begin();
  void ExpectPrograms();
  bool knows_names() const noexcept { return !layout_.names().names.empty(); }
  const Module* FindModule(uint32_t position) const noexcept;
  // [first, second) of the positions of names with this key.
  std::pair<uint32_t, uint32_t> Find(image::NameKey key) const noexcept;
  bool IsNear(const Module& module, const Name& name) const noexcept;
  void Listen(uint32_t position, ConstBytes plain);
  void Follow(uint32_t position, uint8_t steps);
  void FollowName(const Module& module);
  void Forget(uint32_t position);
  void Want(const Name& name, uint8_t steps, std::vector<uint32_t>& wanted);
  bool IsWanted(const ChunkMap& map, uint32_t position) const noexcept {
    return steps_[position] > 0 && map.IsMissing(position);
  }

  const BlobLayout& layout_;
  const PromptLimits limits_;
  ChunkSet read_{0};
  // By position: 0 when nobody spoke of it, else 1 more than the steps that may be followed from there before it is
  // read.  Empty at first.
  std::vector<uint8_t> steps_;
  // What files speak of that have come but were not read yet, by their first chunk: positions in names().names.
  std::unordered_map<uint32_t, std::vector<uint32_t>> said_;
  size_t said_names_ = 0;                 // in all of said_
  std::unordered_set<uint32_t> folders_;  // with modules that were read
  std::deque<uint32_t> wanted_;           // each position once
};

}  // namespace sluice::cache
