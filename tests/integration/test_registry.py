# SPDX-License-Identifier: Apache-2.0
"""convert, copy and inspect over a registry that others wrote, with skopeo as the other client."""
import json
import os
import signal
import socket
import subprocess

import pytest

from support import oci, programs, tree
from support.daemon import scan
from support.places import Placed
from support.programs import run, sluice
from support.registry import Registry, write_auth_file
from support.tls import Authority
from support.token_server import TokenServer

ALICE = {"alice": "open sesame"}
CREDENTIALS = "alice:open sesame"
PLAIN = "--tls-verify=false"


@pytest.fixture
def registry(work):
    with Registry(work / "registry") as server:
        yield server


def inspect(reference, *options):
    return json.loads(sluice("inspect", *options, reference).stdout)


def skopeo_inspect(reference, *options):
    return json.loads(run(["skopeo", "inspect", PLAIN, *options, reference]).stdout)


def test_what_skopeo_pushed_is_inspected_as_skopeo_sees_it(image, registry):
    reference = registry.push(image("odd").reference, "a/odd:1")
    ours, theirs = inspect(reference, PLAIN), skopeo_inspect(reference)
    for key in ("Digest", "Architecture", "Os", "Layers"):
        assert ours[key] == theirs[key]
    assert [layer["Size"] for layer in ours["LayersData"]] == [layer["size"] for layer in image("odd").layout.manifest()["layers"]]
    raw = sluice("inspect", PLAIN, "--raw", reference).stdout
    assert raw == run(["skopeo", "inspect", PLAIN, "--raw", reference]).stdout
    assert json.loads(sluice("inspect", PLAIN, "--config", reference).stdout)["rootfs"]["type"] == "layers"


def test_local_images_are_inspected_too(image):
    shown = inspect(image("odd").reference)
    assert shown["Digest"] == image("odd").layout.tags()["latest"]
    assert shown["Converted"] is False


def test_what_is_not_there_has_an_exit_code_of_its_own(registry):
    missing = sluice("inspect", PLAIN, registry.reference("no/such:image"), expect=2)
    assert "status 404" in missing.stderr
    sluice("inspect", PLAIN, "docker://r.example/UPPER", expect=2)


def test_an_image_is_converted_from_the_registry_into_the_registry(image, registry, work, start_daemon):
    source = registry.push(image("odd").reference, "odd:plain")
    target = registry.reference("odd:lazy")
    printed = sluice("convert", "--quiet", PLAIN, source, target).stdout.strip()
    local = programs.sluice("convert", "--quiet", image("odd").reference, f"oci:{work}/local:latest").stdout.strip()
    assert printed == local  # the same bytes, wherever they go

    shown = skopeo_inspect(target)
    assert shown["Digest"] == printed
    assert inspect(target, PLAIN)["Converted"] is True
    run(["skopeo", "copy", "-q", "--src-tls-verify=false", target, f"oci:{work}/copy:latest"])
    daemon = start_daemon()
    differences = tree.compare(image("odd").tree, scan(daemon.mount(f"oci:{work}/copy:latest")))
    assert not differences, "\n".join(differences[:20])


def test_a_copy_keeps_every_digest_and_copies_no_blob_twice(image, registry, work):
    source = registry.push(image("odd").reference, "odd:1")
    digest = image("odd").layout.tags()["latest"]
    assert sluice("copy", "--quiet", PLAIN, source, f"oci:{work}/layout:x").stdout.strip() == digest
    assert oci.Layout(work / "layout").tags() == {"x": digest}

    again = sluice("copy", PLAIN, f"oci:{work}/layout:x", registry.reference("odd:2"))
    assert ": 0 of " in again.stdout
    assert skopeo_inspect(registry.reference("odd:2"))["Digest"] == digest

    # Into another repository of the same registry, blobs are mounted.
    mounted = sluice("copy", PLAIN, source, registry.reference("other/name:1"))
    assert ": 0 of " in mounted.stdout
    assert any(target.startswith("/v2/other/name/blobs/uploads/?mount=") and status == 201
               for _, target, status in registry.requests())
    archive = f"oci-archive:{work}/a.tar:x"
    sluice("copy", "--quiet", PLAIN, registry.reference("other/name:1"), archive)
    assert inspect(archive)["Digest"] == digest


