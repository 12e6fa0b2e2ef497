// SPDX-License-Identifier: Apache-2.0
#include "oci/documents.h"

#include <catch2/catch.hpp>
#include <string>

#include "base/error.h"
#include "oci/media_types.h"

namespace sluice::oci {
namespace {

const std::string kHex(64, 'a');
const std::string kDescriptor = R"({"mediaType":"m","digest":"sha256:)" + kHex + R"(","size":7})";
const std::string kManifest = R"({"schemaVersion":2,"config":)" + kDescriptor + R"(,"layers":[)" + kDescriptor + "]}";

std::string ManifestWith(const std::string& descriptor) {
  return R"({"schemaVersion":2,"config":)" + descriptor + R"(,"layers":[]})";
}

template <typename F>
void CheckRefused(F parse, const std::string& json, Errc code, const std::string& part) {
  CAPTURE(json.substr(0, 300));
  try {
    (void)parse(AsBytes(json), "document");
    FAIL_CHECK("accepted");
  } catch (const Error& e) {
    CHECK(e.code() == code);
    CHECK_THAT(e.what(), Catch::Contains("document") && Catch::Contains(part));
  }
}

Descriptor For(std::string os, std::string architecture, std::string variant = "", bool converted = false) {
  Descriptor descriptor{.media_type = "m"};
  descriptor.platform =
      Platform{.os = std::move(os), .architecture = std::move(architecture), .variant = std::move(variant)};
  if (converted) descriptor.platform->os_features.emplace_back(kNydusOsFeature);
  return descriptor;
}

}  // namespace

TEST_CASE("manifest and index come back as they were written, with the same bytes each time") {
  Manifest manifest{.media_type = std::string(media_type::kManifest)};
  manifest.config = {.media_type = "config", .digest = Digest::FromHex(kHex), .size = 3};
  manifest.layers = {{.media_type = "layer", .size = 9, .annotations = {{"b", "2"}, {"a", "1"}}}};
  manifest.annotations = {{"k", "\xC3\xA4\"\n"}};
  const std::string text = Serialize(manifest);
  CHECK(ParseManifest(AsBytes(text), "manifest") == manifest);
  CHECK(Serialize(ParseManifest(AsBytes(text), "manifest")) == text);

  Index index{.media_type = std::string(media_type::kIndex)};
  index.manifests = {For("linux", "arm64", "v8", true)};
  index.manifests[0].artifact_type = "artifact";
  CHECK(ParseIndex(AsBytes(Serialize(index)), "index") == index);
}

TEST_CASE("a config keeps the fields that are not known here") {
  const std::string text =
      R"({"architecture":"amd64","os":"linux","variant":"v2","author":"me","config":{"Env":["A=1"]},)"
      R"("rootfs":{"type":"layers","diff_ids":["sha256:)" +
      kHex +
      R"("]},)"
      R"("history":[{"created_by":"x","empty_layer":true},{"comment":"y"}]})";
  ImageConfig config = ParseConfig(AsBytes(text), "config");
  CHECK(config.platform.ToString() == "linux/amd64/v2");
  REQUIRE(config.diff_ids.size() == 1);
  REQUIRE(config.history.size() == 2);
  CHECK(config.history[0].empty_layer);
  CHECK(config.history[1].comment == "y");

  config.platform.variant.clear();
  config.platform.os_features = {"f"};
  config.history.pop_back();
  config.diff_ids.push_back({});
  const std::string written = Serialize(config);
  CHECK(written == R"({"architecture":"amd64","author":"me","config":{"Env":["A=1"]},)"
                   R"("history":[{"created_by":"x","empty_layer":true}],"os":"linux","os.features":["f"],)"
                   R"("rootfs":{"diff_ids":["sha256:)" +
                       kHex + R"(","sha256:)" + std::string(64, '0') + R"("],"type":"layers"}})");
}

TEST_CASE("documents of Docker and lists that are null are read too") {
  const std::string docker = R"({"schemaVersion":2,"mediaType":")" + std::string(media_type::kDockerManifest) +
                             R"(","config":)" + kDescriptor + R"(,"layers":null})";
  CHECK(ParseManifest(AsBytes(docker), "document").layers.empty());
  CHECK(ParseManifest(AsBytes(docker), "document").media_type == media_type::kDockerManifest);
  CHECK(ParseIndex(AsBytes(R"({"schemaVersion":2,"manifests":null})"), "document").manifests.empty());
  CHECK(ParseManifest(AsBytes(kManifest), "document").media_type == media_type::kManifest);
}

