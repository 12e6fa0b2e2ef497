#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command and prints what it cost as JSON: wall and CPU seconds, peak resident bytes.

usage: measure.py COMMAND…

A process of its own, because the kernel counts a child's memory before its exec, too: that of the parent, which is small here.
"""
import json
import os
import subprocess
import sys
import time


def main():
    begin = time.monotonic()
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    cost = {"wall_s": time.monotonic() - begin, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_bytes": usage.ru_maxrss * 1024}
    print(json.dumps(cost))
    sys.exit(os.waitstatus_to_exitcode(status) and 1)


if __name__ == "__main__":
    main()
