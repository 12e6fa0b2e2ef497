# SPDX-License-Identifier: Apache-2.0
"""The systems that are compared.  Each converts the image once in a while and serves it, cold, to a reader."""
import contextlib
import pathlib
import shutil
import tempfile

from bench import processes
from support import converted
from support.daemon import Sluiced
from support.nydus import Nydusd
from support.programs import SLUICE, run


class Serving:
    """A tree that can be read now, and the processes that make it so."""

    def __init__(self, root, pids=(), ready_bytes=None):
        self.root = root
        self.pids = pids
        self.ready_bytes = ready_bytes  # asks how much uncompressed data is in the cache; None: there is none


class Ext4:
    """The unpacked tree."""
    name = "ext4"

    def __init__(self, image, _):
        self._image = image

    @contextlib.contextmanager
    def serve(self):
        yield Serving(self._image.rootfs)


class Sluice:
    name = "sluice"

    def __init__(self, image, scratch):
        self._image, self._scratch = image, scratch
        self.target = None

    def convert(self):
        """Returns (wall s, CPU s, peak bytes)."""
        folder = self._scratch / "sluice"
        shutil.rmtree(folder, ignore_errors=True)
        cost = processes.timed([SLUICE, "convert", "--quiet", f"tar:{self._image.tar}", f"oci:{folder}:{converted.TAG}"])
        self.target = converted.Converted(folder)
        return cost

    def sizes(self):
        """Returns (bytes of blobs, bytes of the bootstrap)."""
        blobs = sum(self.target.blob_path(blob).stat().st_size for blob in self.target.blobs())
        return blobs, len(self.target.bootstrap())

    @contextlib.contextmanager
    def serve(self, mounts=1):
        with tempfile.TemporaryDirectory(prefix="serve-", dir=self._scratch) as folder, Sluiced(folder) as daemon:
            roots = [daemon.mount(self.target.reference, f"mnt{i}") for i in range(mounts)]
            yield Serving(roots[0], daemon.processes(), daemon.ready_bytes)


class Nydus:
    """nydus v2 by FUSE."""
    name = "nydus v2"

    def __init__(self, image, scratch):
        self._image, self._scratch = image, scratch
        self._bootstrap, self._blobs = scratch / "nydus.boot", scratch / "nydus-blobs"

    def convert(self):
        shutil.rmtree(self._blobs, ignore_errors=True)
        self._blobs.mkdir()
        return processes.timed(["nydus-image", "create", "--log-level", "error", "-t", "tar-rafs", "-B", self._bootstrap,
                                "-D", self._blobs, self._image.tar])

    def sizes(self):
        return sum(path.stat().st_size for path in self._blobs.iterdir()), self._bootstrap.stat().st_size

    @contextlib.contextmanager
    def serve(self):
        with tempfile.TemporaryDirectory(prefix="nydus-", dir=self._scratch) as folder, \
                Nydusd("nydusd", pathlib.Path(folder) / "d", self._bootstrap, self._blobs) as daemon:
            yield Serving(daemon.mountpoint, [daemon.process.pid], lambda: self._cached(folder))

    @staticmethod
    def _cached(folder):
        """Blocks of the sparse cache files."""
        output = run(["du", "-s", "-B1", pathlib.Path(folder) / "d" / "cache"]).stdout
        return int(output.split()[0])


def limit_of_conversion(archive, scratch):
    """What nobody beats: returns (wall s of zstd, wall s of b3sum, bytes of the zstd file)."""
    packed = scratch / "limit.tar.zst"
    zstd, _, _ = processes.timed(["zstd", "-3", "-T2", "-q", "-f", archive, "-o", packed])
    b3sum, _, _ = processes.timed(["b3sum", archive])
    return zstd, b3sum, packed.stat().st_size
