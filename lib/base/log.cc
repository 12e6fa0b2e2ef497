// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <sys/stat.h>

#include <cstdlib>

#include "base/error.h"

namespace sluice {
namespace {

spdlog::level::level_enum ToSpdlog(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kWarning: return spdlog::level::warn;
    case LogLevel::kError: return spdlog::level::err;
  }
  return spdlog::level::info;
}

// The priority prefix of sd-daemon(3): syslog severities.
class PriorityFlag final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& to) override {
    std::string_view prefix = "<7>";
    if (message.level == spdlog::level::info) prefix = "<6>";
    if (message.level == spdlog::level::warn) prefix = "<4>";
    if (message.level == spdlog::level::err) prefix = "<3>";
    to.append(prefix.data(), prefix.data() + prefix.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<PriorityFlag>(); }
};

}  // namespace

LogLevel ParseLogLevel(std::string_view name) {
  if (name == "debug") return LogLevel::kDebug;
  if (name == "info") return LogLevel::kInfo;
  if (name == "warning") return LogLevel::kWarning;
  if (name == "error") return LogLevel::kError;
  Throw(Errc::kInvalidArgument, "log level '{}' is none of debug, info, warning, error", name);
}

struct Log::State {
  spdlog::logger logger{"sluice", std::make_shared<spdlog::sinks::stderr_sink_mt>()};
};

Log::Log(LogLevel level, Style style) : state_(std::make_unique<State>()) {
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  formatter->add_flag<PriorityFlag>('*');
  formatter->set_pattern(style == Style::kJournal ? "%*%v" : "%Y-%m-%dT%H:%M:%S.%eZ %l %v");
  state_->logger.set_formatter(std::move(formatter));
  state_->logger.flush_on(spdlog::level::debug);
  SetLevel(level);
}
Log::~Log() = default;

Log::Style Log::StyleOfStderr() {
  // JOURNAL_STREAM is "device:inode" of the journal's socket; stderr may have been redirected since.
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat st = {};
  if (stream == nullptr || ::fstat(2, &st) != 0) return Style::kPlain;
  return fmt::format("{}:{}", st.st_dev, st.st_ino) == stream ? Style::kJournal : Style::kPlain;
}

void Log::SetLevel(LogLevel level) { state_->logger.set_level(ToSpdlog(level)); }

void Log::Write(LogLevel level, fmt::string_view format, fmt::format_args args) {
  if (!state_->logger.should_log(ToSpdlog(level))) return;
  state_->logger.log(ToSpdlog(level), "{}", fmt::vformat(format, args));
}

}  // namespace sluice
