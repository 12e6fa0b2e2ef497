#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a directory tree shows to programs: everything that lstat, readlink, getxattr and read tell.

usage: tree.py ROOT      prints {path: entry} as JSON

An entry holds kind, mode, uid, gid, mtime (ns), nlink, link, dev, size, sha, xattrs (hex), and id: entries with one id are
hard links of each other.  What cannot be read has an "error" with the name of the errno instead of its content.
"""
import decimal
import errno
import hashlib
import json
import os
import stat
import sys

KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "sym", stat.S_IFCHR: "chr", stat.S_IFBLK: "blk",
         stat.S_IFIFO: "fifo", stat.S_IFSOCK: "sock"}
READ_BYTES = 1 << 20


def hash_file(path):
    digest = hashlib.sha256()
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        while data := os.read(fd, READ_BYTES):
            digest.update(data)
    finally:
        os.close(fd)
    return digest.hexdigest()


def describe(path):
    info = os.lstat(path)
    kind = KINDS[stat.S_IFMT(info.st_mode)]
    is_device = kind in ("chr", "blk")
    entry = {
        "kind": kind,
        "mode": stat.S_IMODE(info.st_mode),
        "uid": info.st_uid,
        "gid": info.st_gid,
        "mtime": info.st_mtime_ns,
        "nlink": info.st_nlink,
        "link": os.fsdecode(os.readlink(path)) if kind == "sym" else "",
        "dev": [os.major(info.st_rdev), os.minor(info.st_rdev)] if is_device else [0, 0],
        "size": info.st_size if kind == "file" else 0,
        "sha": "",
        "xattrs": {},
        "id": f"i{info.st_ino}",
    }
    try:
        for name in os.listxattr(path, follow_symlinks=False):
            entry["xattrs"][name] = os.getxattr(path, name, follow_symlinks=False).hex()
        if kind == "file":
            entry["sha"] = hash_file(path)
    except OSError as error:
        entry["error"] = errno.errorcode[error.errno]
    return entry


def scan(root):
    """Returns {path relative to root: entry}, in the order of a walk by name; the root is '.'."""
    root = os.fsencode(root)
    tree = {".": describe(root)}
    pending = [b""]
    while pending:
        folder = pending.pop()
        for name in sorted(os.listdir(os.path.join(root, folder)), reverse=True):
            path = os.path.join(folder, name)
            entry = describe(os.path.join(root, path))
            tree[os.fsdecode(path)] = entry
            if entry["kind"] == "dir":
                pending.append(path)
    return tree


def load_conformance(text):
    """Reads a tree.json of tests/data/rafs-v6: its mtime is in seconds, and it has no link counts."""
    tree = json.loads(text, parse_float=decimal.Decimal)
    for entry in tree.values():
        entry["mtime"] = int(decimal.Decimal(entry["mtime"]) * 1_000_000_000)
    return tree


def _link_groups(tree):
    groups = {}
    for path, entry in tree.items():
        if entry["kind"] != "dir":
            groups.setdefault(entry["id"], set()).add(path)
    return {frozenset(group) for group in groups.values() if len(group) > 1}


def compare(expected, actual, *, ignore=frozenset()):
    """Returns the differences as lines of text.  `ignore` holds (path, field) pairs that have no defined value."""
    lines = []
    for path in sorted(expected.keys() | actual.keys()):
        if path not in actual:
            lines.append(f"{path!r}: missing")
        elif path not in expected:
            lines.append(f"{path!r}: should not be there")
        else:
            want, have = expected[path], actual[path]
            for field in sorted((want.keys() & have.keys()) - {"id"}):
                if want[field] != have[field] and (path, field) not in ignore:
                    lines.append(f"{path!r}: {field} is {have[field]!r}, should be {want[field]!r}")
            if "error" in have and "error" not in want:
                lines.append(f"{path!r}: {have['error']}")
    for group in sorted(map(sorted, _link_groups(expected) ^ _link_groups(actual))):
        lines.append(f"hard links {group}: {'missing' if frozenset(group) in _link_groups(expected) else 'not in the reference'}")
    return lines


if __name__ == "__main__":
    json.dump(scan(sys.argv[1]), sys.stdout)
