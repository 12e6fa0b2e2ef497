// SPDX-License-Identifier: Apache-2.0
#include "oci/json.h"

#include <set>

#include "base/error.h"
#include "oci/documents.h"

namespace sluice::oci {

Json ParseJson(ConstBytes text, std::string_view what) {
  if (text.size() > kMaxDocumentBytes)
    Throw(Errc::kCorrupt, "{}: {} bytes of JSON, more than {}", what, text.size(), kMaxDocumentBytes);
  std::vector<std::set<std::string>> keys;  // of the objects around the present place
  const auto check = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > static_cast<int>(kMaxDocumentDepth))
      Throw(Errc::kCorrupt, "{}: JSON nested deeper than {}", what, kMaxDocumentDepth);
    switch (event) {
      case Json::parse_event_t::object_start: keys.emplace_back(); break;
      case Json::parse_event_t::object_end: keys.pop_back(); break;
      case Json::parse_event_t::key:
        if (!keys.back().insert(parsed.get<std::string>()).second)
          Throw(Errc::kCorrupt, "{}: key '{}' twice in one object", what, parsed.get<std::string>());
        break;
      default: break;
    }
    return true;
  };
  try {
    const std::string_view characters = AsText(text);
    return Json::parse(characters.begin(), characters.end(), check);
  } catch (const Json::parse_error& e) {
    // Not the library's message, which quotes the text: it may be a file of passwords.
    Throw(Errc::kCorrupt, "{}: no valid JSON at byte {}", what, e.byte);
  } catch (const Json::exception&) {
    Throw(Errc::kCorrupt, "{}: JSON with a number out of range", what);
  }
}

std::string DumpJson(const Json& document) {
  try {
    return document.dump();
  } catch (const Json::exception& e) {
    Throw(Errc::kInvalidArgument, "cannot be written as JSON: {}", e.what());
  }
}

std::optional<JsonView> JsonView::Find(std::string_view key) const {
  RequireObject();
  const auto member = value_->find(key);
  if (member == value_->end() || member->is_null()) return std::nullopt;
  return JsonView(*member, where_ + "." + std::string(key));
}

JsonView JsonView::Get(std::string_view key) const {
  auto member = Find(key);
  if (!member) Throw(Errc::kCorrupt, "{}.{} is missing", where_, key);
  return *std::move(member);
}

std::string JsonView::TextOr(std::string_view key, std::string_view otherwise) const {
  const auto member = Find(key);
  return member ? member->Text() : std::string(otherwise);
}

std::string JsonView::Text() const {
  if (!value_->is_string()) Refuse("a string");
  return value_->get<std::string>();
}

bool JsonView::Boolean() const {
  if (!value_->is_boolean()) Refuse("true or false");
  return value_->get<bool>();
}

uint64_t JsonView::Size() const {
  // The library keeps integers without a sign as unsigned, those with one as signed, all others as floating point.
  if (!value_->is_number_unsigned() || value_->get<uint64_t>() > INT64_MAX) Refuse("an integer from 0 to 2^63 - 1");
  return value_->get<uint64_t>();
}

std::vector<JsonView> JsonView::Elements(size_t max_count) const {
  if (!value_->is_array()) Refuse("a list");
  if (value_->size() > max_count)
    Throw(Errc::kCorrupt, "{} has {} elements, more than {}", where_, value_->size(), max_count);
  std::vector<JsonView> elements;
  for (const Json& element : *value_)
    elements.emplace_back(element, where_ + "[" + std::to_string(elements.size()) + "]");
  return elements;
}

std::vector<std::string> JsonView::Texts(size_t max_count) const {
  std::vector<std::string> texts;
  for (const JsonView& element : Elements(max_count)) texts.push_back(element.Text());
  return texts;
}

std::map<std::string, std::string, std::less<>> JsonView::TextMap() const {
  RequireObject();
  std::map<std::string, std::string, std::less<>> map;
  for (const auto& [key, value] : value_->items()) map.emplace(key, JsonView(value, where_ + "." + key).Text());
  return map;
}

void JsonView::RequireObject() const {
  if (!value_->is_object()) Refuse("an object");
}

void JsonView::Refuse(std::string_view expected) const { Throw(Errc::kCorrupt, "{} is not {}", where_, expected); }

}  // namespace sluice::oci
