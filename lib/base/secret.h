// SPDX-License-Identifier: Apache-2.0
#pragma once
// A password, token or key: a string that no message, log or document can take by accident.

#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace sluice {

// Has no formatter, no stream operator and no conversion; Reveal() shows every place that sends it.  Its memory is
// wiped when it goes, as far as the copies made of it are Secrets too.
class Secret {
 public:
  Secret() noexcept = default;
  explicit Secret(std::string_view value) : value_(value) {}
  Secret(const Secret&) = default;
  Secret(Secret&& other) noexcept { value_.swap(other.value_); }
  Secret& operator=(Secret other) noexcept {
    value_.swap(other.value_);
    return *this;
  }
  ~Secret() { Wipe(); }

  bool empty() const noexcept { return value_.empty(); }
  // Valid as long as the secret lives unchanged.  For the wire and for key material only.
  const std::string& Reveal() const noexcept { return value_; }
  bool operator==(const Secret&) const = default;

 private:
  void Wipe() noexcept {
    ::explicit_bzero(value_.data(), value_.size());
    value_.clear();
  }
  std::string value_;
};

}  // namespace sluice
