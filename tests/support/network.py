# SPDX-License-Identifier: Apache-2.0
"""A network of a test's own: servers at whatever address, names that mean what the test says."""
import ctypes
import os
import pathlib

from support.programs import SLUICE, run

CLONE_NEWNET = 0x40000000  # linux/sched.h


def _call(function, *arguments):
    if function(*arguments):
        error = ctypes.get_errno()
        raise OSError(error, f"{function.__name__}: {os.strerror(error)}")


class Network:
    """Use it as a context manager: what this thread opens and starts inside is in the network, and remains there.
    `addresses` of IPv4 and IPv6 are all on its one machine; nothing else can be reached."""

    def __init__(self, folder, addresses):
        self.hosts = pathlib.Path(folder) / "hosts"
        self.hosts.write_text("")
        self._addresses = addresses
        self._libc = ctypes.CDLL(None, use_errno=True)

    def __enter__(self):
        self._outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        _call(self._libc.unshare, CLONE_NEWNET)
        try:
            run(["ip", "link", "set", "lo", "up"])
            for address in self._addresses:
                family = ["nodad"] if ":" in address else []
                run(["ip", "address", "add", f"{address}/{128 if family else 32}", "dev", "lo", *family])
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        _call(self._libc.setns, self._outside, CLONE_NEWNET)
        os.close(self._outside)

    def name(self, **addresses):
        """From now on these names, of the domain "test", mean these addresses; also for programs that run already."""
        self.hosts.write_text("".join(f"{address} {name}.test\n" for name, address in addresses.items()))

    def sluice(self, *arguments, **options):
        """Runs `sluice` where the names count."""
        inside = 'mount --bind "$1" /etc/hosts && shift && exec "$@"'
        return run(["unshare", "--mount", "sh", "-c", inside, "sh", self.hosts, SLUICE, *arguments], **options)
