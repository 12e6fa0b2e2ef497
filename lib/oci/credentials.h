// SPDX-License-Identifier: Apache-2.0
#pragma once
// Who we are at a registry, and where that is found out.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/secret.h"
#include "oci/registry_reference.h"

namespace sluice::oci {

// One of: user and password; an identity token (exchanged for access tokens); a registry token (an access token).
struct Credentials {
  std::string user;
  Secret password;
  Secret identity_token;
  Secret registry_token;

  bool operator==(const Credentials&) const = default;

  // "USER:PASSWORD", "USER" without one.  Throws kInvalidArgument, without the text, for an empty user.
  static Credentials Parse(std::string_view text);
};

// Thread-safe.
class CredentialSource {
 public:
  virtual ~CredentialSource() = default;
  // Those for `image` now: files are read and helpers are run at each call, so that a changed password counts. Nothing:
  // there are none.  Blocks (up to the deadline of a helper): call it in Offload.  Throws kCorrupt for files that
  // cannot be understood, kIo, kPermission, kTimeout; no message holds a secret.
  virtual std::optional<Credentials> Find(const RegistryReference& image) const = 0;
};

// Always the same, for every image: --creds.
class FixedCredentials final : public CredentialSource {
 public:
  explicit FixedCredentials(Credentials credentials) : credentials_(std::move(credentials)) {}
  std::optional<Credentials> Find(const RegistryReference&) const override { return credentials_; }

 private:
  const Credentials credentials_;
};

// None, wherever.
class NoCredentials final : public CredentialSource {
 public:
  std::optional<Credentials> Find(const RegistryReference&) const override { return std::nullopt; }
};

// Who we are at a registry and at its mirrors.  What was given for an image without naming a host (--creds) is for the
// registry alone: a mirror that asks for a password would get that of somebody else.
struct RegistryCredentials {
  std::shared_ptr<const CredentialSource> registry = std::make_shared<NoCredentials>();
  std::shared_ptr<const CredentialSource> mirrors = std::make_shared<NoCredentials>();  // by their own names

  const std::shared_ptr<const CredentialSource>& For(bool mirror) const noexcept { return mirror ? mirrors : registry; }
};

}  // namespace sluice::oci
