// SPDX-License-Identifier: Apache-2.0
#include "progress.h"

#include <fmt/format.h>
#include <unistd.h>  // for isatty

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/error.h"
#include "text.h"

namespace sluice::tools {
namespace {

using convert::ConvertObserver;
using convert::LayerReport;

// Often enough to look alive, too rarely to cost anything.
constexpr std::chrono::milliseconds kInterval{100};

class Silent final : public ConvertObserver {
 public:
  void OnLayer(size_t, size_t, const oci::SourceLayer&) override {}
  void OnProgress(uint64_t, uint64_t) override {}
  void OnLayerDone(const LayerReport&) override {}
};

// What the modes with output share: which layer it is, and when it is time for the next sign of life.
class Ticking : public ConvertObserver {
 public:
  void OnLayer(size_t index, size_t count, const oci::SourceLayer& layer) final {
    index_ = index;
    count_ = count;
    name_ = layer.name;
    digest_ = layer.digest;
    next_ = std::chrono::steady_clock::now() + kInterval;
    Begin();
  }
  void OnProgress(uint64_t entries, uint64_t file_bytes) final {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return;
    next_ = now + kInterval;
    Tick(entries, file_bytes);
  }

 protected:
  size_t index() const noexcept { return index_; }
  size_t count() const noexcept { return count_; }
  const std::string& name() const noexcept { return name_; }
  // Short, for people: as much of the digest as they compare, or the name of a layer that has none.
  std::string title() const {
    constexpr size_t kShown = std::string_view("sha256:").size() + 12;
    return digest_ ? oci::FormatDigest(*digest_).substr(0, kShown) : Printable(name_);
  }

 private:
  virtual void Begin() = 0;
  virtual void Tick(uint64_t entries, uint64_t file_bytes) = 0;

  size_t index_ = 0;
  size_t count_ = 0;
  std::string name_;
  std::optional<Digest> digest_;
  std::chrono::steady_clock::time_point next_;
};

// Back to the start of the line, and erase it (ECMA-48, EL).
constexpr std::string_view kErase = "\r\033[K";

class Lines final : public Ticking {
 public:
  explicit Lines(bool rewrite) : rewrite_(rewrite) {}
  ~Lines() override {
    if (open_) fmt::print(stderr, "{}", kErase);  // an error message follows
  }

  void OnLayerDone(const LayerReport& layer) override {
    const std::string blob = layer.blob ? fmt::format("{} in {} chunks", FormatBytes(layer.blob->size), layer.chunks)
                                        : std::string("no new data");
    fmt::print(stderr, "{}{}: {} entries, {} -> {}\n", Prefix(), Title(), layer.entries, FormatBytes(layer.file_bytes),
               blob);
    open_ = false;
  }

 private:
  void Begin() override {}
  void Tick(uint64_t entries, uint64_t file_bytes) override {
    if (!rewrite_) return;
    fmt::print(stderr, "{}{}: {} entries, {}", Prefix(), Title(), entries, FormatBytes(file_bytes));
    std::fflush(stderr);
    open_ = true;
  }
  std::string_view Prefix() const { return rewrite_ ? kErase : ""; }
  std::string Title() const { return fmt::format("[{}/{}] {}", index() + 1, count(), title()); }

  const bool rewrite_;
  bool open_ = false;  // the last line may be rewritten
};

class JsonLines final : public Ticking {
 public:
  void OnLayerDone(const LayerReport& layer) override {
    nlohmann::json event = {{"event", "layer-done"},
                            {"layer", index()},
                            {"entries", layer.entries},
                            {"file_bytes", layer.file_bytes},
                            {"chunks", layer.chunks}};
    if (layer.blob) {
      event["blob"] = oci::FormatDigest(layer.blob->digest);
      event["blob_bytes"] = layer.blob->size;
    }
    Print(event);
  }

 private:
  void Begin() override { Print({{"event", "layer"}, {"layer", index()}, {"layers", count()}, {"name", name()}}); }
  void Tick(uint64_t entries, uint64_t file_bytes) override {
    Print({{"event", "progress"}, {"layer", index()}, {"entries", entries}, {"file_bytes", file_bytes}});
  }
  static void Print(const nlohmann::json& event) {
    // Names of layers may be any bytes.
    fmt::print(stderr, "{}\n", event.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  }
};

}  // namespace

ProgressMode ParseProgressMode(std::string_view name) {
  if (name == "plain") return ProgressMode::kPlain;
  if (name == "tty") return ProgressMode::kTty;
  if (name == "json") return ProgressMode::kJson;
  if (name != "auto") Throw(Errc::kInvalidArgument, "progress '{}' is none of auto, plain, tty, json", name);
  const char* term = std::getenv("TERM");
  const bool can_rewrite = ::isatty(STDERR_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb";
  return can_rewrite ? ProgressMode::kTty : ProgressMode::kPlain;
}

std::unique_ptr<ConvertObserver> MakeProgress(ProgressMode mode) {
  switch (mode) {
    case ProgressMode::kNone: return std::make_unique<Silent>();
    case ProgressMode::kPlain: return std::make_unique<Lines>(false);
    case ProgressMode::kTty: return std::make_unique<Lines>(true);
    case ProgressMode::kJson: return std::make_unique<JsonLines>();
  }
  return nullptr;
}

}  // namespace sluice::tools
