// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the API can ask of the daemon.  The daemon implements it, the routes (api/routes.h) call it, both on the control
// shard.

#include <string>
#include <vector>

#include "api/types.h"
#include "runtime/task.h"

namespace sluice::api {

class MountService {
 public:
  virtual ~MountService() = default;

  // Ends when the image can be read at the mountpoint.  Throws kInvalidArgument for a malformed reference or a relative
  // path, kNotFound for a missing image or mountpoint, kExists when the mountpoint is taken, kUnsupported, kCorrupt,
  // kIo …; after an error nothing is left mounted.
  virtual runtime::Task<MountInfo> Mount(MountRequest request) = 0;

  // Ends when the mountpoint is free.  Throws kNotFound when nothing of ours is mounted there, kBusy while it is in
  // use; after an error the mount is served as before.
  virtual runtime::Task<void> Unmount(std::string mountpoint) = 0;

  // Sorted by mountpoint.
  virtual std::vector<MountInfo> List() const = 0;

  // Asks every shard: each blob belongs to one.
  virtual runtime::Task<Status> GetStatus() = 0;
};

// What the API can ask of a daemon whose front end knows images by names.  On the control shard.
class BindService {
 public:
  virtual ~BindService() = default;

  // Ends when the image can be mounted by its fsid.  Throws what MountService::Mount throws for the image,
  // kInvalidArgument for a name, kExists when the name is taken.
  virtual runtime::Task<BindingInfo> Bind(BindRequest request) = 0;

  // Throws kNotFound when there is no such binding, kBusy while it is mounted.
  virtual runtime::Task<void> Unbind(std::string fsid, std::string domain) = 0;

  // Sorted by domain and fsid.
  virtual std::vector<BindingInfo> Bindings() const = 0;
};

}  // namespace sluice::api
