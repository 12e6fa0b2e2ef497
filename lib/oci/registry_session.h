// SPDX-License-Identifier: Apache-2.0
#pragma once
// Registries for programs that block: a thread of its own with an engine and an HTTP client.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "oci/registry_hosts.h"
#include "oci/registry_options.h"
#include "oci/repository.h"
#include "runtime/combine.h"
#include "runtime/run_on.h"
#include "runtime/shard.h"

namespace sluice::oci {

// Thread-safe.  Environment variables and the usual files of this machine count.
class RegistrySession {
 public:
  explicit RegistrySession(RegistryOptions options);
  // Whatever was opened here is gone by then.
  ~RegistrySession();
  RegistrySession(const RegistrySession&) = delete;
  RegistrySession& operator=(const RegistrySession&) = delete;

  runtime::Shard& shard() noexcept { return shards_[0]; }
  runtime::Engine& engine() noexcept { return shard().engine(); }
  RegistryServices services() noexcept;
  // Reads the configuration; throws as RegistryHosts::Find.
  RepositoryOptions OptionsFor(const RegistryReference& image) const;

  // Runs the task that `function` returns on the session's thread, blocks until it has ended, gives its result.
  template <typename F>
  auto Run(F function) {
    auto watched = [this, &function] { return Watched(function()); };
    return runtime::BlockOn(shard(), std::move(watched));
  }

 private:
  struct Parts;
  class Watch;

  template <typename T>
  runtime::Task<T> Watched(runtime::Task<T> task) {
    const runtime::Context& outer = co_await runtime::CurrentContext();
    runtime::LinkedStopSource stop(outer.stop);
    const runtime::Context context{outer.engine, stop.token()};
    const std::unique_ptr<Watch, void (*)(Watch*)> watch = StartWatch(stop);
    co_return co_await runtime::InContext(task, context);
  }
  std::unique_ptr<Watch, void (*)(Watch*)> StartWatch(runtime::LinkedStopSource& stop);

  const RegistryOptions options_;
  const RegistryHosts hosts_;
  const RegistryCredentials credentials_;
  const std::shared_ptr<const http::ProxyRules> proxies_;
  runtime::Offload offload_;
  runtime::Shards shards_;
  std::unique_ptr<Parts> parts_;  // belong to the shard
};

}  // namespace sluice::oci
