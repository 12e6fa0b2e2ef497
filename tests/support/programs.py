# SPDX-License-Identifier: Apache-2.0
"""The programs under test, and how to run anything with a deadline."""
import os
import pathlib
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("SLUICE_BUILD", ROOT / "build"))
SLUICE = BUILD / "tools" / "sluice"
SLUICED = BUILD / "daemon" / "sluiced"
SUPPORT = pathlib.Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"

# Sanitizers and emulators slow everything down; a deadline only bounds a hang.
PATIENCE = int(os.environ.get("SLUICE_PATIENCE", 1 if BUILD.name == "build" else 6))


class Failed(Exception):
    """A program ended with another exit code than the test asked for."""


def run(command, *, timeout=120, expect=0, **options):
    """Runs a program, returns the CompletedProcess with text output.  Kills it at the deadline: a reader of a mount that is
    never answered dies by that, too.  `expect=None` accepts any exit code."""
    words = [str(word) for word in command]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "errors": "surrogateescape",
               "stdin": subprocess.DEVNULL, **options}
    result = subprocess.run(words, timeout=timeout * PATIENCE, **options)
    if expect is not None and result.returncode != expect:
        raise Failed(f"{' '.join(words)}: exit code {result.returncode}, not {expect}\n{result.stdout}\n{result.stderr}")
    return result


def sluice(*arguments, **options):
    return run([SLUICE, *arguments], **options)


def wait_until(condition, what, *, timeout=30, interval=0.02):
    """Polls `condition` until it returns something true, and returns that."""
    deadline = time.monotonic() + timeout * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout * PATIENCE} s")
        time.sleep(interval)  # between two looks at a condition of another process


def drop_caches():
    os.sync()
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
