// SPDX-License-Identifier: Apache-2.0
#include "oci/repository_writer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "http/answer_fields.h"
#include "oci/manifest_type.h"
#include "oci/media_types.h"
#include "oci/registry_endpoint.h"

namespace sluice::oci {

using runtime::Task;

namespace {

constexpr uint64_t kMaxAnswer = 1 * kMiB;
// Large enough that a round trip for each piece does not show, small enough to be kept for another try.
constexpr uint64_t kPieceBytes = 8 * kMiB;
constexpr uint64_t kMaxPieceBytes = 64 * kMiB;

// Bytes in memory as the body of a request.
class MemoryUpload final : public http::UploadSource {
 public:
  explicit MemoryUpload(ConstBytes bytes) noexcept : bytes_(bytes) {}
  uint64_t size() const override { return bytes_.size(); }
  Task<size_t> ReadSome(MutableBytes dst) override {
    const size_t count = std::min(dst.size(), bytes_.size() - next_);
    if (count > 0) std::memcpy(dst.data(), bytes_.data() + next_, count);
    next_ += count;
    co_return count;
  }
  void Rewind() override { next_ = 0; }

 private:
  const ConstBytes bytes_;
  size_t next_ = 0;
};

// The number of bytes that "0-99" of an upload's Range field stands for.  docker-registry says "0-0" for none.
std::optional<uint64_t> ReceivedBytes(const http::ResponseHead& head) {
  const auto field = head.Find("Range");
  if (!field) return std::nullopt;
  std::string_view text = *field;
  if (text.starts_with("bytes=")) text.remove_prefix(6);
  if (!text.starts_with("0-")) return std::nullopt;
  uint64_t last = 0;
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), last);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return last == 0 ? 0 : last + 1;
}

std::unique_ptr<RegistryEndpoint> PushEndpoint(RegistryServices services, const RegistryReference& image,
                                               RepositoryOptions& options, const std::string& mount_from) {
  for (Endpoint& endpoint : options.endpoints) {
    if (!endpoint.push) continue;
    return std::make_unique<RegistryEndpoint>(services, std::move(endpoint), "pull,push", mount_from,
                                              options.credentials.registry, options.patience);
  }
  Throw(Errc::kUnsupported, "'{}': the configuration names no server that may be pushed to", image.Name());
}

// The answer's body is read, so that the connection serves the next request.
Task<http::ResponseHead> Ask(RegistryEndpoint& endpoint, http::ClientRequest request, http::RetryAdvice& advice) {
  http::Document answer = co_await http::FetchDocument(endpoint.transport(), std::move(request), kMaxAnswer, &advice);
  co_return std::move(answer.head);
}

// The manifest or index with this name; nothing when there is none.
Task<std::optional<StoredManifest>> FindStored(RegistryEndpoint& endpoint, std::string name,
                                               std::span<const std::string_view> types, http::RetryAdvice& advice) {
  http::ClientRequest get = endpoint.Request("GET", "manifests/" + name);
  for (const std::string_view type : types) get.fields.push_back({"Accept", std::string(type)});
  try {
    const http::Document present =
        co_await http::FetchDocument(endpoint.transport(), std::move(get), kMaxDocumentBytes, &advice);
    co_return CheckManifest(present, std::nullopt);
  } catch (const Error& error) {
    if (error.code() != Errc::kNotFound) throw;
  }
  co_return std::nullopt;
}

}  // namespace

RepositoryWriter::RepositoryWriter(RegistryServices services, RegistryReference image, RepositoryOptions options,
                                   std::string mount_from)
    : services_(services),
      image_(std::move(image)),
      retry_(options.retry),
      mount_from_(std::move(mount_from)),
      endpoint_(PushEndpoint(services, image_, options, mount_from_)) {}

RepositoryWriter::~RepositoryWriter() = default;

Task<bool> RepositoryWriter::HasBlob(Digest digest, uint64_t size) {
  auto attempt = [this, digest, size](http::RetryAdvice& advice) -> Task<bool> {
    co_await endpoint_->Settle();
    http::ClientRequest request = endpoint_->Request("HEAD", "blobs/" + FormatDigest(digest));
    try {
      const http::ResponseHead head = co_await Ask(*endpoint_, std::move(request), advice);
      co_return http::ContentLength(head).value_or(size) == size;
    } catch (const Error& error) {
      if (error.code() != Errc::kNotFound) throw;
    }
    co_return false;
  };
  co_return co_await http::WithRetry(services_.engine, services_.rng, retry_, std::move(attempt));
}

Task<bool> RepositoryWriter::MountBlob(Digest digest) {
  if (mount_from_.empty()) co_return false;
  BlobUpload started(*this);
  auto attempt = [this, digest, &started](http::RetryAdvice& advice) -> Task<bool> {
    co_await endpoint_->Settle();
    http::ClientRequest request = endpoint_->Request("POST", "blobs/uploads/");
    request.url = request.url.WithQuery("mount", FormatDigest(digest)).WithQuery("from", mount_from_);
    const http::ClientRequest asked = request;
    const http::ResponseHead head = co_await Ask(*endpoint_, std::move(request), advice);
    if (head.status == 201) co_return true;
    started.location_ = asked;
    started.Follow(head);
    co_return false;
  };
  const bool mounted = co_await http::WithRetry(services_.engine, services_.rng, retry_, std::move(attempt));
  if (!mounted) co_await started.Cancel();
  co_return mounted;
}

