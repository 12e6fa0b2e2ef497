# SPDX-License-Identifier: Apache-2.0
"""The tree seen through a lazy mount is the tree that umoci unpacks."""
import pytest

from support import tree
from support.daemon import scan
from support.programs import drop_caches

ENGINES = ["io_uring", "epoll"]
PLACES = ["oci", "docker", "s3"]
CHUNK_SIZES = ["4K", "128K", "1M"]
COMPRESSORS = ["zstd", "lz4", "none"]


def check_all_ways(daemon, source, mountpoint):
    """Cold, from the cache, from the cache after the kernel forgot it, and by many readers at once."""
    for state in ("cold", "warm", "dropped"):
        if state == "dropped":
            drop_caches()
        differences = tree.compare(source.tree, scan(mountpoint))
        assert not differences, f"{state}: " + "\n".join(differences[:20])
    drop_caches()
    daemon.read_in_parallel(mountpoint, source.rootfs)


@pytest.mark.parametrize("place, compressor", [
    *[("oci", compressor) for compressor in COMPRESSORS],
    ("docker", "zstd"),
    ("s3", "lz4"),
], indirect=["place"])
@pytest.mark.parametrize("chunk_size", CHUNK_SIZES)
@pytest.mark.parametrize("engine", ENGINES)
def test_odd_image_looks_as_unpacked(engine, chunk_size, compressor, place, image, converted, start_daemon):
    target = converted("odd", "--chunk-size", chunk_size, "--compressor", compressor)
    daemon = start_daemon("--engine", engine)
    check_all_ways(daemon, image("odd"), daemon.mount(place.put(target)))


@pytest.mark.parametrize("place, engine, options", [
    *[(place, engine, ()) for place in PLACES for engine in ENGINES],
    ("oci", "io_uring", ("--chunk-size", "4K", "--compressor", "lz4", "--digester", "sha256")),
    ("oci", "epoll", ("--chunk-size", "128K", "--compressor", "none")),
], indirect=["place"])
def test_numpy_image_looks_as_unpacked(place, engine, options, image, converted, start_daemon):
    target = converted("numpy", *options)
    daemon = start_daemon("--engine", engine)
    check_all_ways(daemon, image("numpy"), daemon.mount(place.put(target)))


@pytest.mark.parametrize("engine", ENGINES)
def test_fifty_thousand_files_look_as_unpacked(engine, image, converted, start_daemon):
    target = converted("many")
    daemon = start_daemon("--engine", engine)
    mountpoint = daemon.mount(target.reference)
    differences = tree.compare(image("many").tree, scan(mountpoint))
    assert not differences, "\n".join(differences[:20])
    drop_caches()
    daemon.read_in_parallel(mountpoint, image("many").rootfs)


@pytest.mark.parametrize("place", PLACES, indirect=True)
def test_first_read_by_eight_readers_at_once_is_right(place, image, converted, start_daemon):
    """Nothing is in the cache when all begin: they share fetches."""
    daemon = start_daemon()
    daemon.read_in_parallel(daemon.mount(place.put(converted("numpy"))), image("numpy").rootfs)
    counters = daemon.status()["counters"]
    plain = sum(blob["plain_bytes"] for blob in daemon.status()["blobs"])
    assert counters["fetched_plain_bytes"] <= plain, "a chunk was fetched more than once"


@pytest.mark.parametrize("place", PLACES, indirect=True)
def test_two_images_of_one_base_share_its_blob(place, image, converted, start_daemon, work):
    """The blob of a common layer is fetched once, whichever image asks."""
    from support import converted as conversions, layers, oci
    base, changes = layers.random_files("lower", 40), layers.random_files("other", 5)
    oci.Layout(work / "source").write_image([base, changes])
    other = conversions.convert(f"oci:{work / 'source'}:latest", work / "other")
    first = converted("plain")
    assert set(first.blobs()) & set(other.blobs())

    daemon = start_daemon()
    one = daemon.mount(place.put(first), "one")
    assert not tree.compare(image("plain").tree, scan(one))
    before = daemon.status()["counters"]["fetched_plain_bytes"]
    two = daemon.mount(place.put(other), "two")
    shared = {path: entry for path, entry in scan(two / "lower").items() if path != "."}
    assert len(shared) == 40 and not any("error" in entry for entry in shared.values())
    assert daemon.status()["counters"]["fetched_plain_bytes"] == before
