// SPDX-License-Identifier: Apache-2.0
#include "oci/reference.h"

#include <catch2/catch.hpp>
#include <string>

#include "base/error.h"

namespace sluice::oci {

TEST_CASE("references are parsed into transport, path and tag, and written back") {
  struct Case {
    std::string text;
    Reference expected;
  };
  const Case cases[] = {
      {"oci:/a/b", {.transport = Transport::kOci, .path = "/a/b"}},
      {"oci:dir:v1.2", {.transport = Transport::kOci, .path = "dir", .tag = "v1.2"}},
      {"oci-archive:f.tar:docker.io/library/a:1",
       {.transport = Transport::kOciArchive, .path = "f.tar", .tag = "docker.io/library/a:1"}},
      {"docker-archive:f.tar", {.transport = Transport::kDockerArchive, .path = "f.tar"}},
      {"rootfs:/a:b", {.transport = Transport::kRootfs, .path = "/a:b"}},
      {"tar:x:y.tar", {.transport = Transport::kTar, .path = "x:y.tar"}},
      {"rafs:image.boot", {.transport = Transport::kRafs, .path = "image.boot"}},
      {"docker://r.example:5000/a/b:t",
       {.transport = Transport::kDocker, .registry = RegistryReference{"r.example:5000", "a/b", "t", {}}}},
      {"rafs:image.boot:/blobs", {.transport = Transport::kRafs, .path = "image.boot", .blob_dir = "/blobs"}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    CHECK(Reference::Parse(c.text) == c.expected);
    CHECK(c.expected.ToString() == c.text);
  }
}

TEST_CASE("references that make no sense are refused") {
  for (const std::string& text :
       {std::string(), std::string("oci"), std::string("oci:"), std::string("oci::tag"), std::string("oci:dir:"),
        std::string("docker:alpine"), std::string("docker://"), std::string("docker://r.example/A"),
        std::string("OCI:dir"), std::string(":dir"), std::string("oci:dir:a b"), std::string("oci:dir:\n"),
        std::string("rafs:boot:"), std::string("tar:"), std::string("tar:a\0b", 7),
        "oci:dir:" + std::string(512, 'a')}) {
    CAPTURE(text);
    try {
      (void)Reference::Parse(text);
      FAIL_CHECK("accepted");
    } catch (const Error& e) {
      CHECK(e.code() == Errc::kInvalidArgument);
    }
  }
}

}  // namespace sluice::oci
