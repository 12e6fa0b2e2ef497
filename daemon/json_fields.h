// SPDX-License-Identifier: Apache-2.0
#pragma once
// Reading an object of our own files strictly.

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace sluice::daemon {

// Takes the fields out of an object one by one; what is left at the end is unknown.  Throws kCorrupt naming `what` and
// the field, never a value.
class JsonFields {
 public:
  // `what` outlives the fields.
  JsonFields(nlohmann::json object, const std::string& what) : object_(std::move(object)), what_(what) {
    if (!object_.is_object()) Throw(Errc::kCorrupt, "{}: not an object", what_);
  }

  bool Has(const char* name) const { return object_.contains(name); }

  template <typename T>
  T Take(const char* name) {
    const auto field = object_.find(name);
    if (field == object_.end()) Throw(Errc::kCorrupt, "{}: '{}' is missing", what_, name);
    try {
      T value = field->get<T>();
      object_.erase(field);
      return value;
    } catch (const nlohmann::json::exception&) {
      Throw(Errc::kCorrupt, "{}: '{}' has the wrong type", what_, name);
    }
  }

  void End() const {
    if (!object_.empty()) Throw(Errc::kCorrupt, "{}: unknown field '{}'", what_, object_.begin().key());
  }

 private:
  nlohmann::json object_;
  const std::string& what_;
};

}  // namespace sluice::daemon
