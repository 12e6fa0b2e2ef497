// SPDX-License-Identifier: Apache-2.0
// Images in layouts and archives: written by the targets, or by hand, and read by the sources.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "codec/gzip_encoder.h"
#include "oci/image_source.h"
#include "oci/image_target.h"
#include "oci/layout.h"
#include "oci/media_types.h"
#include "support/streams.h"
#include "support/temporary_directory.h"
#include "unit/oci/tar_bytes.h"

namespace sluice::oci {
namespace {

namespace fs = std::filesystem;
using test::TarEnd;
using test::TarMemberBytes;
using test::TemporaryDirectory;

const Platform kPlatform{.os = "linux", .architecture = "amd64"};

void WriteFile(const fs::path& path, std::string_view text) { std::ofstream(path, std::ios::binary) << text; }

std::string ReadFile(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// The names of everything below a directory.
std::set<std::string> NamesIn(const fs::path& directory) {
  std::set<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(directory))
    names.insert(fs::relative(entry.path(), directory).string());
  return names;
}

std::string Gzip(std::string_view plain) {
  test::MemorySink sink;
  codec::GzipEncoder encoder(sink, 6);
  encoder.Write(AsBytes(plain));
  encoder.Finish();
  return sink.text;
}

Digest Sha256(std::string_view text) { return DigestOf(DigestAlgorithm::kSha256, AsBytes(text)); }

std::string LayerWith(const std::string& name) { return TarMemberBytes({.name = name, .content = name}) + TarEnd(); }

std::string ConfigFor(const std::vector<std::string>& tars, const Platform& platform = kPlatform) {
  ImageConfig config{.platform = platform};
  for (const std::string& tar : tars) config.diff_ids.push_back(Sha256(tar));
  return Serialize(config);
}

// Puts an image of gzip layers, each with one file, into a target.
Descriptor PutImage(ImageTarget& target, const std::vector<std::string>& names, const Platform& platform = kPlatform) {
  Manifest manifest{.media_type = std::string(media_type::kManifest)};
  std::vector<std::string> tars;
  for (const std::string& name : names) {
    tars.push_back(LayerWith(name));
    const StoredBlob blob = target.PutBlob(AsBytes(Gzip(tars.back())));
    manifest.layers.push_back(
        {.media_type = std::string(media_type::kLayerGzip), .digest = blob.digest, .size = blob.size});
  }
  const StoredBlob config = target.PutBlob(AsBytes(ConfigFor(tars, platform)));
  manifest.config = {.media_type = std::string(media_type::kConfig), .digest = config.digest, .size = config.size};
  return target.Commit(manifest, platform);
}

Descriptor MakeImage(const std::string& reference, const std::vector<std::string>& names) {
  return PutImage(*CreateTarget(Reference::Parse(reference)), names);
}

std::unique_ptr<ImageSource> Open(const std::string& reference,
                                  const std::optional<Platform>& platform = std::nullopt) {
  return OpenImage(Reference::Parse(reference), platform);
}

// The names of the files in all layers.
std::vector<std::string> FilesIn(ImageSource& image) {
  std::vector<std::string> files;
  for (size_t i = 0; i < image.layers().size(); ++i) {
    const auto layer = image.OpenLayer(i);
    while (const auto entry = layer->Next()) files.push_back(entry->Name());
  }
  return files;
}

std::vector<std::string> FilesIn(const std::string& reference) { return FilesIn(*Open(reference)); }

using Names = std::vector<std::string>;

template <typename F>
void CheckFails(F f, Errc code, const std::string& part) {
  try {
    f();
    FAIL_CHECK("no error");
  } catch (const Error& e) {
    CHECK(e.code() == code);
    CHECK_THAT(e.what(), Catch::Contains(part));
  }
}

}  // namespace

TEST_CASE("an image put into a layout or an archive comes back") {
  const TemporaryDirectory directory;
  for (const std::string& reference :
       {"oci:" + directory / "layout" + ":v1", "oci-archive:" + directory / "file.tar" + ":v1"}) {
    CAPTURE(reference);
    const Descriptor entry = MakeImage(reference, {"a", "b"});
    const auto image = Open(reference, kPlatform);
    CHECK(image->config().platform == kPlatform);
    REQUIRE(image->layers().size() == 2);
    CHECK_THAT(image->layers()[1].name, Catch::StartsWith("layer 2 of 2 (sha256:"));
    CHECK(image->layers()[1].diff_id == Sha256(LayerWith("b")));
    CHECK(FilesIn(*image) == Names{"a", "b"});
    // Without a tag: the only image there is.
    CHECK(FilesIn(reference.substr(0, reference.rfind(':'))) == Names{"a", "b"});
    CHECK(entry.platform == kPlatform);
  }
  CHECK(NamesIn(directory / "layout").size() == 2 + 2 + 4);  // documents, directories, two layers, config, manifest
}

TEST_CASE("a tag that is written again names the new image, other tags stay") {
  const TemporaryDirectory directory;
  const std::string layout = "oci:" + directory.path() + "/l";
  MakeImage(layout + ":one", {"a"});
  MakeImage(layout + ":two", {"b"});
  MakeImage(layout + ":one", {"c"});
  CHECK(FilesIn(layout + ":one") == Names{"c"});
  CHECK(FilesIn(layout + ":two") == Names{"b"});
  CHECK(Layout::Open(directory / "l").index().manifests.size() == 2);
  CheckFails([&] { Open(layout); }, Errc::kNotFound, "two, one");
  CheckFails([&] { Open(layout + ":three"); }, Errc::kNotFound, "'three'");
}

TEST_CASE("nothing is left behind by a target that is not committed") {
  const TemporaryDirectory directory;
  {
    const auto target = CreateTarget(Reference::Parse("oci:" + directory / "new" + ":v1"));
    target->PutBlob(AsBytes("blob"));
    const auto half = target->NewBlob();
    half->Write(AsBytes("half"));
  }
  { CreateTarget(Reference::Parse("oci-archive:" + directory / "new.tar"))->PutBlob(AsBytes("blob")); }
  CHECK(NamesIn(directory.path()).empty());

  MakeImage("oci:" + directory / "old" + ":v1", {"a"});
  const auto before = NamesIn(directory.path());
  const std::string index = ReadFile(directory / "old/index.json");
  {
    const auto target = CreateTarget(Reference::Parse("oci:" + directory / "old" + ":v1"));
    target->PutBlob(AsBytes("blob"));
  }
  CHECK(NamesIn(directory.path()) == before);
  CHECK(ReadFile(directory / "old/index.json") == index);
}

TEST_CASE("blobs show up with the manifest, not before, and once") {
  const TemporaryDirectory directory;
  const auto target = CreateTarget(Reference::Parse("oci:" + directory / "l" + ":v1"));
  const StoredBlob blob = target->PutBlob(AsBytes("blob"));
  CHECK(blob.digest == Sha256("blob"));
  CHECK(blob.size == 4);
  target->PutBlob(AsBytes("blob"));
  CHECK_FALSE(fs::exists(directory / "l/blobs/sha256/" + blob.digest.Hex()));
  CHECK_FALSE(fs::exists(directory / "l/index.json"));
  PutImage(*target, {"a"});
  CHECK(ReadFile(directory / "l/blobs/sha256/" + blob.digest.Hex()) == "blob");
  for (const std::string& name : NamesIn(directory / "l")) CHECK_THAT(name, !Catch::Contains(".sluice"));
}

TEST_CASE("two targets in one layout do not lose each other's image") {
  const TemporaryDirectory directory;
  const std::string layout = "oci:" + directory / "l";
  const auto one = CreateTarget(Reference::Parse(layout + ":one"));
  const auto two = CreateTarget(Reference::Parse(layout + ":two"));
  // A third that gives up takes nothing away from them.
  CreateTarget(Reference::Parse(layout + ":three"));
  PutImage(*one, {"a", "shared"});
  PutImage(*two, {"b", "shared"});
  CHECK(FilesIn(layout + ":one") == Names{"a", "shared"});
  CHECK(FilesIn(layout + ":two") == Names{"b", "shared"});
}

TEST_CASE("a blob that is there with the wrong size is replaced") {
  const TemporaryDirectory directory;
  const std::string reference = "oci:" + directory / "l" + ":v1";
  MakeImage(reference, {"a"});
  const std::string path = directory / "l/blobs/sha256/" + Open(reference)->layers()[0].digest->Hex();
  WriteFile(path, "torn");
  CheckFails([&] { FilesIn(reference); }, Errc::kCorrupt, "4 bytes instead of");
  MakeImage(reference, {"a"});
  CHECK(FilesIn(reference) == Names{"a"});
}

TEST_CASE("archives depend on the image only") {
  const TemporaryDirectory directory;
  MakeImage("oci-archive:" + directory / "1.tar" + ":v1", {"a", "b", "a"});
  MakeImage("oci-archive:" + directory / "2.tar" + ":v1", {"a", "b", "a"});
  CHECK((ReadFile(directory / "1.tar") == ReadFile(directory / "2.tar")));
  // An older file is replaced as a whole.
  MakeImage("oci-archive:" + directory / "1.tar" + ":v1", {"c"});
  CHECK(FilesIn("oci-archive:" + directory / "1.tar") == Names{"c"});
  CHECK(NamesIn(directory.path()).size() == 2);
}

TEST_CASE("a blob given up leaves no gap in an archive") {
  const TemporaryDirectory directory;
  const auto target = CreateTarget(Reference::Parse("oci-archive:" + directory / "1.tar"));
  target->NewBlob()->Write(AsBytes(std::string(1000, 'x')));
  PutImage(*target, {"a"});
  MakeImage("oci-archive:" + directory / "2.tar", {"a"});
  CHECK((ReadFile(directory / "1.tar") == ReadFile(directory / "2.tar")));
}

TEST_CASE("targets that cannot be are refused") {
  const TemporaryDirectory directory;
  WriteFile(directory / "file", "precious");
  CheckFails([&] { MakeImage("oci:" + directory.path() + ":v1", {}); }, Errc::kExists, "neither empty nor");
  CheckFails([&] { MakeImage("oci:" + directory / "l", {}); }, Errc::kInvalidArgument, "needs a tag");
  CheckFails([&] { MakeImage("rootfs:" + directory / "l", {}); }, Errc::kInvalidArgument, "neither docker:");
  CheckFails([&] { MakeImage("oci:" + directory / "no/parent" + ":v1", {}); }, Errc::kNotFound, "no/parent");
  CHECK(NamesIn(directory.path()) == std::set<std::string>{"file"});
}

TEST_CASE("sources that are not there, or not what they are said to be, are refused") {
  const TemporaryDirectory directory;
  for (const std::string transport : {"oci:", "oci-archive:", "docker-archive:", "rootfs:", "tar:"}) {
    CAPTURE(transport);
    CheckFails([&] { Open(transport + directory / "none"); }, Errc::kNotFound, "none");
  }
  CheckFails([&] { Open("rafs:x"); }, Errc::kUnsupported, "layers");
  CheckFails([&] { Open("oci:" + directory.path()); }, Errc::kCorrupt, "no oci-layout");
  WriteFile(directory / "oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
  CheckFails([&] { Open("oci:" + directory.path()); }, Errc::kCorrupt, "no index.json");
  WriteFile(directory / "oci-layout", R"({"imageLayoutVersion":"2.0.0"})");
  CheckFails([&] { Open("oci:" + directory.path()); }, Errc::kUnsupported, "2.0.0");
  WriteFile(directory / "file", "x");
  CheckFails([&] { Open("oci-archive:" + directory / "file"); }, Errc::kCorrupt, "file");
  CheckFails([&] { FilesIn("tar:" + directory / "file"); }, Errc::kCorrupt, "file");
}

TEST_CASE("blobs of a layout that are missing, short or changed are found out") {
  const TemporaryDirectory directory;
  const std::string reference = "oci:" + directory / "l" + ":v1";
  MakeImage(reference, {"a"});
  const auto image = Open(reference);
  const std::string layer = directory / "l/blobs/sha256/" + image->layers()[0].digest->Hex();
  const std::string good = ReadFile(layer);

  for (size_t byte = 0; byte < good.size(); ++byte) {
    std::string bad = good;
    bad[byte] = static_cast<char>(bad[byte] ^ 1);
    WriteFile(layer, bad);
    CAPTURE(byte);
    CHECK_THROWS_AS(FilesIn(reference), Error);
  }
  WriteFile(layer, good + "x");
  CheckFails([&] { FilesIn(reference); }, Errc::kCorrupt, "bytes instead of");
  fs::remove(layer);
  CheckFails([&] { FilesIn(reference); }, Errc::kNotFound, "layer 1 of 1");

  const Descriptor manifest = Layout::Open(directory / "l").index().manifests.at(0);
  const std::string path = directory / "l/blobs/sha256/" + manifest.digest.Hex();
  std::string text = ReadFile(path);
  text[text.size() - 2] = ' ';
  WriteFile(path, text);
  CheckFails([&] { Open(reference); }, Errc::kCorrupt, "digest");
}

TEST_CASE("the platform chooses among the images of an index") {
  const TemporaryDirectory directory;
  const std::string layout = directory / "l";
  const Platform arm{.os = "linux", .architecture = "arm64", .variant = "v8"};
  const Descriptor first = PutImage(*CreateTarget(Reference::Parse("oci:" + layout + ":first")), {"amd"});
  const Descriptor second = PutImage(*CreateTarget(Reference::Parse("oci:" + layout + ":second")), {"arm"}, arm);
  const auto put_index = [&layout](const Index& index, const std::string& type) {
    const std::string text = Serialize(index);
    WriteFile(layout + "/" + Layout::BlobName(Sha256(text)), text);
    return Descriptor{.media_type = type, .digest = Sha256(text), .size = text.size()};
  };
  const std::string index_type(media_type::kIndex);
  Descriptor nested = put_index({.media_type = index_type, .manifests = {first, second}}, index_type);
  nested.annotations.emplace(annotation::kRefName, "both");
  WriteFile(layout + "/index.json", Serialize(Index{.media_type = index_type, .manifests = {nested}}));
  CHECK(FilesIn(*Open("oci:" + layout + ":both", kPlatform)) == Names{"amd"});
  CHECK(FilesIn(*Open("oci:" + layout + ":both", arm)) == Names{"arm"});
  CheckFails([&] { Open("oci:" + layout + ":both", Platform::Parse("linux/s390x")); }, Errc::kNotFound,
             "linux/arm64/v8");

  // A manifest for another platform than its index entry says.
  Descriptor lie = second;
  lie.platform = kPlatform;
  WriteFile(layout + "/index.json", Serialize(Index{.media_type = index_type, .manifests = {lie}}));
  CheckFails([&] { Open("oci:" + layout, kPlatform); }, Errc::kNotFound, "is for linux/arm64/v8");
  // A manifest that its descriptor calls an index (CVE-2021-41190).
  lie = first;
  lie.media_type = index_type;
  WriteFile(layout + "/index.json", Serialize(Index{.media_type = index_type, .manifests = {lie}}));
  CheckFails([&] { Open("oci:" + layout); }, Errc::kCorrupt, "no index");
  // Docker's type for the same content.
  lie.media_type = media_type::kDockerManifest;
  WriteFile(layout + "/index.json", Serialize(Index{.media_type = index_type, .manifests = {lie}}));
  CheckFails([&] { Open("oci:" + layout); }, Errc::kCorrupt, "descriptor says");
  // A size that is a lie, and one that would be a giant allocation (GHSA-f36w-mj3v-6jqv).
  lie = first;
  lie.size += 1;
  WriteFile(layout + "/index.json", Serialize(Index{.media_type = index_type, .manifests = {lie}}));
  CheckFails([&] { Open("oci:" + layout); }, Errc::kCorrupt, "bytes instead of");
  lie.size = uint64_t{1} << 60;
  WriteFile(layout + "/index.json", Serialize(Index{.media_type = index_type, .manifests = {lie}}));
  CheckFails([&] { Open("oci:" + layout); }, Errc::kLimit, "more than");
  // Indexes without an end.
  Descriptor deep = first;
  for (int i = 0; i < 6; ++i) deep = put_index({.media_type = index_type, .manifests = {deep}}, index_type);
  WriteFile(layout + "/index.json", Serialize(Index{.media_type = index_type, .manifests = {deep}}));
  CheckFails([&] { Open("oci:" + layout); }, Errc::kCorrupt, "indexes in one another");
}

TEST_CASE("layers that are no tar files are listed, but not opened") {
  const TemporaryDirectory directory;
  const auto target = CreateTarget(Reference::Parse("oci:" + directory / "l" + ":v1"));
  Manifest manifest{.media_type = std::string(media_type::kManifest)};
  const StoredBlob blob = target->PutBlob(AsBytes("chunks"));
  manifest.layers = {{.media_type = std::string(media_type::kNydusBlob), .digest = blob.digest, .size = blob.size}};
  const StoredBlob config = target->PutBlob(AsBytes(ConfigFor({"chunks"})));
  manifest.config = {.media_type = std::string(media_type::kConfig), .digest = config.digest, .size = config.size};
  target->Commit(manifest, kPlatform);
  const auto image = Open("oci:" + directory / "l");
  CHECK(image->layers()[0].media_type == media_type::kNydusBlob);
  CheckFails([&] { image->OpenLayer(0); }, Errc::kUnsupported, "nydus");
}

TEST_CASE("a config that does not fit the layers is refused") {
  const TemporaryDirectory directory;
  const auto target = CreateTarget(Reference::Parse("oci:" + directory / "l" + ":v1"));
  Manifest manifest{.media_type = std::string(media_type::kManifest)};
  const StoredBlob config = target->PutBlob(AsBytes(ConfigFor({"one"})));
  manifest.config = {.media_type = std::string(media_type::kConfig), .digest = config.digest, .size = config.size};
  target->Commit(manifest, kPlatform);
  CheckFails([&] { Open("oci:" + directory / "l"); }, Errc::kCorrupt, "0 layers, its config 1 diff ids");
}

TEST_CASE("compressed archives are read too") {
  const TemporaryDirectory directory;
  MakeImage("oci-archive:" + directory / "plain.tar", {"a", "b"});
  WriteFile(directory / "gzip.tar.gz", Gzip(ReadFile(directory / "plain.tar")));
  CHECK(FilesIn("oci-archive:" + directory / "gzip.tar.gz") == Names{"a", "b"});
}

TEST_CASE("what docker save writes is read, with layers that are links to other layers") {
  const TemporaryDirectory directory;
  const std::string file = directory / "docker.tar";
  const std::string tar_a = LayerWith("a");
  const std::string tar_b = LayerWith("b");
  const std::string config = ConfigFor({tar_a, tar_b, tar_a});
  const std::string manifest =
      R"([{"Config":"c.json","RepoTags":["r/i:1","r/i:2"],"Layers":["1/layer.tar","2/layer.tar","3/layer.tar"]},)"
      R"({"Config":"c2.json","RepoTags":null,"Layers":["2/layer.tar"]}])";
  const std::string archive = TarMemberBytes({.name = "c.json", .content = config}) +
                              TarMemberBytes({.name = "c2.json", .content = ConfigFor({tar_b})}) +
                              TarMemberBytes({.name = "1/", .type = '5'}) +
                              TarMemberBytes({.name = "1/layer.tar", .content = tar_a}) +
                              TarMemberBytes({.name = "2/layer.tar", .content = tar_b}) +
                              TarMemberBytes({.name = "3/layer.tar", .type = '2', .link = "../1/layer.tar"}) +
                              TarMemberBytes({.name = "manifest.json", .content = manifest}) + TarEnd();
  WriteFile(file, archive);
  CHECK(FilesIn("docker-archive:" + file + ":r/i:2") == Names{"a", "b", "a"});
  CheckFails([&] { Open("docker-archive:" + file); }, Errc::kNotFound, "r/i:1, r/i:2");
  CheckFails([&] { Open("docker-archive:" + file + ":x"); }, Errc::kNotFound, "'x'");
  for (size_t size = 0; size < archive.size(); size += 512) {
    CAPTURE(size);
    WriteFile(file, archive.substr(0, size));
    CHECK_THROWS_AS(Open("docker-archive:" + file + ":r/i:2"), Error);
  }

  // A layer that is not the one in the config.
  const auto with_layer = [&](const std::string& members) {
    WriteFile(file,
              TarMemberBytes({.name = "c.json", .content = ConfigFor({tar_a})}) + members +
                  TarMemberBytes({.name = "manifest.json", .content = R"([{"Config":"c.json","Layers":["l"]}])"}) +
                  TarEnd());
  };
  with_layer(TarMemberBytes({.name = "l", .content = tar_a}));
  CHECK(FilesIn("docker-archive:" + file) == Names{"a"});
  with_layer(TarMemberBytes({.name = "l", .content = tar_b}));
  CheckFails([&] { FilesIn("docker-archive:" + file); }, Errc::kCorrupt, "tar data have digest");
  // Links that lead out, nowhere or in circles, and two members of one name.
  with_layer(TarMemberBytes({.name = "l", .type = '2', .link = "../../etc/passwd"}));
  CheckFails([&] { FilesIn("docker-archive:" + file); }, Errc::kCorrupt, "leaves the archive");
  with_layer(TarMemberBytes({.name = "l", .type = '2', .link = "/etc/passwd"}));
  CheckFails([&] { FilesIn("docker-archive:" + file); }, Errc::kCorrupt, "absolute");
  with_layer(TarMemberBytes({.name = "l", .type = '2', .link = "gone"}));
  CheckFails([&] { FilesIn("docker-archive:" + file); }, Errc::kCorrupt, "missing");
  with_layer(TarMemberBytes({.name = "l", .type = '2', .link = "m"}) +
             TarMemberBytes({.name = "m", .type = '1', .link = "l"}));
  CheckFails([&] { FilesIn("docker-archive:" + file); }, Errc::kCorrupt, "8 links");
  with_layer(TarMemberBytes({.name = "l", .content = tar_a}) + TarMemberBytes({.name = "./l", .content = tar_b}));
  CheckFails([&] { FilesIn("docker-archive:" + file); }, Errc::kCorrupt, "'l' twice");
}

TEST_CASE("a bare tar file and a directory are images of one layer") {
  const TemporaryDirectory directory;
  WriteFile(directory / "layer.tar.gz", Gzip(LayerWith("a")));
  fs::create_directory(directory / "root");
  WriteFile(directory / "root/b", "b");
  const auto tar = Open("tar:" + directory / "layer.tar.gz", Platform::Parse("linux/riscv64"));
  CHECK(tar->config().platform.architecture == "riscv64");
  CHECK(tar->config().diff_ids.empty());
  CHECK(FilesIn(*tar) == Names{"a"});
  CHECK(FilesIn(*tar) == Names{"a"});
  CHECK(FilesIn("rootfs:" + directory / "root") == Names{".", "b"});
}

}  // namespace sluice::oci