Task<std::optional<Manifest>> RepositoryWriter::FindManifest() {
  auto attempt = [this](http::RetryAdvice& advice) -> Task<std::optional<StoredManifest>> {
    co_await endpoint_->Settle();
    co_return co_await FindStored(*endpoint_, image_.tag, kManifestTypes, advice);
  };
  const std::optional<StoredManifest> stored =
      co_await http::WithRetry(services_.engine, services_.rng, retry_, std::move(attempt));
  if (!stored || KindOfMediaType(stored->media_type) != DocumentKind::kManifest) co_return std::nullopt;
  co_return ParseManifest(stored->bytes, "'" + image_.Name() + "': " + FormatDigest(stored->digest));
}

Task<void> RepositoryWriter::PutBlob(Digest digest, ConstBytes bytes) {
  MemoryUpload body(bytes);
  auto attempt = [this, digest, &body](http::RetryAdvice& advice) -> Task<void> {
    co_await endpoint_->Settle();
    BlobUpload upload(*this);
    http::ClientRequest request = endpoint_->Request("POST", "blobs/uploads/");
    upload.location_ = request;
    const http::ResponseHead started = co_await Ask(*endpoint_, std::move(request), advice);
    upload.Follow(started);
    http::ClientRequest put = upload.RequestAt("PUT");
    put.url = put.url.WithQuery("digest", FormatDigest(digest));
    put.fields.push_back({"Content-Type", "application/octet-stream"});
    body.Rewind();
    put.upload = &body;
    (void)co_await Ask(*endpoint_, std::move(put), advice);
  };
  co_await http::WithRetry(services_.engine, services_.rng, retry_, std::move(attempt));
}

Task<void> RepositoryWriter::PutManifest(std::string name, std::string media_type, ConstBytes bytes) {
  const Digest digest = DigestOf(DigestAlgorithm::kSha256, bytes);
  const std::string what = "'" + image_.Name() + "': manifest " + FormatDigest(digest);
  std::optional<Manifest> manifest;
  if (KindOfMediaType(media_type) == DocumentKind::kManifest) manifest = ParseManifest(bytes, what);
  bool has_referrers = false;
  auto attempt = [&](http::RetryAdvice& advice) -> Task<void> {
    co_await endpoint_->Settle();
    http::ClientRequest request = endpoint_->Request("PUT", "manifests/" + name);
    request.fields.push_back({"Content-Type", media_type});
    request.body = AsText(bytes);
    const http::ResponseHead head = co_await Ask(*endpoint_, std::move(request), advice);
    has_referrers = head.Find("OCI-Subject").has_value();
    const auto stored = head.Find("Docker-Content-Digest");
    if (stored && *stored != FormatDigest(digest) && stored->starts_with("sha256:"))
      Throw(Errc::kCorrupt, "{}: the registry has stored other bytes", what);
  };
  co_await http::WithRetry(services_.engine, services_.rng, retry_, std::move(attempt));
  if (!manifest || !manifest->subject || has_referrers) co_return;
  Descriptor referrer{.media_type = media_type,
                      .digest = digest,
                      .size = bytes.size(),
                      .annotations = manifest->annotations,
                      .artifact_type = manifest->artifact_type};
  if (!referrer.artifact_type) referrer.artifact_type = manifest->config.media_type;
  co_await AddReferrer(manifest->subject->digest, std::move(referrer));
}

// distribution-spec, "Pushing Manifests with Subject": read, add, write; there is nothing that would lock the list.
Task<void> RepositoryWriter::AddReferrer(Digest subject, Descriptor referrer) {
  const std::string tag = ReferrersTag(subject);
  auto attempt = [&](http::RetryAdvice& advice) -> Task<void> {
    Index index{.media_type = std::string(media_type::kIndex)};
    const std::array<std::string_view, 1> types{media_type::kIndex};
    const std::optional<StoredManifest> present = co_await FindStored(*endpoint_, tag, types, advice);
    if (present) index = ParseIndex(present->bytes, "'" + image_.Name() + "': referrers");
    if (std::ranges::find(index.manifests, referrer.digest, &Descriptor::digest) != index.manifests.end()) co_return;
    index.manifests.push_back(referrer);
    http::ClientRequest put = endpoint_->Request("PUT", "manifests/" + tag);
    put.fields.push_back({"Content-Type", index.media_type});
    put.body = Serialize(index);
    (void)co_await Ask(*endpoint_, std::move(put), advice);
  };
  co_await http::WithRetry(services_.engine, services_.rng, retry_, std::move(attempt));
}

