# SPDX-License-Identifier: Apache-2.0
"""Images that nydus-image wrote: those of the supported kinds are served, the others refused by name."""
import os
import pathlib

import pytest

from support import tree
from support.daemon import scan
from support.programs import drop_caches

MADE = pathlib.Path(__file__).resolve().parent.parent / "data" / "rafs-v6" / "made"
SERVED = ["dir-zstd", "dir-lz4-4k", "tar-lz4-toc", "prefetch", "inline"]
REFUSED = {"batch-64k": "batch", "zran": "zran", "encrypt": "encrypt"}
ROOT_TIME = {(".", "mtime")}  # nydus-image gives the root of a directory source the time of the build


def reference(case):
    bootstrap = MADE / case / "image.boot"
    if bootstrap.exists():
        return f"rafs:{bootstrap}"
    blob, = (MADE / case / "blobs").iterdir()  # the bootstrap is inside the only blob
    return f"rafs:{blob}"


@pytest.mark.parametrize("engine", ["io_uring", "epoll"])
@pytest.mark.parametrize("case", SERVED)
def test_image_of_nydus_is_served(case, engine, start_daemon):
    expected = tree.load_conformance((MADE / case / "tree.json").read_text())
    daemon = start_daemon("--engine", engine)
    mountpoint = daemon.mount(reference(case))
    for _ in range(2):
        differences = tree.compare(expected, scan(mountpoint), ignore=ROOT_TIME)
        assert not differences, "\n".join(differences[:20])
        drop_caches()


@pytest.mark.parametrize("case, feature", REFUSED.items())
def test_image_with_a_feature_of_later_is_refused_by_name(case, feature, start_daemon):
    daemon = start_daemon()
    result = daemon.sluice("mount", reference(case), daemon.mountpoint(), expect=1)
    assert feature in result.stderr.lower()
    assert any(blob in result.stderr for blob in os.listdir(MADE / case / "blobs"))
    assert daemon.status()["mounts"] == 0
