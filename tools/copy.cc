// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "commands.h"
#include "oci/copy.h"
#include "oci/reference.h"
#include "registry_flags.h"
#include "result_file.h"
#include "signal_hold.h"
#include "text.h"

namespace sluice::tools {
namespace {

struct Options {
  std::string source;
  std::string target;
  TransferFlags registries;
  std::string platform;
  std::string digestfile;
  bool all = false;
  bool preserve_digests = false;  // what a copy does anyway
  bool quiet = false;
};

// One line per blob on stderr; ends the copy when a signal waits.
class Progress final : public oci::CopyObserver {
 public:
  Progress(const SignalHold& signals, bool quiet) : signals_(signals), quiet_(quiet) {}

  void OnBlob(const oci::Descriptor& blob, bool there) override {
    signals_.Check();
    if (quiet_) return;
    fmt::print(stderr, "{} {} ({})\n", there ? "There is" : "Copying", oci::FormatDigest(blob.digest),
               FormatBytes(blob.size));
  }
  void OnProgress(uint64_t) override { signals_.Check(); }

 private:
  const SignalHold& signals_;
  const bool quiet_;
};

void Copy(const Options& options) {
  const SignalHold signals;
  std::optional<oci::Platform> platform;
  if (!options.platform.empty()) platform = oci::Platform::Parse(options.platform);
  const oci::Reference from = oci::Reference::Parse(options.source);
  const oci::Reference to = oci::Reference::Parse(options.target);

  const auto source = oci::OpenStoredImage(from, platform, SourceOptions(options.registries, signals));
  const auto target = oci::CreateTarget(to, TargetOptions(options.registries, signals), source->registry());
  Progress progress(signals, options.quiet);
  const oci::CopyReport report = oci::CopyImage(*source, *target, options.all, progress);

  const std::string digest = oci::FormatDigest(report.root.digest);
  if (!options.digestfile.empty()) WriteResultFile(options.digestfile, digest);
  if (!options.quiet) {
    fmt::print("{}: {} of {} blobs copied, {}\n", Printable(options.target), report.copied_blobs, report.blobs,
               FormatBytes(report.copied_bytes));
  }
  fmt::print("{}\n", digest);
}

}  // namespace

void AddCopyCommand(CLI::App& app) {
  CLI::App* command = app.add_subcommand("copy", "Copy an image, byte for byte");
  const auto options = std::make_shared<Options>();
  command->add_option("SOURCE", options->source, "docker://NAME, oci:DIR[:TAG] or oci-archive:FILE[:TAG]")->required();
  command->add_option("TARGET", options->target, "docker://NAME, oci:DIR:TAG or oci-archive:FILE[:TAG]")->required();
  AddTransferFlags(*command, options->registries);
  const CLI::Option* all =
      command->add_flag("--all,-a", options->all, "Copy the images of all platforms, and their index");
  command->add_option("--platform", options->platform, "Which image of an index to copy [this machine's]")
      ->type_name("OS/ARCH[/VARIANT]")
      ->excludes(const_cast<CLI::Option*>(all));
  command->add_flag("--preserve-digests", options->preserve_digests, "Change no digest: a copy never does");
  command->add_option("--digestfile", options->digestfile, "Write the digest of the copy to this file")
      ->type_name("FILE");
  command->add_flag("--quiet,-q", options->quiet, "No progress; print only the digest of the copy");
  command->final_callback([options] { Copy(*options); });
}

}  // namespace sluice::tools