TEST_CASE("a document with both manifests and layers is refused (CVE-2021-41190)") {
  const std::string both = R"({"schemaVersion":2,"manifests":[],"config":)" + kDescriptor + R"(,"layers":[]})";
  CheckRefused(ParseManifest, both, Errc::kCorrupt, "manifests");
  CheckRefused(ParseIndex, both, Errc::kCorrupt, "layers");
  CheckRefused(static_cast<DocumentKind (*)(ConstBytes, std::string_view)>(KindOf), both, Errc::kCorrupt, "manifests");
  CheckRefused(ParseManifest, R"({"schemaVersion":2,"manifests":[]})", Errc::kCorrupt, "no manifest");
  CheckRefused(ParseIndex, kManifest, Errc::kCorrupt, "no index");
  CheckRefused(ParseManifest, "{}", Errc::kCorrupt, "neither");
  // One kind by its content, another by its type.
  const std::string lie =
      R"({"schemaVersion":2,"mediaType":")" + std::string(media_type::kManifest) + R"(","manifests":[]})";
  CheckRefused(ParseIndex, lie, Errc::kCorrupt, "mediaType");
  CHECK(KindOf(AsBytes(kManifest), "document") == DocumentKind::kManifest);
}

TEST_CASE("sizes that are negative, absent, too large or no integer are refused") {
  for (const std::string size : {"-1", "1.5", "1e3", "\"7\"", "null", "9223372036854775808", "99999999999999999999"}) {
    CheckRefused(ParseManifest,
                 ManifestWith(R"({"mediaType":"m","digest":"sha256:)" + kHex + R"(","size":)" + size + "}"),
                 Errc::kCorrupt, "config.size");
  }
  CheckRefused(ParseManifest, ManifestWith(R"({"mediaType":"m","digest":"sha256:)" + kHex + R"("})"), Errc::kCorrupt,
               "config.size");
}

TEST_CASE("digest strings cannot become paths (CVE-2024-3727)") {
  struct Case {
    std::string digest;
    Errc code;
  };
  const Case cases[] = {
      {"", Errc::kCorrupt},
      {kHex, Errc::kCorrupt},
      {"sha256:", Errc::kCorrupt},
      {"sha256:../../../../etc/passwd", Errc::kCorrupt},
      {"sha256:" + std::string(61, 'a') + "/..", Errc::kCorrupt},
      {"sha256:" + std::string(64, 'A'), Errc::kCorrupt},
      {"sha256:" + kHex + "a", Errc::kCorrupt},
      {"../x:" + kHex, Errc::kCorrupt},
      {"SHA256:" + kHex, Errc::kCorrupt},
      {"sha512:" + kHex + kHex, Errc::kUnsupported},
  };
  for (const Case& c : cases) {
    CAPTURE(c.digest);
    const std::string json = ManifestWith(R"({"mediaType":"m","digest":")" + c.digest + R"(","size":7})");
    try {
      (void)ParseManifest(AsBytes(json), "document");
      FAIL_CHECK("accepted");
    } catch (const Error& e) {
      CHECK(e.code() == c.code);
    }
  }
}

TEST_CASE("keys that occur twice, deep nesting and large documents are refused") {
  CheckRefused(ParseManifest, R"({"schemaVersion":2,"schemaVersion":2,"manifests":[]})", Errc::kCorrupt, "twice");
  CheckRefused(ParseManifest, ManifestWith(R"({"mediaType":"m","size":7,"digest":"sha256:)" + kHex + R"(","size":8})"),
               Errc::kCorrupt, "'size' twice");
  CheckRefused(ParseManifest, std::string(100, '[') + std::string(100, ']'), Errc::kCorrupt, "deeper");
  CheckRefused(ParseManifest, std::string(4'000'000, '['), Errc::kCorrupt, "deeper");
  CheckRefused(ParseManifest, std::string(kMaxDocumentBytes + 1, ' '), Errc::kCorrupt, "bytes of JSON");
  const std::string fits = R"({"schemaVersion":2,"x":)" + std::string(kMaxDocumentDepth - 1, '[') +
                           std::string(kMaxDocumentDepth - 1, ']') + R"(,"manifests":[]})";
  CHECK_NOTHROW(ParseIndex(AsBytes(fits), "document"));
  // The same key in two objects is no repetition.
  CHECK_NOTHROW(ParseManifest(AsBytes(kManifest), "document"));
}

