// SPDX-License-Identifier: Apache-2.0
#pragma once
// How far a conversion is, on stderr, in the form that was asked for.

#include <memory>
#include <string_view>

#include "convert/converter.h"

namespace sluice::tools {

enum class ProgressMode {
  kNone,
  kPlain,  // a line when a layer is done
  kTty,    // and a line that is rewritten while it is read
  kJson,   // one JSON object per line: {"event": "layer" | "progress" | "layer-done", …}
};

// "auto", "plain", "tty" or "json"; auto is tty on a terminal that can rewrite lines (TERM is not dumb), else plain.
// Throws kInvalidArgument.
ProgressMode ParseProgressMode(std::string_view name);

std::unique_ptr<convert::ConvertObserver> MakeProgress(ProgressMode mode);

}  // namespace sluice::tools
