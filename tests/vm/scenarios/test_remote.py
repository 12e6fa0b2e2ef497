# SPDX-License-Identifier: Apache-2.0
"""Images in a registry, which runs in the guest."""
import shutil

import pytest

from serving import read
from support.places import Placed
from support.programs import drop_caches, wait_until
from support.registry import Registry


@pytest.fixture
def registry(work, storage):
    """Anonymous, with the plain image."""
    shutil.copytree(storage, work / "registry" / "storage")
    with Registry(work / "registry") as server:
        yield server


def test_image_of_a_registry_is_read_on_demand_and_what_is_there_without_the_registry(registry, daemon, image):
    source, _ = image("plain")
    placed = Placed(registry.reference("plain"), "--tls-verify=false")
    mountpoint = daemon.attach(daemon.bind(placed, "remote", "registry"))
    assert not read(mountpoint / "lower/f00")
    command = daemon.bind(placed, "again", "registry")
    registry.stop()
    drop_caches()
    assert not read(mountpoint / "lower/f00")
    assert not read(daemon.attach(command, "again") / "lower/f00"), "a mount asks the registry"
    assert "Errno 5" in read(mountpoint / "upper/f39")
    registry.start()
    wait_until(lambda: not read(mountpoint / "upper/f39"), "the registry is asked again")
    daemon.expect_tree(mountpoint, source)
