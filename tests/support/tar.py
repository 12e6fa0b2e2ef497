# SPDX-License-Identifier: Apache-2.0
"""Writes tar layers entry by entry, with what Python's tarfile does not let one say: binary extended attributes, sub-second and
negative times, owners up to 2^32-2, entries without parents, and archives that lie."""
import decimal

BLOCK = 512
FILE, HARD_LINK, SYMLINK, CHAR_DEVICE, BLOCK_DEVICE, DIRECTORY, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"


def _octal(value, width):
    """A NUL-terminated octal field, or None when the value does not fit."""
    text = b"%0*o" % (width - 1, value) if value >= 0 else b"-"
    return text + b"\0" if value >= 0 and len(text) < width else None


def _pax_record(key, value):
    body = b" " + key + b"=" + value + b"\n"
    length = len(body) + 1
    while len(b"%d" % length) + len(body) != length:
        length = len(b"%d" % length) + len(body)
    return b"%d" % length + body


def _header(name, kind, mode, uid, gid, size, mtime, link, device):
    block = bytearray(BLOCK)
    block[0:100] = name[:100].ljust(100, b"\0")
    block[100:108] = _octal(mode, 8)
    block[108:116] = _octal(uid, 8)
    block[116:124] = _octal(gid, 8)
    block[124:136] = _octal(size, 12)
    block[136:148] = _octal(mtime, 12)
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[157:257] = link[:100].ljust(100, b"\0")
    block[257:265] = b"ustar\00000"
    block[329:337] = _octal(device[0], 8)
    block[337:345] = _octal(device[1], 8)
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


class TarWriter:
    """POSIX.1-2001 (PAX) archives; a field that fits ustar is not repeated in an extended header."""

    def __init__(self, file):
        self._file = file

    def add(self, name, kind=FILE, data=b"", *, mode=None, uid=0, gid=0, mtime="1600000000", link=b"", device=(0, 0), xattrs=None):
        """`mtime`: seconds as decimal text, e.g. "-1.25"; `xattrs`: {bytes name: bytes value}."""
        name = name if isinstance(name, bytes) else name.encode()
        link = link if isinstance(link, bytes) else link.encode()
        mode = mode if mode is not None else 0o755 if kind == DIRECTORY else 0o777 if kind == SYMLINK else 0o644
        records = []

        def field(key, value, width):
            if _octal(value, width) is not None:
                return value
            records.append(_pax_record(key, b"%d" % value))
            return 0

        uid, gid, size = field(b"uid", uid, 8), field(b"gid", gid, 8), field(b"size", len(data), 12)
        seconds = decimal.Decimal(mtime)
        if seconds != int(seconds) or _octal(int(seconds), 12) is None:
            records.append(_pax_record(b"mtime", mtime.encode()))
            seconds = 0
        if len(name) > 100 or not name.isascii():
            records.append(_pax_record(b"path", name))
        if len(link) > 100 or not link.isascii():
            records.append(_pax_record(b"linkpath", link))
        for key, value in (xattrs or {}).items():
            records.append(_pax_record(b"SCHILY.xattr." + key, value))
        if records:
            body = b"".join(records)
            self._file.write(_header(b"PaxHeaders/x", b"x", 0o644, 0, 0, len(body), 0, b"", (0, 0)))
            self._write_padded(body)
        self._file.write(_header(name, kind, mode, uid, gid, size, int(seconds), link, device))
        self._write_padded(data)

    def directory(self, name, **fields):
        self.add(name, DIRECTORY, **fields)

    def symlink(self, name, target, **fields):
        self.add(name, SYMLINK, link=target, **fields)

    def hard_link(self, name, target, **fields):
        self.add(name, HARD_LINK, link=target, **fields)

    def whiteout(self, name):
        folder, _, last = name.rpartition("/")
        self.add(f"{folder}/.wh.{last}" if folder else f".wh.{last}")

    def opaque(self, folder):
        self.add(f"{folder}/.wh..wh..opq")

    def _write_padded(self, data):
        self._file.write(data)
        self._file.write(b"\0" * (-len(data) % BLOCK))

    def close(self):
        self._file.write(b"\0" * (2 * BLOCK))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
