# SPDX-License-Identifier: Apache-2.0
"""A program starts from a mount of which nothing has been fetched."""
import pytest

from support.programs import drop_caches, run

# numpy's start touches 25.6 MB of the image; peers put 94 to 117 MB into their caches.  From a server more comes along, on purpose.
MOST_READY_BYTES = {"oci": 48_000_000, "docker": 90_000_000}
PROGRAM = "import numpy; print(numpy.arange(10).sum())"


@pytest.mark.parametrize("engine", ["io_uring", "epoll"])
@pytest.mark.parametrize("place, name", [("oci", "numpy"), ("oci", "numpy-flat"), ("docker", "numpy")], indirect=["place"])
def test_numpy_starts_from_a_cold_mount_and_fetches_little(place, name, engine, converted, start_daemon):
    target = converted(name)
    daemon = start_daemon("--engine", engine)
    mountpoint = daemon.mount(place.put(target))
    drop_caches()
    assert run(["chroot", mountpoint, "python3", "-c", PROGRAM], timeout=60).stdout == "45\n"
    assert daemon.ready_bytes() <= MOST_READY_BYTES[place.name]
