// SPDX-License-Identifier: Apache-2.0
#pragma once
// Media types and annotation keys.

#include <string_view>

namespace sluice::oci {

// OCI image spec 1.1, media-types.md.
namespace media_type {
constexpr std::string_view kIndex = "application/vnd.oci.image.index.v1+json";
constexpr std::string_view kManifest = "application/vnd.oci.image.manifest.v1+json";
constexpr std::string_view kConfig = "application/vnd.oci.image.config.v1+json";
constexpr std::string_view kLayerTar = "application/vnd.oci.image.layer.v1.tar";
constexpr std::string_view kLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip";
constexpr std::string_view kLayerZstd = "application/vnd.oci.image.layer.v1.tar+zstd";
// Deprecated, but in use: layers that their makers do not want copied.
constexpr std::string_view kNondistributableTar = "application/vnd.oci.image.layer.nondistributable.v1.tar";
constexpr std::string_view kNondistributableGzip = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
constexpr std::string_view kNondistributableZstd = "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd";
// Docker image manifest version 2, schema 2.
constexpr std::string_view kDockerIndex = "application/vnd.docker.distribution.manifest.list.v2+json";
constexpr std::string_view kDockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
constexpr std::string_view kDockerConfig = "application/vnd.docker.container.image.v1+json";
constexpr std::string_view kDockerLayerGzip = "application/vnd.docker.image.rootfs.diff.tar.gzip";
constexpr std::string_view kDockerLayerTar = "application/vnd.docker.image.rootfs.diff.tar";
constexpr std::string_view kDockerForeignLayerGzip = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
// nydus (contrib/nydusify, pkg/utils/constant.go).
constexpr std::string_view kNydusBlob = "application/vnd.oci.image.layer.nydus.blob.v1";

// Layers that registries may lack.
constexpr bool IsNondistributable(std::string_view type) {
  return type == kNondistributableTar || type == kNondistributableGzip || type == kNondistributableZstd ||
         type == kDockerForeignLayerGzip;
}
}  // namespace media_type

namespace annotation {
constexpr std::string_view kRefName = "org.opencontainers.image.ref.name";
constexpr std::string_view kNydusBlob = "containerd.io/snapshot/nydus-blob";
constexpr std::string_view kNydusBootstrap = "containerd.io/snapshot/nydus-bootstrap";
constexpr std::string_view kNydusFsVersion = "containerd.io/snapshot/nydus-fs-version";
}  // namespace annotation

// Platform feature that nydus sets in os.features of an index entry.
constexpr std::string_view kNydusOsFeature = "nydus.remoteimage.v1";

}  // namespace sluice::oci
