// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where the stored bytes of blobs come from: the only part of this layer that the cache knows.

#include <sys/uio.h>  // for iovec

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/blob_id.h"
#include "base/bytes.h"
#include "runtime/task.h"
#include "runtime/workers.h"  // for Lane

namespace sluice::backend {

// A part of a blob that comes in order, in one response where there are responses.  Used by one task at a time.
class BlobStream {
 public:
  // No Read() runs.  What has not come yet is not waited for: the response is cut.
  virtual ~BlobStream() = default;

  // Fills all of `dst` with the next bytes, as soon as they are there.  Throws and treats `dst` as BlobSource::ReadAt;
  // after an error the stream gives nothing more.  Asking for more than was opened is a bug.
  virtual runtime::Task<void> Read(MutableBytes dst) = 0;
};

// A blob that is a file of this machine.
class BlobFile {
 public:
  virtual ~BlobFile() = default;
  // Fills `parts`, one after the other, with the stored bytes from `offset`; waits for the disk.  Any thread.  False:
  // it cannot, and BlobSource::ReadAt will say why.
  virtual bool TryRead(uint64_t offset, std::span<const iovec> parts) const noexcept = 0;
  // What hangs as a whole when it hangs; any number that tells file systems apart.
  virtual uint64_t file_system() const noexcept = 0;
};

// One blob at one backend.  Owned and used by one shard.
class BlobSource {
 public:
  virtual ~BlobSource() = default;

  // Fills all of `dst` with the stored bytes from `offset` (bytes from the start of the blob).  Throws kNotFound when
  // the blob does not exist, kCorrupt when it ends before, kIo, kTimeout, kStopped.  `dst` is written until the task
  // completes, also after a stop request.  May be called many times at once.
  virtual runtime::Task<void> ReadAt(uint64_t offset, MutableBytes dst) = 0;

  // The bytes [offset, offset + length) in order; length > 0.  Does no I/O: the first Read() sends the request, for all
  // of them.  On the background lane, for what nobody waits for, it never takes the last connections to a server.  The
  // source outlives the stream.  As many at once as the caller likes.
  virtual std::unique_ptr<BlobStream> OpenStream(uint64_t offset, uint64_t length, runtime::Lane lane) = 0;

  // For reading without an engine.  Null: the source is no file, or is not open.
  virtual std::shared_ptr<const BlobFile> file() const noexcept { return nullptr; }
  // Opens file(), if the source is one and it is not open.  Throws as ReadAt.
  virtual runtime::Task<void> OpenFile() { co_return; }

  // Answers come over a network: a round trip is worth hiding even before the first one was measured.
  virtual bool is_remote() const noexcept { return false; }

  // What it gave was not what the blob should hold: the next read starts from scratch (opens the file again, asks
  // another server, passes over caches).
  virtual void Distrust() noexcept = 0;

  // For messages: where the blob comes from, "directory '/…'"; never with a secret.
  virtual std::string Describe() const = 0;
};

// A place that holds blobs.  Belongs to one shard, unless an implementation says otherwise.
class Backend {
 public:
  virtual ~Backend() = default;
  // Does no I/O: a blob that is missing is found out by the first read, and found again when it comes back.  The source
  // may outlive the backend.
  virtual std::unique_ptr<BlobSource> Open(const BlobId& id) const = 0;
};

}  // namespace sluice::backend
