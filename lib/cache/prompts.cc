// SPDX-License-Identifier: Apache-2.0
#include "cache/prompts.h"

#include <algorithm>
#include <string_view>

#include "cache/run.h"
#include "image/mentions.h"

namespace sluice::cache {
namespace {

// The loaders of glibc and musl, and glibc's C library (musl's is its loader).
constexpr std::string_view kOfEachProgram[] = {"ld-linux-x86-64", "ld-linux-aarch64", "ld-musl-x86_64",
                                               "ld-musl-aarch64", "libc"};

}  // namespace

const Prompts::Module* Prompts::FindModule(uint32_t position) const noexcept {
  const std::vector<Module>& modules = layout_.names().modules;
  const auto found = std::lower_bound(modules.begin(), modules.end(), position,
                                      [](const Module& module, uint32_t at) { return module.first < at; });
  return found != modules.end() && found->first == position ? &*found : nullptr;
}

std::pair<uint32_t, uint32_t> Prompts::Find(image::NameKey key) const noexcept {
  const std::vector<Name>& names = layout_.names().names;
  const auto found = std::equal_range(names.begin(), names.end(), Name{.key = key},
                                      [](const Name& a, const Name& b) { return a.key < b.key; });
  return {static_cast<uint32_t>(found.first - names.begin()), static_cast<uint32_t>(found.second - names.begin())};
}

// Modules are looked for around the one that names them, and where others have been found.
bool Prompts::IsNear(const Module& module, const Name& name) const noexcept {
  return name.folder == module.folder || name.folder == module.parent || folders_.contains(name.folder);
}

void Prompts::Begin() {
  if (!steps_.empty()) return;
  steps_.resize(layout_.all().size());
  read_ = ChunkSet(layout_.all().size());
  ExpectPrograms();
}

void Prompts::ExpectPrograms() {
  std::vector<uint32_t> wanted;
  for (const std::string_view stem : kOfEachProgram) {
    const auto [first, end] = Find(image::LibraryKey(stem));
    if (end - first > limits_.of_one_name) continue;
    for (uint32_t name = first; name < end; ++name) Want(layout_.names().names[name], limits_.steps, wanted);
  }
  wanted_.insert(wanted_.begin(), wanted.begin(), wanted.end());
}

void Prompts::OnRead(ChunkSpan chunks) {
  if (!knows_names()) return;
  Begin();
  for (uint32_t position = read_.FirstAbsent(chunks); position < chunks.end;
       position = read_.FirstAbsent({position + 1, chunks.end})) {
    read_.Add(position);
    const Module* module = FindModule(position);
    if (module != nullptr) {
      if (folders_.size() < limits_.folders) folders_.insert(module->folder);
      FollowName(*module);
    }
    Follow(position, limits_.steps);
    Forget(position);
  }
}

void Prompts::OnBytes(uint32_t position, ConstBytes plain) {
  if (steps_.empty()) return;
  Listen(position, plain);
  if (read_.Has(position)) {
    Follow(position, limits_.steps);
    Forget(position);
  } else if (steps_[position] > 1) {
    Follow(position, steps_[position] - 1);
  }
}

// Notes what the file speaks of that begins with the chunk, as far as the blob has it.
void Prompts::Listen(uint32_t position, ConstBytes plain) {
  const Module* module = FindModule(position);
  std::vector<image::NameKey> keys = module != nullptr ? image::FindModules(plain) : image::FindLibraries(plain);
  std::vector<uint32_t> said;
  for (const image::NameKey key : keys) {
    const auto [first, end] = Find(key);
    // A name that many files have says little.
    if (module == nullptr && end - first > limits_.of_one_name) continue;
    for (uint32_t name = first; name < end; ++name) said.push_back(name);
  }
  if (said.empty() || said.size() > limits_.names - said_names_) return;
  said_names_ += said.size();
  said_[position] = std::move(said);
}

void Prompts::Follow(uint32_t position, uint8_t steps) {
  const auto said = said_.find(position);
  if (said == said_.end()) return;
  const Module* module = FindModule(position);
  std::vector<uint32_t> wanted;
  for (const uint32_t index : said->second) {
    const Name& name = layout_.names().names[index];
    if (module == nullptr || IsNear(*module, name)) Want(name, steps, wanted);
  }
  wanted_.insert(wanted_.begin(), wanted.begin(), wanted.end());
}

// The source is read after bytecode that is out of date, bytecode after the source that a program names: for these
// nobody has to wait for the bytes.
void Prompts::FollowName(const Module& module) {
  const auto [first, end] = Find(module.key);
  std::vector<uint32_t> wanted;
  for (uint32_t index = first; index < end; ++index) {
    const Name& name = layout_.names().names[index];
    if (name.folder == module.folder || name.folder == module.parent) Want(name, limits_.steps, wanted);
  }
  wanted_.insert(wanted_.begin(), wanted.begin(), wanted.end());
}

void Prompts::Forget(uint32_t position) {
  const auto said = said_.find(position);
  if (said == said_.end()) return;
  said_names_ -= said->second.size();
  said_.erase(said);
}

// All of a file, or, of a large one, where loading it begins and where its tables are.
void Prompts::Want(const Name& name, uint8_t steps, std::vector<uint32_t>& wanted) {
  const ChunkSpan file{name.first, name.first + name.chunks};
  const bool is_large = StoredBytes(layout_, file).length > limits_.whole_file;
  for (uint32_t position = file.first; position < file.end; ++position) {
    if (is_large && position != file.first && position + 1 != file.end) continue;
    if (steps_[position] > 0) continue;
    steps_[position] = steps;
    wanted.push_back(position);
  }
}

ChunkSpan Prompts::Pick(const ChunkMap& map, const RunLimits& limits) {
  while (!wanted_.empty() && !map.IsMissing(wanted_.front())) wanted_.pop_front();
  if (wanted_.empty()) return {};
  const uint32_t first = wanted_.front();
  // What lies between two chunks that are wanted comes along when it is little: it saves a request.
  const ChunkSpan most = RunAt(layout_, map, first, map.count(), limits);
  ChunkSpan run{first, first + 1};
  for (uint32_t end = run.end; end < most.end; ++end) {
    if (IsWanted(map, end)) {
      run.end = end + 1;
    } else if (StoredBytes(layout_, {run.end, end + 1}).length > limits_.gap) {
      break;
    }
  }
  const uint32_t farthest = first - std::min(first, limits_.backward);
  for (uint32_t begin = first; begin > farthest; --begin) {
    const ChunkSpan longer{begin - 1, run.end};
    if (!map.IsMissing(longer.first) || RunAt(layout_, map, longer.first, longer.end, limits) != longer) break;
    if (IsWanted(map, longer.first)) {
      run.first = longer.first;
    } else if (StoredBytes(layout_, {longer.first, run.first}).length > limits_.gap) {
      break;
    }
  }
  return run;
}

}  // namespace sluice::cache
