# SPDX-License-Identifier: Apache-2.0
"""A registry that fails in every way: never a wrong byte, an error in bounded time, recovery without a restart."""
import contextlib
import dataclasses
import json
import os
import time

import pytest

from support import converted as conversions
from support import fault_server, layers, oci, tree
from support.daemon import scan
from support.fault_server import FaultServer
from support.places import Placed
from support.programs import BUILD, PATIENCE, PYTHON, drop_caches, run, sluice, wait_until

# The daemon of these tests is impatient, so that they are quick.
FETCH_TIMEOUT_S = 2
MOUNT_TIMEOUT_S = 3
CONFIG = f"""
fetch-timeout-ms = {FETCH_TIMEOUT_S * 1000 * PATIENCE}
mount-timeout-ms = {MOUNT_TIMEOUT_S * 1000 * PATIENCE}
[network]
connect-timeout-ms = {500 * PATIENCE}
answer-timeout-ms = {500 * PATIENCE}
retries = 2
retry-delay-ms = 20
most-pause-ms = 100
"""
# The kernel asks again before a reader gets its error: for what it reads ahead, then for the page itself.
READ_TIMEOUT_S = 3 * FETCH_TIMEOUT_S
SLACK_S = 4  # for the programs around, on a busy machine
READ_FILE = "import sys, hashlib\nwith open(sys.argv[1], 'rb') as file:\n    print(hashlib.sha256(file.read()).hexdigest())"
TOKEN_SERVER = "http://127.0.0.1:1/token"  # where nobody listens
BLOBS, MANIFESTS = "/blobs/", "/manifests/"

# What a server may do all the time, and what no reader gets anything from.
FATAL = {
    "drop": fault_server.Drop(),
    "reset": fault_server.Reset(most=64),
    "truncate": fault_server.Truncate(most=64),
    "shorten": fault_server.Shorten(),
    "lengthen": fault_server.Lengthen(),
    "flip-bits": fault_server.FlipBits(),
    "429": fault_server.Status(429),
    "429-retry-after": fault_server.Status(429, retry_after=1),
    "500": fault_server.Status(500),
    "503-retry-after": fault_server.Status(503, retry_after=3600),
    "403": fault_server.Status(403),
    "404": fault_server.Status(404),
    "slowloris": fault_server.Slowloris(),
    "stall": fault_server.Stall(most=64),
    "redirect-loop": fault_server.RedirectLoop(),
    "whole-body": fault_server.WholeBody(),
    "wrong-range": fault_server.WrongRange(),
    "token-expired": fault_server.TokenExpired(TOKEN_SERVER),
}
# Of these, what passes is not noticed: the request is made again.
PASSING = ["drop", "reset", "truncate", "flip-bits", "429", "429-retry-after", "500", "slowloris", "stall"]

# What a client of stores does by itself, and not as a client of registries does.
OF_STORES = ["truncate", "flip-bits", "500", "403", "slowloris", "redirect-loop", "whole-body", "wrong-range"]


@dataclasses.dataclass
class Remote:
    """An image in a registry or store behind a server that fails on request."""
    front: FaultServer
    image: Placed
    source: dict  # its tree
    source_reference: str = ""  # the image before it was converted, in the same registry
    blobs: str = BLOBS  # what the paths of its blobs have in common


@pytest.fixture(scope="module")
def remote(registry_place, image, converted):
    placed = registry_place.put(converted("plain"))
    source = registry_place.registry.push(image("plain").reference, "source:latest")
    with FaultServer(upstream=registry_place.registry.host) as front:
        def through(reference):
            return reference.replace(registry_place.registry.host, front.host)
        yield Remote(front, Placed(through(placed.reference), *placed.options), image("plain").tree, through(source))


def behind(front, config, path):
    """Writes a configuration of a store that is reached through `front`, impatiently; returns its path."""
    config["config"].update(endpoint=front.host, connect_timeout=PATIENCE, timeout=PATIENCE, retry_limit=2)
    path.write_text(json.dumps(config))
    return path


@pytest.fixture(scope="module")
def store(swift, s3_place, image, converted, tmp_path_factory):
    """The same image in an object store."""
    placed = s3_place.put(converted("plain"))
    config = json.loads(placed.options[1].read_text())
    with FaultServer(upstream=swift.endpoint) as front:
        path = behind(front, config, tmp_path_factory.mktemp("store") / "backend.json")
        # The store loads its parts with the first request: that is not what is timed here.
        run([BUILD / "tests" / "unit" / "backend" / "read_blob", path, converted("plain").blobs()[0], 0, 1], text=False, errors=None)
        yield Remote(front, Placed(placed.reference, "--backend-config", path), image("plain").tree, blobs=f"/{s3_place.bucket}/")


