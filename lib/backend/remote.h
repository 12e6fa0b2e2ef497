// SPDX-License-Identifier: Apache-2.0
#pragma once
// Blobs on servers: exact ranges by GET, from the first healthy endpoint that has them.  Belongs to one shard.

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/endpoint.h"
#include "backend/services.h"
#include "http/retry.h"

namespace sluice::backend {

class RemoteBackend final : public Backend {
 public:
  struct Options {
    // Best first; the last one is the place that the blobs come from, the others are copies or ways to it.  Not empty.
    std::vector<std::unique_ptr<Endpoint>> endpoints;
    // Of one read.  A stop request (the reader's deadline) ends it earlier.
    http::RetryPolicy retry;
    std::string description;  // for messages: "s3://bucket/prefix", without secrets
    bool hedge = false;       // a second request when the first takes longer than 95 of 100 do
    bool explain = false;     // what object stores say when they refuse a request becomes part of the message
  };
  RemoteBackend(Services services, Options options);

  // Each read asks the endpoints in the order of their health; one that gave wrong bytes is asked last.
  std::unique_ptr<BlobSource> Open(const BlobId& id) const override;

  struct State;

 private:
  const std::shared_ptr<State> state_;  // shared with the sources, which may outlive the backend
};

}  // namespace sluice::backend
