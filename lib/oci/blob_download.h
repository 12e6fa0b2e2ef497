// SPDX-License-Identifier: Apache-2.0
#pragma once
// A blob on its way from a registry into a temporary file, from where it is read while it still comes.  Internal to
// oci.

#include <cstdint>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/fd.h"
#include "codec/stream.h"
#include "oci/documents.h"
#include "oci/registry_session.h"
#include "oci/repository.h"
#include "runtime/event.h"
#include "runtime/file.h"
#include "runtime/scope.h"

namespace sluice::oci {

// Belongs to the session's shard.  What a broken connection has brought stays: the rest is asked for.
class BlobDownload {
 public:
  // `file` is empty and has no name.  All outlive the download.
  BlobDownload(RegistryServices services, Repository& repository, Descriptor descriptor, http::RetryPolicy retry,
               UniqueFd file);

  void Start();
  // Ends when more than `offset` bytes are there, or all; gives their number.  Throws what has ended the download.
  runtime::Task<uint64_t> WaitBeyond(uint64_t offset);
  // Ends the download if it still runs.  Awaited before the end.
  runtime::Task<void> Stop();

 private:
  runtime::Task<void> Fetch();
  runtime::Task<void> FetchAll();
  runtime::Task<void> CopyRest();

  const RegistryServices services_;
  Repository& repository_;
  const Descriptor descriptor_;
  const http::RetryPolicy retry_;
  runtime::File file_;
  uint64_t received_ = 0;
  bool from_start_ = false;  // the server knows no ranges: what is there is passed over
  std::optional<Error> failure_;
  runtime::Event progress_;
  runtime::Scope scope_;
};

// Starts the download of a blob; the source reads it, and ends the download with itself.  `session` and `repository`
// outlive it.  The file is in $TMPDIR, else /var/tmp.
std::unique_ptr<codec::ByteSource> StartDownload(RegistrySession& session, Repository& repository,
                                                 const Descriptor& descriptor, http::RetryPolicy retry);

}  // namespace sluice::oci
