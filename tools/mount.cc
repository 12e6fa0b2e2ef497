// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <memory>

#include "access_options.h"
#include "api/json.h"
#include "client.h"
#include "commands.h"

namespace sluice::tools {
namespace {

struct Options {
  std::string socket;
  std::string image;
  std::string mountpoint;
  std::string frontend;
  AccessOptions access;
};

void Mount(const Options& options) {
  const api::MountRequest request{.image = AbsoluteReference(options.image),
                                  .mountpoint = CanonicalPath(options.mountpoint),
                                  .access = ToImageAccess(options.access),
                                  .frontend = options.frontend};
  AskDaemon(options.socket, "POST", "/v1/mounts", api::Encode(request));
}

}  // namespace

void AddMountCommand(CLI::App& app) {
  CLI::App* command = app.add_subcommand("mount", "Mount an image; its data come when they are read");
  const auto options = std::make_shared<Options>();
  AddSocketOption(*command, options->socket);
  AddAccessOptions(*command, options->access);
  command->add_option("--frontend", options->frontend, "The front end that has to serve it")
      ->check(CLI::IsMember({"fanotify", "cachefiles"}));
  command->add_option("IMAGE", options->image, "docker://HOST/NAME[:TAG], oci:DIR[:TAG] or rafs:BOOTSTRAP[:BLOBDIR]")
      ->required();
  command->add_option("MOUNTPOINT", options->mountpoint, "An existing directory")->required();
  command->final_callback([options] { Mount(*options); });
}

}  // namespace sluice::tools
