// SPDX-License-Identifier: Apache-2.0
#pragma once
// Every bound of the cache in one place.  The defaults keep a daemon with two shards below 48 MiB of memory.

#include <chrono>
#include <cstdint>

#include "base/clock.h"
#include "base/limits.h"

namespace sluice::cache {

// How much one fetch takes at once.  A run is never shorter than one chunk, whatever these say.
struct RunLimits {
  uint64_t plain_bytes = 1 * kMiB;
  uint64_t stored_bytes = 1 * kMiB;
  uint64_t stored_gap = 64 * kKiB;  // bytes between two stored chunks that are read and thrown away
};

struct ReadAheadLimits {
  uint64_t ramp = 16 * kMiB;          // read in order: the window is as large then; smaller before, twice that after
  uint64_t max_window = 128 * kMiB;   // ahead of the reader
  uint64_t lead = 0;                  // the window is not smaller than this, or than what was read in order if less
  uint64_t step = 2 * kMiB;           // a window grows by at least this much: what is fetched ahead comes in large runs
  uint64_t forward_slack = 1 * kMiB;  // a reader that skips less than this goes on with its stream
  uint64_t backward_slack = 4 * kMiB;  // a reader that comes back by less than this has only changed the order
  // Only what is missing is asked for: who goes on behind a window has read it.
  bool hits_are_silent = false;
};

// Fetching behind a round trip, in parts of what could come during one (Distance::in_flight).
struct StreamLimits {
  Duration near = std::chrono::milliseconds(2);  // a source that answers faster costs no round trips worth hiding
  uint64_t first_bandwidth = 12'500'000;         // bytes per second, before any was measured
  uint64_t first_in_flight = 256 * kKiB;         // of a remote source, before its distance is known
  double ahead = 1.5;                            // behind a miss, in the same response
  uint64_t max_ahead = 1 * kMiB;                 // stored bytes of it
  double neighbours = 0.5;                       // one run of neighbours
  uint64_t min_neighbours = 32 * kKiB;           // stored bytes of it
  uint64_t max_neighbours = 512 * kKiB;          // stored bytes of it
  uint64_t plain_bytes = 4 * kMiB;               // of each of these
  // Read, decompressed and written at once.  Its readers go on while the rest still comes.
  RunLimits piece{.plain_bytes = 256 * kKiB, .stored_bytes = 64 * kKiB};
  // No flight ahead begins while more is under way: a reader that misses now would wait behind it.
  double under_way = 1.5;
  // The same for what readers in order are about to ask for.
  double under_way_in_order = 3;
  uint32_t flights = 12;           // ahead, per blob
  uint32_t neighbour_flights = 3;  // of these, at most so many while neighbours are fetched
};

// Following what files speak of.
struct PromptLimits {
  uint8_t steps = 3;                   // from a file that was read to one that it speaks of, and on from there
  uint64_t whole_file = 1 * kMiB;      // stored bytes; of larger files only the ends are fetched
  uint64_t stored_bytes = 256 * kKiB;  // of one run
  uint64_t gap = 32 * kKiB;            // stored bytes that nobody spoke of, between two chunks of one run
  uint32_t backward = 32;              // chunks that a run may begin before the one that is wanted first
  uint32_t of_one_name = 4;            // libraries; a name with more says little
  uint32_t folders = 4096;             // that are remembered
  uint32_t names = 64 * 1024;          // that are remembered
};

struct CacheLimits {
  // Of one shard.  What is fetched ahead has memory of its own and so never keeps a reader waiting.
  uint64_t demand_buffers = 4 * kMiB;
  uint64_t background_buffers = 6 * kMiB;
  RunLimits demand;
  RunLimits background{.plain_bytes = 2 * kMiB, .stored_bytes = 1 * kMiB};
  ReadAheadLimits read_ahead;
  StreamLimits stream;
  PromptLimits prompts;
  uint32_t background_flights = 2;  // per blob, when its source is near
  // What files of one file system keep busy where threads read them, which nothing can end: if it hangs, others go on
  // with the rest.  The memory of the former is at most half of demand_buffers.
  uint32_t file_reads = 8;
  uint32_t file_reads_ahead = 4;
  uint64_t inline_bytes = 256 * kKiB;  // plain bytes that the shard decompresses itself; more goes to a CPU worker
  uint32_t refetches = 2;  // of a chunk whose bytes are wrong, straight from the backend, before a reader gets an error
  uint64_t demand_step = 8 * kMiB;                   // plain bytes of one demand that are fetched at once
  Duration fetch_timeout = std::chrono::seconds(5);  // of one run and of a reader's step, refetches included
  Duration ahead_pause = std::chrono::seconds(1);    // of fetching ahead, after a failure of it
  uint64_t ahead_bytes_per_second = 0;               // stored bytes that all blobs of a shard fetch ahead; 0: any
  uint64_t ahead_requests_per_second = 0;            // the same in requests; of either a second's worth is saved up
  Duration checkpoint_interval = std::chrono::seconds(5);
  uint64_t checkpoint_bytes = 256 * kMiB;  // of new plain bytes: checkpoint before the interval is over
};

}  // namespace sluice::cache
