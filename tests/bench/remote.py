# SPDX-License-Identifier: Apache-2.0
"""Measures images in a docker-registry that is far away: cold start, cold read of everything, conversion.  See scripts/bench."""
import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse

from bench import processes
from support import converted
from support.daemon import Sluiced
from support.nydus import Nydusd
from support.programs import PYTHON, SLUICE, drop_caches, run
from support.registry import Registry

LINK = pathlib.Path(__file__).resolve().parent / "link.py"
# Round trip in ms, Mbit/s.  The first is the one with targets.
LINKS = [(20, 100), (0, 100), (1, 100), (100, 100), (20, 1000)]
START_TARGET_S = 3.0
READ_TARGET = 1.15  # of the pull
REPOSITORY = "bench"


class Link:
    """link.py in front of a port.  Use it as a context manager."""

    def __init__(self, port, round_trip_ms, mbit_per_s):
        self._process = subprocess.Popen([PYTHON, LINK, f"127.0.0.1:{port}", str(round_trip_ms), str(mbit_per_s)],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.host = f"127.0.0.1:{self._process.stdout.readline().strip()}"

    def down_bytes(self):
        self._process.send_signal(signal.SIGUSR1)
        return json.loads(self._process.stdout.readline())["down_bytes"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def put_blob(registry, path):
    """A blob without an image, as nydus wants it; returns its digest."""
    content = path.read_bytes()
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    connection = http.client.HTTPConnection(registry.host)
    connection.request("POST", f"/v2/{REPOSITORY}/blobs/uploads/")
    answer = connection.getresponse()
    answer.read()
    location = urllib.parse.urlsplit(answer.getheader("Location"))
    connection.request("PUT", f"{location.path}?{location.query}&digest={digest}", content)
    answer = connection.getresponse()
    assert answer.status == 201, answer.read()
    connection.close()
    return digest


class Sluice:
    name = "sluice"

    def __init__(self, image, registry, scratch):
        self.target = converted.convert(f"tar:{image.tar}", scratch / "sluice")
        registry.push(self.target.reference, f"{REPOSITORY}:sluice", "--preserve-digests")

    @contextlib.contextmanager
    def mounted(self, link, folder):
        """Yields (root, how long the mount took)."""
        with Sluiced(folder) as daemon:
            path = daemon.mountpoint()
            begin = time.monotonic()
            daemon.sluice("mount", "--tls-verify=false", f"docker://{link.host}/{REPOSITORY}:sluice", path)
            yield path, time.monotonic() - begin


class Nydus:
    """nydus v2 by FUSE.  Its bootstrap is local: the time to get it is not counted."""
    name = "nydus v2"

    def __init__(self, image, registry, scratch):
        self._bootstrap, blobs = scratch / "nydus.boot", scratch / "nydus-blobs"
        blobs.mkdir()
        run(["nydus-image", "create", "--log-level", "error", "-t", "tar-rafs", "-B", self._bootstrap, "-D", blobs, image.tar])
        for path in blobs.iterdir():
            put_blob(registry, path)

    @contextlib.contextmanager
    def mounted(self, link, folder):
        backend = {"type": "registry", "config": {"scheme": "http", "host": link.host, "repo": REPOSITORY, "skip_verify": True}}
        begin = time.monotonic()
        with Nydusd("nydusd", pathlib.Path(folder) / "d", self._bootstrap, backend) as daemon:
            yield daemon.mountpoint, time.monotonic() - begin


class Bench:
    def __init__(self, image, registry, scratch, results, file_list):
        self._image, self._registry, self._scratch = image, registry, scratch
        self._results, self._file_list = results, file_list
        registry.push(image.reference, f"{REPOSITORY}:original", "--dest-compress", "--dest-compress-format", "zstd")
        manifest = json.loads(run(["skopeo", "inspect", "--raw", "--tls-verify=false",
                                   registry.reference(f"{REPOSITORY}:original")]).stdout)
        self._layer = manifest["layers"][0]

    def serve(self, system, link_of, what, command):
        """One cold run of `command` (a function of the root) on a fresh mount."""
        label = f"{what}, {link_of[0]} ms, {link_of[1]} Mbit/s"
        with tempfile.TemporaryDirectory(prefix="far-", dir=self._scratch) as folder, Link(self._registry.port, *link_of) as link:
            drop_caches()
            requests = len(self._registry.requests())
            with system.mounted(link, folder) as (root, mount_s):
                wall, _, _ = command(root)
                self._results.add(system.name, f"mount and {label}, s", mount_s + wall)
                self._results.add(system.name, f"{label}, s", wall)
                self._results.add(system.name, f"{label}: mount alone, s", mount_s)
                self._results.add(system.name, f"{label}: over the link, bytes", link.down_bytes())
                self._results.add(system.name, f"{label}: requests", len(self._registry.requests()) - requests)

    def start(self, system, link_of, start):
        self.serve(system, link_of, "cold start", lambda root: processes.timed(["chroot", root, "python3", "-c", start]))

    def read(self, system, link_of):
        self.serve(system, link_of, "cold read of all files",
                   lambda root: processes.timed(["xargs", "-0", "-a", self._file_list, "cat"], cwd=root))

    def pull(self, link_of):
        """What nobody who unpacks first beats."""
        with tempfile.TemporaryDirectory(prefix="pull-", dir=self._scratch) as folder, Link(self._registry.port, *link_of) as link:
            drop_caches()
            url = f"http://{link.host}/v2/{REPOSITORY}/blobs/{self._layer['digest']}"
            wall, _, _ = processes.timed(["sh", "-c", f"curl -sS '{url}' | zstd -dc | tar x -C '{folder}'"])
            label = f"cold read of all files, {link_of[0]} ms, {link_of[1]} Mbit/s"
            self._results.add("pull", f"{label}, s", wall)
            self._results.add("pull", f"mount and {label}, s", wall)

    def convert(self, link_of):
        """From the registry to the registry, against copying the image here and converting it."""
        label = f"convert from and to the registry, {link_of[0]} ms, {link_of[1]} Mbit/s, s"
        with Link(self._registry.port, *link_of) as link:
            source = f"docker://{link.host}/{REPOSITORY}:original"
            verify = ["--src-tls-verify=false", "--dest-tls-verify=false"]
            wall, _, _ = processes.timed([SLUICE, "convert", "--quiet", *verify, source, f"docker://{link.host}/new/{time.time_ns()}:1"])
            self._results.add("sluice", label, wall)
            folder = self._scratch / "copied"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            copy, _, _ = processes.timed(["skopeo", "copy", "-q", "--src-tls-verify=false", source, f"oci:{folder}/in:1"])
            local, _, _ = processes.timed([SLUICE, "convert", "--quiet", f"oci:{folder}/in:1", f"oci:{folder}/out:1"])
            self._results.add("pull", label, copy + local)


def measure(image, results, options, start):
    """Fills `results`; returns the names of the systems."""
    with tempfile.TemporaryDirectory(prefix="sluice-far-", dir="/var/tmp") as folder:
        scratch = pathlib.Path(folder)
        files = sorted(path for path, entry in image.tree.items() if entry["kind"] == "file")
        file_list = scratch / "files"
        file_list.write_bytes(b"\0".join(os.fsencode(path) for path in files))
        with Registry(scratch / "registry") as registry:
            bench = Bench(image, registry, scratch, results, file_list)
            kinds = [Sluice, Nydus] if options.peers else [Sluice]
            systems = [kind(image, registry, scratch) for kind in kinds]
            for _ in range(options.runs):
                for link_of in LINKS[:1] if options.quick else LINKS:
                    for system in systems:
                        bench.start(system, link_of, start)
                bench.pull(LINKS[0])
                for system in systems:
                    bench.read(system, LINKS[0])
                if not options.quick:
                    bench.convert(LINKS[0])
            return [*(system.name for system in systems), "pull"]


def targets():
    """(measure, what it is compared with, target as a factor or number), as in bench.TARGETS."""
    rows = []
    for number, (round_trip, mbit) in enumerate(LINKS):
        label = f"cold start, {round_trip} ms, {mbit} Mbit/s"
        rows.append((f"mount and {label}, s", None, START_TARGET_S if number == 0 else None))
        rows += [(f"{label}: {what}", None, None) for what in ("mount alone, s", "over the link, bytes", "requests")]
    link = f"{LINKS[0][0]} ms, {LINKS[0][1]} Mbit/s"
    label = f"cold read of all files, {link}"
    rows.append((f"{label}, s", "pull", READ_TARGET))
    rows.append((f"mount and {label}, s", "pull", None))
    rows += [(f"{label}: {what}", None, None) for what in ("over the link, bytes", "requests")]
    rows.append((f"convert from and to the registry, {link}, s", "pull", None))
    return rows
