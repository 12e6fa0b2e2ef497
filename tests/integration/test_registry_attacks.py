# SPDX-License-Identifier: Apache-2.0
"""Registries that want our passwords, our files or our memory.  SECURITY.md says which attack is which test."""
import base64
import gzip
import json
import resource

import pytest

from support import layers, oci
from support.fault_server import Drop
from support.hostile_registry import INDEX, REPOSITORY, HostileRegistry
from support.programs import sluice
from support.tls import Authority

USER, PASSWORD, TOKEN = "alice", "pa55-of-alice", "t0ken-of-alice"
CREDENTIALS = f"{USER}:{PASSWORD}"
BASIC = base64.b64encode(CREDENTIALS.encode()).decode()
SECRETS = (PASSWORD, BASIC, TOKEN)
PLAIN = "--tls-verify=false"
HEX = "a" * 64
FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
LAYER = layers.archive(lambda t: t.add("file", data=b"content"))


@pytest.fixture
def registry():
    with HostileRegistry() as server:
        yield server


@pytest.fixture
def other():
    """Another server: the same host, another port."""
    with HostileRegistry() as server:
        yield server


@pytest.fixture
def authority(work):
    return Authority(work / "ca")


def attempt(command, *arguments, expect=1, **options):
    """Whatever comes of it, nothing that is printed holds a secret."""
    options = {"timeout": 30, **options}
    result = sluice(command, *arguments, expect=expect, **options)
    for secret in SECRETS:
        assert secret not in result.stdout + result.stderr
    return result


def copy(registry, work, *options, expect=1, name="copy"):
    return attempt("copy", "--quiet", PLAIN, "--retry-times", "0", *options, registry.reference, f"oci:{work}/{name}:x",
                   expect=expect)


def nothing_came(work, name="copy"):
    return not (work / name / "index.json").exists()


# Credentials

@pytest.mark.parametrize("part", ["manifests", "blobs"])
def test_a_redirect_to_another_port_gets_no_credentials(registry, other, work, part):
    """GHSA-vh4v-2xq2-g5cg."""
    registry.put_manifest(registry.manifest_of(LAYER))
    other.put_manifest(other.manifest_of(LAYER))
    registry.challenge = 'Basic realm="x"'
    registry.send_away(part, other.url)
    copy(registry, work, "--creds", CREDENTIALS, expect=0)
    assert registry.heard(SECRETS) and other.requests(part)
    assert not other.heard(SECRETS)


def test_https_is_not_left_for_http(work, other, authority):
    with HostileRegistry(authority=authority) as registry:
        registry.put_manifest(registry.manifest_of(LAYER))
        registry.send_away("manifests", other.url)
        error = attempt("copy", "--cert-dir", authority.folder, registry.reference, f"oci:{work}/copy:x").stderr
        assert "from https to http" in error
        assert not other.requests()


@pytest.mark.parametrize("certificate, reason", [
    ({"names": "subjectAltName=DNS:other.test,IP:192.0.2.1"}, "127.0.0.1"),
    ({"days": 0}, "certificate has expired"),
    (None, "unable to get local issuer certificate"),  # somebody else's
])
def test_a_certificate_that_is_not_trusted_is_an_error_with_its_reason(work, authority, certificate, reason):
    """Of whom, and why; and nobody there hears who we are."""
    ours = authority if certificate else Authority(work / "ours", "Another authority")
    with HostileRegistry(authority=authority, certificate=certificate, challenge='Basic realm="x"') as registry:
        error = attempt("inspect", "--cert-dir", ours.folder, "--creds", CREDENTIALS, registry.reference).stderr
        assert registry.url in error and reason in error
        assert "certificate" in error
        assert not registry.requests()


@pytest.mark.parametrize("realm", ["http", "attacker"])
def test_a_realm_in_plain_http_gets_no_credentials_of_an_https_registry(work, other, authority, realm):
    with HostileRegistry(authority=authority, challenge=f'Bearer realm="{other.url}/{realm}",service="x"') as registry:
        error = attempt("inspect", "--cert-dir", authority.folder, "--creds", CREDENTIALS, registry.reference).stderr
        assert "from https to http" in error
        assert not other.requests()


