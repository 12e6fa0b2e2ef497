// SPDX-License-Identifier: Apache-2.0
#include "result_file.h"

#include <cerrno>
#include <cstdio>
#include <memory>

#include "base/error.h"

namespace sluice::tools {

void WriteResultFile(const std::string& path, std::string_view content) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "we"), &std::fclose);
  if (!file || std::fwrite(content.data(), 1, content.size(), file.get()) != content.size() ||
      std::fflush(file.get()) != 0) {
    ThrowErrno(errno, "cannot write '{}'", path);
  }
}

}  // namespace sluice::tools
