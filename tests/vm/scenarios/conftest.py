# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests that run inside a guest."""
import contextlib
import json
import os
import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from support.converted import Converted  # noqa: E402: after the path is set
from support.images import Image  # noqa: E402

SCRATCH = pathlib.Path(os.environ["SLUICE_TEST_DIR"])
IMAGES = pathlib.Path(os.environ["SLUICE_VM_IMAGES"])


@pytest.fixture
def work():
    """An empty folder on the guest's disk."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=SCRATCH))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def image():
    """Returns (source image, converted image) by name."""
    entries = json.loads((IMAGES / "images.json").read_text())
    return lambda name: (Image(pathlib.Path(entries[name]["source"])), Converted(entries[name]["converted"]))


@pytest.fixture(scope="session")
def objects():
    """Folder with what the kernel reads of the image `plain`, as plain files."""
    return IMAGES / "objects"
