// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <string>

#include "base/base64.h"
#include "base/error.h"
#include "base/fd.h"
#include "oci/auth_file.h"
#include "oci/credential_files.h"
#include "oci/credential_helper.h"
#include "support/temporary_directory.h"

namespace sluice::oci {
namespace {

using sluice::test::TemporaryDirectory;

RegistryReference Image(const std::string& text) { return RegistryReference::Parse(text); }

std::string Auth(const std::string& user, const std::string& password) {
  return EncodeBase64(AsBytes(user + ":" + password));
}

std::string UserFor(const AuthFile& file, const std::string& image) {
  const auto found = file.Find(Image(image));
  return found ? found->user : "none";
}

void Write(const std::string& path, const std::string& text, mode_t mode = 0600) {
  std::ofstream(path) << text;
  ::chmod(path.c_str(), mode);
}

template <typename F>
Error ErrorOf(F function) {
  try {
    function();
  } catch (const Error& e) {
    return e;
  }
  FAIL("no error");
  throw;  // not reached
}

}  // namespace

TEST_CASE("credentials on a command line are a user and perhaps a password with colons") {
  CHECK(Credentials::Parse("a:b:c") == Credentials{.user = "a", .password = Secret("b:c")});
  CHECK(Credentials::Parse("a") == Credentials{.user = "a"});
  for (const char* text : {"", ":secret"}) {
    const Error error = ErrorOf([text] { (void)Credentials::Parse(text); });
    CHECK(error.code() == Errc::kInvalidArgument);
    CHECK(error.message().find("secret") == std::string::npos);
  }
}

TEST_CASE("of an auth.json the longest key that the image's name begins with counts") {
  const std::string text = R"({"auths": {
    "r.example": {"auth": ")" +
                           Auth("host", "1") + R"("},
    "r.example/a": {"auth": ")" +
                           Auth("namespace", "2") + R"("},
    "r.example/a/b": {"auth": ")" +
                           Auth("repository", "3") + R"("},
    "docker.io": {"username": "hub", "password": "4"},
    "https://url.example/v1/": {"auth": ")" +
                           Auth("url", "5") + R"("},
    "empty.example": {}}})";
  const AuthFile file = AuthFile::Parse(AsBytes(text), AuthFileFormat::kContainers, "f");
  CHECK(UserFor(file, "r.example/x") == "host");
  CHECK(UserFor(file, "r.example/ab") == "host");
  CHECK(UserFor(file, "r.example/a/x") == "namespace");
  CHECK(UserFor(file, "r.example/a/b:t") == "repository");
  CHECK(UserFor(file, "debian") == "hub");
  CHECK(UserFor(file, "url.example/v1/x") == "url");
  CHECK(UserFor(file, "r.example:5000/a") == "none");
  CHECK(UserFor(file, "empty.example/a") == "none");
  CHECK(file.Find(Image("r.example/a/b"))->password.Reveal() == "3");
}

TEST_CASE("Docker's files know hosts only, and Docker Hub by its old URL") {
  const std::string auths = R"({"https://index.docker.io/v1/": {"auth": ")" + Auth("hub", "p") +
                            R"("}, "r.example/v2/": {"identitytoken": "id"}})";
  const std::string config =
      R"({"auths": )" + auths + R"(, "credHelpers": {"gcr.io": "gcloud"}, "credsStore": "pass"})";
  for (const AuthFile& file : {AuthFile::Parse(AsBytes(config), AuthFileFormat::kDocker, "f"),
                               AuthFile::Parse(AsBytes(auths), AuthFileFormat::kDockerCfg, "f")}) {
    CHECK(UserFor(file, "a/b") == "hub");
    CHECK(file.Find(Image("r.example/x"))->identity_token.Reveal() == "id");
  }
  const AuthFile file = AuthFile::Parse(AsBytes(config), AuthFileFormat::kDocker, "f");
  CHECK(file.HelperFor("gcr.io") == "gcloud");
  CHECK(file.HelperFor("r.example").empty());
  CHECK(file.default_helper() == "pass");
}

