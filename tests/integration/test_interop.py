# SPDX-License-Identifier: Apache-2.0
"""Programs of others accept what we make."""
import ctypes
import json
import os
import shutil

import pytest

from support import tree
from support.daemon import mounts_below, scan
from support.nydus import Nydusd
from support.programs import run

VARIANTS = [("odd", ()), ("odd", ("--chunk-size", "4K", "--compressor", "lz4")), ("numpy", ())]
NYDUS_VARIANTS = [*VARIANTS, ("odd", ("--compressor", "none"))]


def needs(program):
    """The path of a program that is no Debian package; the test is skipped when it is not there."""
    path = shutil.which(program)
    if not path:
        pytest.skip(f"{program} not on PATH")
    return path


@pytest.fixture
def bootstrap(converted, work):
    """Writes the bootstrap of a converted image into a file."""
    def write(name, options):
        path = work / "image.boot"
        path.write_bytes(converted(name, *options).bootstrap())
        return path
    return write


@pytest.fixture
def unmount_all(work):
    yield
    for path in mounts_below(work):
        run(["umount", path])


@pytest.mark.parametrize("name, options", VARIANTS)
def test_fsck_of_erofs_utils_accepts_the_bootstrap(name, options, bootstrap, converted, work):
    devices = []
    for blob in converted(name, *options).blobs():
        devices.append(f"--device={work / blob}")
        (work / blob).touch()
    result = run(["fsck.erofs", *devices, bootstrap(name, options)], expect=None)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name, options", VARIANTS)
def test_kernel_mounts_the_bootstrap_over_plain_blobs(name, options, image, bootstrap, converted, start_daemon, work, unmount_all):
    """Without any daemon: the blobs as the cache has them when all that the tree uses is fetched."""
    daemon = start_daemon()
    target = converted(name, *options)
    scan(daemon.mount(target.reference))
    blobs = target.blobs()
    files = []
    for blob in blobs:
        cached, = (path for path in daemon.root.rglob("data") if path.parent.name.startswith(blob))
        files.append(shutil.copy(cached, work / blob))
    folder = work / "plain"
    folder.mkdir()
    # mount(8) would make a loop device of the bootstrap and then fail to combine it with files
    libc_mount(bootstrap(name, options), folder, ",".join(f"device={file}" for file in files))
    differences = tree.compare(image(name).tree, scan(folder))
    assert not differences, "\n".join(differences[:20])


def libc_mount(source, target, options):
    libc = ctypes.CDLL(None, use_errno=True)
    read_only = 1
    if libc.mount(os.fsencode(source), os.fsencode(target), b"erofs", read_only, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(source))


def test_skopeo_reads_and_copies_the_image(converted, work):
    target = converted("numpy")
    shown = json.loads(run(["skopeo", "inspect", target.reference]).stdout)
    assert len(shown["Layers"]) == len(target.layout.manifest()["layers"])
    run(["skopeo", "copy", "-q", target.reference, f"oci:{work}/copy:latest"])
    run(["skopeo", "copy", "-q", "--format", "oci", target.reference, f"dir:{work}/dir"])


@pytest.mark.parametrize("name, options", NYDUS_VARIANTS)
def test_nydus_image_accepts_the_bootstrap(name, options, bootstrap):
    checker = needs("nydus-image")
    result = run([checker, "check", "--bootstrap", bootstrap(name, options)], expect=None)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name, options", NYDUS_VARIANTS)
def test_nydusd_shows_the_same_tree(name, options, image, bootstrap, converted, work):
    program = needs("nydusd")
    blobs = work / "blobs"
    blobs.mkdir()
    target = converted(name, *options)
    for blob in target.blobs():
        (blobs / blob).symlink_to(target.blob_path(blob))
    with Nydusd(program, work / "nydusd", bootstrap(name, options), blobs) as daemon:
        expected = image(name).tree
        # nydusd shows the time of its start in place of 1970-01-01
        no_time = {(path, "mtime") for path, entry in expected.items() if entry["mtime"] == 0}
        differences = tree.compare(expected, scan(daemon.mountpoint), ignore=no_time)
        assert not differences, "\n".join(differences[:20]) + daemon.log_path.read_text()
