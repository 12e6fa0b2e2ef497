// SPDX-License-Identifier: Apache-2.0
#pragma once
// Random access to the members of a tar file: one pass over its headers.  Internal to oci.

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "oci/file_source.h"
#include "oci/layout.h"

namespace sluice::oci {

class TarIndex final : public LayoutFiles {
 public:
  // A compressed archive is unpacked into an unnamed temporary file first.  Throws kNotFound, kCorrupt, kUnsupported.
  explicit TarIndex(const std::string& path);

  // The regular file `name`; links are followed inside the archive.  Throws kCorrupt when they lead nowhere.
  std::optional<FilePart> Find(const std::string& name) const override;

 private:
  struct Member {
    ByteRange body;
    std::optional<std::string> link;  // another member instead of a body
  };
  void Add(std::string name, Member member);

  const std::string path_;
  std::shared_ptr<const InputFile> file_;
  std::map<std::string, Member, std::less<>> members_;
};

}  // namespace sluice::oci
