// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <memory>

#include "client.h"
#include "commands.h"

namespace sluice::tools {
namespace {

struct Options {
  std::string socket;
  std::string fsid;
  std::string domain;
};

void Unbind(const Options& options) {
  AskDaemon(options.socket, "DELETE", BindingTarget(options.fsid, options.domain));
}

}  // namespace

void AddUnbindCommand(CLI::App& app) {
  CLI::App* command = app.add_subcommand("unbind", "Stop serving a bound image");
  const auto options = std::make_shared<Options>();
  AddSocketOption(*command, options->socket);
  command->add_option("--domain", options->domain, "The domain that it was bound in")->type_name("NAME");
  command->add_option("FSID", options->fsid, "Name of the image")->required();
  command->final_callback([options] { Unbind(*options); });
}

}  // namespace sluice::tools
