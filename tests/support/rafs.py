# SPDX-License-Identifier: Apache-2.0
"""Finds chunks in a RAFS v6 bootstrap, independently of the code under test: docs/formats/rafs-v6.md."""
import dataclasses
import struct

EXTENSION = 1152  # byte offset of the extended super block
BLOB_ENTRY = 256
CHUNK_ENTRY = 80
HOLE = 0xFFFFFFFF * 4096  # plain offset of the chunk of zeros, which nothing reads through the kernel


@dataclasses.dataclass(frozen=True)
class Chunk:
    digest: bytes
    blob: str  # id
    index: int  # within its blob
    stored_offset: int
    stored_bytes: int
    plain_offset: int
    plain_bytes: int


def chunks(bootstrap):
    """Returns all chunks of the chunk table that have a place in their blob's cache file."""
    blob_table, blob_bytes, _, chunk_table, chunk_bytes = struct.unpack_from("<QIIQQ", bootstrap, EXTENSION + 8)
    blobs = [bootstrap[o:o + 64].decode() for o in range(blob_table, blob_table + blob_bytes, BLOB_ENTRY)]
    found = []
    for offset in range(chunk_table, chunk_table + chunk_bytes, CHUNK_ENTRY):
        fields = struct.unpack_from("<32sIIIIQQQI", bootstrap, offset)
        digest, blob, _, stored, plain, stored_offset, plain_offset, _, index = fields
        if plain_offset == HOLE:
            continue
        found.append(Chunk(digest, blobs[blob], index, stored_offset, stored, plain_offset, plain))
    return found
