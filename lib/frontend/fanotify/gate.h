// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a door holds of the kernel and what survives its worker: a group and its journal.

#include "frontend/fanotify/group.h"
#include "frontend/fanotify/journal.h"
#include "frontend/fanotify/stale_numbers.h"

namespace sluice::frontend::fanotify {

struct Gate {
  Group group;
  Journal journal;
  StaleNumbers stale_numbers;  // of the events in the journal
};

}  // namespace sluice::frontend::fanotify
