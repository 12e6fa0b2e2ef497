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


@pytest.mark.parametrize("engine", ["io_uring", "epoll"])
def test_twenty_kills_of_the_worker_give_no_wrong_byte(engine, image, converted, start_daemon):
    daemon = start_daemon("--engine", engine)
    # small chunks: each read has many questions to the worker, whichever moment the kill hits
    mountpoint = daemon.mount(converted("numpy", "--chunk-size", "4K", "--compressor", "lz4").reference)
    readers = [daemon.start_reader(mountpoint, image("numpy").rootfs, seed, rounds=3) for seed in range(READERS)]
    pid = daemon.worker_pid()
    seen = {pid}
    for _ in range(KILLS):
        drop_caches()  # so that readers need the worker again
        pid = kill_worker(daemon, pid)
        seen.add(pid)
    assert len(seen) == KILLS + 1
    for reader in readers:
        output, _ = reader.communicate(timeout=300 * PATIENCE)
        assert reader.returncode == 0, f"{output}\n{daemon.log()}"
    differences = tree.compare(image("numpy").tree, scan(mountpoint))
    assert not differences, "\n".join(differences[:20])
    assert daemon.process.poll() is None


def test_what_was_fetched_before_a_kill_is_not_fetched_again(image, converted, start_daemon):
    daemon = start_daemon()
    mountpoint = daemon.mount(converted("plain").reference)
    scan(mountpoint)
    daemon.stop()
    daemon.start()
    daemon.mount(converted("plain").reference)
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