def test_a_token_server_that_redirects_keeps_the_password_to_itself(registry, other):
    """Tokens come from the realm and from nowhere else."""
    with HostileRegistry() as tokens:
        tokens.send_away("token", other.url)
        registry.challenge = f'Bearer realm="{tokens.url}/token",service="x"'
        attempt("inspect", PLAIN, "--creds", CREDENTIALS, registry.reference)
        assert tokens.heard(SECRETS)
    assert not other.requests()


def test_a_token_is_for_its_registry_only(registry, other, work):
    registry.put_manifest(registry.manifest_of(LAYER))
    other.manifest_of(LAYER)
    other.answer("/token", 200, {}, json.dumps({"token": TOKEN}).encode())
    registry.challenge = f'Bearer realm="{other.url}/token",service="x"'
    registry.send_away("blobs", other.url)
    copy(registry, work, "--creds", CREDENTIALS, expect=0)
    assert registry.heard([TOKEN])
    assert [request.path.partition("?")[0] for request in other.heard(SECRETS)] == ["/token"]


def test_a_server_behind_a_redirect_cannot_ask_for_a_password(registry, other, work):
    registry.put_manifest(registry.manifest_of(LAYER))
    registry.challenge = 'Basic realm="x"'
    registry.send_away("blobs", other.url)
    other.challenge = f'Bearer realm="{other.url}/token",service="x"'
    copy(registry, work, "--creds", CREDENTIALS)
    assert other.requests("blobs") and not other.requests("token") and not other.heard(SECRETS)


def test_urls_of_foreign_layers_are_never_asked(registry, other, work):
    """CVE-2020-15157."""
    image = registry.manifest_of(LAYER)
    url = f"{other.url}/layer"
    other.answer("/layer", 200, {}, gzip.compress(LAYER))
    other.challenge = 'Basic realm="x"'
    image["layers"] = [{"mediaType": FOREIGN, "digest": f"sha256:{HEX}", "size": 100, "urls": [url]}]
    registry.put_manifest(image)
    for command in ("copy", "convert"):
        error = attempt(command, "--quiet", PLAIN, "--retry-times", "0", "--creds", CREDENTIALS, registry.reference,
                        f"oci:{work}/{command}:x", expect=2).stderr
        assert "taken from nowhere else" in error and HEX in error
        assert nothing_came(work, command)
    assert not other.requests()


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_the_place_where_an_upload_goes_on_gets_no_credentials(registry, other, work, image, method):
    """CVE-2026-50151: credentials stay at the origin that asked for them; what is uploaded is public to whoever runs the registry."""
    uploads = f"/v2/{REPOSITORY}/blobs/uploads/"
    registry.challenge = 'Basic realm="x"'
    elsewhere = {"Location": f"{other.url}/go-on"}
    registry.answer(uploads, 202, elsewhere if method == "POST" else {"Location": f"{registry.url}/go-on"}, b"", "POST")
    registry.answer("/go-on", 202, elsewhere, b"", "PATCH")
    other.challenge = 'Basic realm="x"'
    attempt("copy", "--quiet", PLAIN, "--retry-times", "0", "--creds", CREDENTIALS, image("odd").reference, registry.reference)
    assert registry.heard(SECRETS) and other.requests("go-on")
    assert not other.heard(SECRETS)


def test_an_upload_does_not_go_on_without_tls(work, other, image, authority):
    with HostileRegistry(authority=authority) as registry:
        registry.answer(f"/v2/{REPOSITORY}/blobs/uploads/", 202, {"Location": f"{other.url}/go-on"}, b"", "POST")
        error = attempt("copy", "--quiet", "--dest-cert-dir", authority.folder, "--retry-times", "0", image("odd").reference,
                        registry.reference).stderr
        assert "from https to http" in error
        assert not other.requests()


