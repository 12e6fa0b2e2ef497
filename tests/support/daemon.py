# SPDX-License-Identifier: Apache-2.0
"""A sluiced of one test: its own root, socket and mountpoints in one folder; nothing of it is left afterwards."""
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess

from support import programs
from support.programs import PATIENCE, PYTHON, SLUICED, SUPPORT, run, wait_until

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 30


def mounts_below(folder):
    """Mountpoints under `folder`, innermost first."""
    found = []
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        path = line.split()[4].encode().decode("unicode_escape")
        if pathlib.Path(path).is_relative_to(folder):
            found.append(path)
    return sorted(found, reverse=True)


def all_processes():
    """Yields (pid, fields of /proc/PID/stat from the state on: state, parent, group, session, …)."""
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it may end meanwhile
            yield int(path.parent.name), path.read_text().rpartition(")")[2].split()


class Sluiced:
    """Starts in the constructor and is ready when that returns.  Use it as a context manager."""

    def __init__(self, folder, *arguments, root=None):
        self.folder = pathlib.Path(folder)
        self.root = pathlib.Path(root or self.folder / "root")
        self.socket = self.folder / "sluiced.sock"
        self.log_path = self.folder / "sluiced.log"
        self.arguments = [str(word) for word in arguments]
        self.process = None
        self._readers = []
        try:
            self.start()
        except BaseException:
            self.clean_up()
            raise

    def start(self):
        notify_path = self.folder / "notify.sock"
        notify_path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, open(self.log_path, "ab") as log:
            notify.bind(str(notify_path))
            notify.settimeout(0.1)
            self.process = subprocess.Popen(
                [SLUICED, "--root", self.root, "--socket", self.socket, *self.arguments], stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, env={**os.environ, "NOTIFY_SOCKET": str(notify_path)}, start_new_session=True)
            wait_until(lambda: self._is_ready(notify), "sluiced gets ready", timeout=START_TIMEOUT_S, interval=0)

    def _is_ready(self, notify):
        if self.process.poll() is not None:
            raise programs.Failed(f"sluiced ended with {self.process.returncode}\n{self.log()}")
        try:
            return b"READY=1" in notify.recv(4096).split(b"\n")
        except TimeoutError:
            return False

    def log(self):
        return self.log_path.read_text(errors="replace")

    def sluice(self, command, *arguments, **options):
        return programs.sluice(command, "--socket", self.socket, *arguments, **options)

    def mountpoint(self, name="mnt"):
        path = self.folder / name
        path.mkdir(exist_ok=True)
        return path

    def mount(self, image, name="mnt"):
        """`image` is a reference, or a places.Placed.  Returns the mountpoint."""
        path = self.mountpoint(name)
        reference, options = (image, ()) if isinstance(image, str) else (image.reference, image.options)
        self.sluice("mount", *options, reference, path)
        return path

    def start_mount(self, image, name="mnt"):
        """A `sluice mount` that is under way; the caller waits for it."""
        command = [programs.SLUICE, "mount", "--socket", self.socket, *image.options, image.reference, self.mountpoint(name)]
        return subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)

    def umount(self, mountpoint):
        self.sluice("umount", mountpoint)

    def status(self):
        return json.loads(self.sluice("status", "--json").stdout)

    def ready_bytes(self):
        """Plain bytes in the cache."""
        return sum(blob["ready_bytes"] for blob in self.status()["blobs"])

    def worker_pid(self):
        return self.status()["pid"]

    def start_reader(self, mountpoint, reference, seed, rounds=1):
        """Starts support/readers.py; the caller waits for it, or the daemon's end kills it."""
        reader = subprocess.Popen([PYTHON, SUPPORT / "readers.py", mountpoint, reference, str(seed), str(rounds)],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._readers.append(reader)
        return reader

    def read_in_parallel(self, mountpoint, reference, *, readers=8, rounds=1, timeout=120):
        """Fails unless all readers see exactly the reference's bytes."""
        started = [self.start_reader(mountpoint, reference, seed, rounds) for seed in range(readers)]
        for reader in started:
            output, _ = reader.communicate(timeout=timeout * PATIENCE)
            assert reader.returncode == 0, f"{output}\n{self.log()}"

    def stop(self):
        """Asks for a clean stop; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_TIMEOUT_S * PATIENCE)

    def clean_up(self):
        """Ends everything that the test left, in the order that cannot hang: readers, mounts, processes.  A daemon that does
        not stop when it is asked to is killed, and fails the test."""
        for reader in self._readers:
            reader.kill()
            reader.wait()
            reader.stdout.close()
        for path in mounts_below(self.folder):
            with contextlib.suppress(subprocess.TimeoutExpired):
                subprocess.run(["umount", path], timeout=10, stderr=subprocess.DEVNULL, check=False)
        if self.process is None:
            return
        hangs = not self._stop_patiently()
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        for path in mounts_below(self.folder):
            subprocess.run(["umount", "-l", path], check=False)
        assert not hangs, f"sluiced did not stop within {STOP_TIMEOUT_S * PATIENCE} s\n{self.log()}"

    def _stop_patiently(self):
        """Asks again and again: another mount namespace, made while the mount was there, may have kept it for a while."""
        for _ in range(STOP_TIMEOUT_S):
            if self.process.poll() is not None:
                return True
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(PATIENCE)
        return False

    def processes(self):
        """Pids of the holder and all that came from it."""
        return [pid for pid, fields in all_processes() if int(fields[3]) == self.process.pid]

    def workers(self):
        """Pids of the holder's children: the worker, if it has one now."""
        return [pid for pid, fields in all_processes() if int(fields[1]) == self.process.pid and fields[0] != "Z"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.clean_up()


def scan(mountpoint, *, timeout=120):
    """The tree at `mountpoint` as support/tree.py sees it, read by another process that can be killed."""
    return json.loads(run([PYTHON, SUPPORT / "tree.py", mountpoint], timeout=timeout).stdout)