Task<void> BlobUpload::Start() {
  auto attempt = [this](http::RetryAdvice& advice) -> Task<void> {
    co_await writer_.endpoint_->Settle();
    http::ClientRequest request = writer_.endpoint_->Request("POST", "blobs/uploads/");
    http::ClientRequest asked = request;
    const http::ResponseHead head = co_await Ask(*writer_.endpoint_, std::move(request), advice);
    location_ = std::move(asked);
    Follow(head);
    piece_bytes_ = kPieceBytes;
    if (const auto least = head.Find("OCI-Chunk-Min-Length")) {
      uint64_t bytes = 0;
      const auto [end, error] = std::from_chars(least->data(), least->data() + least->size(), bytes);
      if (error != std::errc() || end != least->data() + least->size() || bytes > kMaxPieceBytes)
        Throw(Errc::kUnsupported, "'{}': the registry wants pieces of more than {} bytes", writer_.image_.Name(),
              kMaxPieceBytes);
      piece_bytes_ = std::max(piece_bytes_, bytes);
    }
  };
  co_await http::WithRetry(writer_.services_.engine, writer_.services_.rng, writer_.retry_, std::move(attempt));
}

http::ClientRequest BlobUpload::RequestAt(std::string_view method) const {
  SLUICE_CHECK(location_, "an upload that has not been started");
  http::ClientRequest request = *location_;
  request.method = method;
  return request;
}

// The next request goes where this answer says.  Credentials stay behind when that is another host: Redirected() sees
// to the endpoint's own fields, the transport to the rest.
void BlobUpload::Follow(const http::ResponseHead& head) {
  const auto location = head.Find("Location");
  if (!location)
    Throw(Errc::kCorrupt, "'{}': the registry does not say where an upload goes on", writer_.image_.Name());
  http::Url next = location_->url;
  try {
    next = location_->url.Resolve(*location);
  } catch (const Error& error) {
    Throw(Errc::kCorrupt, "'{}': the place where an upload goes on is no URL", writer_.image_.Name());
  }
  location_ = http::Redirected(*location_, next);
}

Task<uint64_t> BlobUpload::Received() {
  http::RetryAdvice ignored;
  http::ClientRequest request = RequestAt("GET");
  const http::ResponseHead head = co_await Ask(*writer_.endpoint_, std::move(request), ignored);
  if (head.Find("Location")) Follow(head);
  co_return ReceivedBytes(head).value_or(0);
}

Task<void> BlobUpload::Send(ConstBytes bytes, http::RetryAdvice& advice) {
  MemoryUpload body(bytes);
  http::ClientRequest request = RequestAt("PATCH");
  request.fields.push_back({"Content-Type", "application/octet-stream"});
  request.fields.push_back({"Content-Range", fmt::format("{}-{}", sent_, sent_ + bytes.size() - 1)});
  request.upload = &body;
  const http::ResponseHead head = co_await Ask(*writer_.endpoint_, std::move(request), advice);
  Follow(head);
  const uint64_t expected = sent_ + bytes.size();
  if (const auto received = ReceivedBytes(head); received && *received != expected && expected > 1)
    Throw(Errc::kIo, "'{}': the registry has {} bytes of an upload, not {}", writer_.image_.Name(), *received,
          expected);
}

Task<void> BlobUpload::Append(ConstBytes bytes) {
  bool again = false;
  uint64_t done = 0;  // of these bytes
  auto attempt = [this, bytes, &again, &done](http::RetryAdvice& advice) -> Task<void> {
    if (again) {
      const uint64_t received = co_await Received();
      if (received < sent_ || received > sent_ + (bytes.size() - done))
        Throw(Errc::kCorrupt, "'{}': the registry has {} bytes of an upload after {}", writer_.image_.Name(), received,
              sent_);
      done += received - sent_;
      sent_ = received;
    }
    again = true;
    if (done == bytes.size()) co_return;
    co_await Send(bytes.subspan(done), advice);
    sent_ += bytes.size() - done;
    done = bytes.size();
  };
  co_await http::WithRetry(writer_.services_.engine, writer_.services_.rng, writer_.retry_, std::move(attempt));
}

Task<void> BlobUpload::Finish(Digest digest) {
  auto attempt = [this, digest](http::RetryAdvice& advice) -> Task<void> {
    http::ClientRequest request = RequestAt("PUT");
    request.url = request.url.WithQuery("digest", FormatDigest(digest));
    (void)co_await Ask(*writer_.endpoint_, std::move(request), advice);
  };
  std::optional<Error> failure;
  try {
    co_await http::WithRetry(writer_.services_.engine, writer_.services_.rng, writer_.retry_, std::move(attempt));
  } catch (const Error& error) {
    if (error.code() != Errc::kNotFound) throw;
    failure = error;
  }
  if (!failure) co_return;
  // The first try may have succeeded without our hearing of it: then the upload is gone and the blob is there.
  const bool there = co_await writer_.HasBlob(digest, sent_);
  if (!there) throw Error(*std::move(failure));
}

Task<void> BlobUpload::Cancel() {
  if (!location_) co_return;
  http::RetryAdvice ignored;
  http::ClientRequest request = RequestAt("DELETE");
  try {
    (void)co_await Ask(*writer_.endpoint_, std::move(request), ignored);
  } catch (const Error&) {
    // The registry forgets it by itself after some days.
  }
}

}  // namespace sluice::oci
