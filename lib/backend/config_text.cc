// SPDX-License-Identifier: Apache-2.0
#include "backend/config_text.h"

#include <toml++/toml.h>

#include "base/error.h"

namespace sluice::backend {
namespace {

using oci::Json;
using oci::JsonView;

constexpr int kMaxDepth = 16;

Json FromToml(const toml::node& node, std::string_view what, int depth) {
  const auto line = node.source().begin.line;
  if (depth > kMaxDepth) Throw(Errc::kInvalidArgument, "{} line {}: nested deeper than {}", what, line, kMaxDepth);
  if (const auto* table = node.as_table()) {
    Json object = Json::object();
    for (const auto& [key, value] : *table) object[std::string(key.str())] = FromToml(value, what, depth + 1);
    return object;
  }
  if (const auto* array = node.as_array()) {
    Json list = Json::array();
    for (const toml::node& element : *array) list.push_back(FromToml(element, what, depth + 1));
    return list;
  }
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* flag = node.as_boolean()) return flag->get();
  if (const auto* number = node.as_integer()) {
    if (number->get() < 0) return number->get();
    return static_cast<uint64_t>(number->get());
  }
  Throw(Errc::kInvalidArgument, "{} line {}: neither text, nor a whole number, true or false", what, line);
}

}  // namespace

Json ParseConfigText(std::string_view text, std::string_view what) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && text[first] == '{') {
    try {
      return oci::ParseJson(AsBytes(text), what);
    } catch (const Error& e) {
      throw Error(Errc::kInvalidArgument, e.message());
    }
  }
  try {
    return FromToml(toml::parse(text), what, 0);
  } catch (const toml::parse_error& error) {
    Throw(Errc::kInvalidArgument, "{} line {}: no valid TOML", what, error.source().begin.line);
  }
}

std::optional<JsonView> ConfigObject::Find(std::string_view key) {
  known_.emplace(key);
  return view_.Find(key);
}

JsonView ConfigObject::Get(std::string_view key) {
  known_.emplace(key);
  return view_.Get(key);
}

std::string ConfigObject::Text(std::string_view key) {
  const auto value = Find(key);
  return value ? value->Text() : std::string();
}

std::string ConfigObject::RequiredText(std::string_view key) {
  std::string text = Get(key).Text();
  if (text.empty()) Throw(Errc::kInvalidArgument, "{}.{} is empty", where(), key);
  return text;
}

bool ConfigObject::Flag(std::string_view key, bool otherwise) {
  const auto value = Find(key);
  return value ? value->Boolean() : otherwise;
}

uint64_t ConfigObject::Number(std::string_view key, uint64_t otherwise, uint64_t least, uint64_t most) {
  const auto value = Find(key);
  if (!value) return otherwise;
  const uint64_t number = value->Size();
  if (number < least || number > most)
    Throw(Errc::kInvalidArgument, "{} is {}, not from {} to {}", value->where(), number, least, most);
  return number;
}

std::vector<std::string> ConfigObject::Texts(std::string_view key, size_t most) {
  const auto value = Find(key);
  return value ? value->Texts(most) : std::vector<std::string>();
}

void ConfigObject::Ignore(std::string_view key, std::vector<std::string>& ignored) {
  if (Find(key)) ignored.push_back(where() + "." + std::string(key));
}

void ConfigObject::Finish() const {
  for (const auto& [key, value] : view_.json().items()) {
    if (!known_.contains(key)) Throw(Errc::kInvalidArgument, "{}: unknown key '{}'", where(), key);
  }
}

}  // namespace sluice::backend
