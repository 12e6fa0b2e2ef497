# SPDX-License-Identifier: Apache-2.0
"""The cost of a miss: Sluice beside a program that does nothing but copy."""
import re
import subprocess
import time

from support.programs import BUILD, run

RESPONDER = BUILD / "tests" / "vm" / "responder"


def read_everything(mountpoint, source):
    """Reads all files of a cold mount, one after the other; returns the seconds that it took."""
    begin = time.monotonic()
    files = [mountpoint / path for path, entry in sorted(source.tree.items()) if entry["kind"] == "file"]
    run(["cat", "--", *files], stdout=subprocess.DEVNULL)
    return time.monotonic() - begin


def test_responder(work, image, objects):
    source, _ = image("plain")
    cache, mountpoint = work / "cache", work / "mnt"
    cache.mkdir()
    mountpoint.mkdir()
    with subprocess.Popen([RESPONDER, cache, objects], stdout=subprocess.PIPE, text=True) as responder:
        try:
            assert responder.stdout.readline() == "ready\n"
            run(["mount", "-t", "erofs", "none", "-o", "fsid=bootstrap", mountpoint])
            seconds = read_everything(mountpoint, source)
            run(["umount", mountpoint])
        finally:
            responder.terminate()
        reads = int(re.fullmatch(r"(\d+) READs\n", responder.stdout.read()).group(1))
    print(f"responder: {reads} READs, {seconds:.2f} s, {reads / seconds:.0f} READs/s")
