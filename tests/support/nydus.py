# SPDX-License-Identifier: Apache-2.0
"""nydus v2, where it is on PATH: an independent reader of our images, and the peer in the benchmark."""
import contextlib
import json
import pathlib
import subprocess

from support.daemon import mounts_below
from support.programs import PATIENCE, run, wait_until


class Nydusd:
    """Serves a bootstrap by FUSE, from a folder of blobs or a backend in nydusd's terms.  Use it as a context manager."""

    def __init__(self, program, folder, bootstrap, blobs):
        self.folder = pathlib.Path(folder)
        self.mountpoint, cache = self.folder / "mnt", self.folder / "cache"
        for path in (self.mountpoint, cache):
            path.mkdir(parents=True)
        backend = blobs if isinstance(blobs, dict) else {"type": "localfs", "config": {"dir": str(blobs)}}
        config = {"device": {"backend": backend,
                             "cache": {"type": "blobcache", "config": {"work_dir": str(cache)}}},
                  "mode": "direct", "digest_validate": False, "enable_xattr": True, "fs_prefetch": {"enable": False}}
        (self.folder / "config.json").write_text(json.dumps(config))
        self.log_path = self.folder / "nydusd.log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [program, "--apisock", self.folder / "api.sock", "--log-level", "warn", "--rlimit-nofile", "0",
                 "--config", self.folder / "config.json", "--mountpoint", self.mountpoint, "--bootstrap", bootstrap],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until(self._is_mounted, "nydusd mounts")
        except BaseException:
            self.clean_up()
            raise

    def _is_mounted(self):
        assert self.process.poll() is None, self.log_path.read_text()
        return mounts_below(self.folder)

    def clean_up(self):
        for path in mounts_below(self.folder):
            run(["umount", path], expect=None)
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10 * PATIENCE)
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.clean_up()
