# SPDX-License-Identifier: Apache-2.0
"""The installed service under a real systemd."""
import hashlib
import shutil
import signal
import subprocess

import pytest

from support.machine import Machine, prefix
from support.programs import wait_until

UNIT = "sluiced.service"
MOUNTPOINT = "/mnt"
SHORT_STOP = "[Service]\nTimeoutStopSec=1s\n"

pytestmark = pytest.mark.skipif(not shutil.which("systemd-nspawn"), reason="needs systemd-nspawn (package systemd-container)")


class Service:
    """sluiced in a machine, started, with one image mounted."""

    def __init__(self, machine, image, source):
        self.machine = machine
        self.image = image
        self.source = source
        machine.systemctl("start", UNIT)
        self.sluice("mount", image.reference, MOUNTPOINT)

    def sluice(self, *arguments):
        return self.machine.run(prefix() / "bin" / "sluice", *arguments)

    def main_pid(self):
        """As the machine counts processes."""
        return int(self.machine.property(UNIT, "MainPID"))

    def is_active(self):
        return self.machine.property(UNIT, "ActiveState") == "active"

    def is_mounted(self):
        return any(line.split()[4] == MOUNTPOINT for line in self.machine.path("/proc/1/mountinfo").read_text().splitlines())

    def files(self):
        """Paths of the image's files below its root."""
        return sorted(path for path, entry in self.source.tree.items() if entry["kind"] == "file" and entry["size"])

    def check(self, paths):
        """Reads through the mount; fails unless each file has the bytes of the source image."""
        for path in paths:
            data = self.machine.run("cat", f"{MOUNTPOINT}/{path}", text=False, errors=None).stdout
            assert hashlib.sha256(data).hexdigest() == self.source.tree[path]["sha"], path


@pytest.fixture
def service(work, image, converted):
    lazy = converted("plain")
    with Machine(work, binds=[lazy.path]) as machine:
        yield Service(machine, lazy, image("plain"))


def test_service_starts_mounts_and_stops(service):
    assert service.is_active()
    assert service.is_mounted()  # in the name space of process 1: what the service mounts, the machine sees
    service.check(service.files())
    service.machine.systemctl("stop", UNIT)
    assert service.machine.property(UNIT, "Result") == "success", service.machine.journal(UNIT)
    assert not service.is_mounted()
    service.machine.systemctl("start", UNIT)  # the table of mounts is empty, nothing stands in the way
    assert service.is_active()


def test_killed_worker_is_replaced_and_no_byte_is_wrong(service):
    files = service.files()
    service.check(files[:2])
    for round in range(1, 4):
        assert int(service.machine.property(UNIT, "NFileDescriptorStore")) > 0
        killed = service.main_pid()
        service.machine.run("kill", "-KILL", str(killed))
        service.check(files[:2])  # cached, or waits for the next worker
        service.check(files[2 * round:2 * round + 2])  # not cached: only the next worker can answer
        assert service.main_pid() not in (0, killed)
    assert int(service.machine.property(UNIT, "NRestarts")) == 3
    service.machine.systemctl("stop", UNIT)
    assert not service.is_mounted()


def test_busy_mount_is_served_on_when_the_service_is_stopped(service):
    drop_in = service.machine.root / "etc/systemd/system/sluiced.service.d"
    drop_in.mkdir()
    (drop_in / "short.conf").write_text(SHORT_STOP)
    service.machine.systemctl("daemon-reload")
    files = service.files()
    service.check(files[:1])
    with open(service.machine.path(f"{MOUNTPOINT}/{files[0]}"), "rb"):  # now the mount is busy
        worker = service.main_pid()
        service.machine.systemctl("stop", UNIT, expect=None)
        assert service.is_mounted()
        assert MOUNTPOINT in service.machine.journal(UNIT)  # it says which mount it is
        service.check(files[1:3])  # served by the worker that would not go
    service.machine.run("kill", "-TERM", str(worker))
    wait_until(lambda: not service.is_mounted(), "the worker unmounts once the mount is free")
