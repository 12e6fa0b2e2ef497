# SPDX-License-Identifier: Apache-2.0
"""sluiced behind /dev/cachefiles, and what the kernel's own mount command makes of it."""
import contextlib
import http.client
import json
import pathlib
import socket
import time

from support import tree
from support.daemon import Sluiced, scan
from support.programs import PATIENCE, PYTHON, run

ANSWER_WITHIN_S = 5
READ_FILE = "import sys\nwith open(sys.argv[1], 'rb') as file:\n    file.read()"


class ApiConnection(http.client.HTTPConnection):
    """To the API socket of a daemon."""

    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self.path))


class Door(Sluiced):
    """A daemon with the front end under test."""

    def __init__(self, folder, *arguments, frontend="cachefiles"):
        super().__init__(folder, "--frontend", frontend, *arguments)

    def bind(self, image, fsid, domain=None):
        """`image` is a reference, a Converted or a places.Placed.  Returns the words of the mount command, without the mountpoint."""
        options = [*getattr(image, "options", ()), *(["--domain", domain] if domain else [])]
        words = self.sluice("bind", "--fsid", fsid, *options, getattr(image, "reference", image)).stdout.split()
        assert words == ["mount", "-t", "erofs", "none", "-o", f"fsid={fsid}" + (f",domain_id={domain}" if domain else ""),
                         "MOUNTPOINT"]
        return words[:-1]

    def attach_many(self, image, fsids, domain):
        """Binds and mounts one image under many names, with few processes; returns the mountpoints."""
        mountpoints = [self.mountpoint(fsid) for fsid in fsids]
        with contextlib.closing(ApiConnection(self.socket)) as api:
            for fsid in fsids:
                api.request("POST", "/v1/bindings", json.dumps({"image": image.reference, "fsid": fsid, "domain": domain}))
                answer = api.getresponse()
                assert answer.status == http.client.CREATED, answer.read()
                answer.read()
        table = self.folder / "fstab"
        table.write_text("".join(f"none {mountpoint} erofs fsid={fsid},domain_id={domain}\n"
                                 for fsid, mountpoint in zip(fsids, mountpoints)))
        run(["mount", "-a", "-T", table])
        return mountpoints

    def attach(self, command, name="mnt"):
        """Runs a mount command; returns the mountpoint."""
        mountpoint = self.mountpoint(name)
        run([*command, mountpoint])
        return mountpoint

    def counters(self):
        return self.status()["counters"]

    def threads(self):
        """Names of the worker's threads, without those that the kernel lends to io_uring."""
        tasks = pathlib.Path(f"/proc/{self.worker_pid()}/task")
        names = [(task / "comm").read_text().strip() for task in tasks.iterdir()]
        return sorted(name for name in names if not name.startswith("iou-"))

    def expect_tree(self, mountpoint, source, *, unreadable=frozenset()):
        """Fails unless the tree is the source's, with EIO for all `unreadable` paths and for no others."""
        actual = scan(mountpoint)
        assert failed(actual) == set(unreadable), self.log()
        expect_eio_or_right(actual, source)


def failed(tree_seen):
    """The paths of what could not be read."""
    return {path for path, entry in tree_seen.items() if "error" in entry}


def expect_eio_or_right(tree_seen, source):
    """Fails unless what could be read is the source's and the rest gave EIO."""
    unreadable = failed(tree_seen)
    for path in unreadable:
        assert tree_seen[path]["error"] == "EIO"
    known = {**tree_seen, **{path: source.tree[path] for path in unreadable}}
    differences = tree.compare(source.tree, known, ignore={(path, "id") for path in unreadable})
    assert not differences, "\n".join(differences[:20])


def umount(mountpoint):
    run(["umount", mountpoint])


def read(path):
    """Reads a file in a process of its own; returns the error, if any, and fails when that takes too long."""
    begin = time.monotonic()
    result = run([PYTHON, "-c", READ_FILE, path], expect=None, timeout=60)
    took = time.monotonic() - begin
    assert took < ANSWER_WITHIN_S * PATIENCE, f"an answer after {took:.1f} s"
    return result.stderr.splitlines()[-1] if result.returncode else ""
