// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/limits.h"
#include "commands.h"
#include "convert/converter.h"
#include "oci/image_source.h"
#include "oci/image_target.h"
#include "oci/reference.h"
#include "progress.h"
#include "pushing_target.h"
#include "registry_flags.h"
#include "result_file.h"
#include "signal_hold.h"
#include "text.h"

namespace sluice::tools {
namespace {

constexpr size_t kMaxJobs = 256;

struct Options {
  std::string source;
  std::string target;
  TransferFlags registries;
  std::string chunk_size = fmt::format("{}K", convert::kDefaultChunkSize / kKiB);
  std::string compressor = "zstd";
  std::optional<int> level;
  std::string digester = "blake3";
  std::string platform;
  size_t jobs = std::min(convert::DefaultJobs(), kMaxJobs);
  std::string output_json;
  std::string digestfile;
  std::string push_blobs;
  std::string progress = "auto";
  bool quiet = false;
};

// "65536", "0x10000", "64K", "1M": bytes.
uint32_t ParseChunkSize(std::string_view text) {
  std::string_view digits = text;
  uint64_t unit = 1;
  if (digits.ends_with('K') || digits.ends_with('k')) unit = kKiB;
  if (digits.ends_with('M') || digits.ends_with('m')) unit = kMiB;
  if (unit != 1) digits.remove_suffix(1);
  const bool hex = digits.starts_with("0x");
  if (hex) digits.remove_prefix(2);
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number, hex ? 16 : 10);
  // The converter knows which sizes it takes; here only what does not fit the type is refused.
  if (error != std::errc() || end != digits.data() + digits.size() || number > kMaxChunkSize / unit) {
    Throw(Errc::kInvalidArgument, "chunk size '{}' is not a number of bytes up to {}M (like 131072, 0x20000 or 128K)",
          text, kMaxChunkSize / kMiB);
  }
  return static_cast<uint32_t>(number * unit);
}

convert::ConvertOptions ToConvertOptions(const Options& options) {
  convert::ConvertOptions converted{.chunk_size = ParseChunkSize(options.chunk_size), .jobs = options.jobs};
  const std::map<std::string, Compression, std::less<>> compressors = {
      {"zstd", Compression::kZstd}, {"lz4", Compression::kLz4Block}, {"none", Compression::kNone}};
  converted.compression = compressors.at(options.compressor);
  if (options.level) {
    if (converted.compression != Compression::kZstd) {
      Throw(Errc::kInvalidArgument, "--level: compressor '{}' has no levels", options.compressor);
    }
    converted.level = *options.level;
  }
  converted.digester = options.digester == "sha256" ? DigestAlgorithm::kSha256 : DigestAlgorithm::kBlake3;
  return converted;
}

// Passes everything on, but not beyond a signal.
class Interruptible final : public convert::ConvertObserver {
 public:
  Interruptible(convert::ConvertObserver& next, const SignalHold& signals) : next_(next), signals_(signals) {}

  void OnLayer(size_t index, size_t count, const oci::SourceLayer& layer) override {
    signals_.Check();
    next_.OnLayer(index, count, layer);
  }
  void OnProgress(uint64_t entries, uint64_t file_bytes) override {
    if (++steps_ % kStepsBetweenLooks == 0) signals_.Check();
    next_.OnProgress(entries, file_bytes);
  }
  void OnLayerDone(const convert::LayerReport& layer) override { next_.OnLayerDone(layer); }

 private:
  // A look is a system call, a step mostly a small file.
  static constexpr uint64_t kStepsBetweenLooks = 16;

