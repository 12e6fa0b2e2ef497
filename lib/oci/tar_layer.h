// SPDX-License-Identifier: Apache-2.0
#pragma once
// A layer in a tar file: ustar, GNU and PAX, plain or compressed.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/digest.h"
#include "codec/stream.h"
#include "codec/stream_decoder.h"
#include "oci/layer_reader.h"

namespace sluice::oci {

// What the image says about a layer; whatever is given is checked before the layer counts.
struct LayerExpectations {
  std::optional<Digest> digest;         // sha256 of the stored bytes
  std::optional<uint64_t> stored_size;  // bytes
  std::optional<Digest> diff_id;        // sha256 of the tar
};

// Reads the layer called `name` (in errors) from `stored`.
std::unique_ptr<LayerReader> OpenTarLayer(std::unique_ptr<codec::ByteSource> stored, std::string name,
                                          LayerExpectations expected, codec::DecodeLimits limits = {});

// The content of the regular file `path` ("image/image.boot") in a layer.  Reads the layer to its end, so that all
// digests are checked.  Throws kNotFound when there is none, kLimit when it is larger than `max_bytes`.
std::vector<std::byte> ReadFileInLayer(LayerReader& layer, std::string_view path, uint64_t max_bytes);

}  // namespace sluice::oci
