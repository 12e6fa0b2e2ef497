// SPDX-License-Identifier: Apache-2.0
#pragma once
// The text of a configuration file, JSON or TOML, as one tree of values.  Internal to backend.

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "oci/json.h"

namespace sluice::backend {

// JSON when the first character that is no white space is '{', else TOML.  Throws kInvalidArgument, naming `what` and
// the place, never quoting the text.
oci::Json ParseConfigText(std::string_view text, std::string_view what);

// An object of which every key must be asked for: Finish() refuses the others.  The tree outlives it.
class ConfigObject {
 public:
  explicit ConfigObject(oci::JsonView view) : view_(std::move(view)) { view_.RequireObject(); }

  const std::string& where() const noexcept { return view_.where(); }
  std::optional<oci::JsonView> Find(std::string_view key);
  oci::JsonView Get(std::string_view key);
  // Empty when it is not there.
  std::string Text(std::string_view key);
  std::string RequiredText(std::string_view key);
  bool Flag(std::string_view key, bool otherwise);
  // Within [least, most].
  uint64_t Number(std::string_view key, uint64_t otherwise, uint64_t least, uint64_t most);
  std::vector<std::string> Texts(std::string_view key, size_t most);
  // A key that others know and that changes nothing here: whatever its value, its name is added to `ignored`.
  void Ignore(std::string_view key, std::vector<std::string>& ignored);

  // Throws kInvalidArgument for the first key that nobody asked for.
  void Finish() const;

 private:
  oci::JsonView view_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace sluice::backend