  convert::ConvertObserver& next_;
  const SignalHold& signals_;
  uint64_t steps_ = 0;
};

nlohmann::json ToJson(const oci::Descriptor& descriptor) {
  return {{"digest", oci::FormatDigest(descriptor.digest)},
          {"size", descriptor.size},
          {"media_type", descriptor.media_type}};
}

nlohmann::json ToJson(const convert::ConvertReport& report) {
  nlohmann::json layers = nlohmann::json::array();
  for (const convert::LayerReport& layer : report.layers) {
    layers.push_back({{"name", layer.name},
                      {"entries", layer.entries},
                      {"file_bytes", layer.file_bytes},
                      {"chunks", layer.chunks},
                      {"plain_bytes", layer.plain_bytes},
                      {"blob", layer.blob ? ToJson(*layer.blob) : nlohmann::json()}});
  }
  return {{"manifest", ToJson(report.manifest)},
          {"bootstrap", ToJson(report.bootstrap)},
          {"bootstrap_bytes", report.bootstrap_bytes},
          {"layers", layers},
          {"inodes", report.inodes},
          {"dropped_xattrs", report.dropped_xattrs}};
}

void Print(const convert::ConvertReport& report, const std::string& target) {
  uint64_t blobs = 0;
  uint64_t blob_bytes = 0;
  for (const convert::LayerReport& layer : report.layers) {
    blobs += layer.blob ? 1 : 0;
    blob_bytes += layer.blob ? layer.blob->size : 0;
  }
  if (report.dropped_xattrs > 0) {
    fmt::print("{} extended attributes left out (see sluice-convert(1))\n", report.dropped_xattrs);
  }
  fmt::print("{}: {} blobs of {}, bootstrap of {}\n{}\n", Printable(target), blobs, FormatBytes(blob_bytes),
             FormatBytes(report.bootstrap_bytes), oci::FormatDigest(report.manifest.digest));
}

void Convert(const Options& options) {
  const SignalHold signals;
  const convert::ConvertOptions convert_options = ToConvertOptions(options);
  const std::unique_ptr<convert::ConvertObserver> progress =
      MakeProgress(options.quiet ? ProgressMode::kNone : ParseProgressMode(options.progress));
  std::optional<oci::Platform> platform;
  if (!options.platform.empty()) platform = oci::Platform::Parse(options.platform);

  const oci::Reference from = oci::Reference::Parse(options.source);
  const oci::Reference to = oci::Reference::Parse(options.target);
  const auto source = oci::OpenImage(from, platform, SourceOptions(options.registries, signals));
  std::unique_ptr<oci::ImageTarget> target = oci::CreateTarget(to, TargetOptions(options.registries, signals));
  if (!options.push_blobs.empty())
    target = std::make_unique<PushingTarget>(std::move(target), options.push_blobs, signals);
  Interruptible observer(*progress, signals);
  const convert::ConvertReport report = convert::Convert(*source, *target, convert_options, observer);

  const std::string digest = oci::FormatDigest(report.manifest.digest);
  if (!options.digestfile.empty()) WriteResultFile(options.digestfile, digest);
  if (!options.output_json.empty()) {
    WriteResultFile(options.output_json,
                    ToJson(report).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  if (options.quiet) {
    fmt::print("{}\n", digest);
  } else {
    Print(report, options.target);
  }
}

}  // namespace

void AddConvertCommand(CLI::App& app) {
  CLI::App* command = app.add_subcommand("convert", "Convert an image, so that it can be mounted before it is there");
  const auto options = std::make_shared<Options>();
  command
      ->add_option("SOURCE", options->source,
                   "docker://NAME, oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:TAG], rootfs:DIR or "
                   "tar:FILE")
      ->required();
  command->add_option("TARGET", options->target, "docker://NAME, oci:DIR:TAG or oci-archive:FILE[:TAG]")->required();
  AddTransferFlags(*command, options->registries);
  command->add_option("--chunk-size", options->chunk_size, "Bytes per chunk, a power of two from 4K to 16M")
      ->type_name("SIZE")
      ->capture_default_str();
  command->add_option("--compressor", options->compressor, "Compressor of the chunks")
      ->check(CLI::IsMember({"zstd", "lz4", "none"}))
      ->capture_default_str();
  command->add_option("--level", options->level, fmt::format("Level of zstd [{}]", convert::kDefaultZstdLevel));
  command->add_option("--digester", options->digester, "Digest of the chunks")
      ->check(CLI::IsMember({"blake3", "sha256"}))
      ->capture_default_str();
  command->add_option("--platform", options->platform, "Which image of an index to convert [this machine's]")
      ->type_name("OS/ARCH[/VARIANT]");
  command->add_option("--jobs", options->jobs, "Threads that digest and compress")
      ->check(CLI::Range(size_t{1}, kMaxJobs))
      ->capture_default_str();
  command->add_option("--output-json", options->output_json, "Write a report to this file")->type_name("FILE");
  command->add_option("--digestfile", options->digestfile, "Write the digest of the new manifest to this file")
      ->type_name("FILE");
  command
      ->add_option(
          "--push-blobs", options->push_blobs,
          "Put the blobs into this object store, too: s3://BUCKET[/PREFIX], oss://BUCKET[/PREFIX] or a backend "
          "configuration file")
      ->type_name("PLACE");
  command->add_option("--progress", options->progress, "Form of the progress on stderr")
      ->check(CLI::IsMember({"auto", "plain", "tty", "json"}))
      ->capture_default_str();
  command->add_flag("--quiet,-q", options->quiet, "No progress; print only the digest of the new manifest");
  command->final_callback([options] { Convert(*options); });
}

}  // namespace sluice::tools
