// SPDX-License-Identifier: Apache-2.0
#pragma once
// From a configuration to the backend that it describes.

#include <memory>
#include <string>

#include "backend/backend.h"
#include "backend/config.h"
#include "backend/http_endpoint.h"
#include "backend/services.h"
#include "runtime/task.h"

namespace sluice::backend {

// Reads the files that `config` names (certificates), but asks no server: one that is down does not matter before the
// first read.  The backend belongs to the shard of `services`; its sources may outlive it, not the services.  Throws
// kNotFound, kPermission, kCorrupt naming the file.
runtime::Task<std::unique_ptr<Backend>> MakeBackend(Services services, BackendConfig config);

// Reads and parses a backend configuration file.  Throws as ParseBackendConfig, and kNotFound, kPermission, kIo.
runtime::Task<BackendConfig> LoadBackendConfig(runtime::Engine& engine, std::string path);

// How all requests of a backend are sent: reads the files that `config` names.
runtime::Task<RequestOptions> ReadRequestOptions(Services services, RemoteConfig config);

}  // namespace sluice::backend
