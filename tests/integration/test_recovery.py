# SPDX-License-Identifier: Apache-2.0
"""The worker dies, readers do not notice."""
import os
import signal

import pytest

from support import tree
from support.daemon import scan
from support.programs import PATIENCE, drop_caches, wait_until

KILLS = 20
READERS = 8


def kill_worker(daemon, pid):
    """Kills the worker `pid`; returns the pid of the next once it answers."""
    os.kill(pid, signal.SIGKILL)

    def successor():
        result = daemon.sluice("status", "--json", expect=None, timeout=30)
        if result.returncode != 0:
            return None
        new = daemon.worker_pid()
        return new if new != pid else None
    return wait_until(successor, f"a successor of worker {pid}", timeout=30)


def expect_no_faults(daemon, readers):
    for reader in readers:
        output, _ = reader.communicate(timeout=300 * PATIENCE)
        assert reader.returncode == 0, f"{output}\n{daemon.log()}"


@pytest.mark.parametrize("place, engine", [("oci", "io_uring"), ("oci", "epoll"), ("docker", "io_uring"), ("s3", "epoll")],
                         indirect=["place"])
def test_twenty_kills_of_the_worker_give_no_wrong_byte(place, engine, image, converted, start_daemon):
    daemon = start_daemon("--engine", engine)
    # small chunks: each read has many questions to the worker, whichever moment the kill hits
    mountpoint = daemon.mount(place.put(converted("numpy", "--chunk-size", "4K", "--compressor", "lz4")))
    readers = [daemon.start_reader(mountpoint, image("numpy").rootfs, seed, rounds=3) for seed in range(READERS)]
    pid = daemon.worker_pid()
    seen = {pid}
    for _ in range(KILLS):
        drop_caches()  # so that readers need the worker again
        pid = kill_worker(daemon, pid)
        seen.add(pid)
    assert len(seen) == KILLS + 1
    assert all(reader.poll() is None for reader in readers), "a reader ended before the last kill"
    expect_no_faults(daemon, readers)
    differences = tree.compare(image("numpy").tree, scan(mountpoint))
    assert not differences, "\n".join(differences[:20])
    assert daemon.process.poll() is None


def test_worker_that_dies_while_it_takes_over_has_a_successor(image, converted, start_daemon):
    """Each worker is killed as soon as it exists: some before they read the journal, some while they answer from it."""
    daemon = start_daemon()
    mountpoint = daemon.mount(converted("numpy", "--chunk-size", "4K", "--compressor", "lz4").reference)
    readers = [daemon.start_reader(mountpoint, image("numpy").rootfs, seed) for seed in range(READERS)]
    wait_until(lambda: daemon.status()["counters"]["events"], "readers ask")
    killed = set()
    for _ in range(5):
        worker = wait_until(lambda: set(daemon.workers()) - killed, "the next worker", interval=0.001).pop()
        os.kill(worker, signal.SIGKILL)
        killed.add(worker)
    expect_no_faults(daemon, readers)


@pytest.mark.parametrize("place", ["oci", "docker", "s3"], indirect=True)
def test_what_was_fetched_before_a_stop_is_not_fetched_again(place, image, converted, start_daemon):
    daemon = start_daemon()
    target = place.put(converted("plain"))
    mountpoint = daemon.mount(target)
    scan(mountpoint)
    daemon.stop()
    daemon.start()
    daemon.mount(target)
    drop_caches()
    assert not tree.compare(image("plain").tree, scan(mountpoint))
    assert daemon.status()["counters"]["fetched_plain_bytes"] == 0


def test_killed_holder_leaves_a_serving_worker(image, converted, start_daemon):
    daemon = start_daemon()
    mountpoint = daemon.mount(converted("plain").reference)
    daemon.process.kill()
    daemon.process.wait()
    assert not tree.compare(image("plain").tree, scan(mountpoint))
    daemon.umount(mountpoint)
