# SPDX-License-Identifier: Apache-2.0
"""The instruments of the other tests see what they are there to see."""
import copy
import os

import pytest

from support import tree
from support.programs import PYTHON, SUPPORT, run
from vm import guest


@pytest.fixture
def folder(work):
    """Two regular files, one of them with two names, a link and a folder."""
    (work / "tree" / "sub").mkdir(parents=True)
    (work / "tree" / "one").write_bytes(os.urandom(300_000))
    (work / "tree" / "two").write_bytes(b"two")
    os.link(work / "tree" / "two", work / "tree" / "sub" / "twin")
    (work / "tree" / "link").symlink_to("one")
    return work / "tree"


def test_equal_trees_have_no_differences(folder):
    assert tree.compare(tree.scan(folder), tree.scan(folder)) == []


@pytest.mark.parametrize("path, field, value", [
    ("one", "kind", "fifo"), ("one", "mode", 0o7777), ("sub", "uid", 5), ("sub", "gid", 5), ("link", "mtime", 1), ("two", "nlink", 3),
    ("link", "link", "two"), ("one", "dev", [1, 3]), ("one", "size", 0), ("one", "sha", "0"), ("sub", "xattrs", {"user.a": "00"}),
])
def test_comparison_sees_every_field(folder, path, field, value):
    expected = tree.scan(folder)
    actual = copy.deepcopy(expected)
    actual[path][field] = value
    difference, = tree.compare(expected, actual)
    assert path in difference and field in difference


def test_comparison_sees_what_is_missing_new_unlinked_or_unreadable(folder):
    expected = tree.scan(folder)
    less = {path: entry for path, entry in expected.items() if path != "one"}
    assert tree.compare(expected, less) and tree.compare(less, expected)
    split = copy.deepcopy(expected)
    split["two"]["id"] = "another inode"
    assert tree.compare(expected, split)
    bad = copy.deepcopy(expected)
    bad["one"]["error"] = "EIO"
    assert tree.compare(expected, bad)


def test_readers_see_one_wrong_byte(folder, work):
    run(["cp", "-a", folder, work / "other"])
    command = [PYTHON, SUPPORT / "readers.py", folder, work / "other", "0", "5"]
    run(command)
    with open(work / "other" / "one", "r+b") as file:
        file.seek(150_000)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))
    assert "'one'" in run(command, expect=1).stdout


@pytest.mark.parametrize("end, fault", [("exec sleep 600", "no end within 5 s"), ("exit 0", "the guest stopped before its tests had ended")])
def test_guest_that_hangs_or_stops_too_early_has_failed_and_leaves_its_console(end, fault, work):
    outcome = guest.watch(["sh", "-c", f"echo first; echo last; {end}"], work, lambda line: None, deadline_s=5)
    assert (outcome.fault, outcome.passed, outcome.console) == (fault, False, "first\nlast")