TEST_CASE("files of credentials that make no sense are refused without a word of their content") {
  for (const std::string& text :
       {std::string(R"({"auths": {"r": {"auth": "s3cr3t!"}}})"),
        R"({"auths": {"r": {"auth": ")" + Auth("", "s3cr3t") + "\"}}}",
        R"({"auths": {"r": {"auth": ")" + EncodeBase64(AsBytes("s3cr3t")) + "\"}}}",
        std::string(R"({"auths": ["s3cr3t"]})"), std::string(R"({"auths": {"r": {"password": ["s3cr3t"]}}})"),
        std::string(R"({"auths": {"r": {"password": "s3cr3t)"),
        std::string(R"({"auths": {"r": {"password": "s3cr3t" x}}})"), std::string(R"("s3cr3t")"),
        std::string(R"({"credsStore": "../s3cr3t"})"), std::string(R"({"credHelpers": {"r": "a/s3cr3t"}})")}) {
    CAPTURE(text);
    const Error error = ErrorOf([&text] { (void)AuthFile::Parse(AsBytes(text), AuthFileFormat::kContainers, "f"); });
    CHECK(error.code() == Errc::kCorrupt);
    CHECK(error.message().find("s3cr3t") == std::string::npos);
  }
}

TEST_CASE("an auth.json that is cut anywhere is refused") {
  const std::string text = R"({"auths":{"r.example":{"auth":")" + Auth("user", "word") + R"("}},"credsStore":"x"})";
  for (size_t length = 0; length < text.size(); ++length) {
    const std::string cut(text, 0, length);
    CAPTURE(cut);
    CHECK_THROWS_AS(AuthFile::Parse(AsBytes(cut), AuthFileFormat::kContainers, "f"), Error);
  }
}

TEST_CASE("credentials are looked for where containers-auth.json(5) and Docker have them, in that order") {
  const std::map<std::string, std::string> all = {{"XDG_RUNTIME_DIR", "/run/user/7"}, {"HOME", "/home/u"}};
  const auto paths = [](const std::vector<std::string>& named, const std::map<std::string, std::string>& variables) {
    std::string joined;
    const auto get = [&variables](const char* name) {
      const auto found = variables.find(name);
      return found == variables.end() ? nullptr : found->second.c_str();
    };
    for (const CredentialPlace& place : FindCredentialPlaces(named, 7, get)) joined += place.path + " ";
    return joined;
  };
  CHECK(paths({}, all) ==
        "/run/user/7/containers/auth.json /home/u/.config/containers/auth.json /home/u/.docker/config.json "
        "/home/u/.dockercfg ");
  CHECK(paths({}, {}) == "/run/containers/7/auth.json ");
  CHECK(paths({}, {{"HOME", "/h"}, {"XDG_CONFIG_HOME", "/c"}, {"DOCKER_CONFIG", "/d"}}) ==
        "/run/containers/7/auth.json /c/containers/auth.json /d/config.json /h/.dockercfg ");
  CHECK(paths({}, {{"REGISTRY_AUTH_FILE", "/r.json"}, {"HOME", "/h"}}) == "/r.json ");
  CHECK(paths({"/named.json", "/other.json"}, {{"REGISTRY_AUTH_FILE", "/r.json"}}) == "/named.json /other.json ");
}

TEST_CASE("files are read again at each question, and a missing one counts only when it was named") {
  const TemporaryDirectory folder;
  const std::string path = folder.path() + "/auth.json";
  const CredentialFiles optional({{.path = path}}, {});
  CHECK(!optional.Find(Image("r.example/a")));
  const CredentialFiles required({{.path = path, .required = true}}, {});
  CHECK(ErrorOf([&required] { (void)required.Find(Image("r.example/a")); }).code() == Errc::kNotFound);

  Write(path, R"({"auths": {"r.example": {"username": "u", "password": "old"}}})");
  CHECK(optional.Find(Image("r.example/a"))->password.Reveal() == "old");
  Write(path, R"({"auths": {"r.example": {"username": "u", "password": "new"}}})");
  CHECK(optional.Find(Image("r.example/a"))->password.Reveal() == "new");
}

