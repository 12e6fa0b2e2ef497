// SPDX-License-Identifier: Apache-2.0
#pragma once
// JSON from outside: parsed within limits, read field by field with errors that say where.  Internal to oci.

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"

namespace sluice::oci {

using Json = nlohmann::json;

// Throws kCorrupt, naming `what`, for text that is no JSON, exceeds kMaxDocumentBytes or kMaxDocumentDepth, or has a
// key twice in one object.
Json ParseJson(ConstBytes text, std::string_view what);

// The text of a document: keys in byte order, no white space.  Throws kInvalidArgument for strings that are not UTF-8.
std::string DumpJson(const Json& document);

// A value and the way to it ("manifest 'x': layers[2].size").  Every method throws kCorrupt naming the way when the
// value is not what is asked for.  The document outlives the view.
class JsonView {
 public:
  JsonView(const Json& value, std::string where) : value_(&value), where_(std::move(where)) {}

  const std::string& where() const noexcept { return where_; }
  const Json& json() const noexcept { return *value_; }

  // Members of an object.  A member that is null counts as absent: what Go writes for an empty list.
  std::optional<JsonView> Find(std::string_view key) const;
  JsonView Get(std::string_view key) const;
  std::string TextOr(std::string_view key, std::string_view otherwise) const;

  std::string Text() const;
  bool Boolean() const;
  // An integer in [0, 2^63).
  uint64_t Size() const;
  std::vector<JsonView> Elements(size_t max_count) const;
  std::vector<std::string> Texts(size_t max_count) const;
  std::map<std::string, std::string, std::less<>> TextMap() const;

  void RequireObject() const;

 private:
  [[noreturn]] void Refuse(std::string_view expected) const;
  const Json* value_;
  std::string where_;
};

}  // namespace sluice::oci
