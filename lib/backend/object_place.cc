// SPDX-License-Identifier: Apache-2.0
#include "backend/object_place.h"

#include <initializer_list>
#include <string>

#include "base/error.h"
#include "oci/json.h"

namespace sluice::backend {

BackendConfig ParseObjectPlace(std::string_view text, const std::function<const char*(const char*)>& environment) {
  const bool s3 = text.starts_with("s3://");
  if (!s3 && !text.starts_with("oss://"))
    Throw(Errc::kInvalidArgument, "'{}' is neither s3://BUCKET[/PREFIX] nor oss://BUCKET[/PREFIX]", text);
  const std::string_view place = text.substr(text.find("://") + 3);
  const size_t slash = place.find('/');
  std::string prefix(slash == std::string_view::npos ? "" : place.substr(slash + 1));
  if (!prefix.empty() && !prefix.ends_with('/')) prefix += '/';

  oci::Json config{{"bucket_name", std::string(place.substr(0, slash))}, {"object_prefix", prefix}};
  const auto take = [&](const char* key, std::initializer_list<const char*> names) {
    for (const char* name : names) {
      const char* const value = environment(name);
      if (value == nullptr || *value == '\0') continue;
      config[key] = value;
      return;
    }
  };
  if (s3) {
    take("endpoint", {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"});
    take("region", {"AWS_REGION", "AWS_DEFAULT_REGION"});
  } else {
    take("endpoint", {"OSS_ENDPOINT"});
    take("region", {"OSS_REGION"});
  }
  const oci::Json document{{"type", s3 ? "s3" : "oss"}, {"config", config}};
  return ParseBackendConfig(oci::DumpJson(document), text);
}

}  // namespace sluice::backend
