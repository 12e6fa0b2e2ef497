// SPDX-License-Identifier: Apache-2.0
#pragma once
// One server that may have the blobs, and how it is asked.  Internal to backend; belongs to one shard.

#include <string>

#include "base/blob_id.h"
#include "base/error.h"
#include "http/transport.h"
#include "http/url.h"
#include "runtime/task.h"

namespace sluice::backend {

class Endpoint {
 public:
  virtual ~Endpoint() = default;

  // Whose health is asked before a request and told of its end.
  virtual const http::Origin& origin() const noexcept = 0;
  // For messages, without secrets.
  virtual std::string Describe() const = 0;
  // A GET of the whole blob that shows who we are; its sender adds the range.  What has to be asked before (keys, the
  // proxy's own health) is asked here: throws as a request would.
  virtual runtime::Task<http::ClientRequest> MakeRequest(BlobId id) = 0;
  // A request failed.  True: with what is known now (fresh keys) the same request may succeed at once.
  virtual bool ReportFailure(const Error& error) noexcept = 0;
};

}  // namespace sluice::backend
