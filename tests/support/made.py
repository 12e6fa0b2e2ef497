# SPDX-License-Identifier: Apache-2.0
"""Images that nydus-image wrote, kept in tests/data."""
import pathlib

from support import tree

MADE = pathlib.Path(__file__).resolve().parent.parent / "data" / "rafs-v6" / "made"
SERVED = ["dir-zstd", "dir-lz4-4k", "tar-lz4-toc", "prefetch", "inline"]
ROOT_TIME = {(".", "mtime")}  # nydus-image gives the root of a directory source the time of the build


def reference(case):
    bootstrap = MADE / case / "image.boot"
    if bootstrap.exists():
        return f"rafs:{bootstrap}"
    blob, = (MADE / case / "blobs").iterdir()  # the bootstrap is inside the only blob
    return f"rafs:{blob}"


def expect_tree(case, actual):
    """Fails unless `actual`, as support/tree.py sees it, is the tree of the image."""
    expected = tree.load_conformance((MADE / case / "tree.json").read_text())
    differences = tree.compare(expected, actual, ignore=ROOT_TIME)
    assert not differences, "\n".join(differences[:20])
