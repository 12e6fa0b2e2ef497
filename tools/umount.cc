// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <memory>

#include "client.h"
#include "commands.h"

namespace sluice::tools {
namespace {

struct Options {
  std::string socket;
  std::string mountpoint;
};

void Umount(const Options& options) {
  AskDaemon(options.socket, "DELETE", MountTarget(CanonicalPath(options.mountpoint)));
}

}  // namespace

void AddUmountCommand(CLI::App& app) {
  CLI::App* command = app.add_subcommand("umount", "Unmount an image");
  const auto options = std::make_shared<Options>();
  AddSocketOption(*command, options->socket);
  command->add_option("MOUNTPOINT", options->mountpoint, "Where the image is mounted")->required();
  command->final_callback([options] { Umount(*options); });
}

}  // namespace sluice::tools
