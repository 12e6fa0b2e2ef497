// SPDX-License-Identifier: Apache-2.0
#pragma once
// Chance, injected: a small seeded generator for jitter and for the simulator.  Not for secrets.

#include <cstdint>

namespace sluice {

// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
class Rng {
 public:
  explicit Rng(uint64_t seed) noexcept : state_(seed) {}

  uint64_t Next() noexcept {
    uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  // Uniform in [0, bound); bound > 0.  The bias of the modulus is irrelevant for its uses.
  uint64_t Below(uint64_t bound) noexcept { return Next() % bound; }
  // True with a chance of `percent` of 100.
  bool Chance(unsigned percent) noexcept { return Below(100) < percent; }

 private:
  uint64_t state_;
};

}  // namespace sluice
