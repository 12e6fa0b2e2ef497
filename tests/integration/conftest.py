# SPDX-License-Identifier: Apache-2.0
"""Fixtures: everything a test starts or mounts is below its own folder and gone when the test ends."""
import os
import pathlib
import platform
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from support import converted as converted_images  # noqa: E402: after the path is set
from support import images  # noqa: E402
from support.daemon import Sluiced, mounts_below  # noqa: E402
from support.places import OciPlace, RegistryPlace, S3Place  # noqa: E402
from support.registry import Registry  # noqa: E402
from support.swift import Swift  # noqa: E402

# pre-content events; the cache must be on a file system that supports them, which tmpfs does not
NEEDED_KERNEL = (6, 14)
SCRATCH = os.environ.get("SLUICE_TEST_DIR", "/var/tmp")


def pytest_collection_modifyitems(items):
    reason = None
    kernel = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
    if os.geteuid() != 0:
        reason = "needs root: mounts, chroot, fanotify"
    elif kernel < NEEDED_KERNEL:
        reason = f"needs Linux {NEEDED_KERNEL[0]}.{NEEDED_KERNEL[1]} for fanotify pre-content events, this is {platform.release()}"
    elif "\terofs" not in pathlib.Path("/proc/filesystems").read_text():
        reason = "needs a kernel with EROFS"
    if reason:
        for item in items:
            item.add_marker(pytest.mark.skip(reason=reason))


def _scratch(prefix):
    return pathlib.Path(tempfile.mkdtemp(prefix=f"sluice-{prefix}-", dir=SCRATCH))


def _remove(folder):
    left = mounts_below(folder)
    assert not left, f"still mounted: {left}"
    shutil.rmtree(folder)


@pytest.fixture
def work():
    """An empty folder on a real file system."""
    folder = _scratch("test")
    yield folder
    _remove(folder)


@pytest.fixture
def start_daemon(work):
    """Starts daemons, each in a folder of its own; ends them with the test."""
    daemons = []

    def start(*arguments, **options):
        folder = work / f"daemon{len(daemons)}"
        folder.mkdir()
        daemons.append(Sluiced(folder, *arguments, **options))
        return daemons[-1]

    yield start
    for daemon in reversed(daemons):
        daemon.clean_up()


@pytest.fixture(scope="session")
def image():
    """Returns a source image by the name of its recipe."""
    return images.make


@pytest.fixture(scope="session")
def converted():
    """Converts a source image with options, once per session."""
    folder = _scratch("converted")
    done = {}

    def get(name, *options):
        key = (name, *options)
        if key not in done:
            done[key] = converted_images.convert(images.make(name).reference, folder / str(len(done)), *options)
        return done[key]

    yield get
    _remove(folder)


@pytest.fixture(scope="session")
def swift():
    """One object store for all tests; each makes buckets of its own."""
    folder = _scratch("swift")
    with Swift(folder) as server:
        yield server
    _remove(folder)


@pytest.fixture(scope="session")
def registry_place():
    folder = _scratch("registry")
    with Registry(folder) as server:
        yield RegistryPlace(server)
    _remove(folder)


@pytest.fixture(scope="session")
def s3_place(swift):
    folder = _scratch("s3")
    yield S3Place(swift, folder / "images")
    _remove(folder)


@pytest.fixture
def place(request):
    """Where the image of a test lies: the parameter is "oci", "docker" or "s3".  Servers start when the first test needs them."""
    return OciPlace() if request.param == "oci" else request.getfixturevalue(
        {"docker": "registry_place", "s3": "s3_place"}[request.param])
