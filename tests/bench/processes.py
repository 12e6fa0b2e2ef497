# SPDX-License-Identifier: Apache-2.0
"""What processes cost."""
import json
import os
import pathlib

from support.programs import PYTHON, SUPPORT, run

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids):
    """User and system time of all threads, dead ones included."""
    total = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def peak_bytes(pids):
    """The largest resident size that any of them had."""
    peaks = [0]
    for pid in pids:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                peaks.append(int(line.split()[1]) * 1024)
    return max(peaks)


def timed(command, **options):
    """Runs a command, its output dropped; returns (wall seconds, CPU seconds, peak bytes)."""
    cost = json.loads(run([PYTHON, SUPPORT / "measure.py", *command], timeout=600, **options).stdout)
    return cost["wall_s"], cost["cpu_s"], cost["peak_bytes"]
