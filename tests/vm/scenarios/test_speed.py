# SPDX-License-Identifier: Apache-2.0
"""The cost of a miss: Sluice beside a program that does nothing but copy, with the same image in the same guest.

The times are for people: an emulated processor stretches what computes, such as a hash function, more than what waits."""
import dataclasses
import os
import random
import re
import subprocess
import time

import pytest

from serving import Door, umount
from support.programs import BUILD, drop_caches, run

RESPONDER = BUILD / "tests" / "vm" / "responder"
ROUNDS = 3
PAGE = 4096
PAGES = 400  # of 3350


@dataclasses.dataclass
class Measured:
    """A cold read of an image."""
    reads: int    # questions of the kernel
    pages: int    # that programs asked for
    seconds: float

    def __str__(self):
        return (f"{self.reads} READs for {self.pages} pages in {self.seconds:.2f} s: {self.reads / self.seconds:.0f} READs/s, "
                f"{self.pages / self.seconds:.0f} pages/s")


def read_in_order(files):
    """Reads file by file, as a program does that wants everything; returns the number of pages."""
    for file in files:
        while os.read(file, 1 << 20):
            pass
    return sum(-(-os.fstat(file).st_size // PAGE) for file in files)


def read_at_random(files):
    """Reads some pages in random order, each once and none ahead; returns their number."""
    for file in files:
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_RANDOM)
    pages = [(file, offset) for file in files for offset in range(0, os.fstat(file).st_size, PAGE)]
    for file, offset in random.Random("pages").sample(pages, PAGES):
        os.pread(file, PAGE, offset)
    return PAGES


def measure(way, mountpoint, source):
    """Returns pages and seconds."""
    drop_caches()
    paths = [mountpoint / path for path, entry in sorted(source.tree.items()) if entry["kind"] == "file"]
    files = [os.open(path, os.O_RDONLY) for path in paths]
    try:
        begin = time.monotonic()
        pages = way(files)
        return pages, time.monotonic() - begin
    finally:
        for file in files:
            os.close(file)


def measure_responder(folder, way, source, objects):
    cache, mountpoint = folder / "cache", folder / "mnt"
    cache.mkdir(parents=True)
    mountpoint.mkdir()
    with subprocess.Popen([RESPONDER, cache, objects], stdout=subprocess.PIPE, text=True) as responder:
        try:
            assert responder.stdout.readline() == "ready\n"
            run(["mount", "-t", "erofs", "none", "-o", "fsid=bootstrap", mountpoint])
            pages, seconds = measure(way, mountpoint, source)
            umount(mountpoint)
        finally:
            responder.terminate()
        return Measured(int(re.fullmatch(r"(\d+) READs\n", responder.stdout.read()).group(1)), pages, seconds)


def measure_sluice(folder, way, source, converted):
    folder.mkdir()
    with Door(folder) as daemon:
        mountpoint = daemon.attach(daemon.bind(converted, "bootstrap"))
        pages, seconds = measure(way, mountpoint, source)
        return Measured(daemon.counters()["events"], pages, seconds)


@pytest.mark.parametrize("way", [read_in_order, read_at_random])
def test_sluice_is_asked_less_often_than_a_program_that_only_copies(way, work, image, objects):
    source, converted = image("fine")
    theirs, ours = [], []
    for i in range(ROUNDS):
        theirs.append(measure_responder(work / f"responder{i}", way, source, objects))
        ours.append(measure_sluice(work / f"sluice{i}", way, source, converted))
    print("", *(f"{way.__name__}, responder: {measured}" for measured in theirs),
          *(f"{way.__name__}, sluice: {measured}" for measured in ours), sep="\n", flush=True)
    assert max(measured.reads for measured in ours) < min(measured.reads for measured in theirs)