def test_signed_queries_are_not_shown(registry, other, work):
    registry.put_manifest(registry.manifest_of(LAYER))
    registry.send_away("blobs", f"{other.url}/blob?X-Amz-Signature={TOKEN}")
    other.inject(Drop())
    error = copy(registry, work).stderr  # which looks for the signature
    assert f"{other.url}/blob" in error and "X-Amz" not in error
    assert other.heard([TOKEN])


# Names

@pytest.mark.parametrize("digest", [
    "sha256:../../../../etc/passwd", "sha256:" + "A" * 64, f"sha256:{HEX}a", f"sha256:{HEX[1:]}", f"md5:{HEX[:32]}",
    f"sha512:{HEX}{HEX}", f"../sha256:{HEX}", f"sha256:{HEX}/../x", f"SHA256:{HEX}", "sha256", "", f"sha256:{HEX[:-1]}\0",
    f"sha256:{HEX[:-2]}%2f"])
@pytest.mark.parametrize("place", ["layer", "config", "index"])
def test_what_is_no_digest_is_not_used_as_a_name(registry, work, place, digest):
    """CVE-2024-3727."""
    image = registry.manifest_of(LAYER)
    if place == "index":
        registry.put_manifest({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            {"mediaType": oci.MANIFEST, "digest": digest, "size": 2, "platform": {"os": "linux", "architecture": "amd64"}}]}, INDEX)
    else:
        (image["config"] if place == "config" else image["layers"][0])["digest"] = digest
        registry.put_manifest(image)
    copy(registry, work)
    assert [request.path for request in registry.requests("manifests|blobs")] == [f"/v2/{REPOSITORY}/manifests/t"]
    assert not [path for path in work.rglob("*") if path.is_file()]


# Sizes

@pytest.mark.parametrize("size", [-1, 1 << 63, 1 << 64, 1e300, 1.5, "9", None])
def test_sizes_that_are_none_are_refused(registry, work, size):
    image = registry.manifest_of(LAYER)
    image["layers"][0]["size"] = size
    registry.put_manifest(image)
    assert "size" in copy(registry, work).stderr
    assert not registry.requests("blobs")


@pytest.mark.parametrize("part", ["layer", "config", "manifest"])
@pytest.mark.parametrize("size", [1 << 62, 1 << 40, 1 << 34])
def test_giant_sizes_cost_no_memory(registry, work, part, size):
    """GHSA-f36w-mj3v-6jqv: the size in a descriptor is not an order to allocate."""
    image = registry.manifest_of(LAYER)
    if part == "manifest":
        entry = registry.put_manifest(image, tag=None)
        entry.update(size=size, platform={"os": "linux", "architecture": "amd64"})
        registry.put_manifest({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}, INDEX)
    else:
        (image["config"] if part == "config" else image["layers"][0])["size"] = size
        registry.put_manifest(image)
    limit = 2 << 30  # of address space
    for command in ("copy", "convert"):
        refused = attempt(command, "--quiet", PLAIN, "--retry-times", "0", *(["--jobs", "1"] if command == "convert" else []),
                          registry.reference, f"oci:{work}/{command}:x",
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
        assert str(size) in refused.stderr
        assert nothing_came(work, command)


@pytest.mark.parametrize("more", [-1, 1])
@pytest.mark.parametrize("part", ["layer", "config", "manifest"])
def test_a_size_that_differs_from_the_bytes_is_found_out(registry, work, part, more):
    image = registry.manifest_of(LAYER)
    if part == "manifest":
        entry = registry.put_manifest(image, tag=None)
        entry.update(size=entry["size"] + more, platform={"os": "linux", "architecture": "amd64"})
        registry.put_manifest({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}, INDEX)
    else:
        (image["config"] if part == "config" else image["layers"][0])["size"] += more
        registry.put_manifest(image)
    copy(registry, work)
    attempt("convert", "--quiet", PLAIN, "--retry-times", "0", registry.reference, f"oci:{work}/convert:x")
    assert nothing_came(work) and nothing_came(work, "convert")


def test_a_manifest_without_end_is_not_read_to_it(registry):
    registry.put_manifest(b" " * (9 << 20))
    error = attempt("inspect", PLAIN, registry.reference).stderr
    assert "8388608" in error


def test_a_bomb_of_a_layer_costs_neither_memory_nor_disk(registry, work):
    """CVE-2017-14992: 256 KiB that are 256 MiB, in a process that may not have as much."""
    size = 256 << 20
    head, end = layers.archive(lambda t: t.add("zeros", data=b"")), bytes(1024)
    entry = bytearray(head[:512])
    entry[124:136] = b"%011o\0" % size
    entry[148:156] = b" " * 8
    entry[148:156] = b"%06o\0 " % sum(entry)
    compressor = gzip.zlib.compressobj(9, gzip.zlib.DEFLATED, 31)
    packed = compressor.compress(bytes(entry))
    for _ in range(size >> 24):
        packed += compressor.compress(bytes(1 << 24))
    packed += compressor.compress(end) + compressor.flush()
    image = registry.manifest_of(LAYER)
    image["layers"] = [{**registry.put_blob(packed), "mediaType": oci.LAYER + "+gzip"}]
    registry.put_manifest(image)
    limit = 256 << 20
    error = attempt("convert", "--quiet", PLAIN, "--jobs", "1", registry.reference, f"oci:{work}/convert:x", timeout=60,
                    preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))).stderr
    assert "tar data have digest" in error  # it was read to its end
    assert nothing_came(work, "convert")
    assert sum(path.stat().st_size for path in work.rglob("*") if path.is_file()) < 16 << 20


