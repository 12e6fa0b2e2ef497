// SPDX-License-Identifier: Apache-2.0
#include "cache/sources.h"

#include <algorithm>

namespace sluice::cache {

void Sources::Add(std::shared_ptr<backend::BlobSource> source) { sources_.push_back(std::move(source)); }

void Sources::Remove(const backend::BlobSource& source) {
  const auto current = Current();
  std::erase_if(sources_, [&](const auto& candidate) { return candidate.get() == &source; });
  const auto still_there = std::find(sources_.begin(), sources_.end(), current);
  current_ = still_there != sources_.end() ? static_cast<size_t>(still_there - sources_.begin()) : 0;
}

std::shared_ptr<backend::BlobSource> Sources::Current() const noexcept {
  return sources_.empty() ? nullptr : sources_[current_];
}

void Sources::MarkFailed(const std::shared_ptr<backend::BlobSource>& source) noexcept {
  source->Distrust();
  // Several flights may fail on the same source: only the first of them moves on.
  if (Current() == source) current_ = (current_ + 1) % sources_.size();
}

}  // namespace sluice::cache
