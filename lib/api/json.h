// SPDX-License-Identifier: Apache-2.0
#pragma once
// The JSON of the API (docs/api.md), both directions: the daemon and the tools share one spelling of every field.

#include <string>
#include <string_view>
#include <vector>

#include "api/types.h"
#include "base/error.h"

namespace sluice::api {

// Throws kInvalidArgument when a string is not UTF-8.
std::string Encode(const MountRequest& request);
std::string Encode(const BindRequest& request);

// Bytes that are not UTF-8 become U+FFFD.
std::string Encode(const MountInfo& mount);
std::string Encode(const std::vector<MountInfo>& mounts);
std::string Encode(const BindingInfo& binding);
std::string Encode(const std::vector<BindingInfo>& bindings);
std::string Encode(const Status& status);
std::string Encode(const Error& error);

// What a client sent: an unknown, repeated or missing field, a wrong type, a zero byte in a string or anything behind
// the object is refused with kInvalidArgument.
MountRequest ParseMountRequest(std::string_view text);
BindRequest ParseBindRequest(std::string_view text);

// What a daemon answered: unknown fields are skipped, since a newer daemon may say more; else throws kCorrupt.
MountInfo ParseMountInfo(std::string_view text);
std::vector<MountInfo> ParseMounts(std::string_view text);
BindingInfo ParseBindingInfo(std::string_view text);
std::vector<BindingInfo> ParseBindings(std::string_view text);
Status ParseStatus(std::string_view text);
Error ParseError(std::string_view text);

// "mounting", "mounted", "unmounting".
std::string_view Name(MountState state) noexcept;

// RFC 3339 in UTC with seconds: "2026-11-21T08:10:00Z".
std::string FormatTime(std::chrono::sys_seconds time);

}  // namespace sluice::api
