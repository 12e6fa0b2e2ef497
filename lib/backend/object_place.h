// SPDX-License-Identifier: Apache-2.0
#pragma once
// Object stores as people write them on a command line.

#include <functional>
#include <string_view>

#include "backend/config.h"

namespace sluice::backend {

// "s3://BUCKET[/PREFIX]" and "oss://BUCKET[/PREFIX]"; the key of a blob is PREFIX/ID.  The rest comes from the
// environment, under the names of the stores' own tools: AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, AWS_REGION or
// AWS_DEFAULT_REGION; OSS_ENDPOINT, OSS_REGION.  `environment` is getenv(3).  Throws kInvalidArgument.
BackendConfig ParseObjectPlace(std::string_view text, const std::function<const char*(const char*)>& environment);

}  // namespace sluice::backend
