// SPDX-License-Identifier: Apache-2.0
#pragma once
// A registry on a scripted transport, and a repository of it under test.

#include <catch2/catch.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "oci/media_types.h"
#include "oci/registry_hosts.h"
#include "oci/repository.h"
#include "support/engines.h"
#include "support/scripted_transport.h"

namespace sluice::test {

inline ScriptedAnswer Answer(unsigned status, std::string body = "", std::vector<http::Field> fields = {}) {
  ScriptedAnswer answer;
  answer.head.status = status;
  answer.head.fields = std::move(fields);
  answer.body = std::move(body);
  return answer;
}

inline std::string FieldOf(const http::ClientRequest& request, std::string_view name) {
  for (const http::Field& field : request.fields) {
    if (http::SameFieldName(field.name, name)) return field.value;
  }
  return "";
}

// Serves what was put into it at every host, ranges included.
class FakeRegistry {
 public:
  Digest PutBlob(const std::string& bytes) {
    const Digest digest = DigestOf(DigestAlgorithm::kSha256, AsBytes(bytes));
    blobs_[digest.Hex()] = bytes;
    return digest;
  }
  // Under its digest, and under `tag` unless that is empty.
  oci::Descriptor PutManifest(const std::string& bytes, std::string_view type, const std::string& tag) {
    const Digest digest = DigestOf(DigestAlgorithm::kSha256, AsBytes(bytes));
    for (const std::string& name : {tag, oci::FormatDigest(digest)}) manifests_[name] = {std::string(type), bytes};
    return {.media_type = std::string(type), .digest = digest, .size = bytes.size()};
  }

  ScriptedAnswer Serve(const http::ClientRequest& request) const {
    const std::string& path = request.url.path();
    if (const size_t at = path.find("/manifests/"); at != std::string::npos) {
      const auto found = manifests_.find(path.substr(at + 11));
      if (found == manifests_.end()) return Answer(404, R"({"errors":[{"code":"MANIFEST_UNKNOWN"}]})");
      return Answer(200, found->second.second, {{"Content-Type", found->second.first}});
    }
    if (const size_t at = path.find("/blobs/sha256:"); at != std::string::npos) {
      const auto found = blobs_.find(path.substr(at + 14));
      if (found == blobs_.end()) return Answer(404);
      return ServeBytes(request, found->second);
    }
    return Answer(404);
  }

  static ScriptedAnswer ServeBytes(const http::ClientRequest& request, const std::string& bytes) {
    const std::string range = FieldOf(request, "Range");
    if (range.empty()) return Answer(200, bytes, {{"Content-Length", std::to_string(bytes.size())}});
    const size_t dash = range.find('-');
    const size_t first = std::stoul(range.substr(6));
    const size_t last = std::stoul(range.substr(dash + 1));
    if (last >= bytes.size()) return Answer(416);
    return Answer(206, bytes.substr(first, last - first + 1),
                  {{"Content-Range", "bytes " + std::to_string(first) + "-" + std::to_string(last) + "/" +
                                         std::to_string(bytes.size())}});
  }

 private:
  std::map<std::string, std::pair<std::string, std::string>> manifests_;  // name to type and bytes
  std::map<std::string, std::string> blobs_;
};

inline oci::Endpoint EndpointAt(const std::string& url, const std::string& image = "r.example/a/b:t") {
  oci::Endpoint endpoint{.api = http::Url::Parse(url), .image = oci::RegistryReference::Parse(image)};
  endpoint.repository = endpoint.image.repository;
  endpoint.push = true;
  return endpoint;
}

// Counts how often it is asked.
class CountingCredentials final : public oci::CredentialSource {
 public:
  explicit CountingCredentials(std::optional<oci::Credentials> credentials) : credentials_(std::move(credentials)) {}
  std::optional<oci::Credentials> Find(const oci::RegistryReference&) const override {
    ++asked_;
    return credentials_;
  }
  int asked() const noexcept { return asked_; }
  void Change(std::optional<oci::Credentials> credentials) { credentials_ = std::move(credentials); }

 private:
  std::optional<oci::Credentials> credentials_;
  mutable int asked_ = 0;
};

// Catch's macros name their expression several times; g++ 12 would await it as often.
inline runtime::Task<void> ExpectError(runtime::Task<void> task, Errc code) {
  const Errc got = co_await ErrorOf(std::move(task));
  CHECK(got == code);
}

// What repositories of one test share.
struct RegistryWorld {
  RegistryWorld(TestEnv& env, ScriptedTransport::Script script)
      : engine(env.engine()), transport(std::move(script)), rng(1), health(env.engine(), rng) {}

  oci::RegistryServices Services() { return {engine, transport, offload, health, rng}; }
  oci::RepositoryOptions Options(std::vector<oci::Endpoint> endpoints) const {
    return {
        .endpoints = std::move(endpoints),
        .credentials = {.registry = credentials, .mirrors = mirror_credentials},
        .retry = {.tries = 3, .first_delay = std::chrono::milliseconds(1), .most_delay = std::chrono::milliseconds(2)}};
  }

  runtime::Engine& engine;
  ScriptedTransport transport;
  runtime::Offload offload{1};
  Rng rng;
  http::HostHealth health;
  std::shared_ptr<CountingCredentials> credentials = std::make_shared<CountingCredentials>(std::nullopt);
  std::shared_ptr<CountingCredentials> mirror_credentials = std::make_shared<CountingCredentials>(std::nullopt);
};

inline oci::RegistryReference TestImage() { return oci::RegistryReference::Parse("r.example/a/b:t"); }

}  // namespace sluice::test
