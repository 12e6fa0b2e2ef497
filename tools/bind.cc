// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

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
  std::string fsid;
  std::string domain;
  AccessOptions access;
};

void Bind(const Options& options) {
  const api::BindRequest request{.image = AbsoluteReference(options.image),
                                 .fsid = options.fsid,
                                 .domain = options.domain,
                                 .access = ToImageAccess(options.access)};
  const api::BindingInfo binding =
      api::ParseBindingInfo(AskDaemon(options.socket, "POST", "/v1/bindings", api::Encode(request)));
  fmt::print("mount -t erofs none -o fsid={}{}{} MOUNTPOINT\n", binding.fsid,
             binding.domain.empty() ? "" : ",domain_id=", binding.domain);
}

}  // namespace

void AddBindCommand(CLI::App& app) {
  CLI::App* command = app.add_subcommand("bind", "Prepare an image for a mount by its fsid");
  const auto options = std::make_shared<Options>();
  AddSocketOption(*command, options->socket);
  AddAccessOptions(*command, options->access);
  command->add_option("--fsid", options->fsid, "Name of the image (the sha256 of its bootstrap)")->type_name("ID");
  command->add_option("--domain", options->domain, "Share blobs with the images of this domain")->type_name("NAME");
  command->add_option("IMAGE", options->image, "docker://HOST/NAME[:TAG], oci:DIR[:TAG] or rafs:BOOTSTRAP[:BLOBDIR]")
      ->required();
  command->final_callback([options] { Bind(*options); });
}

}  // namespace sluice::tools
