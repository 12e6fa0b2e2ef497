#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Reads a mounted tree in random order and compares every byte with a reference tree.

usage: readers.py MOUNT REFERENCE SEED [ROUNDS]

A round reads each regular file once, in pieces of random size at random offsets or as a whole.  Prints one line for each
fault and exits with 1 if there was one.
"""
import errno
import mmap
import os
import random
import stat
import sys

MAX_FAULTS = 20


def regular_files(root):
    files = []
    for folder, folders, names in os.walk(os.fsencode(root)):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                files.append(os.path.relpath(path, os.fsencode(root)))
    return files


def pieces(chance, size):
    """Yields (offset, length) of what to read of a file."""
    how = chance.randrange(3)
    if how == 0 or size < 8192:
        yield 0, size + 1
    elif how == 1:
        step = chance.choice((4096, 65536, 262144))
        for offset in range(0, size, step):
            yield offset, step
    else:
        for _ in range(8):
            yield chance.randrange(size), chance.randrange(1, 200_000)


def read_file(chance, mounted, reference):
    """Returns what is wrong, or None."""
    ours = os.open(mounted, os.O_RDONLY | os.O_NOFOLLOW)
    theirs = os.open(reference, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        size = os.fstat(theirs).st_size
        if size and chance.randrange(8) == 0:  # page faults take another way through the kernel
            with mmap.mmap(ours, size, prot=mmap.PROT_READ) as window:
                offset = chance.randrange(size)
                if window[offset:offset + 70_000] != os.pread(theirs, 70_000, offset):
                    return f"mapped bytes at {offset} differ"
            return None
        for offset, length in pieces(chance, size):
            if os.pread(ours, length, offset) != os.pread(theirs, length, offset):
                return f"bytes at {offset}, length {length}, differ"
        return None
    except OSError as error:
        return errno.errorcode[error.errno]
    finally:
        os.close(ours)
        os.close(theirs)


def main():
    mount, reference, seed = os.fsencode(sys.argv[1]), os.fsencode(sys.argv[2]), sys.argv[3]
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    chance = random.Random(seed)
    files = regular_files(reference)
    faults = 0
    for _ in range(rounds):
        chance.shuffle(files)
        for path in files:
            fault = read_file(chance, os.path.join(mount, path), os.path.join(reference, path))
            if fault:
                faults += 1
                print(f"{os.fsdecode(path)!r}: {fault}", flush=True)
                if faults >= MAX_FAULTS:
                    sys.exit(1)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
