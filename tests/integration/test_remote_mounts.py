# SPDX-License-Identifier: Apache-2.0
"""Mounts of images in registries: what is fetched when, who may fetch it, and what works without the registry."""
import os
import shutil
import signal

import pytest

from support import tree
from support.daemon import scan
from support.fault_server import Delay, FaultServer
from support.places import Placed
from support.programs import drop_caches, wait_until
from support.registry import Registry, write_auth_file
from support.tls import Authority
from support.token_server import TokenServer

FAILURE, USAGE_OR_NOT_FOUND = 1, 2
USERS = {"alice": "open sesame", "bob": "hunter2"}
NAME = "team/plain:1"


@pytest.fixture
def registry(work, converted):
    """Anonymous, with the plain image."""
    with Registry(work / "registry") as server:
        server.push(converted("plain").reference, NAME)
        yield server


@pytest.fixture
def login(work, converted):
    """The same behind a token server; its tokens end quickly from now on."""
    with TokenServer(work, Authority(work / "tls"), users=dict(USERS)) as tokens, \
            Registry(work / "registry", tokens=tokens) as server:
        server.push(converted("plain").reference, NAME, "--dest-creds", f"alice:{USERS['alice']}")
        tokens.lifetime = 2
        server.tokens = tokens
        yield server


def plain(registry, *options):
    return Placed(registry.reference(NAME), "--tls-verify=false", *options)


def kill_worker(daemon):
    """The next worker serves when this returns."""
    old = daemon.worker_pid()
    os.kill(old, signal.SIGKILL)

    def successor():
        result = daemon.sluice("status", "--json", expect=None)
        return result.returncode == 0 and daemon.worker_pid() != old
    wait_until(successor, "the next worker")


def wait_for_checkpoint(daemon):
    """What was fetched before is on record: until then a killed worker forgets it."""
    maps = {path: path.stat().st_mtime_ns for path in daemon.root.glob("blobs/*/map")}
    assert maps
    wait_until(lambda: all(path.stat().st_mtime_ns > before for path, before in maps.items()), "a checkpoint of all blobs")


def read(mountpoint, path):
    with open(mountpoint / path, "rb") as file:
        return file.read()


def test_only_manifest_and_bootstrap_are_fetched_before_the_mount_returns(registry, converted, start_daemon):
    bootstrap = converted("plain").layout.manifest()["layers"][-1]["digest"]
    with FaultServer(upstream=registry.host) as front:
        daemon = start_daemon()
        mountpoint = daemon.mount(Placed(f"docker://{front.host}/{NAME}", "--tls-verify=false"))
        asked = [request.path for request in front.requests("/v2/.+", "GET")]
        assert asked == ["/v2/team/plain/manifests/1", f"/v2/team/plain/blobs/{bootstrap}"]
        assert daemon.ready_bytes() == 0
        read(mountpoint, "lower/f00")
        data = front.requests("/blobs/", "GET")[1:]
        assert data and all(request.range for request in data)
        daemon.umount(mountpoint)


def test_all_shards_have_logged_in_when_the_mount_returns(work, image, converted, start_daemon):
    layers = converted("plain").layout.manifest()["layers"]
    with TokenServer(work, Authority(work / "tls"), users=dict(USERS)) as tokens, \
            Registry(work / "registry", tokens=tokens) as server, FaultServer(upstream=server.host) as front:
        credentials = f"alice:{USERS['alice']}"
        server.push(converted("plain").reference, NAME, "--dest-creds", credentials)
        front.inject(Delay(1.0), match=layers[-1]["digest"])  # more than a login takes
        daemon = start_daemon("--shards", 4)
        mountpoint = daemon.mount(Placed(f"docker://{front.host}/{NAME}", "--tls-verify=false", "--creds", credentials))
        before = len(tokens.requests())
        assert before == 1 + 4  # of the push, and of each shard
        front.forget_requests()
        assert not tree.compare(image("plain").tree, scan(mountpoint))
        assert len(tokens.requests()) == before
        assert front.requests() and all("/blobs/" in request.path for request in front.requests())
        daemon.umount(mountpoint)


def test_image_can_be_named_by_its_digest(registry, image, start_daemon, converted):
    digest = converted("plain").layout.tags()["latest"]
    daemon = start_daemon()
    mountpoint = daemon.mount(Placed(f"docker://{registry.host}/team/plain@{digest}", "--tls-verify=false"))
    assert not tree.compare(image("plain").tree, scan(mountpoint))


@pytest.mark.parametrize("name, code", [
    ("team/plain:none", USAGE_OR_NOT_FOUND), ("nobody/nothing:1", USAGE_OR_NOT_FOUND), ("Team/plain:1", USAGE_OR_NOT_FOUND),
    ("source:1", FAILURE),
])
def test_image_that_cannot_be_mounted_is_named(name, code, registry, image, start_daemon):
    registry.push(image("odd").reference, "source:1")
    daemon = start_daemon()
    result = daemon.sluice("mount", "--tls-verify=false", registry.reference(name), daemon.mountpoint(), expect=code)
    assert name.partition(":")[0] in result.stderr
    assert daemon.status()["mounts"] == 0


def test_cached_image_works_without_its_registry_and_across_restarts(registry, image, start_daemon):
    daemon = start_daemon()
    mountpoint = daemon.mount(plain(registry))
    assert not tree.compare(image("plain").tree, scan(mountpoint))
    wait_for_checkpoint(daemon)
    registry.stop()
    for restart in (False, True):
        if restart:
            kill_worker(daemon)
        drop_caches()
        assert not tree.compare(image("plain").tree, scan(mountpoint))


