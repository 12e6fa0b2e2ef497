// SPDX-License-Identifier: Apache-2.0
// sluiced(8).
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>

#include "base/error.h"
#include "base/log.h"
#include "durable_file.h"
#include "holder.h"
#include "options.h"
#include "worker.h"

namespace {

using sluice::daemon::HolderKind;
using sluice::daemon::Options;

constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;

// The worker is this program again, from the same path: after an upgrade it is the new one.
int HoldWorkers(const Options& options, int argc, char** argv, sluice::Log& log) {
  sluice::daemon::HolderOptions holder;
  holder.notify_path = options.socket + ".holder";
  holder.command.push_back(std::filesystem::read_symlink("/proc/self/exe"));
  holder.command.insert(holder.command.end(), argv + 1, argv + argc);
  holder.command.insert(holder.command.end(), {"--holder", "parent"});
  sluice::daemon::MakeDirectories(std::filesystem::path(options.socket).parent_path());
  return sluice::daemon::RunHolder(holder, log);
}

}  // namespace

int main(int argc, char** argv) {
  std::variant<Options, int> read;
  try {
    read = sluice::daemon::ReadOptions(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "sluiced: {}\n", error.what());
    return kExitUsage;
  }
  if (const int* code = std::get_if<int>(&read)) return *code;
  const auto& options = std::get<Options>(read);
  // Whoever reads our log may go away: losing the log must not end the holder or the worker.  Workers inherit it.
  ::signal(SIGPIPE, SIG_IGN);
  sluice::Log log(options.log_level, sluice::Log::StyleOfStderr());
  try {
    return options.holder == HolderKind::kSelf ? HoldWorkers(options, argc, argv, log)
                                               : sluice::daemon::RunWorker(options, log);
  } catch (const sluice::Error& error) {
    log.Error("{}", error.message());
    return error.code() == sluice::Errc::kInvalidArgument ? kExitUsage : kExitFailure;
  } catch (const std::exception& error) {
    log.Error("{}", error.what());
    return kExitFailure;
  }
}
