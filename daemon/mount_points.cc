// SPDX-License-Identifier: Apache-2.0
#include "mount_points.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.h"

namespace sluice::daemon {
namespace {

bool IsOctal(char c) { return c >= '0' && c <= '7'; }

// The kernel writes blank, tab, newline and backslash as \ooo.
std::string Unescape(std::string_view field) {
  std::string text;
  for (size_t at = 0; at < field.size(); ++at) {
    if (field[at] == '\\' && field.size() - at > 3 && IsOctal(field[at + 1]) && IsOctal(field[at + 2]) &&
        IsOctal(field[at + 3])) {
      text += static_cast<char>((field[at + 1] - '0') * 64 + (field[at + 2] - '0') * 8 + (field[at + 3] - '0'));
      at += 3;
    } else {
      text += field[at];
    }
  }
  return text;
}

std::vector<std::string_view> SplitFields(std::string_view line) {
  std::vector<std::string_view> fields;
  while (!line.empty()) {
    const size_t end = std::min(line.find(' '), line.size());
    if (end > 0) fields.push_back(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return fields;
}

// id parent major:minor root mountpoint options optional-fields… - type source super-options
MountPoint ParseLine(std::string_view line) {
  const auto fields = SplitFields(line);
  const auto separator = std::find(fields.begin(), fields.end(), "-");
  if (separator - fields.begin() < 6 || fields.end() - separator < 4) {
    Throw(Errc::kCorrupt, "mountinfo: '{}' has {} fields", line, fields.size());
  }
  return {.path = Unescape(fields[4]),
          .type = Unescape(separator[1]),
          .source = Unescape(separator[2]),
          .options = Unescape(separator[3])};
}

}  // namespace

std::vector<MountPoint> ParseMountInfo(std::string_view text) {
  std::vector<MountPoint> points;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) points.push_back(ParseLine(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return points;
}

std::vector<MountPoint> ReadMountPoints() {
  std::ifstream file("/proc/self/mountinfo");
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) ThrowErrno(errno, "cannot read /proc/self/mountinfo");
  return ParseMountInfo(text.str());
}

std::string ResolveMountpoint(const std::string& mountpoint) {
  if (!mountpoint.starts_with('/')) {
    Throw(Errc::kInvalidArgument, "mountpoint '{}' is not an absolute path", mountpoint);
  }
  std::error_code error;
  const std::filesystem::path path = std::filesystem::canonical(mountpoint, error);
  if (error) ThrowErrno(error.value(), "mountpoint '{}'", mountpoint);
  if (!std::filesystem::is_directory(path)) {
    Throw(Errc::kInvalidArgument, "mountpoint '{}' is not a directory", mountpoint);
  }
  return path.string();
}

}  // namespace sluice::daemon