@pytest.fixture(autouse=True)
def healthy(request):
    fronts = [request.getfixturevalue(name).front for name in ("remote", "store") if name in request.fixturenames]
    for front in fronts:
        front.forget_requests()
    yield
    for front in fronts:
        front.heal()


@pytest.fixture
def start_impatient(work, start_daemon):
    config = work / "config.toml"
    config.write_text(CONFIG)
    return lambda *arguments: start_daemon("--config", config, *arguments)


@pytest.fixture
def daemon(start_impatient):
    return start_impatient()


def read(path):
    """Exit code, what was printed, seconds."""
    begin = time.monotonic()
    result = run([PYTHON, "-c", READ_FILE, path], expect=None, timeout=60)
    return result.returncode, result.stdout.strip() or result.stderr, time.monotonic() - begin


def expect_recovery(daemon, mountpoint, remote):
    """All is well again, without a restart, as soon as the server is no longer left alone."""
    remote.front.heal()

    def well():
        drop_caches()
        return not tree.compare(remote.source, scan(mountpoint))
    pid = daemon.worker_pid()
    wait_until(well, "recovery", timeout=30)
    assert daemon.worker_pid() == pid


def expect_failure_and_recovery(fault, remote, daemon, said=None):
    mountpoint = daemon.mount(remote.image)
    remote.front.inject(FATAL[fault], match=remote.blobs)
    code, output, took = read(mountpoint / "upper/f00")
    assert code != 0 and "Errno 5" in output, output
    assert took < (READ_TIMEOUT_S + SLACK_S) * PATIENCE
    assert (said or remote.front.host) in daemon.log(), "the log says what is wrong"
    expect_recovery(daemon, mountpoint, remote)


@pytest.mark.parametrize("fault", FATAL)
def test_cold_read_fails_in_time_and_recovers(fault, remote, daemon):
    expect_failure_and_recovery(fault, remote, daemon)


@pytest.mark.parametrize("fault", OF_STORES)
def test_cold_read_from_a_store_fails_in_time_and_recovers(fault, store, start_impatient):
    # Its patience is in whole seconds: the reader's is over first.
    said = "not done within" if fault == "slowloris" else None
    expect_failure_and_recovery(fault, store, start_impatient("--engine", "epoll"), said)


def expect_nothing_noticed(fault, remote, daemon):
    mountpoint = daemon.mount(remote.image)
    remote.front.inject(FATAL[fault], match=remote.blobs, times=1)
    code, output, _ = read(mountpoint / "upper/f00")
    assert code == 0 and output == remote.source["upper/f00"]["sha"], output


@pytest.mark.parametrize("fault", PASSING)
def test_cold_read_does_not_notice_what_passes(fault, remote, daemon):
    expect_nothing_noticed(fault, remote, daemon)


@pytest.mark.parametrize("fault", ["drop", "truncate", "flip-bits", "429-retry-after", "stall"])
def test_cold_read_from_a_store_does_not_notice_what_passes(fault, store, start_impatient):
    expect_nothing_noticed(fault, store, start_impatient("--engine", "epoll"))


def test_slow_answers_are_waited_for(remote, daemon):
    mountpoint = daemon.mount(remote.image)
    remote.front.inject(fault_server.Delay(0.03), match=BLOBS)
    assert not tree.compare(remote.source, scan(mountpoint))


@pytest.mark.parametrize("fault", FATAL)
def test_mount_fails_in_time_and_leaves_nothing(fault, remote, daemon):
    # What has no range cannot lie about it; what is small comes at once.
    harmless = {"whole-body", "wrong-range"}
    remote.front.inject(FATAL[fault], match=f"{BLOBS}|{MANIFESTS}")
    begin = time.monotonic()
    result = daemon.sluice("mount", *remote.image.options, remote.image.reference, daemon.mountpoint(), expect=None)
    took = time.monotonic() - begin
    assert took < (MOUNT_TIMEOUT_S + SLACK_S) * PATIENCE
    if fault in harmless and result.returncode == 0:
        daemon.umount(daemon.mountpoint())
    else:
        assert result.returncode != 0
        assert remote.front.host in result.stderr or TOKEN_SERVER in result.stderr, result.stderr
    assert json.loads(daemon.sluice("list", "--json").stdout) == {"mounts": []}
    remote.front.heal()

    def mounted():
        return daemon.sluice("mount", *remote.image.options, remote.image.reference, daemon.mountpoint(), expect=None).returncode == 0
    wait_until(mounted, "a mount", timeout=30)
    assert not tree.compare(remote.source, scan(daemon.mountpoint()))


