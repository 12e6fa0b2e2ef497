// SPDX-License-Identifier: Apache-2.0
#include "backend_spec.h"

#include "base/error.h"
#include "json_fields.h"

namespace sluice::daemon {
namespace {

constexpr std::string_view kDirectory = "directory";
constexpr std::string_view kRegistry = "registry";
constexpr std::string_view kConfigured = "configured";

nlohmann::json FieldsOf(const DirectorySpec& spec) { return {{"type", kDirectory}, {"path", spec.path}}; }

nlohmann::json FieldsOf(const RegistrySpec& spec) {
  nlohmann::json fields{{"type", kRegistry},
                        {"repository", spec.repository},
                        {"cert_dir", spec.cert_dir},
                        {"auth_files", spec.auth_files},
                        {"has_credentials", spec.has_credentials}};
  if (spec.tls_verify) fields["tls_verify"] = *spec.tls_verify;
  return fields;
}

nlohmann::json FieldsOf(const ConfiguredSpec&) { return {{"type", kConfigured}}; }

}  // namespace

bool HasSecrets(const BackendSpec& spec) noexcept {
  if (const auto* registry = std::get_if<RegistrySpec>(&spec)) return registry->has_credentials;
  return std::holds_alternative<ConfiguredSpec>(spec);
}

nlohmann::json ToJson(const BackendSpec& spec) {
  return std::visit([](const auto& one) { return FieldsOf(one); }, spec);
}

BackendSpec ParseBackendSpec(const nlohmann::json& json, const std::string& what) {
  JsonFields fields(json, what);
  const auto type = fields.Take<std::string>("type");
  BackendSpec spec;
  if (type == kDirectory) {
    spec = DirectorySpec{.path = fields.Take<std::string>("path")};
  } else if (type == kRegistry) {
    RegistrySpec registry;
    registry.repository = fields.Take<std::string>("repository");
    if (fields.Has("tls_verify")) registry.tls_verify = fields.Take<bool>("tls_verify");
    registry.cert_dir = fields.Take<std::string>("cert_dir");
    registry.auth_files = fields.Take<std::vector<std::string>>("auth_files");
    registry.has_credentials = fields.Take<bool>("has_credentials");
    spec = std::move(registry);
  } else if (type == kConfigured) {
    spec = ConfiguredSpec{};
  } else {
    Throw(Errc::kCorrupt, "{}: type '{}' is unknown", what, type);
  }
  fields.End();
  return spec;
}

std::string FormatSecrets(const BackendSecrets& secrets) {
  const nlohmann::json object{{"credentials", secrets.credentials.Reveal()},
                              {"configuration", secrets.configuration.Reveal()}};
  try {
    return object.dump() + "\n";
  } catch (const nlohmann::json::exception&) {
    Throw(Errc::kInvalidArgument, "credentials or a backend configuration are not UTF-8");
  }
}

BackendSecrets ParseSecrets(std::string_view text, const std::string& what) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) Throw(Errc::kCorrupt, "{}: not JSON", what);  // the parser's message would quote it
  JsonFields fields(json, what);
  BackendSecrets secrets;
  secrets.credentials = Secret(fields.Take<std::string>("credentials"));
  secrets.configuration = Secret(fields.Take<std::string>("configuration"));
  fields.End();
  return secrets;
}

}  // namespace sluice::daemon
