// SPDX-License-Identifier: Apache-2.0
#pragma once
// The zlib library: reading gzip streams.  Writing them is GzipEncoder, declared in codec/gzip_encoder.h.

#include <memory>
#include <string>

#include "codec/frame_decoder.h"

namespace sluice::codec {

// A sequence of gzip members.  `what` names the stream in errors.
std::unique_ptr<FrameDecoder> MakeGzipFrameDecoder(std::string what);

}  // namespace sluice::codec
