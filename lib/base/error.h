// SPDX-License-Identifier: Apache-2.0
#pragma once
// The one exception type of the project: what kind of failure, which object, which numbers, in which context.

#include <fmt/core.h>

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace sluice {

// What a caller can decide on.  Everything else is text.
enum class Errc : uint8_t {
  kInvalidArgument,  // the request itself makes no sense: usage, a bad option, a malformed reference
  kCorrupt,          // data contradict their format, their digest or each other
  kUnsupported,      // well-formed, but a feature that this build or kernel does not serve
  kNotFound,         // the named object does not exist
  kExists,           // the named object exists already
  kPermission,       // the kernel or a server refused for lack of rights
  kBusy,             // the object is in use
  kNoSpace,          // the file system or quota is full
  kLimit,            // one of our own limits (limits.h) would be exceeded
  kIo,               // reading, writing or a transport failed
  kTimeout,          // not done before its deadline
  kStopped,          // ended by a stop request
};

// A stable lower-case name, e.g. "corrupt": used in the API's JSON and in logs.
std::string_view Name(Errc code) noexcept;

// The errno that a kernel interface or a file system user should see for `code`.
int ToErrno(Errc code) noexcept;

// The kind of failure behind a positive errno value; unknown values are kIo.
Errc FromErrno(int error) noexcept;

class Error final : public std::exception {
 public:
  Error(Errc code, std::string message) : code_(code), message_(std::move(message)) {}

  Errc code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }
  const char* what() const noexcept override { return message_.c_str(); }

  // Puts "context: " in front of the message.  Called at layer borders only.
  void AddContext(std::string_view context);

 private:
  Errc code_;
  std::string message_;
};

[[noreturn]] void ThrowFormatted(Errc code, fmt::string_view format, fmt::format_args args);
[[noreturn]] void ThrowErrnoFormatted(int error, fmt::string_view format, fmt::format_args args);

// Throws Error: Throw(Errc::kCorrupt, "blob meta '{}': chunk {} ends at {} past size {}", …).
template <typename... Args>
[[noreturn]] void Throw(Errc code, fmt::format_string<Args...> format, Args&&... args) {
  ThrowFormatted(code, format, fmt::make_format_args(args...));
}

// Throws Error with FromErrno(error) and ": <strerror>" behind the message.  `error` is a positive errno value.
template <typename... Args>
[[noreturn]] void ThrowErrno(int error, fmt::format_string<Args...> format, Args&&... args) {
  ThrowErrnoFormatted(error, format, fmt::make_format_args(args...));
}

}  // namespace sluice
