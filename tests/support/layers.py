# SPDX-License-Identifier: Apache-2.0
"""Hand-made layers: tar archives as bytes."""
import io
import pathlib
import random
import struct
import subprocess
import tempfile

from support.tar import BLOCK_DEVICE, CHAR_DEVICE, FIFO, TarWriter

CHUNK_SIZES = (4096, 131072, 1 << 20)  # whose neighbourhood files end in
MAX_ID = 2**32 - 2                     # 2^32-1 means "no change" to chown(2)
NAME_MAX = 255
LINK_MAX = 4095                        # PATH_MAX without the NUL


def content(seed, size):
    return random.Random(seed).randbytes(size)


def file_capability():
    """security.capability of revision 2 with cap_net_raw effective and permitted: linux/capability.h, struct vfs_cap_data."""
    return struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)


def posix_acl():
    """system.posix_acl_access that lets user 4242 read: linux/posix_acl_xattr.h, version 2, entries (tag, perm, id)."""
    no_id = 0xFFFFFFFF
    entries = [(0x01, 6, no_id), (0x02, 4, 4242), (0x04, 4, no_id), (0x10, 4, no_id), (0x20, 4, no_id)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def archive(fill):
    out = io.BytesIO()
    with TarWriter(out) as writer:
        fill(writer)
    return out.getvalue()


def odd_base():
    def fill(t):
        t.directory("./", mode=0o755, mtime="1500000000.5")
        t.directory("types")
        t.add("types/empty")
        t.add("types/one", data=b"x")
        t.symlink("types/relative", "one", mtime="1500000000.25", uid=12, gid=34)
        t.symlink("types/absolute", "/types/one")
        t.symlink("types/dangling", "../nowhere/at/all")
        t.add("types/fifo", FIFO, mode=0o620)
        t.add("types/null", CHAR_DEVICE, device=(1, 3), mode=0o666)
        t.add("types/disk", BLOCK_DEVICE, device=(259, 70000), mode=0o660, gid=6)
        t.directory("types/empty-folder", mode=0o700)

        t.directory("modes")
        t.add("modes/setuid", data=b"#!/bin/true\n", mode=0o4755)
        t.add("modes/setgid", data=b"#!/bin/true\n", mode=0o2711)
        t.add("modes/none", data=b"secret", mode=0o000)
        t.directory("modes/sticky", mode=0o1777)
        t.directory("modes/setgid-folder", mode=0o2775, gid=50)

        t.directory("owners")
        for uid in (1000, 65535, 65536, 2**31 - 1, 2**31, MAX_ID):
            t.add(f"owners/{uid}", data=b"%d" % uid, uid=uid, gid=MAX_ID - uid)

        t.directory("times")
        for mtime in ("0", "-1", "-1.25", "-2147483648", "1.000000001", "1700000000.123456789", "4294967296.5"):
            t.add(f"times/{mtime}", data=mtime.encode(), mtime=mtime)
        t.directory("times/folder", mtime="-86400.75")

        t.directory("xattrs", xattrs={b"user.folder": b"yes"})
        t.add("xattrs/user", data=b"u", xattrs={b"user.text": b"value", b"user.binary": bytes(range(256))})
        t.add("xattrs/many", data=b"m", xattrs={b"user.k%02d" % i: b"v" * i for i in range(1, 40)})
        t.add("xattrs/long-name", data=b"l", xattrs={b"user." + b"n" * 250: b"1"})
        t.add("xattrs/large", data=b"l", xattrs={b"user.large": content("xattr", 2000)})
        t.add("xattrs/trusted", data=b"t", xattrs={b"trusted.sluice": b"\0\1\2"})
        t.add("xattrs/capability", data=b"c", mode=0o755, xattrs={b"security.capability": file_capability()})
        t.add("xattrs/acl", data=b"a", mode=0o644, xattrs={b"system.posix_acl_access": posix_acl()})
        t.directory("xattrs/acl-folder", xattrs={b"system.posix_acl_default": posix_acl()})
        t.symlink("xattrs/link", "user", xattrs={b"trusted.link": b"on a link"})

        t.directory("names")
        t.add("names/" + "n" * NAME_MAX, data=b"long")
        t.add("names/" + "ü" * (NAME_MAX // 2), data=b"long in bytes")
        t.add(b"names/not-utf8-\xff\xfe", data=b"bytes")
        t.add("names/with space, 'quotes' and \\backslash", data=b"q")
        t.add("names/with\nnewline", data=b"n")
        t.add("names/.hidden", data=b"h")
        t.add("names/wh.not-a-whiteout", data=b"w")
        t.symlink("names/long-target", "t/" * (LINK_MAX // 2) + "t")
        deep = "names/" + "/".join("d" * 60 for _ in range(40))
        for depth in range(1, 41):
            t.directory("names/" + "/".join("d" * 60 for _ in range(depth)))
        t.add(deep + "/bottom", data=b"deep")
        t.directory("names/wide")
        for i in range(1500):
            t.add(f"names/wide/{i:05}-{'w' * (i % 90)}")

        t.directory("sizes")
        for chunk in CHUNK_SIZES:
            for size in (chunk - 1, chunk, chunk + 1, 2 * chunk, 2 * chunk + 1):
                t.add(f"sizes/{size}", data=content(size, size))
        t.add("sizes/text", data=b"All work and no play makes the compressor happy.\n" * 20_000)

        t.directory("zeros")
        t.add("zeros/all", data=bytes(3 << 20))
        t.add("zeros/short", data=bytes(5000))
        t.add("zeros/middle", data=content("head", 1 << 20) + bytes(2 << 20) + content("tail", 5000))
        t.add("zeros/ends", data=bytes(1 << 20) + content("core", 1 << 20) + bytes((1 << 20) + 17))

        t.directory("same")
        for name in "abc":
            t.add(f"same/{name}", data=content("same", 300_000))

        t.directory("links")
        t.add("links/first", data=content("links", 9000), mode=0o640)
        t.hard_link("links/second", "links/first")
        t.hard_link("links/third", "./links/second")
        t.add("links/kept", data=b"linked by the next layer")
        t.add("links/split", data=b"replaced in the next layer")
        t.hard_link("links/split-twin", "links/split")
        t.symlink("links/symlink", "first")
        t.hard_link("links/symlink-twin", "links/symlink")
        t.add("links/device", CHAR_DEVICE, device=(1, 5))
        t.hard_link("links/device-twin", "links/device")

        t.directory("gone")
        t.add("gone/file", data=b"x")
        t.directory("gone/folder")
        t.add("gone/folder/file", data=b"x")
        t.add("gone/kept", data=b"kept")
        t.directory("opaque", xattrs={b"user.before": b"1"})
        t.add("opaque/below", data=b"hidden")
        t.directory("opaque/folder")
        t.add("opaque/folder/below", data=b"hidden")
        t.directory("opaque-last")
        t.add("opaque-last/below", data=b"hidden")

        t.directory("changes")
        t.add("changes/file-to-folder", data=b"f")
        t.directory("changes/folder-to-file")
        t.add("changes/folder-to-file/inside", data=b"f")
        t.directory("changes/folder-to-link")
        t.add("changes/folder-to-link/inside", data=b"f")
        t.symlink("changes/link-to-file", "folder-kept")
        t.directory("changes/folder-kept", mode=0o755, mtime="1000000000")
        t.add("changes/folder-kept/inside", data=b"stays")
        t.add("changes/content", data=content("before", 200_000))
    return archive(fill)


def odd_sparse():
    """Sparse files in PAX form, version 1.0; umoci, which makes the reference, does not know older forms."""
    return sparse_archive("posix")


def sparse_archive(tar_format):
    """Sparse files and a long name as GNU tar stores them in `tar_format`: gnu or posix."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch) / "sparse"
        folder.mkdir()
        holes = folder / "holes"
        with open(holes, "wb") as file:
            for offset in range(0, 40 << 20, 2 << 20):  # more extents than fit into one header of the GNU format
                file.seek(offset)
                file.write(content(offset, 10_000))
            file.truncate(41 << 20)
        with open(folder / "only-a-hole", "wb") as file:
            file.truncate(7 << 20)
        (folder / ("g" * 200)).write_bytes(b"a name for an extended header")
        return subprocess.run(
            ["tar", "-c", "--sparse", f"--format={tar_format}", "--sort=name", "--numeric-owner", "--owner=0", "--group=0",
             "--mtime=@1600000001", "--mode=u=rwX,go=rX", "-C", scratch, "sparse"], stdout=subprocess.PIPE, check=True).stdout


def odd_changes():
    def fill(t):
        t.whiteout("gone/file")
        t.whiteout("gone/folder")
        t.whiteout("gone/never-was-there")
        t.opaque("opaque")
        t.add("opaque/above", data=b"seen")
        t.add("opaque-last/above", data=b"seen, although the marker comes later")
        t.opaque("opaque-last")
        t.hard_link("links/across-layers", "links/kept")
        t.add("links/split", data=b"a file of its own now")
        t.directory("changes/file-to-folder", mode=0o750)
        t.add("changes/file-to-folder/inside", data=b"new")
        t.add("changes/folder-to-file", data=b"a file")
        t.symlink("changes/folder-to-link", "content")
        t.add("changes/link-to-file", data=b"not a link")
        t.directory("changes/folder-kept", mode=0o711, uid=7, mtime="1000000001.5", xattrs={b"user.new": b"1"})
        t.add("changes/content", data=content("after", 100_000))
        t.directory("new")
        t.add("new/file", data=content("new", 70_000))
    return archive(fill)


def many_files(count):
    chance = random.Random("many")

    def fill(t):
        for i in range(count):
            if i % 100 == 0:
                t.directory(f"d{i // 100:04}")
            t.add(f"d{i // 100:04}/f{i:06}", data=chance.randbytes(chance.randrange(0, 3000)))
    return archive(fill)


def random_files(folder, count):
    def fill(t):
        t.directory("./")
        t.directory(folder)
        for i in range(count):
            t.add(f"{folder}/f{i:02}", data=content(f"{folder}{i}", 150_000 + 997 * i))
    return archive(fill)
