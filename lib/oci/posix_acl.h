// SPDX-License-Identifier: Apache-2.0
#pragma once
// POSIX ACLs: the text of tar's SCHILY.acl records as the bytes of the system.posix_acl_* attributes.  Internal to oci.

#include <string>
#include <string_view>

namespace sluice::oci {

enum class AclKind { kAccess, kDefault };

// The attribute value; empty for an access ACL that says no more than the permission bits.  Users and groups need their
// number ("user:1000:r--" or "user:name:r--:1000").  Throws kCorrupt, for names without a number kUnsupported.
std::string AclAttribute(std::string_view text, AclKind kind);

}  // namespace sluice::oci
