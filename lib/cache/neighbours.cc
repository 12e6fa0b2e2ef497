// SPDX-License-Identifier: Apache-2.0
#include "cache/neighbours.h"

#include <algorithm>

#include "cache/run.h"

namespace sluice::cache {
namespace {

// Chosen by simulation of a python start behind 20 ms and 100 Mbit/s; those that were varied change it by 5 % at most.
constexpr uint64_t kExtent = 128 * kKiB;      // plain bytes; more in blobs with more than kMostExtents
constexpr uint64_t kMostExtents = 64 * kKiB;  // bounds the memory of one blob
constexpr uint64_t kReach = 6;                // extents that a read warms on either side, less with the distance
constexpr size_t kRecent = 32;                // extents around which is searched
constexpr double kGroupBytes = 256.0 * kKiB;  // of a group this large, each read chunk counts half
constexpr double kWorthless = 0.05;
constexpr double kRunShare = 0.25;  // a run goes on over chunks that are at least so good as the best

}  // namespace

uint64_t Neighbours::ExtentOf(uint32_t position) const noexcept {
  const LayoutChunk& chunk = layout_.chunk(position);
  return (chunk.plain_offset + chunk.plain_size / 2) / extent_bytes_;
}

void Neighbours::Begin() {
  extent_bytes_ = std::max(kExtent, layout_.plain_size() / kMostExtents);
  read_ = ChunkSet(layout_.all().size());
  heat_.resize(layout_.plain_size() / extent_bytes_ + 1);
  group_reads_.resize(layout_.group_sizes().size());
}

void Neighbours::OnRead(ChunkSpan chunks) {
  if (extent_bytes_ == 0) Begin();
  for (uint32_t position = read_.FirstAbsent(chunks); position < chunks.end;
       position = read_.FirstAbsent({position + 1, chunks.end})) {
    read_.Add(position);
    const uint64_t extent = ExtentOf(position);
    const uint64_t last = std::min<uint64_t>(extent + kReach, heat_.size() - 1);
    for (uint64_t near = extent - std::min(extent, kReach); near <= last; ++near) {
      const uint64_t distance = near > extent ? near - extent : extent - near;
      heat_[near] += static_cast<float>(kReach + 1 - distance) / (kReach + 1);
    }
    if (!group_reads_.empty()) ++group_reads_[layout_.group(position)];
    std::erase(recent_, extent);
    recent_.push_front(extent);
    if (recent_.size() > kRecent) recent_.pop_back();
  }
}

double Neighbours::ScoreOf(uint32_t position) const noexcept {
  const double heat = heat_[ExtentOf(position)];
  if (group_reads_.empty()) return heat;
  const uint32_t group = layout_.group(position);
  return heat * group_reads_[group] * kGroupBytes / (static_cast<double>(layout_.group_sizes()[group]) + kGroupBytes);
}

ChunkSpan Neighbours::Pick(const ChunkMap& map, const RunLimits& limits) const {
  uint32_t best = 0;
  double best_score = kWorthless;
  // Reaches overlap where readers stay in one place; extents are looked at once.
  std::vector<uint64_t> extents;
  for (const uint64_t extent : recent_)
    for (uint64_t near = extent - std::min(extent, kReach); near <= extent + kReach; ++near) extents.push_back(near);
  std::sort(extents.begin(), extents.end());
  extents.erase(std::unique(extents.begin(), extents.end()), extents.end());
  for (const uint64_t extent : extents) {
    const ChunkSpan span = layout_.Covering({extent * extent_bytes_, extent_bytes_});
    for (uint32_t position = map.FirstMissing(span); position < span.end;
         position = map.FirstMissing({position + 1, span.end})) {
      const double score = ScoreOf(position);
      if (score > best_score) {
        best = position;
        best_score = score;
      }
    }
  }
  if (best_score <= kWorthless) return {};
  const auto is_worth = [&](uint32_t position) {
    return map.IsMissing(position) && ScoreOf(position) >= kRunShare * best_score;
  };
  ChunkSpan run = RunAt(layout_, map, best, map.count(), limits);
  for (uint32_t end = best + 1; end < run.end; ++end)
    if (!is_worth(end)) run.end = end;
  // What is left of the limits goes to what lies before.
  while (run.first > 0 && is_worth(run.first - 1)) {
    const ChunkSpan longer{run.first - 1, run.end};
    if (RunAt(layout_, map, longer.first, longer.end, limits) != longer) break;
    run = longer;
  }
  return run;
}

}  // namespace sluice::cache
