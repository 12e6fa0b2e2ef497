// SPDX-License-Identifier: Apache-2.0
#include "remote_image.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "base/limits.h"
#include "bootstrap_layer.h"
#include "codec/stream.h"
#include "oci/tar_layer.h"

namespace sluice::daemon {

using runtime::Task;

namespace {

class MemorySource final : public codec::ByteSource {
 public:
  // `bytes` outlive the source.
  explicit MemorySource(ConstBytes bytes) noexcept : rest_(bytes) {}

  size_t Read(MutableBytes dst) override {
    const size_t count = std::min(dst.size(), rest_.size());
    std::memcpy(dst.data(), rest_.data(), count);
    rest_ = rest_.subspan(count);
    return count;
  }

 private:
  ConstBytes rest_;
};

}  // namespace

Task<std::vector<std::byte>> FetchBootstrap(oci::Repository& repository, runtime::Engine& engine,
                                            runtime::Offload& computing) {
  oci::ImageChoice choice(std::nullopt, oci::Prefer::kConverted);
  auto resolved = co_await repository.Resolve(std::move(choice));
  const std::string image = repository.image().ToString();
  const oci::Descriptor descriptor = resolved.manifest.layers[FindBootstrapLayer(resolved.manifest.layers, image)];
  const std::vector<std::byte> stored = co_await repository.GetBlob(descriptor, kMaxBootstrapLayer);
  auto unpack = [&] {
    const std::string name = "bootstrap layer " + oci::FormatDigest(descriptor.digest) + " of '" + image + "'";
    const auto layer = oci::OpenTarLayer(std::make_unique<MemorySource>(stored), name, {});
    return oci::ReadFileInLayer(*layer, kBootstrapInLayer, kMaxBootstrapSize);
  };
  co_return co_await computing.Run(engine, std::move(unpack));
}

}  // namespace sluice::daemon
