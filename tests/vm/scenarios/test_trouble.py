# SPDX-License-Identifier: Apache-2.0
"""Bad blobs and dying daemons."""
import hashlib
import os
import pathlib
import re
import resource
import shutil
import signal
import time

import pytest

from serving import ANSWER_WITHIN_S, expect_eio_or_right, failed, read, umount
from support import rafs
from support.converted import Converted
from support.daemon import scan
from support.programs import PATIENCE, drop_caches, run, wait_until

KILLS = 3
READERS = 4
SMALL = 8 << 20  # bytes, less than the image `plain`


def private_copy(converted, folder):
    """A copy that can be damaged."""
    shutil.copytree(converted.path, folder)
    return Converted(folder)


def chunk_of(converted, source, path):
    digest = hashlib.sha256((source.rootfs / path).read_bytes()).digest()
    return next(chunk for chunk in rafs.chunks(converted.bootstrap()) if chunk.digest == digest)


def below(source, folder):
    return {path for path in source.tree if path.startswith(f"{folder}/")}


def test_missing_blob_fails_its_readers_only_and_may_come_back(daemon, image, work):
    source, converted = image("plain")
    copy = private_copy(converted, work / "copy")
    lower, upper = copy.blobs()
    hidden = copy.blob_path(upper).rename(work / "hidden")
    mountpoint = daemon.attach(daemon.bind(copy, "plain"))
    assert "Errno 5" in read(mountpoint / "upper/f00")
    daemon.expect_tree(mountpoint, source, unreadable=below(source, "upper"))
    assert upper in daemon.log() and lower not in daemon.log()
    hidden.rename(copy.blob_path(upper))
    daemon.expect_tree(mountpoint, source)


def test_flipped_bit_fails_the_readers_of_its_chunk_only(daemon, image, work):
    source, converted = image("plain")
    copy = private_copy(converted, work / "copy")
    chunk = chunk_of(copy, source, "upper/f20")
    with open(copy.blob_path(chunk.blob), "r+b") as file:
        file.seek(chunk.stored_offset + chunk.stored_bytes // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))
    mountpoint = daemon.attach(daemon.bind(copy, "plain"))
    assert "Errno 5" in read(mountpoint / "upper/f20")
    daemon.expect_tree(mountpoint, source, unreadable={"upper/f20"})


@pytest.fixture
def small_disk(work):
    """The mountpoint of an ext4 whose disk fails when a few MB are written, because it lies in a folder without room.

    It is asked for single pages: some kernels' loop devices call a write complete when its first pages found room."""
    folder, mountpoint = work / "folder", work / "disk"
    folder.mkdir()
    mountpoint.mkdir()
    run(["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "none", folder])
    image = folder / "disk"
    image.touch()
    os.truncate(image, 256 << 20)
    run(["mke2fs", "-q", "-t", "ext4", "-J", "size=4", "-E", "lazy_itable_init=1,lazy_journal_init=1", image])
    # Not `mount -o loop`: while that has the device open for writing, newer kernels do not mount it.
    device = run(["losetup", "--find", "--show", image]).stdout.strip()
    largest = pathlib.Path("/sys/block", pathlib.Path(device).name, "queue/max_sectors_kb")
    before = largest.read_text()
    largest.write_text(str(resource.getpagesize() >> 10))
    run(["mount", device, mountpoint])
    yield mountpoint
    umount(mountpoint)
    largest.write_text(before)  # or the next user of the device had it
    run(["losetup", "--detach", device])
    umount(folder)


def test_failing_disk_of_the_cache_fails_readers_and_is_told_once(small_disk, start_daemon, image, work):
    source, converted = image("plain")
    config = work / "config.toml"
    config.write_text(f"[cachefiles]\ndir = \"{small_disk}/cache\"\n")
    daemon = start_daemon("--config", config)
    mountpoint = daemon.attach(daemon.bind(converted, "plain"))
    begin = time.monotonic()
    seen = scan(mountpoint)
    assert time.monotonic() - begin < ANSWER_WITHIN_S * PATIENCE, "no error takes as long as a fetch that is tried again"
    files = {path for path, entry in seen.items() if entry["kind"] == "file"}
    assert failed(seen) and failed(seen) < files
    expect_eio_or_right(seen, source)
    trouble = daemon.status()["cache_error"]
    assert re.fullmatch(f"the disk of the cache '{small_disk}/cache' takes nothing: (No space left on device|Input/output error|Read-only file system)", trouble)
    assert daemon.log().count(trouble) == 1


def kill_worker(daemon, pid):
    """Kills the worker `pid`; returns the pid of the next once it answers."""
    os.kill(pid, signal.SIGKILL)

    def successor():
        result = daemon.sluice("status", "--json", expect=None, timeout=30)
        new = daemon.worker_pid() if result.returncode == 0 else pid
        return new if new != pid else None
    return wait_until(successor, f"a successor of worker {pid}")


def test_readers_stall_and_go_on_when_workers_are_killed(daemon, image):
    source, converted = image("fine")
    commands = [daemon.bind(converted, f"kill-{i}") for i in range(KILLS)]
    pid = daemon.worker_pid()
    for i, command in enumerate(commands):  # each has a cold cache
        mountpoint = daemon.attach(command, f"kill-{i}")
        readers = [daemon.start_reader(mountpoint, source.rootfs, seed) for seed in range(READERS)]
        wait_until(lambda: daemon.counters()["misses"], "the readers ask")
        assert all(reader.poll() is None for reader in readers), "a reader ended before the kill"
        pid = kill_worker(daemon, pid)
        for reader in readers:
            output, _ = reader.communicate(timeout=300 * PATIENCE)
            assert reader.returncode == 0, f"{output}\n{daemon.log()}"
        assert daemon.counters()["fetched_plain_bytes"], "nothing was left to do for the successor"
    drop_caches()
    daemon.expect_tree(mountpoint, source)


def test_without_holder_reads_fail_at_once_until_the_image_is_mounted_again(daemon, image):
    source, converted = image("plain")
    command = daemon.bind(converted, "plain")
    mountpoint = daemon.attach(command)
    assert not read(mountpoint / "lower/f00")
    for pid in daemon.processes():
        os.kill(pid, signal.SIGKILL)
    daemon.process.wait()
    assert read(mountpoint / "upper/f39")
    umount(mountpoint)
    daemon.start()
    daemon.attach(command)
    daemon.expect_tree(mountpoint, source)
