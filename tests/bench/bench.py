#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measures conversion, cold and warm reads, starts and memory on one image; everything in one run, medians.  See scripts/bench.

Rounds go through all systems one after the other, so that a slow minute of the machine hits all of them.
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from bench import processes, remote, systems  # noqa: E402: after the path is set
from support import images  # noqa: E402
from support.programs import drop_caches  # noqa: E402

START = "import numpy; print(numpy.arange(10).sum())"
MANY_MOUNTS = 100
FIRST_BYTES = 4096


class Results:
    """Samples by system and measure."""

    def __init__(self):
        self._samples = {}

    def add(self, system, measure, value):
        self._samples.setdefault(system, {}).setdefault(measure, []).append(value)

    def median(self, system, measure):
        """None when it was not measured."""
        values = self._samples.get(system, {}).get(measure)
        return statistics.median(values) if values else None

    def as_json(self):
        return {system: {measure: {"median": statistics.median(values), "samples": values} for measure, values in measures.items()}
                for system, measures in self._samples.items()}


def read_everything(root, file_list):
    wall, _, _ = processes.timed(["xargs", "-0", "-a", file_list, "cat"], cwd=root)
    return wall


def measure_reads(system, results, file_list):
    """Cold and second read of all files, on a mount that has nothing cached."""
    with system.serve() as serving:
        drop_caches()
        before = processes.cpu_seconds(serving.pids)
        results.add(system.name, "cold read, s", read_everything(serving.root, file_list))
        results.add(system.name, "cold read, daemon CPU s", processes.cpu_seconds(serving.pids) - before)
        results.add(system.name, "second read, s", read_everything(serving.root, file_list))
        if serving.pids:
            results.add(system.name, "RSS after reading, bytes", processes.peak_bytes(serving.pids))


def measure_start(system, results):
    with system.serve() as serving:
        drop_caches()
        wall, _, _ = processes.timed(["chroot", serving.root, "python3", "-c", START])
        results.add(system.name, "cold start, s", wall)
        if serving.ready_bytes:
            results.add(system.name, "in the cache after the start, bytes", serving.ready_bytes())


