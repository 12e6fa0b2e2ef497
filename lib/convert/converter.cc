// SPDX-License-Identifier: Apache-2.0
#include "convert/converter.h"

#include <sched.h>

#include <algorithm>
#include <bit>
#include <memory>
#include <utility>

#include "base/error.h"
#include "convert/blob_builder.h"
#include "convert/chunk_dictionary.h"
#include "convert/chunk_pipeline.h"
#include "convert/file_cutter.h"
#include "convert/image_documents.h"
#include "convert/layer_merger.h"
#include "image/rafs/bootstrap_builder.h"
#include "image/rafs/image.h"

namespace sluice::convert {
namespace {

// Lets the observer see large files while they are read.
class ObservedReader final : public oci::LayerReader {
 public:
  ObservedReader(oci::LayerReader& reader, ConvertObserver& observer) : reader_(reader), observer_(observer) {}

  std::optional<oci::LayerEntry> Next() override {
    std::optional<oci::LayerEntry> entry = reader_.Next();
    if (entry) ++entries_;
    observer_.OnProgress(entries_, file_bytes_);
    return entry;
  }
  std::optional<oci::DataPiece> NextData() override {
    std::optional<oci::DataPiece> piece = reader_.NextData();
    if (piece) file_bytes_ += piece->bytes.size();
    observer_.OnProgress(entries_, file_bytes_);
    return piece;
  }

  uint64_t entries() const noexcept { return entries_; }
  uint64_t file_bytes() const noexcept { return file_bytes_; }

 private:
  oci::LayerReader& reader_;
  ConvertObserver& observer_;
  uint64_t entries_ = 0;
  uint64_t file_bytes_ = 0;
};

// One conversion: what its layers share.
class Conversion {
 public:
  Conversion(oci::ImageSource& source, oci::ImageTarget& target, const ConvertOptions& options,
             ConvertObserver& observer)
      : source_(source), target_(target), options_(options), observer_(observer) {
    image_.chunk_size = options.chunk_size;
    image_.compression = options.compression;
    image_.digester = options.digester;
  }

  ConvertReport Run() {
    ConvertReport report;
    for (size_t i = 0; i < source_.layers().size(); ++i) {
      observer_.OnLayer(i, source_.layers().size(), source_.layers()[i]);
      report.layers.push_back(AddLayer(i));
      observer_.OnLayerDone(report.layers.back());
    }
    const std::vector<uint32_t> links = image_.tree.CountLinks();
    report.inodes = links.size() - static_cast<size_t>(std::ranges::count(links, 0U));
    report.dropped_xattrs = merger_.dropped_xattrs();

    const std::vector<std::byte> bootstrap = image::rafs::BuildBootstrap(image_);
    report.bootstrap_bytes = bootstrap.size();
    const BootstrapLayer layer = PutBootstrapLayer(bootstrap, target_);
    report.bootstrap = layer.descriptor;

    std::vector<std::optional<oci::Descriptor>> blobs;
    for (const LayerReport& done : report.layers) blobs.push_back(done.blob);
    const oci::ImageConfig config = ConvertedConfig(source_.config(), blobs, layer);
    const oci::Manifest manifest = PutConfig(config, blobs, layer, source_.annotations(), target_);
    report.manifest = target_.Commit(manifest, config.platform);
    return report;
  }

 private:
  LayerReport AddLayer(size_t index) {
    const std::string& name = source_.layers()[index].name;
    const std::unique_ptr<oci::LayerReader> opened = source_.OpenLayer(index);
    ObservedReader reader(*opened, observer_);
    BlobBuilder blob(static_cast<uint32_t>(image_.blobs.size()), image_.tree, dictionary_, target_);
    blob_ = &blob;
    merger_.BeginLayer();
    while (const std::optional<oci::LayerEntry> entry = reader.Next()) AddEntry(*entry, reader, name);
    pipeline_.Drain();

    const BlobBuilder::Format format{options_.compression, options_.level, options_.digester};
    if (!image_.zeros && (blob.saw_hole() || cutter_.left_hole())) {
      image_.zeros = blob.AddZeros(options_.chunk_size, format);
    }
    LayerReport report{.name = name, .entries = reader.entries(), .file_bytes = reader.file_bytes()};
    if (auto built = blob.Finish(format)) {
      report.blob = BlobDescriptor(*built);
      report.chunks = built->chunks.size();
      report.plain_bytes = built->plain_size;
      image_.blobs.push_back(std::move(*built));
    }
    return report;
  }

  void AddEntry(const oci::LayerEntry& entry, oci::LayerReader& reader, const std::string& layer) {
    std::optional<image::InodeId> file;
    try {
      file = merger_.Apply(entry);
      if (file) cutter_.Begin(*file);
    } catch (Error& error) {
      error.AddContext(fmt::format("{}: entry '{}'", layer, entry.Name()));
      throw;
    }
    if (file) cutter_.Take(reader);
  }

  oci::ImageSource& source_;
  oci::ImageTarget& target_;
  const ConvertOptions options_;
  ConvertObserver& observer_;

  image::rafs::Image image_;
  ChunkDictionary dictionary_;
  BlobBuilder* blob_ = nullptr;  // of the present layer
  LayerMerger merger_{image_.tree};
  ChunkPipeline pipeline_{{.chunk_size = options_.chunk_size,
                           .compression = options_.compression,
                           .level = options_.level,
                           .digester = options_.digester,
                           .jobs = options_.jobs},
                          dictionary_,
                          [this](const ChunkBatch& batch) { blob_->Commit(batch); }};
  FileCutter cutter_{options_.chunk_size, image_.tree, pipeline_};
};

}  // namespace

size_t DefaultJobs() {
  cpu_set_t processors;
  if (::sched_getaffinity(0, sizeof(processors), &processors) != 0) return 1;  // more than cpu_set_t holds
  return static_cast<size_t>(CPU_COUNT(&processors));
}

ConvertReport Convert(oci::ImageSource& source, oci::ImageTarget& target, const ConvertOptions& options,
                      ConvertObserver& observer) {
  if (!std::has_single_bit(options.chunk_size) || options.chunk_size < kMinChunkSize ||
      options.chunk_size > kMaxChunkSize) {
    Throw(Errc::kInvalidArgument, "chunk size {} is not a power of two from {} to {}", options.chunk_size,
          kMinChunkSize, kMaxChunkSize);
  }
  if (options.jobs == 0) Throw(Errc::kInvalidArgument, "no jobs to convert with");
  return Conversion(source, target, options, observer).Run();
}

}  // namespace sluice::convert
