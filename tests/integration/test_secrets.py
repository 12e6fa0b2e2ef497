# SPDX-License-Identifier: Apache-2.0
"""Passwords, tokens and signatures appear nowhere: everything that a run leaves or shows is searched for them."""
import base64
import os
import pathlib
import signal
import urllib.parse

import pytest

from support.daemon import scan
from support.places import Placed
from support.programs import drop_caches, run, wait_until
from support.registry import Registry, write_auth_file
from support.tls import Authority
from support.token_server import TokenServer

USER, PASSWORD = "alice", "pa55-of-alice"
WRONG = "wr0ng-password"


class Seen:
    """What people and programs got to see."""

    def __init__(self):
        self.texts = {}

    def note(self, name, text):
        self.texts[f"{len(self.texts)} {name}"] = text if isinstance(text, bytes) else text.encode(errors="surrogateescape")

    def run(self, daemon, command, *arguments, expect=None):
        result = daemon.sluice(command, *arguments, expect=expect)
        self.note(f"{command} {result.returncode}", result.stdout + result.stderr)
        return result

    def note_processes(self, daemon):
        """Command lines and environments of the daemon."""
        for pid in daemon.processes():
            for what in ("cmdline", "environ"):
                self.note(f"{what} of {pid}", pathlib.Path(f"/proc/{pid}/{what}").read_bytes())

    def note_files(self, folder):
        """All but those that are made for secrets; these belong to root alone."""
        for path in folder.rglob("*"):
            if path.suffix == ".secrets":
                assert path.stat().st_mode & 0o777 == 0o600 and path.stat().st_uid == 0
                assert path.parent.stat().st_mode & 0o777 == 0o700
            elif path.is_file() and not path.is_socket() and path.stat().st_size < 1 << 20:
                self.note(str(path), path.read_bytes())

    def search(self, secrets):
        for secret in secrets:
            forms = {secret, urllib.parse.quote(secret, safe=""), base64.b64encode(secret.encode()).decode(),
                     base64.b64encode(f"{USER}:{secret}".encode()).decode()}
            for form in forms:
                for name, text in self.texts.items():
                    assert form.encode() not in text, f"'{name}' holds a form of the secret '{secret}'"


@pytest.fixture
def seen():
    return Seen()


def kill_worker(daemon):
    old = daemon.worker_pid()
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: daemon.sluice("status", "--json", expect=None).returncode == 0 and daemon.worker_pid() != old,
               "the next worker")


def expect_eio(path):
    with pytest.raises(OSError, match="Errno 5"), open(path, "rb") as file:
        file.read()


def exercise(seen, daemon, image, broken):
    """A mount, reads, a restart, errors and everything that can be asked for; `broken` makes reads fail."""
    mountpoint = daemon.mountpoint()
    assert seen.run(daemon, "mount", *image.options, image.reference, mountpoint).returncode == 0
    scan(mountpoint / "lower")
    for command in (["list"], ["list", "--json"], ["status"], ["status", "--json"]):
        seen.run(daemon, *command)
    kill_worker(daemon)
    broken()
    drop_caches()
    expect_eio(mountpoint / "upper/f00")
    seen.run(daemon, "status", "--json")
    seen.note_processes(daemon)
    seen.note_files(daemon.root)
    assert list((daemon.root / "mounts").glob("*.secrets")), "nothing was searched that had a secret"
    seen.run(daemon, "umount", mountpoint)
    assert not list((daemon.root / "mounts").iterdir())
    seen.note("log", daemon.log())
    assert image.reference in daemon.log()


def test_search_finds_every_form(seen):
    for form in ("x key=a%2Fb", "x " + base64.b64encode(b"a/b").decode(), "x a/b", base64.b64encode(b"alice:a/b").decode()):
        seen.texts = {"one": form.encode()}
        with pytest.raises(AssertionError, match="'one'"):
            seen.search(["a/b"])


def start(start_daemon, work):
    config = work / "config.toml"
    config.write_text("fetch-timeout-ms = 1000\n[network]\nretries = 1\nmost-pause-ms = 100\n")
    return start_daemon("--config", config, "--log-level", "debug")