def measure_first_bytes(system, results, path):
    """From open(2) to the first 4 KiB of the middle of a large file."""
    with system.serve() as serving:
        drop_caches()
        begin = time.monotonic()
        fd = os.open(serving.root / path, os.O_RDONLY)
        data = os.pread(fd, FIRST_BYTES, os.fstat(fd).st_size // 2 // FIRST_BYTES * FIRST_BYTES)
        took = time.monotonic() - begin
        os.close(fd)
        assert len(data) == FIRST_BYTES
        results.add(system.name, "first 4 KiB, s", took)


def measure_many_mounts(system, results, file_list):
    begin = time.monotonic()
    with system.serve(mounts=MANY_MOUNTS) as serving:
        results.add(system.name, f"{MANY_MOUNTS} mounts, s", time.monotonic() - begin)
        read_everything(serving.root, file_list)
        results.add(system.name, f"RSS with {MANY_MOUNTS} mounts, bytes", processes.peak_bytes(serving.pids))


def measure_conversion(image, converters, results, scratch):
    """From a tar that is in the page cache for all of them: the first one is not to read it for the others."""
    image.tar.read_bytes()
    zstd, b3sum, size = systems.limit_of_conversion(image.tar, scratch)
    results.add("limit", "convert, s", zstd + b3sum)
    results.add("limit", "blobs, bytes", size)
    for system in converters:
        wall, cpu, peak = system.convert()
        results.add(system.name, "convert, s", wall)
        results.add(system.name, "convert, CPU s", cpu)
        results.add(system.name, "convert, RSS bytes", peak)
        blobs, bootstrap = system.sizes()
        results.add(system.name, "blobs, bytes", blobs)
        results.add(system.name, "bootstrap, bytes", bootstrap)


# measure, what it is compared with (None: the number itself), the target as a factor or number
TARGETS = [
    ("convert, s", "limit", 1.3),
    ("convert, CPU s", None, None),
    ("convert, RSS bytes", None, None),
    ("blobs, bytes", "limit", 1.15),
    ("bootstrap, bytes", None, 2.5e6),
    ("cold read, s", "ext4", 1.0),
    ("cold read, daemon CPU s", None, 0.8),
    ("second read, s", "ext4", 1 / 0.95),
    ("cold start, s", "ext4", 2.0),
    ("in the cache after the start, bytes", None, 48e6),
    ("first 4 KiB, s", None, None),
    ("RSS after reading, bytes", None, 48 << 20),
    (f"{MANY_MOUNTS} mounts, s", None, None),
    (f"RSS with {MANY_MOUNTS} mounts, bytes", None, None),
]


def show(value, measure):
    if value is None:
        return "-"
    return f"{value / 1e6:.1f} MB" if measure.endswith("bytes") else f"{value:.4f}" if value < 0.01 else f"{value:.2f}"


def print_table(results, names, targets):
    print(f"| {'measure':35} |" + "".join(f" {name:>10} |" for name in names) + " sluice against target |")
    print(f"|{'-' * 37}|" + f"{'-' * 12}|" * len(names) + "---|")
    for measure, base, target in targets:
        ours = results.median("sluice", measure)
        if ours is None:
            continue
        verdict = ""
        if target is not None:
            reached = ours / results.median(base, measure) if base else ours
            shown = f"{reached:.2f} × {base}, target {target:.2f}" if base else f"target {show(target, measure)}"
            verdict = f"{shown}: {'reached' if reached <= target else 'MISSED'}"
        print(f"| {measure:35} |" + "".join(f" {show(results.median(n, measure), measure):>10} |" for n in names) + f" {verdict} |")


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peers", action="store_true", help="also nydus-image and nydusd, from PATH")
    parser.add_argument("--remote", action="store_true", help="only what a registry behind a slow link costs")
    parser.add_argument("--quick", action="store_true", help="with --remote: only the link that has targets")
    parser.add_argument("--json", type=pathlib.Path, help="where to write all samples")
    options = parser.parse_args()

    image = images.make("numpy-flat")
    results = Results()
    if options.remote:
        names, targets = remote.measure(image, results, options, START), remote.targets()
    else:
        names, targets = measure_here(image, results, options), TARGETS

    size = image.tar.stat().st_size
    print(f"\n{platform.release()}, {os.cpu_count()} CPUs, medians of {options.runs}, image of {size / 1e6:.0f} MB\n")
    print_table(results, names, targets)
    if options.json:
        document = {"kernel": platform.release(), "cpus": os.cpu_count(), "results": results.as_json()}
        options.json.write_text(json.dumps(document, indent=1))


def measure_here(image, results, options):
    """Fills `results` with what a local backend costs; returns the names of the systems."""
    with tempfile.TemporaryDirectory(prefix="sluice-bench-", dir="/var/tmp") as folder:
        scratch = pathlib.Path(folder)
        files = [path for path, entry in image.tree.items() if entry["kind"] == "file"]
        largest = max(files, key=lambda path: image.tree[path]["size"])
        file_list = scratch / "files"
        file_list.write_bytes(b"\0".join(os.fsencode(path) for path in sorted(files)))

        ours = systems.Sluice(image, scratch)
        converters = [ours] + ([systems.Nydus(image, scratch)] if options.peers else [])
        servers = [systems.Ext4(image, scratch), *converters]
        for number in range(options.runs):
            print(f"run {number + 1} of {options.runs}", file=sys.stderr)
            measure_conversion(image, converters, results, scratch)
            for system in servers:
                measure_reads(system, results, file_list)
                measure_start(system, results)
                measure_first_bytes(system, results, largest)
        measure_many_mounts(ours, results, file_list)
        return ["sluice", "limit", *(system.name for system in servers if system is not ours)]


if __name__ == "__main__":
    main()
