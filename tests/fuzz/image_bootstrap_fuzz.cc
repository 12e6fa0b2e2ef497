// SPDX-License-Identifier: Apache-2.0
// A bootstrap is refused with an error, or it can be built again and says the same.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/check.h"
#include "base/error.h"
#include "image/rafs/bootstrap_builder.h"
#include "image/rafs/bootstrap_reader.h"

namespace {

using namespace sluice;

// nullopt for a refused bootstrap.
std::optional<image::rafs::Image> Parse(ConstBytes bytes) {
  try {
    return image::rafs::ParseBootstrap(bytes);
  } catch (const Error&) {
    return std::nullopt;
  }
}

bool IsValid(ConstBytes bytes) {
  try {
    image::rafs::ValidateBootstrap(bytes);
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ConstBytes bytes = std::as_bytes(std::span(data, size));
  const std::optional<image::rafs::Image> image = Parse(bytes);
  SLUICE_CHECK(image.has_value() == IsValid(bytes), "parsing and validation agree");
  if (!image) return 0;
  std::vector<std::byte> built;
  try {
    built = image::rafs::BuildBootstrap(*image);
  } catch (const Error& e) {
    // The flattened address space that we assign ends at 2^32 blocks; that of the input may differ.
    SLUICE_CHECK(e.code() == Errc::kInvalidArgument, "only the address space limits what can be built again");
    return 0;
  }
  const std::optional<image::rafs::Image> again = Parse(built);
  SLUICE_CHECK(again.has_value(), "what was built parses");
  SLUICE_CHECK(again->tree.size() == image->tree.size(), "the tree survives");
  SLUICE_CHECK(image::rafs::BuildBootstrap(*again) == built, "the same image gives the same bytes");
  return 0;
}