def test_large_blobs_go_up_in_pieces(image, registry):
    """More than one piece of 8 MiB."""
    manifest = image("python").layout.manifest()
    assert manifest["layers"][0]["size"] > 16 << 20
    sluice("copy", "--quiet", PLAIN, image("python").reference, registry.reference("python:1"), timeout=300)
    assert [method for method, _, _ in registry.requests()].count("PATCH") >= 3
    assert skopeo_inspect(registry.reference("python:1"))["Digest"] == image("python").layout.tags()["latest"]
    layer = manifest["layers"][0]["digest"]
    assert registry.blob_path(layer).read_bytes() == image("python").layout.blob_path(layer).read_bytes()


def test_an_index_is_copied_with_all_its_images_or_for_one_platform(registry, work):
    layout = oci.Layout(work / "multi")
    (layout.path / "blobs/sha256").mkdir(parents=True)
    (layout.path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    entries = []
    for architecture in ("amd64", "arm64"):
        config = json.dumps({"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}).encode()
        manifest = json.dumps({"schemaVersion": 2, "mediaType": oci.MANIFEST, "layers": [], "config": {
            "mediaType": oci.CONFIG, "digest": layout.add_blob(config), "size": len(config)}}).encode()
        entries.append({"mediaType": oci.MANIFEST, "digest": layout.add_blob(manifest), "size": len(manifest),
                        "platform": {"os": "linux", "architecture": architecture}})
    index_type = "application/vnd.oci.image.index.v1+json"
    index = json.dumps({"schemaVersion": 2, "mediaType": index_type, "manifests": entries}).encode()
    root = {"mediaType": index_type, "digest": layout.add_blob(index), "size": len(index),
            "annotations": {oci.REF_NAME: "all"}}
    (layout.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [root]}))
    source = f"oci:{layout.path}:all"

    everything = registry.reference("multi:all")
    assert sluice("copy", "--all", "--quiet", PLAIN, source, everything).stdout.strip() == root["digest"]
    shown = inspect(everything, PLAIN, "--platform", "linux/arm64")
    assert (shown["Digest"], shown["ManifestDigest"]) == (root["digest"], entries[1]["digest"])
    assert shown["Platforms"] == ["linux/amd64", "linux/arm64"]
    assert skopeo_inspect(everything, "--override-arch", "arm64")["Architecture"] == "arm64"

    one = registry.reference("multi:arm")
    sluice("copy", "--platform", "linux/arm64", "--quiet", PLAIN, everything, one)
    assert inspect(one, PLAIN)["Digest"] == entries[1]["digest"]
    sluice("inspect", PLAIN, "--platform", "linux/riscv64", everything, expect=2)


def test_of_an_index_with_both_images_the_converted_one_is_mounted_and_the_ordinary_one_converted(
        image, converted, registry, work, start_daemon):
    entries = []
    for tag, layout, features in (("plain", image("plain").layout, {}),
                                  ("lazy", converted("plain").layout, {"os.features": ["nydus.remoteimage.v1"]})):
        registry.push(f"oci:{layout.path}:latest", f"both:{tag}")
        digest = layout.tags()["latest"]
        entries.append({"mediaType": oci.MANIFEST, "digest": digest, "size": layout.blob_path(digest).stat().st_size,
                        "platform": {"os": "linux", "architecture": "amd64", **features}})
    index_type = "application/vnd.oci.image.index.v1+json"
    daemon = start_daemon()
    for number, order in enumerate((entries, entries[::-1])):
        index = json.dumps({"schemaVersion": 2, "mediaType": index_type, "manifests": order}).encode()
        registry.put_manifest(f"both:{number}", index_type, index)
        both = Placed(registry.reference(f"both:{number}"), PLAIN)
        digest = sluice("convert", "--quiet", PLAIN, "--platform", "linux/amd64", both.reference, f"oci:{work}/again:{number}")
        assert digest.stdout.strip() == converted("plain").layout.tags()["latest"]
        assert not tree.compare(image("plain").tree, scan(daemon.mount(both)))
        daemon.umount(daemon.mountpoint())
    sluice("copy", "--all", "--quiet", PLAIN, both.reference, f"oci:{work}/layout:x")
    assert not tree.compare(image("plain").tree, scan(daemon.mount(f"oci:{work}/layout:x")))


def test_docker_schema_2_is_read(image, registry, work):
    run(["skopeo", "copy", "-q", "--dest-tls-verify=false", "--format", "v2s2", image("odd").reference,
         registry.reference("odd:docker")])
    assert inspect(registry.reference("odd:docker"), PLAIN)["MIMEType"].endswith("distribution.manifest.v2+json")
    programs.sluice("convert", "--quiet", PLAIN, registry.reference("odd:docker"), f"oci:{work}/lazy:x")


def test_passwords_are_found_in_files_and_options(image, work):
    with Registry(work / "registry", users=ALICE) as registry:
        registry.push(image("odd").reference, "odd:1", "--dest-creds", CREDENTIALS)
        reference = registry.reference("odd:1")
        refused = sluice("inspect", PLAIN, reference, expect=1, env={**os.environ, "HOME": str(work)})
        assert "status 401" in refused.stderr
        wrong = sluice("inspect", PLAIN, "--creds", "alice:wr0ng", reference, expect=1)
        assert "status 401" in wrong.stderr and "wr0ng" not in wrong.stderr
        auth = write_auth_file(work / "auth.json", registry.host, "alice", ALICE["alice"])
        inspect(reference, PLAIN, "--authfile", auth)
        inspect(reference, PLAIN, "--creds", CREDENTIALS)
        environment = {**os.environ, "REGISTRY_AUTH_FILE": str(auth)}
        sluice("copy", "--quiet", PLAIN, reference, registry.reference("copy:1"), env=environment)
        # Each side has its own.
        sluice("copy", "--quiet", PLAIN, "--src-creds", CREDENTIALS, "--dest-creds", "alice:wrong", reference,
               registry.reference("copy:2"), expect=1)
        assert registry.repositories() == ["copy", "odd"]


def test_a_credential_helper_is_asked(image, work):
    with Registry(work / "registry", users=ALICE) as registry:
        registry.push(image("odd").reference, "odd:1", "--dest-creds", CREDENTIALS)
        programs_folder = work / "bin"
        programs_folder.mkdir()
        helper = programs_folder / "docker-credential-test"
        helper.write_text("#!/bin/sh\nread -r server\n"
                          f"printf '{{\"ServerURL\":\"%s\",\"Username\":\"alice\",\"Secret\":\"{ALICE['alice']}\"}}' \"$server\"\n")
        helper.chmod(0o755)
        (work / ".docker").mkdir()
        (work / ".docker/config.json").write_text(json.dumps({"credHelpers": {registry.host: "test"}}))
        environment = {"PATH": f"{programs_folder}:{os.environ['PATH']}", "HOME": str(work), "XDG_RUNTIME_DIR": str(work)}
        sluice("inspect", PLAIN, registry.reference("odd:1"), env=environment)


def test_tokens_are_fetched_for_what_is_done_and_again_when_they_end(image, work):
    authority = Authority(work / "tls")
    with TokenServer(work, authority, users=ALICE, lifetime=3) as tokens, \
            Registry(work / "registry", tokens=tokens) as registry:
        target = registry.reference("a/odd:1")
        sluice("copy", "--quiet", PLAIN, "--creds", CREDENTIALS, image("odd").reference, target)
        assert {scope for seen in tokens.requests() for scope in seen["scopes"]} == {"repository:a/odd:pull,push"}
        before = len(tokens.requests())
        inspect(target, PLAIN, "--creds", CREDENTIALS)
        assert {scope for seen in tokens.requests()[before:] for scope in seen["scopes"]} == {"repository:a/odd:pull"}
        sluice("inspect", PLAIN, "--creds", "alice:wrong", target, expect=1)


def test_an_own_authority_is_trusted_when_it_is_named(image, work):
    authority = Authority(work / "tls")
    with Registry(work / "registry", authority=authority) as registry:
        reference = registry.push(image("odd").reference, "odd:1")
        distrusted = sluice("inspect", reference, expect=1)
        assert "certificate" in distrusted.stderr.lower()
        certificates = work / "certs"
        certificates.mkdir()
        (certificates / "ca.crt").write_bytes(authority.ca.read_bytes())
        inspect(reference, "--cert-dir", certificates)
        inspect(reference, PLAIN)
        home = work / "home"
        folder = home / ".config/containers/certs.d" / registry.host
        folder.mkdir(parents=True)
        (folder / "ca.crt").write_bytes(authority.ca.read_bytes())
        sluice("copy", "--quiet", reference, registry.reference("copy:1"), env={**os.environ, "HOME": str(home)})


def test_blobs_are_fetched_from_the_host_that_a_registry_sends_us_to(image, work):
    """nginx answers requests with credentials by 400."""
    authority = Authority(work / "tls")
    with TokenServer(work, authority, users=ALICE, tls=True) as tokens, \
            Registry(work / "registry", tokens=tokens, authority=authority, redirect=True) as registry:
        target = registry.reference("odd:1")
        options = [PLAIN, "--creds", CREDENTIALS]
        sluice("copy", "--quiet", *options, image("odd").reference, target)
        sluice("copy", "--quiet", *options, target, f"oci:{work}/copy:x")
        assert oci.Layout(work / "copy").tags() == {"x": image("odd").layout.tags()["latest"]}
        assert not [status for _, _, status in registry.storage_host.requests() if status == 400]
        assert [status for _, _, status in registry.storage_host.requests() if status == 200]


def test_mirrors_of_registries_conf_are_asked_first_and_their_absence_does_not_matter(image, registry, work):
    with Registry(work / "mirror") as mirror:
        registry.push(image("odd").reference, "odd:1")
        mirror.push(image("odd").reference, "cache/odd:1")
        conf = work / "registries.conf"
        conf.write_text(f"[[registry]]\nlocation = '{registry.host}'\n[[registry.mirror]]\nlocation = '{mirror.host}/cache'\n")
        environment = {**os.environ, "CONTAINERS_REGISTRIES_CONF": str(conf)}
        options = ["--quiet", PLAIN, registry.reference("odd:1")]
        before = len(registry.requests())
        sluice("copy", *options, f"oci:{work}/one:x", env=environment)
        assert len(registry.requests()) == before
        mirror.stop()
        sluice("copy", *options, f"oci:{work}/two:x", env=environment)
        assert oci.Layout(work / "two").tags() == oci.Layout(work / "one").tags()


def test_a_blob_that_was_changed_in_the_registry_is_refused(image, registry, work):
    reference = registry.push(image("odd").reference, "odd:1")
    layer = image("odd").layout.manifest()["layers"][1]["digest"]
    path = registry.blob_path(layer)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    for command, target in (("copy", f"oci:{work}/a:x"), ("convert", f"oci:{work}/b:x")):
        refused = sluice(command, "--quiet", PLAIN, "--retry-times", "0", reference, target, expect=1)
        assert layer in refused.stderr
    assert not (work / "a/index.json").exists() and not (work / "b/index.json").exists()


def test_referrers_are_kept_under_the_tag_that_stands_in_for_their_api(image, registry, work):
    """docker-registry 2.8 has no referrers API."""
    subject_digest = sluice("copy", "--quiet", PLAIN, image("odd").reference, registry.reference("odd:1")).stdout.strip()
    layout = oci.Layout(work / "signature")
    (layout.path / "blobs/sha256").mkdir(parents=True)
    (layout.path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    empty = layout.add_blob(b"{}")
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": oci.MANIFEST, "artifactType": "application/x-test", "layers": [],
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": empty, "size": 2},
        "subject": {"mediaType": oci.MANIFEST, "digest": subject_digest,
                    "size": image("odd").layout.blob_path(subject_digest).stat().st_size}}).encode()
    entry = {"mediaType": oci.MANIFEST, "digest": layout.add_blob(manifest), "size": len(manifest),
             "annotations": {oci.REF_NAME: "s"}}
    (layout.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    for _ in range(2):  # the second time changes nothing
        sluice("copy", "--quiet", PLAIN, f"oci:{layout.path}:s", registry.reference("odd:signature"))
        listed = json.loads(sluice("inspect", PLAIN, "--raw",
                                   registry.reference("odd:" + subject_digest.replace(":", "-"))).stdout)
        assert [(e["digest"], e["artifactType"]) for e in listed["manifests"]] == [(entry["digest"], "application/x-test")]


def test_a_signal_ends_a_command_that_waits_for_the_network(work):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        command = [programs.SLUICE, "inspect", PLAIN, f"docker://127.0.0.1:{silent.getsockname()[1]}/a:t"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            connection, _ = silent.accept()
            process.send_signal(signal.SIGINT)
            assert process.wait(10 * programs.PATIENCE) == -signal.SIGINT
            connection.close()
