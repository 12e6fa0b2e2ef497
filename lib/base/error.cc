// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

namespace sluice {

std::string_view Name(Errc code) noexcept {
  switch (code) {
    case Errc::kInvalidArgument: return "invalid-argument";
    case Errc::kCorrupt: return "corrupt";
    case Errc::kUnsupported: return "unsupported";
    case Errc::kNotFound: return "not-found";
    case Errc::kExists: return "exists";
    case Errc::kPermission: return "permission";
    case Errc::kBusy: return "busy";
    case Errc::kNoSpace: return "no-space";
    case Errc::kLimit: return "limit";
    case Errc::kIo: return "io";
    case Errc::kTimeout: return "timeout";
    case Errc::kStopped: return "stopped";
  }
  return "unknown";
}

int ToErrno(Errc code) noexcept {
  switch (code) {
    case Errc::kInvalidArgument: return EINVAL;
    case Errc::kUnsupported: return EOPNOTSUPP;
    case Errc::kNotFound: return ENOENT;
    case Errc::kExists: return EEXIST;
    case Errc::kPermission: return EPERM;
    case Errc::kBusy: return EBUSY;
    case Errc::kNoSpace: return ENOSPC;
    case Errc::kTimeout: return ETIMEDOUT;
    case Errc::kStopped: return ECANCELED;
    case Errc::kCorrupt:
    case Errc::kLimit:
    case Errc::kIo: return EIO;
  }
  return EIO;
}

Errc FromErrno(int error) noexcept {
  switch (error) {
    case EINVAL:
    case ENAMETOOLONG:
    case ENOTDIR:
    case EISDIR: return Errc::kInvalidArgument;
    case EOPNOTSUPP:
    case ENOSYS:
    case ENODEV: return Errc::kUnsupported;
    case ENOENT: return Errc::kNotFound;
    case EEXIST: return Errc::kExists;
    case EPERM:
    case EACCES: return Errc::kPermission;
    case EBUSY:
    case ETXTBSY: return Errc::kBusy;
    case ENOSPC:
    case EDQUOT: return Errc::kNoSpace;
    case EMFILE:
    case ENFILE:
    case ENOMEM: return Errc::kLimit;
    case ETIMEDOUT: return Errc::kTimeout;
    case ECANCELED: return Errc::kStopped;
    default: return Errc::kIo;
  }
}

void Error::AddContext(std::string_view context) {
  message_.insert(0, ": ");
  message_.insert(0, context);
}

void ThrowFormatted(Errc code, fmt::string_view format, fmt::format_args args) {
  throw Error(code, fmt::vformat(format, args));
}

void ThrowErrnoFormatted(int error, fmt::string_view format, fmt::format_args args) {
  throw Error(FromErrno(error),
              fmt::format("{}: {}", fmt::vformat(format, args), std::generic_category().message(error)));
}

}  // namespace sluice