TEST_CASE("a manifest cut at any byte is refused") {
  for (size_t size = 0; size < kManifest.size(); ++size)
    CheckRefused(ParseManifest, kManifest.substr(0, size), Errc::kCorrupt, "");
}

TEST_CASE("documents of the wrong shape are refused with the place") {
  CheckRefused(ParseManifest, "[]", Errc::kCorrupt, "object");
  CheckRefused(ParseManifest, R"({"schemaVersion":2,"config":[],"layers":[]})", Errc::kCorrupt, "config");
  CheckRefused(ParseManifest, R"({"schemaVersion":2,"config":)" + kDescriptor + R"(,"layers":{}})", Errc::kCorrupt,
               "layers");
  CheckRefused(ParseManifest,
               R"({"schemaVersion":2,"config":)" + kDescriptor + R"(,"layers":[)" + kDescriptor + R"(,3]})",
               Errc::kCorrupt, "layers[1]");
  CheckRefused(ParseManifest, R"({"schemaVersion":1,"fsLayers":[],"layers":[]})", Errc::kUnsupported, "schema 1");
  CheckRefused(ParseManifest, R"({"schemaVersion":3,"config":{},"layers":[]})", Errc::kUnsupported, "schemaVersion");
  CheckRefused(ParseConfig, R"({"rootfs":{"type":"files"}})", Errc::kCorrupt, "type");
  CheckRefused(ParseConfig, R"({"rootfs":{"type":"layers","diff_ids":["x"]}})", Errc::kCorrupt, "diff_ids[0]");
  CheckRefused(ParseConfig, "\"\xff\"", Errc::kCorrupt, "JSON");
}

TEST_CASE("paths in docker save's manifest stay inside the archive") {
  const auto manifest = [](const std::string& config, const std::string& layer) {
    return R"([{"Config":")" + config + R"(","RepoTags":["a:1"],"Layers":[")" + layer + R"("]}])";
  };
  const auto images = ParseDockerManifest(AsBytes(manifest("./c.json", "x/layer.tar")), "document");
  REQUIRE(images.size() == 1);
  CHECK(images[0].config_path == "c.json");
  CHECK(images[0].layer_paths == std::vector<std::string>{"x/layer.tar"});
  CheckRefused(ParseDockerManifest, manifest("../c.json", "l"), Errc::kCorrupt, "[0].Config");
  CheckRefused(ParseDockerManifest, manifest("c.json", "/etc/passwd"), Errc::kCorrupt, "[0].Layers[0]");
  CheckRefused(ParseDockerManifest, manifest("c.json", ""), Errc::kCorrupt, "[0].Layers[0]");
}

TEST_CASE("platforms are parsed and chosen") {
  CHECK(Platform::Parse("linux/arm/v7").ToString() == "linux/arm/v7");
  for (const std::string bad : {"", "linux", "linux/", "/amd64", "linux/arm/v7/x", "linux//v7"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(Platform::Parse(bad), Error);
  }

  Index index;
  index.manifests = {For("unknown", "unknown"),   For("linux", "amd64", "", true), For("linux", "amd64"),
                     For("linux", "arm64", "v8"), For("linux", "arm", "v6"),       For("linux", "arm", "v7")};
  const auto chosen = [&index](std::string_view platform, Prefer prefer = Prefer::kOrdinary) {
    return &Select(index, {Platform::Parse(platform), prefer}, "index") - index.manifests.data();
  };
  CHECK(chosen("linux/amd64") == 2);
  CHECK(chosen("linux/amd64", Prefer::kConverted) == 1);
  CHECK(chosen("linux/arm64") == 3);
  CHECK(chosen("linux/arm64", Prefer::kConverted) == 3);
  CHECK(chosen("linux/arm64/v8") == 3);
  CHECK(chosen("linux/arm") == 4);
  CHECK(chosen("linux/arm/v7") == 5);
  try {
    chosen("linux/s390x");
    FAIL_CHECK("found");
  } catch (const Error& e) {
    CHECK(e.code() == Errc::kNotFound);
    CHECK_THAT(e.what(), Catch::Contains("linux/arm/v7"));
  }
  // A converted image only when there is no other; an entry without a platform only when it is alone.
  index.manifests.erase(index.manifests.begin() + 2);
  CHECK(chosen("linux/amd64") == 1);
  index.manifests = {Descriptor{.media_type = "m"}};
  CHECK(chosen("linux/amd64") == 0);
  index.manifests.push_back(index.manifests[0]);
  CHECK_THROWS_AS(chosen("linux/amd64"), Error);
}

}  // namespace sluice::oci