@pytest.mark.parametrize("fault", ["drop", "stall"])
def test_a_mount_does_not_need_its_store(fault, store, daemon):
    """Its bootstrap is here; who reads waits, and finds everything when the store is back."""
    store.front.inject(FATAL[fault], match=store.blobs)
    begin = time.monotonic()
    mountpoint = daemon.mount(store.image)
    assert time.monotonic() - begin < SLACK_S * PATIENCE
    assert read(mountpoint / "upper/f00")[0] != 0
    expect_recovery(daemon, mountpoint, store)


def test_mount_that_waits_for_a_server_holds_up_nobody(remote, daemon, converted):
    remote.front.inject(fault_server.Stall(), match=MANIFESTS)
    slow = daemon.start_mount(remote.image, "slow")
    wait_until(lambda: remote.front.requests(MANIFESTS), "the manifest is asked for")
    daemon.umount(daemon.mount(converted("plain").reference, "other"))
    assert slow.poll() is None, "the slow mount has ended"
    output, _ = slow.communicate(timeout=60)
    assert slow.returncode != 0 and remote.front.host in output


# A file that is read in order, so that what follows is fetched ahead.

BIG = layers.content("big", 24 << 20)
STEP = 1 << 20


@pytest.fixture(scope="module")
def streamed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stream")
    source = oci.Layout(folder / "source")
    source.write_image([layers.archive(lambda t: t.add("big", data=BIG))])
    return conversions.convert(f"oci:{source.path}:latest", folder / "converted", "--compressor", "none")


@pytest.fixture(scope="module")
def stream(registry_place, streamed, remote):
    placed = registry_place.put(streamed)
    return Placed(placed.reference.replace(registry_place.registry.host, remote.front.host), *placed.options)


@pytest.fixture(scope="module")
def stream_of_store(s3_place, streamed, store, tmp_path_factory):
    placed = s3_place.put(streamed)
    path = behind(store.front, json.loads(placed.options[1].read_text()), tmp_path_factory.mktemp("stream") / "backend.json")
    return Placed(placed.reference, "--backend-config", path)


def expect_no_wrong_byte_ahead(fault, remote, stream, daemon):
    mountpoint = daemon.mount(stream)
    with open(mountpoint / "big", "rb", buffering=0) as file:
        for piece in range(4):  # in order: what follows is fetched ahead
            assert file.read(STEP) == BIG[piece * STEP:(piece + 1) * STEP]
        remote.front.inject(FATAL[fault], match=remote.blobs)
        begin, seen = time.monotonic(), 4 * STEP
        with contextlib.suppress(OSError):
            while data := file.read(STEP):
                assert data == BIG[seen:seen + len(data)]
                seen += len(data)
        # Each reader's step may take its whole time; one of them ends in an error.
        assert time.monotonic() - begin < (2 * READ_TIMEOUT_S + SLACK_S) * PATIENCE
        remote.front.heal()

        def all_read():
            with contextlib.suppress(OSError):
                file.seek(0)
                return file.readall() == BIG
        wait_until(all_read, "recovery", timeout=30)


@pytest.mark.parametrize("fault", FATAL)
def test_reading_ahead_gives_no_wrong_byte_whatever_comes(fault, remote, stream, daemon):
    expect_no_wrong_byte_ahead(fault, remote, stream, daemon)


@pytest.mark.parametrize("fault", ["truncate", "flip-bits", "500", "wrong-range"])
def test_reading_ahead_from_a_store_gives_no_wrong_byte(fault, store, stream_of_store, start_impatient):
    expect_no_wrong_byte_ahead(fault, store, stream_of_store, start_impatient("--engine", "epoll"))


class LateOnce(fault_server.Delay):
    """The first answer to a request for this range comes too late; all others come at once."""

    def __init__(self, seconds, wanted):
        super().__init__(seconds)
        self.wanted = wanted

    def send(self, handler, answer):
        if handler.headers["Range"] == self.wanted:
            self.wanted = None
            super().send(handler, answer)
        else:
            fault_server.Fault.send(self, handler, answer)


