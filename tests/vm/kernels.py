#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Kernels for the guests: Debian's sources, kernel.config, kept under ~/.cache/sluice/vm by package version and configuration.

usage: kernels.py [--newest] [SERIES…]      builds what is missing and prints the path of each kernel

A kernel that is there is used without asking the network; --newest builds again when Debian has a newer package.
"""
import argparse
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

if __package__ in (None, ""):
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from support import images  # noqa: E402: after the path is set

# What apt takes each series from; None: the newest that there is.
SERIES = {"6.1": None, "6.12": "bookworm-backports"}
FRAGMENT = pathlib.Path(__file__).resolve().parent / "kernel.config"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

# Nothing of these is built, but it is half of the files.  What is read to configure the kernel stays.
NOT_UNPACKED = ["linux-source-*/Documentation/*/*", "linux-source-*/arch/[!x]*/*.[chS]", "linux-source-*/arch/[!x]*/*.dts*",
                "linux-source-*/sound/*.[ch]", "linux-source-*/tools/testing/*",
                *(f"linux-source-*/drivers/{name}/*.[ch]" for name in ("gpu", "media", "net/*", "staging"))]


class PrivateApt:
    """An apt with sources, lists and cache of its own in `folder`; this machine's stay as they are."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("state/lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True)
        mirror = images.debian_mirror()
        security = images.debian_mirror("bookworm-security", "http://deb.debian.org/debian-security")
        sources = folder / "sources.list"
        sources.write_text("".join(f"deb [signed-by={KEYRING}] {site} {suite} main\n" for site, suite in (
            (mirror, "bookworm"), (mirror, "bookworm-backports"), (security, "bookworm-security"))))
        self.options = [word for option in (
            f"Dir::State={folder / 'state'}", "Dir::State::status=/dev/null", f"Dir::Cache={folder / 'cache'}",
            f"Dir::Etc::sourcelist={sources}", "Dir::Etc::sourceparts=/dev/null", "Dir::Etc::preferences=/dev/null",
            "Dir::Etc::preferencesparts=/dev/null", "Acquire::Languages=none", "APT::Sandbox::User=root",
            "Acquire::Retries=3") for word in ("-o", option)]
        self._get("update")

    def _get(self, *words):
        return subprocess.run(["apt-get", "-q", *self.options, *words], cwd=self.folder, stdout=subprocess.PIPE, text=True,
                              check=True).stdout

    @staticmethod
    def _download(series):
        release = ["-t", SERIES[series]] if SERIES[series] else []
        return [*release, "download", f"linux-source-{series}"]

    def version(self, series):
        """The version of the package that `fetch` gets."""
        listing = self._get("--print-uris", *self._download(series))
        return re.search(r" linux-source-[^_ ]+_([^_ ]+)_all\.deb ", listing).group(1).replace("%3a", ":")

    def fetch(self, series):
        """Returns the path of the package."""
        self._get(*self._download(series))
        return next(self.folder.glob(f"linux-source-{series}_*.deb"))


def unpack(package, source):
    """Unpacks the kernel's sources that are inside a linux-source package."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as files, \
            subprocess.Popen(["tar", "-x", "-O", "--wildcards", "./usr/src/linux-source-*.tar.xz"], stdin=files.stdout,
                             stdout=subprocess.PIPE) as packed, \
            subprocess.Popen(["xz", "-d", "-c", "-T0"], stdin=packed.stdout, stdout=subprocess.PIPE) as plain:
        subprocess.run(["tar", "-x", "-C", source, "--strip-components=1", *(f"--exclude={glob}" for glob in NOT_UNPACKED)],
                       stdin=plain.stdout, check=True)
    for process in (files, packed, plain):
        if process.returncode != 0:
            raise RuntimeError(f"{process.args[0]} ended with {process.returncode} while unpacking '{package}'")


def configure(source):
    """Sets what kernel.config says and nothing else; fails when the kernel does not take a line of it."""
    subprocess.run(["make", "-s", f"KCONFIG_ALLCONFIG={FRAGMENT}", "allnoconfig"], cwd=source, check=True)
    have = set((source / ".config").read_text().splitlines())
    refused = [line for line in FRAGMENT.read_text().splitlines() if line.startswith("CONFIG_") and line not in have]
    if refused:
        raise RuntimeError(f"the kernel in '{source}' does not take {', '.join(refused)}")


def build(package, folder):
    """Fills `folder` with `vmlinux` and its `config`."""
    source = folder / "source"
    source.mkdir()
    unpack(package, source)
    configure(source)
    subprocess.run(["nice", "make", "-s", f"-j{os.cpu_count()}", "CC=ccache gcc", "vmlinux"], cwd=source, check=True)
    subprocess.run(["strip", "-o", folder / "vmlinux", source / "vmlinux"], check=True)
    shutil.copy(source / ".config", folder / "config")
    shutil.rmtree(source)


def _cache_root():
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "sluice" / "vm"


def make(series, *, newest=False):
    """Returns the path of the kernel, built now if the cache does not have it."""
    root = _cache_root()
    root.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(FRAGMENT.read_bytes()).hexdigest()[:16]
    with open(root / f"{series}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for leftover in root.glob(f".{series}.*"):  # of a build that was killed
            shutil.rmtree(leftover)
        have = list(root.glob(f"{series}-*-{key}"))
        if have and not newest:
            return have[0] / "vmlinux"
        work = pathlib.Path(tempfile.mkdtemp(prefix=f".{series}.", dir=root))
        try:
            apt = PrivateApt(work / "apt")
            final = root / f"{series}-{apt.version(series)}-{key}"
            if final not in have:
                begin = time.monotonic()
                (work / "kernel").mkdir()
                build(apt.fetch(series), work / "kernel")
                print(f"{final.name}: built in {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
                for old in root.glob(f"{series}-*-*"):
                    shutil.rmtree(old)
                (work / "kernel").rename(final)
        finally:
            shutil.rmtree(work)
    return final / "vmlinux"


def main():
    parser = argparse.ArgumentParser(prog="kernels.py")
    parser.add_argument("--newest", action="store_true", help="ask Debian for newer packages")
    parser.add_argument("series", nargs="*", metavar="SERIES", help=f"{' or '.join(SERIES)}; all if none is named")
    options = parser.parse_args()
    for series in options.series or SERIES:
        if series not in SERIES:
            parser.error(f"no series '{series}', there are: {', '.join(SERIES)}")
        print(make(series, newest=options.newest), flush=True)


if __name__ == "__main__":
    main()
