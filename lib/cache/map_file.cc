// SPDX-License-Identifier: Apache-2.0
#include "cache/map_file.h"

#include <fcntl.h>  // for O_RDWR

#include <array>

#include "base/error.h"

namespace sluice::cache {

using runtime::Engine;
using runtime::File;
using runtime::Task;

namespace {

Task<std::optional<File>> OpenIfThere(Engine& engine, std::string path) {
  try {
    co_return co_await File::Open(engine, std::move(path), O_RDWR);
  } catch (const Error& e) {
    if (e.code() != Errc::kNotFound) throw;
  }
  co_return std::nullopt;
}

}  // namespace

Task<std::optional<MapFile::Loaded>> MapFile::Load(Engine& engine, std::string path, const BlobLayout& layout) {
  std::optional<File> file = co_await OpenIfThere(engine, std::move(path));
  if (!file) co_return std::nullopt;

  std::vector<std::byte> bytes(kMapPageSize);
  bytes.resize(co_await file->ReadAt(bytes, 0));
  const std::optional<MapIdentity> identity = DecodeMapHeader(layout, bytes);
  if (!identity) co_return std::nullopt;

  const uint32_t count = layout.all().size();
  ChunkSet saved(count);
  for (uint32_t number = 0; number < MapPageCount(count); ++number) {
    bytes.resize(kMapPageSize);
    bytes.resize(co_await file->ReadAt(bytes, MapPageOffset(number)));
    DecodeMapPage(*identity, number, count, bytes, saved);
  }
  Loaded loaded{MapFile(std::move(*file), *identity), ChunkMap(count, std::move(saved))};
  co_return std::move(loaded);
}

Task<MapFile> MapFile::Make(Engine& engine, std::string directory, const BlobLayout& layout, uint64_t nonce) {
  const std::string fresh = directory + "/map.new";
  File file = co_await File::Open(engine, fresh, O_RDWR | O_CREAT | O_TRUNC);

  std::vector<std::byte> header(kMapPageSize);
  const MapIdentity identity = EncodeMapHeader(layout, nonce, header);
  co_await file.WriteAll(header, 0);
  // All pages are there from the start: a full disk cannot keep what is ready from being recorded.
  const std::vector<std::byte> empty(kMapPageSize);
  for (uint32_t number = 0; number < MapPageCount(layout.all().size()); ++number)
    co_await file.WriteAll(empty, MapPageOffset(number));
  co_await file.Sync();
  co_await Rename(engine, fresh, directory + "/map");
  co_await SyncDirectory(engine, directory);
  co_return MapFile(std::move(file), identity);
}

Task<void> MapFile::Save(const std::vector<ChunkMap::Page>& pages) {
  std::vector<std::byte> bytes(kMapPageSize);
  for (const ChunkMap::Page& page : pages) {
    EncodeMapPage(identity_, page, bytes);
    co_await file_.WriteAll(bytes, MapPageOffset(page.number));
  }
  co_await file_.SyncData();
}

}  // namespace sluice::cache