def test_a_late_answer_is_asked_for_again_where_that_is_configured(remote, stream, work, start_daemon):
    config = work / "config.toml"
    config.write_text(f"fetch-timeout-ms = {60_000 * PATIENCE}\n[network]\nanswer-timeout-ms = {60_000 * PATIENCE}\nhedge = true\n")
    daemon = start_daemon("--config", config)
    mountpoint = daemon.mount(stream)
    chunk = STEP // 2
    wanted = f"bytes={3 * chunk}-{4 * chunk - 1}"
    remote.front.inject(LateOnce(50 * PATIENCE, wanted), match=BLOBS)
    with open(mountpoint / "big", "rb", buffering=0) as file:
        for piece in reversed(range(8, 48)):  # one request each: the usual time is known then
            assert os.pread(file.fileno(), 10, piece * chunk) == BIG[piece * chunk:][:10]
        begin = time.monotonic()
        assert os.pread(file.fileno(), 10, 3 * chunk) == BIG[3 * chunk:][:10]
        assert time.monotonic() - begin < 20 * PATIENCE
    assert [request.range for request in remote.front.requests(BLOBS)].count(wanted) == 2


@pytest.mark.parametrize("fault", FATAL)
def test_conversion_from_a_failing_registry_leaves_nothing_wrong(fault, remote, work):
    remote.front.inject(FATAL[fault], match=BLOBS)
    target = work / "out"
    begin = time.monotonic()
    options = ["--quiet", "--src-tls-verify=false", "--retry-times", "0", remote.source_reference, f"oci:{target}:latest"]
    result = sluice("convert", *options, expect=None, timeout=60)
    assert time.monotonic() - begin < 40 * PATIENCE
    if result.returncode == 0:
        digest = result.stdout
    else:
        assert remote.front.host in result.stderr or TOKEN_SERVER in result.stderr, result.stderr
        assert not (target / "index.json").exists()
    remote.front.heal()
    again = sluice("convert", *options, timeout=60).stdout
    assert result.returncode != 0 or digest == again


# Blobs that are put into a store while an image is converted.

@pytest.fixture(scope="module")
def bucket(swift):
    return swift.make_bucket("faults")


@pytest.fixture
def push(s3_place, bucket, store, image, work):
    """Converts into `name` and the store; what came of it, and the blobs of the image by their keys."""
    def do(name, prefix):
        config = s3_place.backend_config(prefix)
        config["config"]["bucket_name"] = bucket
        path = behind(store.front, config, work / "push.json")
        result = sluice("convert", "--quiet", "--push-blobs", path, image("plain").reference, f"oci:{work}/{name}:latest",
                        expect=None, timeout=60)
        blobs = {}
        if result.returncode == 0:
            made = conversions.Converted(work / name)
            blobs = {f"{prefix}{blob}": made.blob_path(blob).read_bytes() for blob in made.blobs()}
        return result, blobs
    return do


def expect_pushed(swift, bucket, prefix, blobs):
    assert blobs and [key for key in swift.keys(bucket) if key.startswith(prefix)] == sorted(blobs)
    assert all(swift.get(bucket, key) == content for key, content in blobs.items())


# The answers to these requests have no body: what only spoils that is no fault here.
UPLOADS = {
    "drop": fault_server.Drop(),
    "late": fault_server.Delay(5 * PATIENCE),  # the client waits for a second
    "429-retry-after": fault_server.Status(429, retry_after=1),
    "500": fault_server.Status(500),
    "403": fault_server.Status(403),
}


@pytest.mark.parametrize("fault", ["drop", "403"])
def test_a_store_that_takes_no_blobs_ends_a_conversion(fault, store, swift, bucket, push, work):
    store.front.inject(UPLOADS[fault], method="PUT")
    begin = time.monotonic()
    result, _ = push("out", f"{fault}/")
    assert time.monotonic() - begin < 30 * PATIENCE
    # A store that has taken the blob and lost its answer has it.
    if result.returncode:
        assert store.front.host in result.stderr, result.stderr
        assert not (work / "out" / "index.json").exists()
    store.front.heal()
    result, blobs = push("again", f"{fault}/")
    assert result.returncode == 0, result.stderr
    expect_pushed(swift, bucket, f"{fault}/", blobs)


@pytest.mark.parametrize("fault", ["drop", "late", "429-retry-after", "500"])
def test_a_conversion_does_not_notice_what_passes_at_its_store(fault, store, swift, bucket, push):
    store.front.inject(UPLOADS[fault], method="PUT", times=1)
    result, blobs = push("out", f"passing-{fault}/")
    assert result.returncode == 0, result.stderr
    expect_pushed(swift, bucket, f"passing-{fault}/", blobs)
