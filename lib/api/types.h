// SPDX-License-Identifier: Apache-2.0
#pragma once
// The values that the API speaks of: the same for the daemon, the routes and the tools.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/secret.h"

namespace sluice::api {

// How the image and its blobs are reached; what is not given is up to the daemon.
struct ImageAccess {
  // Of docker: images.
  std::optional<bool> tls_verify;       // false: any certificate will do, and plain HTTP too
  std::string cert_dir;                 // absolute; *.crt, *.cert and *.key of the registry; empty: not given
  std::vector<std::string> auth_files;  // absolute; where credentials are looked up, in this order
  Secret credentials;                   // "USER:PASSWORD", in place of those files; empty: not given

  Secret backend_config;  // what a backend configuration file holds: the blobs come from there; empty: not given

  bool operator==(const ImageAccess&) const = default;
};

struct MountRequest {
  std::string image;       // "docker://…", "oci:DIR[:TAG]" or "rafs:BOOTSTRAP[:BLOBDIR]", with absolute paths
  std::string mountpoint;  // absolute path of an existing directory
  ImageAccess access;
  std::string frontend;  // the one that has to serve it; empty: that of the daemon

  bool operator==(const MountRequest&) const = default;
};

enum class MountState : uint8_t {
  kMounting,    // accepted, not yet visible at the mountpoint
  kMounted,     // served
  kUnmounting,  // still served until the kernel has let go of it
};

struct MountInfo {
  std::string image;       // as requested
  std::string mountpoint;  // as requested
  MountState state = MountState::kMounting;
  std::vector<std::string> blobs;    // ids (64 hexadecimal characters) in the order of the image's device slots
  std::chrono::sys_seconds since{};  // when the mount was asked for; kept across restarts of the daemon

  bool operator==(const MountInfo&) const = default;
};

// An image that the kernel mounts by a name: see sluice-bind(1).
struct BindRequest {
  std::string image;   // as in MountRequest
  std::string fsid;    // empty: the sha256 of the bootstrap
  std::string domain;  // empty: none
  ImageAccess access;

  bool operator==(const BindRequest&) const = default;
};

struct BindingInfo {
  std::string image;  // as requested
  std::string fsid;
  std::string domain;                // empty: none
  std::string mountpoint;            // of a mount that the binding is part of; empty: none
  bool open = false;                 // the kernel uses it, as far as the daemon has been told since it started
  std::vector<std::string> blobs;    // as in MountInfo
  std::chrono::sys_seconds since{};  // when it was asked for; kept across restarts of the daemon

  bool operator==(const BindingInfo&) const = default;
};

// One of several possibilities that the daemon chose at its start.
struct Choice {
  std::string name;    // e.g. "io_uring"
  std::string reason;  // for people: why this one and why not those tried before it

  bool operator==(const Choice&) const = default;
};

struct BlobStatus {
  std::string id;             // 64 hexadecimal characters
  uint64_t plain_bytes = 0;   // uncompressed size of all its chunks
  uint64_t ready_bytes = 0;   // of these, in the cache and verified
  uint64_t stored_bytes = 0;  // size at the backend
  bool complete = false;      // every chunk is ready: the kernel reads it without the daemon
  uint64_t references = 0;    // mounts that use it

  bool operator==(const BlobStatus&) const = default;
};

// Sums over all shards since this process started.
struct Counters {
  uint64_t events = 0;                // questions of the kernel
  uint64_t hits = 0;                  // of these, answered from the cache alone
  uint64_t misses = 0;                // of these, had to wait for a fetch
  uint64_t errors = 0;                // of these, answered with an error
  uint64_t fetched_stored_bytes = 0;  // read from backends
  uint64_t fetched_plain_bytes = 0;   // written to the cache

  bool operator==(const Counters&) const = default;
};

struct Status {
  std::string version;
  uint64_t pid = 0;                    // of the worker that answers
  std::chrono::sys_seconds started{};  // when this worker started
  Choice engine;
  Choice frontend;
  Choice holder;  // who keeps the kernel's descriptors while the worker restarts
  uint64_t shards = 0;
  uint64_t mounts = 0;
  uint64_t bindings = 0;  // those of mounts included
  std::string cache_dir;
  std::string cache_error;        // what is wrong with its disk; empty: nothing that is known
  std::vector<BlobStatus> blobs;  // sorted by id
  Counters counters;

  bool operator==(const Status&) const = default;
};

}  // namespace sluice::api
