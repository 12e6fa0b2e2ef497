// SPDX-License-Identifier: Apache-2.0
// Prints the rate of this processor's time stamp counter in kHz.  A guest of an emulator that only translates code sees
// that counter, but cannot measure it: its other clocks come late whenever the host is busy.
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

static const int64_t kMeasureNs = 100000000;

static int64_t Now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

int main(void) {
  int64_t begin = Now(), passed;
  uint64_t first = __rdtsc();
  do {
    passed = Now() - begin;
  } while (passed < kMeasureNs);
  printf("%.0f\n", (double)(__rdtsc() - first) * 1e6 / (double)passed);
  return 0;
}