def test_worker_that_starts_without_the_registry_fetches_when_it_is_back(registry, image, start_daemon, work):
    config = work / "config.toml"
    config.write_text("fetch-timeout-ms = 1000\n[network]\nmost-pause-ms = 100\n")
    daemon = start_daemon("--config", config)
    mountpoint = daemon.mount(plain(registry))
    cached = read(mountpoint, "lower/f00")
    read(mountpoint, "upper/f01")
    wait_for_checkpoint(daemon)
    registry.stop()
    kill_worker(daemon)
    drop_caches()
    assert read(mountpoint, "lower/f00") == cached
    with pytest.raises(OSError, match="Errno 5"):
        read(mountpoint, "upper/f00")
    registry.start()
    wait_until(lambda: not tree.compare(image("plain").tree, scan(mountpoint)), "recovery")


@pytest.mark.parametrize("how", ["creds", "authfile", "environment"])
def test_tokens_are_renewed_while_the_image_is_mounted(how, login, image, start_daemon, work, monkeypatch):
    auth = write_auth_file(work / "auth.json", login.host, "alice", USERS["alice"])
    options = {"creds": ["--creds", f"alice:{USERS['alice']}"], "authfile": ["--authfile", auth], "environment": []}[how]
    if how == "environment":
        monkeypatch.setenv("REGISTRY_AUTH_FILE", str(auth))
    daemon = start_daemon()
    mountpoint = daemon.mount(plain(login, *options))
    before = len(login.tokens.requests())
    assert before > 0 and all(seen["user"] == "alice" for seen in login.tokens.requests())
    unread = iter(sorted(path for path, entry in image("plain").tree.items() if entry["kind"] == "file"))

    def renewed():
        read(mountpoint, next(unread))
        return len(login.tokens.requests()) > before + 1
    wait_until(renewed, "another token", timeout=20, interval=0.1)
    kill_worker(daemon)  # what the mount was told is remembered
    assert not tree.compare(image("plain").tree, scan(mountpoint))
    daemon.umount(mountpoint)
    assert not list((daemon.root / "mounts").iterdir()), "secrets go with their mount"


def test_new_password_in_the_file_needs_no_new_mount(login, image, start_daemon, work):
    auth = write_auth_file(work / "auth.json", login.host, "alice", USERS["alice"])
    daemon = start_daemon()
    mountpoint = daemon.mount(plain(login, "--authfile", auth))
    read(mountpoint, "lower/f00")
    login.tokens.users["alice"] = "changed"
    write_auth_file(auth, login.host, "alice", "changed")
    login.tokens.lifetime = 300
    kill_worker(daemon)  # no token is left
    assert not tree.compare(image("plain").tree, scan(mountpoint))


@pytest.mark.parametrize("options", [(), ("--creds", "alice:wrong"), ("--creds", "mallory:x")])
def test_who_may_not_read_is_told_so(options, login, start_daemon):
    daemon = start_daemon()
    image = plain(login, *options)
    result = daemon.sluice("mount", *image.options, image.reference, daemon.mountpoint(), expect=FAILURE)
    assert login.host in result.stderr


def test_each_mount_has_credentials_of_its_own(login, start_daemon):
    daemon = start_daemon()
    for user, password in USERS.items():
        mountpoint = daemon.mount(plain(login, "--creds", f"{user}:{password}"), user)
        read(mountpoint, "lower/f00")
    assert {seen["user"] for seen in login.tokens.requests()} == set(USERS)


def test_certificates_come_from_the_directory_of_the_mount(work, image, converted, start_daemon):
    authority = Authority(work / "tls")
    certificates = work / "certificates"
    certificates.mkdir()
    shutil.copy(authority.ca, certificates)
    with Registry(work / "registry", authority=authority, redirect=True) as server:
        server.push(converted("plain").reference, NAME)
        reference = server.reference(NAME)
        daemon = start_daemon()
        result = daemon.sluice("mount", reference, daemon.mountpoint(), expect=FAILURE)
        assert "certificate" in result.stderr
        mountpoint = daemon.mount(Placed(reference, "--cert-dir", certificates))
        kill_worker(daemon)
        assert not tree.compare(image("plain").tree, scan(mountpoint))
        assert any(status == 206 for _, _, status in server.storage_host.requests()), "blobs come from another host"
        trusting = daemon.mount(Placed(reference, "--tls-verify=false"), "trusting")
        daemon.umount(trusting)
        daemon.umount(mountpoint)


@pytest.mark.parametrize("text, words", [
    ('{"type": "http", "config": {"url": "http://host/", "no_such_key": 1}}', "no_such_key"),
    ('{"type": "floppy", "config": {}}', "floppy"),
    ("{", "backend configuration"),
])
def test_backend_configuration_that_makes_no_sense_is_refused_by_the_mount(text, words, converted, start_daemon, work):
    config = work / "backend.json"
    config.write_text(text)
    daemon = start_daemon()
    result = daemon.sluice("mount", "--backend-config", config, converted("plain").reference, daemon.mountpoint(),
                           expect=USAGE_OR_NOT_FOUND)
    assert words in result.stderr
    assert not list((daemon.root / "mounts").iterdir())
