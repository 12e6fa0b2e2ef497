# SPDX-License-Identifier: Apache-2.0
"""A bad blob: EIO in bounded time for the readers of what is bad, everything else readable, recovery after repair."""
import hashlib
import json
import os
import shutil
import time

import pytest

from support import converted as conversions
from support import rafs, tree
from support.daemon import scan
from support.programs import PATIENCE, PYTHON, drop_caches, run

ANSWER_WITHIN_S = 5
READ_FILE = "import sys\nwith open(sys.argv[1], 'rb') as file:\n    file.read()"


@pytest.fixture(params=["io_uring", "epoll"])
def engine(request):
    return request.param


@pytest.fixture
def served(engine, image, start_daemon, work):
    """A mount of a private copy of the plain image, whose blobs can be damaged."""
    return Served(engine, image("plain"), start_daemon, work)


class Served:
    def __init__(self, engine, source, start_daemon, work):
        self.source = source
        self.image = conversions.convert(source.reference, work / "image", "--digester", "sha256")
        self.lower, self.upper = self.image.blobs()
        self.daemon = start_daemon("--engine", engine)
        self._backup = work / "backup"

    def mount(self):
        self.mountpoint = self.daemon.mount(self.image.reference)

    def chunk_of(self, path):
        digest = hashlib.sha256((self.source.rootfs / path).read_bytes()).digest()
        return next(chunk for chunk in rafs.chunks(self.image.bootstrap()) if chunk.digest == digest)

    def blob(self, blob):
        path = self.image.blob_path(blob)
        if not self._backup.exists():
            shutil.copy(path, self._backup)
        return path

    def repair(self, blob):
        path = self.image.blob_path(blob)
        fresh = path.with_suffix(".new")
        shutil.copy(self._backup, fresh)
        fresh.rename(path)

    def expect_eio(self, path):
        """Reading `path` fails with EIO in time."""
        begin = time.monotonic()
        result = run([PYTHON, "-c", READ_FILE, self.mountpoint / path], expect=None, timeout=60)
        took = time.monotonic() - begin
        assert "Errno 5" in result.stderr, f"exit code {result.returncode}\n{result.stderr}\n{self.daemon.log()}"
        assert took < ANSWER_WITHIN_S * PATIENCE, f"EIO after {took:.1f} s"

    def unreadable(self):
        """Paths of files that cannot be read; fails when anything else is not as it should be."""
        actual = scan(self.mountpoint)
        bad = {path for path, entry in actual.items() if "error" in entry}
        assert all(actual[path]["error"] == "EIO" for path in bad)
        for path in bad:
            actual[path] = self.source.tree[path]
        assert not tree.compare(self.source.tree, actual, ignore={(path, "id") for path in bad})
        return bad

    def expect_all_well(self):
        drop_caches()
        assert not self.unreadable()


def files_below(source, folder):
    return {path for path in source.tree if path.startswith(f"{folder}/")}


def test_missing_blob_fails_its_readers_only_and_may_come_back(served):
    hidden = served.blob(served.upper)
    hidden.unlink()
    served.mount()
    served.expect_eio("upper/f00")
    assert served.unreadable() == files_below(served.source, "upper")
    assert served.upper in served.daemon.log()
    served.repair(served.upper)
    served.expect_all_well()


def test_truncated_blob_fails_the_readers_of_the_lost_end_only(served):
    chunk = served.chunk_of("upper/f20")
    os.truncate(served.blob(served.upper), chunk.stored_offset)
    served.mount()
    served.expect_eio("upper/f20")
    bad = served.unreadable()
    assert bad == {f"upper/f{i}" for i in range(20, 40)}
    assert served.upper in served.daemon.log()
    served.repair(served.upper)
    served.expect_all_well()


@pytest.mark.parametrize("bits", ["one", "all"])
def test_flipped_bits_fail_the_readers_of_that_chunk_only(served, bits):
    chunk = served.chunk_of("upper/f20")
    with open(served.blob(served.upper), "r+b") as file:
        file.seek(chunk.stored_offset + chunk.stored_bytes // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ (1 if bits == "one" else 0xFF)]))
    served.mount()
    served.expect_eio("upper/f20")
    assert served.unreadable() == {"upper/f20"}
    reports = [line for line in served.daemon.log().splitlines() if served.upper in line]
    assert any(f"chunk {chunk.index}" in line for line in reports), served.daemon.log()
    served.repair(served.upper)
    served.expect_all_well()


def test_damage_to_what_is_in_the_cache_already_does_not_matter(served):
    served.mount()
    served.expect_all_well()
    served.blob(served.upper).unlink()
    served.expect_all_well()


def test_bootstrap_layer_with_another_digest_is_refused(served):
    layer = served.image.layout.manifest()["layers"][-1]
    path = served.image.layout.blob_path(layer["digest"])
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    result = served.daemon.sluice("mount", served.image.reference, served.daemon.mountpoint(), expect=1)
    assert layer["digest"].removeprefix("sha256:") in result.stderr
    assert json.loads(served.daemon.sluice("list", "--json").stdout) == {"mounts": []}
