// SPDX-License-Identifier: Apache-2.0
// sluice: one command, many subcommands.

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <exception>

#include "base/error.h"
#include "commands.h"

namespace {

// Exit codes, as in sluice(1).
constexpr int kFailure = 1;
constexpr int kUsageOrNotFound = 2;

int ExitCode(sluice::Errc code) {
  return code == sluice::Errc::kInvalidArgument || code == sluice::Errc::kNotFound ? kUsageOrNotFound : kFailure;
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app("Starts containers from images that have not been pulled.", "sluice");
  app.set_version_flag("--version", "sluice " SLUICE_VERSION);
  app.require_subcommand(1);
  sluice::tools::AddConvertCommand(app);
  sluice::tools::AddCopyCommand(app);
  sluice::tools::AddInspectCommand(app);
  sluice::tools::AddMountCommand(app);
  sluice::tools::AddUmountCommand(app);
  sluice::tools::AddBindCommand(app);
  sluice::tools::AddUnbindCommand(app);
  sluice::tools::AddListCommand(app);
  sluice::tools::AddStatusCommand(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {  // --help, --version
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "sluice: %s\nTry 'sluice --help'.\n", e.what());
    return kUsageOrNotFound;
  }
  // The answer is what was asked for: a full disk or a closed pipe is a failure.
  if (std::fflush(stdout) != 0) sluice::ThrowErrno(errno, "writing to standard output");
  return 0;
} catch (const sluice::Error& e) {
  std::fprintf(stderr, "sluice: %s\n", e.what());
  return ExitCode(e.code());
} catch (const std::exception& e) {
  std::fprintf(stderr, "sluice: %s\n", e.what());
  return kFailure;
}
