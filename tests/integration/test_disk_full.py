# SPDX-License-Identifier: Apache-2.0
"""The cache directory's file system runs full: EIO for those who need space, recovery when there is some again."""
import contextlib
import errno
import os

import pytest

from support import tree
from support.daemon import scan
from support.programs import drop_caches, run

DISK_BYTES = 64 << 20
FREE_BYTES = 3 << 20  # what the test leaves: less than the image needs


@pytest.fixture
def small_disk(work):
    """The mountpoint of an ext4 of DISK_BYTES."""
    disk, folder = work / "disk.img", work / "disk"
    with open(disk, "wb") as file:
        file.truncate(DISK_BYTES)
    run(["mkfs.ext4", "-q", "-m", "0", disk])
    folder.mkdir()
    run(["mount", "-o", "loop", disk, folder])
    yield folder
    run(["umount", folder])


def fill(path, leave):
    """Writes `path` until only `leave` bytes of its file system are free."""
    with open(path, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            state = os.statvfs(path)
            room = state.f_bavail * state.f_bsize - leave
            if room < state.f_bsize:
                break
            file.write(bytes(min(room, 1 << 20)))
        os.fsync(file.fileno())


def test_full_disk_gives_eio_until_there_is_space(image, converted, small_disk, start_daemon):
    source = image("plain")
    daemon = start_daemon(root=small_disk / "root")
    try:
        mountpoint = daemon.mount(converted("plain").reference)
        fill(small_disk / "filler", FREE_BYTES)
        actual = scan(mountpoint)
        errors = {entry["error"] for entry in actual.values() if "error" in entry}
        assert errors == {errno.errorcode[errno.EIO]}
        readable = [path for path, entry in actual.items() if "error" not in entry]
        assert all(actual[path]["sha"] == source.tree[path]["sha"] for path in readable)
        assert daemon.status()["mounts"] == 1

        (small_disk / "filler").unlink()
        drop_caches()
        assert not tree.compare(source.tree, scan(mountpoint))
    finally:
        daemon.clean_up()  # before the disk goes
