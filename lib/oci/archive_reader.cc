// SPDX-License-Identifier: Apache-2.0
#include "oci/archive_reader.h"

#include <archive.h>
#include <archive_entry.h>

#include <cerrno>
#include <exception>
#include <string_view>

#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"

namespace sluice::oci {
namespace {

constexpr size_t kReadSize = 256 * kKiB;

struct ArchiveFree {
  void operator()(archive* reader) const noexcept { archive_read_free(reader); }
};

}  // namespace

struct ArchiveReader::State {
  explicit State(codec::ByteSource& source) : tar(source), buffer(kReadSize) {}

  // Called by libarchive: gives it the next piece of the stream.  Exceptions wait here until they are back in C++.
  static la_ssize_t OnRead(archive* reader, void* client, const void** data) {
    auto& state = *static_cast<State*>(client);
    try {
      const size_t count = state.tar.Read(state.buffer);
      *data = state.buffer.data();
      return static_cast<la_ssize_t>(count);
    } catch (...) {
      state.failure = std::current_exception();
      archive_set_error(reader, EIO, "the source failed");
      return ARCHIVE_FATAL;
    }
  }

  void Check(int result) {
    if (failure) std::rethrow_exception(failure);
    if (result == ARCHIVE_OK || result == ARCHIVE_EOF) return;
    const char* text = archive_error_string(handle.get());
    const std::string_view message = text != nullptr ? text : "unknown error";
    // Names that are not in the character set of the locale come from the scanner, which keeps them as they are.
    if (result == ARCHIVE_WARN && message.ends_with("can't be converted from UTF-8 to current locale.")) return;
    Throw(Errc::kCorrupt, "libarchive: {}", message);
  }

  codec::ByteSource& tar;
  std::vector<std::byte> buffer;
  std::exception_ptr failure;
  std::unique_ptr<archive, ArchiveFree> handle{archive_read_new()};
};

ArchiveReader::ArchiveReader(codec::ByteSource& tar) : state_(std::make_unique<State>(tar)) {
  archive* const handle = state_->handle.get();
  // Told what it is: its guess would be wrong for odd headers that it can read.
  SLUICE_CHECK(handle != nullptr && archive_read_support_format_tar(handle) == ARCHIVE_OK &&
                   archive_read_set_format(handle, ARCHIVE_FORMAT_TAR) == ARCHIVE_OK &&
                   archive_read_set_callback_data(handle, state_.get()) == ARCHIVE_OK &&
                   archive_read_set_read_callback(handle, State::OnRead) == ARCHIVE_OK,
               "libarchive makes a tar reader");
  state_->Check(archive_read_open1(handle));
}

ArchiveReader::~ArchiveReader() = default;

std::optional<ArchiveReader::Header> ArchiveReader::Next() {
  archive* const handle = state_->handle.get();
  archive_entry* entry = nullptr;
  const int result = archive_read_next_header(handle, &entry);
  state_->Check(result);
  if (result == ARCHIVE_EOF) return std::nullopt;

  Header header{.offset = static_cast<uint64_t>(archive_read_header_position(handle)),
                .type = archive_entry_filetype(entry),
                .uid = archive_entry_uid(entry),
                .gid = archive_entry_gid(entry),
                .mtime_seconds = archive_entry_mtime(entry),
                .size = archive_entry_size(entry)};
  header.device_major = archive_entry_rdevmajor(entry);
  header.device_minor = archive_entry_rdevminor(entry);

  // Without a list of extents the file is all data.
  header.data_size = header.size;
  if (archive_entry_sparse_reset(entry) > 0) {
    header.data_size = 0;
    la_int64_t offset = 0;
    la_int64_t length = 0;
    while (archive_entry_sparse_next(entry, &offset, &length) == ARCHIVE_OK) header.data_size += length;
  }

  archive_entry_xattr_reset(entry);
  const char* name = nullptr;
  const void* value = nullptr;
  size_t value_size = 0;
  while (archive_entry_xattr_next(entry, &name, &value, &value_size) == ARCHIVE_OK)
    header.xattrs.emplace_back(name, std::string(static_cast<const char*>(value), value_size));
  return header;
}

std::optional<DataPiece> ArchiveReader::NextData() {
  for (;;) {
    const void* data = nullptr;
    size_t size = 0;
    la_int64_t offset = 0;
    const int result = archive_read_data_block(state_->handle.get(), &data, &size, &offset);
    state_->Check(result);
    if (result == ARCHIVE_EOF) return std::nullopt;
    if (size == 0) continue;
    if (offset < 0) Throw(Errc::kCorrupt, "data at the negative offset {}", offset);
    return DataPiece{static_cast<uint64_t>(offset), {static_cast<const std::byte*>(data), size}};
  }
}

}  // namespace sluice::oci
