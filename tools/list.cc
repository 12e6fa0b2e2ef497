// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "api/json.h"
#include "client.h"
#include "commands.h"
#include "text.h"

namespace sluice::tools {
namespace {

struct Options {
  std::string socket;
  bool json = false;
};

// Mounts, and where there are any, the images that wait for a mount by their names.
void List(const Options& options) {
  const std::string answer = AskDaemon(options.socket, "GET", "/v1/mounts");
  const std::vector<api::MountInfo> mounts = api::ParseMounts(answer);
  if (options.json) {
    fmt::print("{}\n", answer);
    return;
  }
  std::vector<std::vector<std::string>> rows = {{"MOUNTPOINT", "STATE", "SINCE", "BLOBS", "IMAGE"}};
  for (const api::MountInfo& mount : mounts) {
    rows.push_back({mount.mountpoint, std::string(api::Name(mount.state)), api::FormatTime(mount.since),
                    std::to_string(mount.blobs.size()), mount.image});
  }
  fmt::print("{}", FormatTable(rows));

  const auto bindings = api::ParseBindings(AskDaemon(options.socket, "GET", "/v1/bindings"));
  rows = {{"FSID", "DOMAIN", "OPEN", "SINCE", "BLOBS", "IMAGE"}};
  for (const api::BindingInfo& binding : bindings) {
    if (!binding.mountpoint.empty()) continue;
    rows.push_back({binding.fsid, binding.domain.empty() ? "-" : binding.domain, binding.open ? "yes" : "no",
                    api::FormatTime(binding.since), std::to_string(binding.blobs.size()), binding.image});
  }
  if (rows.size() > 1) fmt::print("\n{}", FormatTable(rows));
}

}  // namespace

void AddListCommand(CLI::App& app) {
  CLI::App* command = app.add_subcommand("list", "List the mounted images");
  const auto options = std::make_shared<Options>();
  AddSocketOption(*command, options->socket);
  command->add_flag("--json", options->json, "Print what the daemon answered");
  command->final_callback([options] { List(*options); });
}

}  // namespace sluice::tools
