// SPDX-License-Identifier: Apache-2.0
#include "api/json.h"

#include <fmt/chrono.h>

#include <array>
#include <nlohmann/json.hpp>
#include <set>

namespace sluice::api {
namespace {

using Json = nlohmann::ordered_json;  // fields appear in the order of docs/api.md

constexpr std::array kStates = {MountState::kMounting, MountState::kMounted, MountState::kUnmounting};
constexpr std::array kCodes = {Errc::kInvalidArgument, Errc::kCorrupt,    Errc::kUnsupported, Errc::kNotFound,
                               Errc::kExists,          Errc::kPermission, Errc::kBusy,        Errc::kNoSpace,
                               Errc::kLimit,           Errc::kIo,         Errc::kTimeout,     Errc::kStopped};
constexpr size_t kMostAuthFiles = 16;

std::string Print(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json ToJson(const MountInfo& mount) {
  return {{"image", mount.image},
          {"mountpoint", mount.mountpoint},
          {"state", Name(mount.state)},
          {"since", FormatTime(mount.since)},
          {"blobs", mount.blobs}};
}

Json ToJson(const BindingInfo& binding) {
  Json json{{"image", binding.image},
            {"fsid", binding.fsid},
            {"open", binding.open},
            {"since", FormatTime(binding.since)},
            {"blobs", binding.blobs}};
  if (!binding.domain.empty()) json["domain"] = binding.domain;
  if (!binding.mountpoint.empty()) json["mountpoint"] = binding.mountpoint;
  return json;
}

Json ToJson(const Choice& choice) { return {{"name", choice.name}, {"reason", choice.reason}}; }

Json ToJson(const BlobStatus& blob) {
  return {{"id", blob.id},
          {"plain_bytes", blob.plain_bytes},
          {"ready_bytes", blob.ready_bytes},
          {"stored_bytes", blob.stored_bytes},
          {"complete", blob.complete},
          {"references", blob.references}};
}

Json ToJson(const Counters& counters) {
  return {{"events", counters.events},
          {"hits", counters.hits},
          {"misses", counters.misses},
          {"errors", counters.errors},
          {"fetched_stored_bytes", counters.fetched_stored_bytes},
          {"fetched_plain_bytes", counters.fetched_plain_bytes}};
}

std::chrono::sys_seconds ParseTime(const std::string& text) {
  int year = 0, end = 0;
  unsigned month = 0, day = 0, hour = 0, minute = 0, second = 0;
  const int fields =
      std::sscanf(text.c_str(), "%4d-%2u-%2uT%2u:%2u:%2uZ%n", &year, &month, &day, &hour, &minute, &second, &end);
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
  if (fields != 6 || static_cast<size_t>(end) != text.size() || !date.ok() || hour > 23 || minute > 59 || second > 60) {
    Throw(Errc::kCorrupt, "'{}' is no UTC time", text);
  }
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second);
}

MountState ParseState(const std::string& name) {
  for (const MountState state : kStates) {
    if (Name(state) == name) return state;
  }
  Throw(Errc::kCorrupt, "'{}' is no state of a mount", name);
}

MountInfo ToMountInfo(const Json& json) {
  MountInfo mount;
  json.at("image").get_to(mount.image);
  json.at("mountpoint").get_to(mount.mountpoint);
  mount.state = ParseState(json.at("state").get<std::string>());
  mount.since = ParseTime(json.at("since").get<std::string>());
  json.at("blobs").get_to(mount.blobs);
  return mount;
}

BindingInfo ToBindingInfo(const Json& json) {
  BindingInfo binding;
  json.at("image").get_to(binding.image);
  json.at("fsid").get_to(binding.fsid);
  binding.domain = json.value("domain", "");
  binding.mountpoint = json.value("mountpoint", "");
  json.at("open").get_to(binding.open);
  json.at("blobs").get_to(binding.blobs);
  binding.since = ParseTime(json.at("since").get<std::string>());
  return binding;
}

Choice ToChoice(const Json& json) {
  return {.name = json.at("name").get<std::string>(), .reason = json.at("reason").get<std::string>()};
}

BlobStatus ToBlobStatus(const Json& json) {
  BlobStatus blob;
  json.at("id").get_to(blob.id);
  json.at("plain_bytes").get_to(blob.plain_bytes);
  json.at("ready_bytes").get_to(blob.ready_bytes);
  json.at("stored_bytes").get_to(blob.stored_bytes);
  json.at("complete").get_to(blob.complete);
  json.at("references").get_to(blob.references);
  return blob;
}

Counters ToCounters(const Json& json) {
  Counters counters;
  json.at("events").get_to(counters.events);
  json.at("hits").get_to(counters.hits);
  json.at("misses").get_to(counters.misses);
  json.at("errors").get_to(counters.errors);
  json.at("fetched_stored_bytes").get_to(counters.fetched_stored_bytes);
  json.at("fetched_plain_bytes").get_to(counters.fetched_plain_bytes);
  return counters;
}

Status ToStatus(const Json& json) {
  Status status;
  json.at("version").get_to(status.version);
  json.at("pid").get_to(status.pid);
  status.started = ParseTime(json.at("started").get<std::string>());
  status.engine = ToChoice(json.at("engine"));
  status.frontend = ToChoice(json.at("frontend"));
  status.holder = ToChoice(json.at("holder"));
  json.at("shards").get_to(status.shards);
  json.at("mounts").get_to(status.mounts);
  status.bindings = json.value("bindings", uint64_t{0});
  json.at("cache_dir").get_to(status.cache_dir);
  status.cache_error = json.value("cache_error", std::string());
  for (const Json& blob : json.at("blobs")) status.blobs.push_back(ToBlobStatus(blob));
  status.counters = ToCounters(json.at("counters"));
  return status;
}

// Runs `convert` on the parsed text; whatever is wrong with either becomes kCorrupt with `what` in front.
template <typename F>
auto ParseAnswer(std::string_view text, std::string_view what, F convert) {
  try {
    return convert(Json::parse(text));
  } catch (const Json::exception& e) {
    Throw(Errc::kCorrupt, "{}: {}", what, e.what());
  } catch (Error& e) {
    e.AddContext(what);
    throw;
  }
}

void AddTo(Json& json, const ImageAccess& access) {
  if (access.tls_verify) json["tls_verify"] = *access.tls_verify;
  if (!access.cert_dir.empty()) json["cert_dir"] = access.cert_dir;
  if (!access.auth_files.empty()) json["auth_files"] = access.auth_files;
  if (!access.credentials.empty()) json["credentials"] = access.credentials.Reveal();
  if (!access.backend_config.empty()) json["backend_config"] = access.backend_config.Reveal();
}

// Messages name the field, never its value, which may be a secret.
std::string TakeText(const Json& value, const std::string& key) {
  if (!value.is_string()) Throw(Errc::kInvalidArgument, "field '{}' is not a string", key);
  auto text = value.get<std::string>();
  if (text.empty()) Throw(Errc::kInvalidArgument, "field '{}' is empty", key);
  if (text.find('\0') != std::string::npos) Throw(Errc::kInvalidArgument, "field '{}' has a zero byte", key);
  return text;
}

std::string TakePath(const Json& value, const std::string& key) {
  std::string path = TakeText(value, key);
  if (!path.starts_with('/')) Throw(Errc::kInvalidArgument, "field '{}' is not an absolute path", key);
  return path;
}

// False: `key` is no field of `access`.
bool TakeField(ImageAccess& access, const std::string& key, const Json& value) {
  if (key == "tls_verify") {
    if (!value.is_boolean()) Throw(Errc::kInvalidArgument, "field '{}' is not a boolean", key);
    access.tls_verify = value.get<bool>();
  } else if (key == "cert_dir") {
    access.cert_dir = TakePath(value, key);
  } else if (key == "auth_files") {
    if (!value.is_array()) Throw(Errc::kInvalidArgument, "field '{}' is not an array", key);
    if (value.size() > kMostAuthFiles) {
      Throw(Errc::kInvalidArgument, "field '{}' has {} members, at most {} are possible", key, value.size(),
            kMostAuthFiles);
    }
    for (const Json& path : value) access.auth_files.push_back(TakePath(path, key));
  } else if (key == "credentials") {
    access.credentials = Secret(TakeText(value, key));
  } else if (key == "backend_config") {
    access.backend_config = Secret(TakeText(value, key));
  } else {
    return false;
  }
  return true;
}

// Parses an object in which no key stands twice: two readers of such an object may see different values.
Json ParseStrictly(std::string_view text) {
  std::set<std::string> keys;
  return Json::parse(text, [&](int depth, Json::parse_event_t event, Json& value) {
    if (depth == 1 && event == Json::parse_event_t::key && !keys.insert(value.get<std::string>()).second) {
      Throw(Errc::kInvalidArgument, "field '{}' stands twice", value.get<std::string>());
    }
    return true;
  });
}

// Hands each field of the object `text` to `take(key, value)`, which returns false for one that it does not know.
template <typename F>
void ParseRequest(std::string_view text, std::string_view what, F take) {
  try {
    const Json json = ParseStrictly(text);
    if (!json.is_object()) Throw(Errc::kInvalidArgument, "a JSON object is wanted");
    for (const auto& [key, value] : json.items()) {
      if (!take(key, value)) Throw(Errc::kInvalidArgument, "field '{}' is unknown", key);
    }
  } catch (const Json::parse_error& e) {
    // The parser's own message would quote what it read last.
    Throw(Errc::kInvalidArgument, "{}: no JSON: parse error at byte {}", what, e.byte);
  } catch (Error& e) {
    e.AddContext(what);
    throw;
  }
}

}  // namespace

std::string Encode(const MountRequest& request) {
  Json json{{"image", request.image}, {"mountpoint", request.mountpoint}};
  AddTo(json, request.access);
  if (!request.frontend.empty()) json["frontend"] = request.frontend;
  try {
    return json.dump();
  } catch (const Json::type_error&) {
    Throw(Errc::kInvalidArgument, "image '{}', mountpoint '{}': only UTF-8 names can be mounted", request.image,
          request.mountpoint);
  }
}

std::string Encode(const BindRequest& request) {
  Json json{{"image", request.image}};
  if (!request.fsid.empty()) json["fsid"] = request.fsid;
  if (!request.domain.empty()) json["domain"] = request.domain;
  AddTo(json, request.access);
  try {
    return json.dump();
  } catch (const Json::type_error&) {
    Throw(Errc::kInvalidArgument, "image '{}': only UTF-8 names can be bound", request.image);
  }
}

std::string Encode(const MountInfo& mount) { return Print(ToJson(mount)); }

std::string Encode(const std::vector<MountInfo>& mounts) {
  Json list = Json::array();
  for (const MountInfo& mount : mounts) list.push_back(ToJson(mount));
  return Print(Json{{"mounts", std::move(list)}});
}

std::string Encode(const BindingInfo& binding) { return Print(ToJson(binding)); }

std::string Encode(const std::vector<BindingInfo>& bindings) {
  Json list = Json::array();
  for (const BindingInfo& binding : bindings) list.push_back(ToJson(binding));
  return Print(Json{{"bindings", std::move(list)}});
}

std::string Encode(const Status& status) {
  Json blobs = Json::array();
  for (const BlobStatus& blob : status.blobs) blobs.push_back(ToJson(blob));
  return Print(Json{{"version", status.version},
                    {"pid", status.pid},
                    {"started", FormatTime(status.started)},
                    {"engine", ToJson(status.engine)},
                    {"frontend", ToJson(status.frontend)},
                    {"holder", ToJson(status.holder)},
                    {"shards", status.shards},
                    {"mounts", status.mounts},
                    {"bindings", status.bindings},
                    {"cache_dir", status.cache_dir},
                    {"cache_error", status.cache_error},
                    {"counters", ToJson(status.counters)},
                    {"blobs", std::move(blobs)}});
}

std::string Encode(const Error& error) {
  return Print(Json{{"code", Name(error.code())}, {"message", error.message()}});
}

MountRequest ParseMountRequest(std::string_view text) {
  MountRequest request;
  ParseRequest(text, "mount request", [&](const std::string& key, const Json& value) {
    if (key == "image") {
      request.image = TakeText(value, key);
    } else if (key == "mountpoint") {
      request.mountpoint = TakeText(value, key);
    } else if (key == "frontend") {
      request.frontend = TakeText(value, key);
    } else {
      return TakeField(request.access, key, value);
    }
    return true;
  });
  if (request.image.empty()) Throw(Errc::kInvalidArgument, "mount request: field 'image' is missing");
  if (request.mountpoint.empty()) Throw(Errc::kInvalidArgument, "mount request: field 'mountpoint' is missing");
  return request;
}

BindRequest ParseBindRequest(std::string_view text) {
  BindRequest request;
  ParseRequest(text, "bind request", [&](const std::string& key, const Json& value) {
    if (key == "image") {
      request.image = TakeText(value, key);
    } else if (key == "fsid") {
      request.fsid = TakeText(value, key);
    } else if (key == "domain") {
      request.domain = TakeText(value, key);
    } else {
      return TakeField(request.access, key, value);
    }
    return true;
  });
  if (request.image.empty()) Throw(Errc::kInvalidArgument, "bind request: field 'image' is missing");
  return request;
}

MountInfo ParseMountInfo(std::string_view text) { return ParseAnswer(text, "mount", ToMountInfo); }

std::vector<MountInfo> ParseMounts(std::string_view text) {
  return ParseAnswer(text, "list of mounts", [](const Json& json) {
    std::vector<MountInfo> mounts;
    for (const Json& mount : json.at("mounts")) mounts.push_back(ToMountInfo(mount));
    return mounts;
  });
}

BindingInfo ParseBindingInfo(std::string_view text) { return ParseAnswer(text, "binding", ToBindingInfo); }

std::vector<BindingInfo> ParseBindings(std::string_view text) {
  return ParseAnswer(text, "list of bindings", [](const Json& json) {
    std::vector<BindingInfo> bindings;
    for (const Json& binding : json.at("bindings")) bindings.push_back(ToBindingInfo(binding));
    return bindings;
  });
}

Status ParseStatus(std::string_view text) { return ParseAnswer(text, "status", ToStatus); }

Error ParseError(std::string_view text) {
  return ParseAnswer(text, "error", [](const Json& json) {
    const auto name = json.at("code").get<std::string>();
    const auto message = json.at("message").get<std::string>();
    for (const Errc code : kCodes) {
      if (Name(code) == name) return Error(code, message);
    }
    return Error(Errc::kIo, message);  // a kind that only a newer daemon knows
  });
}

std::string_view Name(MountState state) noexcept {
  switch (state) {
    case MountState::kMounting: return "mounting";
    case MountState::kMounted: return "mounted";
    case MountState::kUnmounting: return "unmounting";
  }
  return "unknown";
}

std::string FormatTime(std::chrono::sys_seconds time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

}  // namespace sluice::api
