// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "api/json.h"
#include "client.h"
#include "commands.h"
#include "text.h"

namespace sluice::tools {
namespace {

struct Options {
  std::string socket;
  bool json = false;
};

constexpr size_t kShownIdLength = 12;  // as much as people compare; --json has all 64 characters

std::string Describe(const api::Choice& choice) {
  return choice.reason.empty() ? Printable(choice.name) : Printable(choice.name + " (" + choice.reason + ")");
}

std::string DescribeReady(const api::BlobStatus& blob) {
  if (blob.complete) return "all";
  // Rounded down and at most 99: "all" is for what is complete.
  const double share =
      static_cast<double>(blob.ready_bytes) / static_cast<double>(std::max<uint64_t>(blob.plain_bytes, 1));
  const auto percent = static_cast<unsigned>(std::min(100 * share, 99.0));
  return fmt::format("{} ({} %)", FormatBytes(blob.ready_bytes), percent);
}

void Print(const api::Status& status) {
  const api::Counters& counters = status.counters;
  fmt::print("sluiced {}, process {}, started {}\n", Printable(status.version), status.pid,
             api::FormatTime(status.started));
  fmt::print("frontend  {}\n", Describe(status.frontend));
  fmt::print("engine    {}, {} shards\n", Describe(status.engine), status.shards);
  fmt::print("holder    {}\n", Describe(status.holder));
  fmt::print("cache     {}\n", Printable(status.cache_dir));
  if (!status.cache_error.empty()) fmt::print("          {}\n", Printable(status.cache_error));
  fmt::print("mounts    {}\n", status.mounts);
  if (status.bindings > 0) fmt::print("bindings  {}\n", status.bindings);
  fmt::print("events    {}: {} hits, {} misses, {} errors\n", counters.events, counters.hits, counters.misses,
             counters.errors);
  fmt::print("fetched   {} stored, {} plain\n", FormatBytes(counters.fetched_stored_bytes),
             FormatBytes(counters.fetched_plain_bytes));
  if (status.blobs.empty()) return;
  std::vector<std::vector<std::string>> rows = {{"BLOB", "READY", "PLAIN", "STORED", "MOUNTS"}};
  for (const api::BlobStatus& blob : status.blobs) {
    rows.push_back({blob.id.substr(0, kShownIdLength), DescribeReady(blob), FormatBytes(blob.plain_bytes),
                    FormatBytes(blob.stored_bytes), std::to_string(blob.references)});
  }
  fmt::print("\n{}", FormatTable(rows));
}

void ShowStatus(const Options& options) {
  const std::string answer = AskDaemon(options.socket, "GET", "/v1/status");
  const api::Status status = api::ParseStatus(answer);
  if (options.json) {
    fmt::print("{}\n", answer);
  } else {
    Print(status);
  }
}

}  // namespace

void AddStatusCommand(CLI::App& app) {
  CLI::App* command = app.add_subcommand("status", "Show what the daemon does");
  const auto options = std::make_shared<Options>();
  AddSocketOption(*command, options->socket);
  command->add_flag("--json", options->json, "Print what the daemon answered");
  command->final_callback([options] { ShowStatus(*options); });
}

}  // namespace sluice::tools