namespace {

// A folder with the program docker-credential-test of this text.
class Helper {
 public:
  explicit Helper(const std::string& script) {
    Write(folder_.path() + "/docker-credential-test", "#!/bin/sh\n" + script, 0755);
  }
  std::optional<Credentials> Ask(Duration deadline = std::chrono::seconds(30)) const {
    return AskCredentialHelper("test", "r.example",
                               {.search_path = "relative:" + folder_.path(), .deadline = deadline});
  }
  const std::string& folder() const { return folder_.path(); }

 private:
  const TemporaryDirectory folder_;
};

}  // namespace

TEST_CASE("a credential helper is asked on its standard input") {
  const Helper helper(R"(test "$1" = get || exit 9
    read -r server; printf '{"ServerURL":"%s","Username":"u-%s","Secret":"p"}' "$server" "$server")");
  CHECK(helper.Ask() == Credentials{.user = "u-r.example", .password = Secret("p")});
}

TEST_CASE("a helper that does not read its input may answer, also with an identity token") {
  const Helper helper(R"(exec <&-; printf '{"Username":"<token>","Secret":"id"}')");
  CHECK(helper.Ask() == Credentials{.identity_token = Secret("id")});
}

TEST_CASE("a helper without credentials is no error") {
  const Helper helper("echo 'credentials not found in native keychain'; exit 1");
  CHECK(!helper.Ask());
}

TEST_CASE("what goes wrong with a helper is told without what it wrote") {
  struct Case {
    std::string script;
    Errc code;
  };
  const Case cases[] = {{"echo s3cr3t; exit 3", Errc::kIo},
                        {"echo s3cr3t", Errc::kCorrupt},
                        {R"(echo '{"Username":"s3cr3t"}')", Errc::kCorrupt},
                        {"kill -9 $$", Errc::kIo},
                        {"head -c 70000 /dev/zero", Errc::kLimit}};
  for (const Case& c : cases) {
    CAPTURE(c.script);
    const Helper helper(c.script);
    const Error error = ErrorOf([&helper] { (void)helper.Ask(); });
    CHECK(error.code() == c.code);
    CHECK(error.message().find("s3cr3t") == std::string::npos);
    CHECK(error.message().find("docker-credential-test") != std::string::npos);
  }
  CHECK(ErrorOf([] { (void)AskCredentialHelper("none", "r", {.search_path = "/nowhere"}); }).code() == Errc::kNotFound);
}

TEST_CASE("a helper that does not end is killed with everything it has started") {
  const Helper helper("exec 3>\"${0%/*}/alive\"; sleep 1000 & wait");
  const std::string alive = helper.folder() + "/alive";
  REQUIRE(::mkfifo(alive.c_str(), 0600) == 0);
  const UniqueFd reader(::open(alive.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  CHECK(ErrorOf([&helper] { (void)helper.Ask(std::chrono::milliseconds(300)); }).code() == Errc::kTimeout);
  // The pipe hangs up when nobody is left who could write into it.
  pollfd hung_up{.fd = reader.get(), .events = 0, .revents = 0};
  CHECK(::poll(&hung_up, 1, 20'000) == 1);
}

TEST_CASE("the helper of a host goes before the entries of its file, the default helper behind them") {
  const Helper helper(R"(read -r server; printf '{"Username":"helper","Secret":"p"}')");
  const HelperOptions options{.search_path = helper.folder()};
  const std::string path = helper.folder() + "/config.json";
  Write(path, R"({"credHelpers": {"helped.example": "test"}, "auths": {
    "helped.example": {"username": "file", "password": "p"}, "file.example": {"username": "file", "password": "p"}}})");
  const CredentialFiles files({{.path = path, .format = AuthFileFormat::kDocker}}, options);
  CHECK(files.Find(Image("helped.example/a"))->user == "helper");
  CHECK(files.Find(Image("file.example/a"))->user == "file");
  CHECK(!files.Find(Image("other.example/a")));

  Write(path, R"({"credsStore": "test", "auths": {"file.example": {"username": "file", "password": "p"}}})");
  CHECK(files.Find(Image("file.example/a"))->user == "file");
  CHECK(files.Find(Image("other.example/a"))->user == "helper");
}

}  // namespace sluice::oci
