// SPDX-License-Identifier: Apache-2.0
#include "oci/tar_index.h"

#include <array>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "codec/stream_decoder.h"
#include "oci/layer_reader.h"
#include "oci/tar_scanner.h"
#include "oci/temporary_file.h"

namespace sluice::oci {
namespace {

constexpr size_t kMaxMembers = 100'000;  // of an archive of images: documents and layers
constexpr int kMaxLinks = 8;             // followed for one name
constexpr size_t kReadSize = 4096;       // mostly headers are read; bodies are passed over

std::string Join(const std::vector<std::string>& parts) {
  std::string name;
  for (const std::string& part : parts) name += (name.empty() ? "" : "/") + part;
  return name;
}

// Where the symbolic link `name` leads, inside the archive.
std::string LinkTarget(const std::string& name, std::string_view link) {
  if (link.starts_with('/')) Throw(Errc::kCorrupt, "'{}' is a link to an absolute path", name);
  std::vector<std::string> parts = SplitPath(name);
  parts.pop_back();
  while (!link.empty()) {
    const size_t slash = link.find('/');
    const std::string_view part = link.substr(0, slash);
    link.remove_prefix(slash == std::string_view::npos ? link.size() : slash + 1);
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.emplace_back(part);
    } else if (!parts.empty()) {
      parts.pop_back();
    } else {
      Throw(Errc::kCorrupt, "'{}' is a link that leaves the archive", name);
    }
  }
  return Join(parts);
}

std::shared_ptr<const InputFile> OpenUncompressed(const std::string& path) {
  auto file = InputFile::Open(path);
  std::array<std::byte, codec::kDetectBytes> head{};
  const size_t count = file->ReadAt(head, 0);
  if (codec::DetectFormat(ConstBytes(head).first(count)) == codec::StreamFormat::kNone) return file;

  TemporaryFile temporary;
  FileSource stored(Whole(std::move(file)));
  codec::StreamDecoder decoder(stored, "'" + path + "'");
  std::vector<std::byte> buffer(256 * kKiB);
  while (const size_t size = decoder.Read(buffer)) temporary.Append(ConstBytes(buffer).first(size));
  return InputFile::Adopt(path, temporary.Take());
}

}  // namespace

TarIndex::TarIndex(const std::string& path) : path_(path), file_(OpenUncompressed(path)) {
  try {
    TarScanner scanner;
    std::array<std::byte, kReadSize> buffer;
    while (const size_t count = file_->ReadAt(buffer, scanner.offset())) {
      scanner.Feed(ConstBytes(buffer).first(count));
      while (auto member = scanner.Take()) {
        const std::string name = Join(SplitPath(member->name));
        if (member->body_size > file_->size() || member->body_offset > file_->size() - member->body_size)
          Throw(Errc::kCorrupt, "truncated: '{}' ends past {} bytes", name, file_->size());
        if (member->type == '0') Add(name, {{member->body_offset, member->body_size}, std::nullopt});
        if (member->type == '1') Add(name, {{}, Join(SplitPath(member->link))});
        if (member->type == '2') Add(name, {{}, LinkTarget(name, member->link)});
      }
      scanner.Skip(scanner.skippable());
    }
    scanner.Finish();
  } catch (Error& e) {
    e.AddContext("'" + path + "'");
    throw;
  }
}

std::optional<FilePart> TarIndex::Find(const std::string& name) const {
  std::string_view wanted = name;
  for (int links = 0; links <= kMaxLinks; ++links) {
    const auto found = members_.find(wanted);
    if (found == members_.end()) {
      if (links == 0) return std::nullopt;
      Throw(Errc::kCorrupt, "'{}': '{}' leads to '{}', which is missing", path_, name, wanted);
    }
    if (!found->second.link) return FilePart{file_, found->second.body};
    wanted = *found->second.link;
  }
  Throw(Errc::kCorrupt, "'{}': '{}' leads over more than {} links", path_, name, kMaxLinks);
}

void TarIndex::Add(std::string name, Member member) {
  if (members_.size() == kMaxMembers) Throw(Errc::kLimit, "more than {} members", kMaxMembers);
  const auto added = members_.try_emplace(std::move(name), std::move(member));
  if (!added.second) Throw(Errc::kCorrupt, "'{}' twice", added.first->first);
}

}  // namespace sluice::oci
