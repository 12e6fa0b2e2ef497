# SPDX-License-Identifier: Apache-2.0
"""A container with a systemd of its own as process 1, this machine's /usr and what `meson install` installs."""
import json
import os
import pathlib
import shutil
import signal
import subprocess

from support.programs import BUILD, PATIENCE, run, wait_until

BOOT_TIMEOUT_S = 60
HALT_TIMEOUT_S = 30
POWEROFF = signal.SIGRTMIN + 3  # systemd(1): start poweroff.target

USERS = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/usr/sbin/nologin\n"
GROUPS = "root:x:0:\nnogroup:x:65534:\n"

# Enough of a system for a service: no logins, no network, nothing of what this machine has enabled.
TARGET = """[Unit]
Description=What the test needs
Requires=basic.target systemd-journald.service
After=basic.target systemd-journald.service
AllowIsolate=yes
"""

# LeakSanitizer, in a build with it, looks around with ptrace(2), which the service may not call.
MANAGER = """[Manager]
DefaultEnvironment=ASAN_OPTIONS=detect_leaks=0
"""


def prefix():
    """Where the build installs to."""
    listing = run(["meson", "introspect", "--buildoptions", BUILD]).stdout
    return pathlib.Path(next(option["value"] for option in json.loads(listing) if option["name"] == "prefix"))


class ControlGroups:
    """A control group of its own in each hierarchy that systemd uses: below that of this process, gone after the test."""

    def __init__(self, name):
        self.folders = []
        for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "name=systemd":
                base = pathlib.Path("/sys/fs/cgroup/systemd")
            elif not controllers:
                base = pathlib.Path("/sys/fs/cgroup")
                base = base / "unified" if (base / "unified").is_dir() else base
            else:
                continue
            folder = base / path.lstrip("/") / name
            folder.mkdir()
            self.folders.append(folder)

    def enter(self):
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self):
        for folder in self.folders:
            for path, _, _ in os.walk(folder, topdown=False):
                os.rmdir(path)


class Machine:
    """Boots in the constructor.  Use it as a context manager."""

    def __init__(self, folder, *, binds=()):
        self.root = pathlib.Path(folder) / "machine"
        self.console = pathlib.Path(folder) / "console.log"
        self._make_root()
        installed = pathlib.Path(folder) / "installed"
        run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet"], env={**os.environ, "DESTDIR": str(installed)})
        at = prefix()
        name = f"sluice-test-{os.getpid()}"
        self.groups = ControlGroups(name)
        mounts = ["--bind-ro=/usr", f"--bind={installed}{at}:{at}", *(f"--bind={path}" for path in binds)]
        # Without its system call filter and with every capability: the daemon needs fanotify and mount(2) of this kernel.
        with open(self.console, "wb") as console:
            self.nspawn = subprocess.Popen(
                ["systemd-nspawn", "--quiet", f"--machine={name}", "--register=no", "--keep-unit", "--capability=all",
                 "--console=pipe", f"--directory={self.root}", *mounts, "--boot", "--", "--unit=test.target",
                 "--log-target=console"],
                stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT, start_new_session=True,
                preexec_fn=self.groups.enter, env={**os.environ, "SYSTEMD_SECCOMP": "0"})
        try:
            self.init = wait_until(self._find_init, "the container starts", timeout=BOOT_TIMEOUT_S)
            wait_until(lambda: self.systemctl("is-active", "test.target", expect=None).returncode == 0, "systemd boots",
                       timeout=BOOT_TIMEOUT_S)
        except BaseException as error:
            self.halt()
            raise RuntimeError(self.console.read_text(errors="replace")) from error

    def _make_root(self):
        for name in ("etc/systemd/system", "root", "usr", "var", "mnt"):
            (self.root / name).mkdir(parents=True)
        for name in ("bin", "sbin", "lib", "lib64"):
            if pathlib.Path("/", name).is_symlink():  # merged /usr, as in every Debian since 12
                (self.root / name).symlink_to(f"usr/{name}")
        (self.root / "etc/passwd").write_text(USERS)
        (self.root / "etc/group").write_text(GROUPS)
        (self.root / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")  # not empty: not a first boot
        shutil.copy("/etc/ld.so.cache", self.root / "etc/ld.so.cache")
        shutil.copy("/usr/lib/os-release", self.root / "etc/os-release")  # nspawn asks for it before it binds /usr
        (self.root / "etc/systemd/system.conf").write_text(MANAGER)
        (self.root / "etc/systemd/system/test.target").write_text(TARGET)

    def _find_init(self):
        """The container's process 1: nspawn's child that has become systemd."""
        if self.nspawn.poll() is not None:
            raise RuntimeError(f"systemd-nspawn ended with {self.nspawn.returncode}")
        children = pathlib.Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children").read_text().split()
        for child in children:
            if pathlib.Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                return int(child)
        return None

    def run(self, *command, **options):
        """Runs a program inside."""
        return run(["nsenter", f"--target={self.init}", "--mount", "--uts", "--ipc", "--net", "--pid", "--", *command], **options)

    def systemctl(self, *arguments, **options):
        return self.run("systemctl", "--no-pager", *arguments, **options)

    def journal(self, unit):
        return self.run("journalctl", "--no-pager", "--output=cat", f"--unit={unit}").stdout

    def property(self, unit, name):
        return self.systemctl("show", "--value", f"--property={name}", unit).stdout.strip()

    def path(self, inside):
        """The path under which this process sees a path of the container, with what is mounted there."""
        return pathlib.Path(f"/proc/{self.init}/root", inside.lstrip("/"))

    def halt(self):
        if self.nspawn.poll() is None and getattr(self, "init", None):
            os.kill(self.init, POWEROFF)
        elif self.nspawn.poll() is None:
            self.nspawn.terminate()
        try:
            self.nspawn.wait(HALT_TIMEOUT_S * PATIENCE)
        except subprocess.TimeoutExpired:
            self.nspawn.kill()
            self.nspawn.wait()
        self.groups.remove()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.halt()
