# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests that run inside a guest."""
import json
import os
import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from serving import Door  # noqa: E402: after the path is set
from support.converted import Converted  # noqa: E402
from support.images import Image  # noqa: E402

SCRATCH = pathlib.Path(os.environ["SLUICE_TEST_DIR"])
IMAGES = pathlib.Path(os.environ["SLUICE_VM_IMAGES"])


def pytest_runtest_logreport(report):
    """At once, not at the end, which a guest may not reach."""
    if report.failed:
        print(f"\n{report.longreprtext}", flush=True)


@pytest.fixture
def work():
    """An empty folder on the guest's disk."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=SCRATCH))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def start_daemon(work):
    """Starts daemons, each in a folder of its own; ends them with the test."""
    daemons = []

    def start(*arguments, **options):
        folder = work / f"daemon{len(daemons)}"
        folder.mkdir()
        daemons.append(Door(folder, *arguments, **options))
        return daemons[-1]

    yield start
    for daemon in reversed(daemons):
        daemon.clean_up()


@pytest.fixture
def daemon(start_daemon):
    return start_daemon()


@pytest.fixture(scope="session")
def image():
    """Returns (source image, converted image) by name."""
    entries = json.loads((IMAGES / "images.json").read_text())
    return lambda name: (Image(pathlib.Path(entries[name]["source"])), Converted(entries[name]["converted"]))


@pytest.fixture(scope="session")
def objects():
    """Folder with what the kernel reads of some images, as plain files: a folder for each."""
    return IMAGES / "objects"


@pytest.fixture(scope="session")
def storage():
    """Folder with what a docker-registry keeps: the image `plain`."""
    return IMAGES / "registry" / "storage"