# Documents

@pytest.mark.parametrize("media_type", [oci.MANIFEST, INDEX])
def test_a_document_that_is_index_and_manifest_is_refused(registry, work, media_type):
    """CVE-2021-41190."""
    image = registry.manifest_of(LAYER)
    registry.put_manifest({**image, "mediaType": media_type, "manifests": [registry.put_manifest(image, tag=None)]}, media_type)
    assert "manifests like an index and layers like a manifest" in copy(registry, work).stderr


def test_a_document_is_what_its_server_says_or_it_is_refused(registry, work):
    registry.put_manifest(registry.manifest_of(LAYER), INDEX)
    assert "the server says" in copy(registry, work).stderr


def test_an_entry_is_what_its_index_says_or_it_is_refused(registry, work):
    entry = registry.put_manifest(registry.manifest_of(LAYER), tag=None)
    entry.update(mediaType=INDEX, platform={"os": "linux", "architecture": "amd64"})
    registry.put_manifest({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}, INDEX)
    assert "its descriptor says" in copy(registry, work).stderr


DOCUMENTS = {  # and what is said of them
    "a key twice": ('{"schemaVersion": 2, "layers": [], "layers": []}', "twice"),
    "too deep": ('{"a":' * 100 + "1" + "}" * 100, "nested deeper"),
    "far too deep": ("[" * 1_000_000, "nested deeper"),
    "schema 1": ('{"schemaVersion": 1, "fsLayers": []}', "schema 1"),
    "no JSON": ("<html>", "no valid JSON"),
    "too many layers": (json.dumps({"schemaVersion": 2, "config": {"mediaType": oci.CONFIG, "digest": f"sha256:{HEX}", "size": 1},
                                    "layers": [{"mediaType": oci.LAYER, "digest": f"sha256:{HEX}", "size": 1}] * 1025}), "1025"),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_that_parsers_take_in_different_ways_are_refused(registry, work, name):
    text, said = DOCUMENTS[name]
    registry.put_manifest(text.encode())
    assert said in copy(registry, work).stderr, name


def test_indexes_without_end_are_not_followed(registry, work):
    """Each names the next one."""
    entry = registry.put_manifest(registry.manifest_of(LAYER), tag=None)
    for _ in range(100):
        entry["platform"] = {"os": "linux", "architecture": "amd64"}
        entry = registry.put_manifest({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}, INDEX, tag=None)
    reference = f"docker://{registry.host}/{REPOSITORY}@{entry['digest']}"
    for options in ([], ["--all"]):
        error = attempt("copy", "--quiet", PLAIN, *options, reference, f"oci:{work}/copy:x").stderr
        assert "indexes in one another" in error
    assert len(registry.requests("manifests")) < 50


# Exchanged content

def test_a_tag_that_is_moved_in_the_middle_of_a_copy_does_not_mix_images(registry, work):
    first, second = registry.manifest_of(LAYER), registry.manifest_of(layers.archive(lambda t: t.add("other", data=b"2")))
    entry = registry.put_manifest(first)
    registry.put_manifest(second)  # for whoever asks again
    assert copy(registry, work, expect=0).stdout.strip() == entry["digest"]
    assert oci.Layout(work / "copy").manifest("x") == first
    assert len(registry.requests("manifests/t$")) == 1


def test_another_manifest_under_a_digest_is_refused(registry, work):
    entry = registry.put_manifest(registry.manifest_of(LAYER), tag=None)
    evil = json.dumps(registry.manifest_of(layers.archive(lambda t: t.add("evil", data=b"2")))).encode()
    evil += b" " * (entry["size"] - len(evil))
    with HostileRegistry() as liar:
        liar.put_manifest(evil, tag=None, digest=entry["digest"])
        reference = f"docker://{liar.host}/{REPOSITORY}@{entry['digest']}"
        assert entry["digest"] in attempt("copy", PLAIN, reference, f"oci:{work}/copy:x").stderr
        assert nothing_came(work)


def test_a_server_that_states_another_digest_than_it_gives_is_refused(registry, work):
    body = json.dumps(registry.manifest_of(LAYER)).encode()
    registry.answer(f"/v2/{REPOSITORY}/manifests/t", 200,
                    {"Content-Type": oci.MANIFEST, "Docker-Content-Digest": f"sha256:{HEX}"}, body)
    assert f"sha256:{HEX}" in copy(registry, work).stderr


def test_the_daemon_mounts_nothing_that_lies(registry, start_daemon, converted):
    """The same checks stand in front of a mount: its manifest, its bootstrap."""
    daemon = start_daemon()
    layout = converted("plain").layout
    manifest = layout.manifest()
    for layer in (*manifest["layers"], manifest["config"]):
        registry.put_blob(layout.blob_path(layer["digest"]).read_bytes())
    bootstrap = manifest["layers"][-1]
    content = bytearray(layout.blob_path(bootstrap["digest"]).read_bytes())
    content[len(content) // 2] ^= 1
    lies = {
        "both": {**manifest, "manifests": []},
        "name": {**manifest, "layers": [*manifest["layers"][:-1], {**bootstrap, "digest": "sha256:../../x"}]},
        "size": {**manifest, "layers": [*manifest["layers"][:-1], {**bootstrap, "size": bootstrap["size"] + 1}]},
        "giant": {**manifest, "layers": [*manifest["layers"][:-1], {**bootstrap, "size": 1 << 40}]},
    }
    for name, document in lies.items():
        registry.put_manifest(document, tag=name)
        reference = f"docker://{registry.host}/{REPOSITORY}:{name}"
        assert daemon.sluice("mount", PLAIN, reference, daemon.mountpoint(), expect=None).returncode != 0, name
    registry.put_manifest(manifest, tag="honest")
    registry.replace(f"/v2/{REPOSITORY}/blobs/{bootstrap['digest']}", 200, {}, bytes(content))
    reference = f"docker://{registry.host}/{REPOSITORY}:honest"
    refused = daemon.sluice("mount", PLAIN, reference, daemon.mountpoint(), expect=None)
    assert refused.returncode != 0 and bootstrap["digest"] in refused.stderr
    assert json.loads(daemon.sluice("list", "--json").stdout) == {"mounts": []}
