// SPDX-License-Identifier: Apache-2.0
#pragma once
// The log of a program.  Made in main, handed to the edges; library layers below them return errors and stay quiet.

#include <fmt/core.h>

#include <memory>
#include <string_view>

namespace sluice {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// Throws kInvalidArgument for a name other than debug, info, warning, error.
LogLevel ParseLogLevel(std::string_view name);

// Lines on stderr: "2026-11-21T08:10:00.123Z warning text", or "<4>text" (sd-daemon(3)) when the journal reads them.
// Thread-safe.
class Log {
 public:
  enum class Style { kPlain, kJournal };

  Log(LogLevel level, Style style);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // kJournal when stderr is connected to the journal (JOURNAL_STREAM, systemd.exec(5)), else kPlain.
  static Style StyleOfStderr();

  void SetLevel(LogLevel level);

  template <typename... Args>
  void Debug(fmt::format_string<Args...> format, Args&&... args) {
    Write(LogLevel::kDebug, format, fmt::make_format_args(args...));
  }
  template <typename... Args>
  void Info(fmt::format_string<Args...> format, Args&&... args) {
    Write(LogLevel::kInfo, format, fmt::make_format_args(args...));
  }
  template <typename... Args>
  void Warning(fmt::format_string<Args...> format, Args&&... args) {
    Write(LogLevel::kWarning, format, fmt::make_format_args(args...));
  }
  template <typename... Args>
  void Error(fmt::format_string<Args...> format, Args&&... args) {
    Write(LogLevel::kError, format, fmt::make_format_args(args...));
  }

 private:
  void Write(LogLevel level, fmt::string_view format, fmt::format_args args);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sluice