def test_credentials_of_a_registry_are_told_to_nobody_else(work, converted, start_daemon, seen):
    issued = []
    with TokenServer(work, Authority(work / "tls"), users={USER: PASSWORD}) as tokens, \
            Registry(work / "registry", tokens=tokens) as registry:
        make = tokens.token

        def note_token(*arguments):
            issued.append(make(*arguments))
            return issued[-1]
        tokens.token = note_token
        registry.push(converted("plain").reference, "plain:1", "--dest-creds", f"{USER}:{PASSWORD}")
        daemon = start(start_daemon, work)
        reference = registry.reference("plain:1")
        refused = seen.run(daemon, "mount", "--tls-verify=false", "--creds", f"{USER}:{WRONG}", reference, daemon.mountpoint())
        assert refused.returncode == 1
        exercise(seen, daemon, Placed(reference, "--tls-verify=false", "--creds", f"{USER}:{PASSWORD}"), registry.stop)
    assert issued
    seen.search([PASSWORD, WRONG, *issued])


def test_content_of_an_authentication_file_is_told_to_nobody_else(work, converted, start_daemon, seen):
    with Registry(work / "registry", users={USER: PASSWORD}) as registry:
        registry.push(converted("plain").reference, "plain:1", "--dest-creds", f"{USER}:{PASSWORD}")
        auth = write_auth_file(work / "auth.json", registry.host, USER, PASSWORD)
        daemon = start(start_daemon, work)
        mountpoint = daemon.mountpoint()
        options = ["--tls-verify=false", "--authfile", auth, registry.reference("plain:1"), mountpoint]
        assert seen.run(daemon, "mount", *options).returncode == 0
        seen.run(daemon, "umount", mountpoint)
        auth.write_text(f'{{"auths": {{"{registry.host}": {{"auth": "{PASSWORD}" }}')  # cut off
        assert seen.run(daemon, "mount", *options).returncode == 1
        seen.note_files(daemon.root)
        seen.note_processes(daemon)
        seen.note("log", daemon.log())
    seen.search([PASSWORD])


def test_keys_and_signatures_of_an_object_store_are_told_to_nobody_else(work, converted, start_daemon, s3_place, seen):
    target = converted("plain")
    image = s3_place.put(target)
    daemon = start(start_daemon, work)
    wrong = work / "wrong.json"
    wrong.write_text(pathlib.Path(image.options[1]).read_text().replace(s3_place.store.secret_key, WRONG))
    mountpoint = daemon.mountpoint("wrong")
    assert seen.run(daemon, "mount", "--backend-config", wrong, image.reference, mountpoint).returncode == 0
    expect_eio(mountpoint / "lower/f00")
    seen.run(daemon, "umount", mountpoint)

    prefix = pathlib.Path(image.options[1]).stem
    upper = target.blobs()[1]

    def spoil_blob():
        s3_place.store.put(s3_place.bucket, f"{prefix}/{upper}", b"spoiled")
    try:
        exercise(seen, daemon, image, spoil_blob)
    finally:
        s3_place.store.put(s3_place.bucket, f"{prefix}/{upper}", target.blob_path(upper).read_bytes())
    seen.search([s3_place.store.secret_key, WRONG, "Signature="])


def test_request_that_the_daemon_refuses_is_not_quoted(start_daemon, seen):
    daemon = start_daemon("--log-level", "debug")
    for body in ('{"credentials": "alice:pa55-of-alice', '{"credentials": {"alice": "pa55-of-alice"}}',
                 '{"image": "docker://host/x", "mountpoint": "relative", "credentials": ":pa55-of-alice"}'):
        answer = run(["curl", "-sS", "--unix-socket", daemon.socket, "-d", body, "http://localhost/v1/mounts"])
        assert "code" in answer.stdout
        seen.note("answer", answer.stdout)
    seen.note("log", daemon.log())
    seen.search([PASSWORD])
