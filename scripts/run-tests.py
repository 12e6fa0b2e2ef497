#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Builds, runs checks, unit tests, fuzz corpora, integration tests and guests, and counts test cases.  See scripts/test."""
import argparse
import concurrent.futures
import dataclasses
import functools
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM_TIMEOUT_S = 600  # one unit test program, also under a sanitizer
SKIPPED = 77             # exit code of a program that says why it cannot run here
TAIL_LINES = 60          # of a failing program's output
GUESTS = 2               # beside each other: one keeps a processor busy, and some more

# All that --vm needs of a build.
GUEST_PROGRAMS = ["tools/sluice", "daemon/sluiced", "tests/vm/responder", "tests/vm/tsc_khz"]

SANITIZER_ENV = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}


@dataclasses.dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __iadd__(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        return self

    def __str__(self):
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def report(name, count, output=""):
    print(f"{'FAIL' if count.failed else 'ok  '} {name}: {count}", flush=True)
    if count.failed and output:
        print("\n".join("    " + line for line in output.splitlines()[-TAIL_LINES:]), flush=True)


def run(command, env):
    """Returns (exit code or None after the timeout, output)."""
    try:
        result = subprocess.run(command, env=env, timeout=PROGRAM_TIMEOUT_S, cwd=ROOT, errors="replace",
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return result.returncode, result.stdout
    except subprocess.TimeoutExpired as error:
        output = error.stdout or b""
        output = output if isinstance(output, str) else output.decode(errors="replace")
        return None, f"{output}\nno end within {PROGRAM_TIMEOUT_S} s"


def run_program(name, command, env):
    """A program that is one test: a check, or the replay of a fuzz corpus."""
    code, output = run(command, env)
    count = Count(passed=int(code == 0), skipped=int(code == SKIPPED), failed=int(code not in (0, SKIPPED)))
    return name, count, output


def failures_of(case):
    """Describes the failed assertions of one test case of Catch2's XML."""
    lines = [f"{case.get('name')} ({case.get('filename')}:{case.get('line')})"]
    for node in case.iter():
        if node.tag == "Expression" and node.get("success") == "false":
            lines.append(f"  {node.get('filename')}:{node.get('line')}: {(node.findtext('Original') or '').strip()}")
            lines.append(f"    is {(node.findtext('Expanded') or '').strip()}")
        elif node.tag in ("Exception", "Failure", "FatalErrorCondition", "Info"):
            lines.append(f"  {node.tag}: {(node.text or '').strip()}")
    return lines


def run_catch(name, command, patterns, env):
    """A Catch2 program: each of its test cases counts.  A pattern that is the program's name selects all of them."""
    with tempfile.NamedTemporaryFile(suffix=".xml") as results:
        if patterns and name not in patterns:
            command = command + [",".join(f"*{pattern}*" for pattern in patterns)]
        code, output = run(command + ["-r", "xml", "-o", results.name], env)
        try:
            cases = list(ElementTree.parse(results.name).iter("TestCase"))
        except ElementTree.ParseError:  # the program died before it could end its report
            return name, Count(failed=1), f"{output}\n{' '.join(command)}: exit code {code}, no complete report"
    count = Count()
    details = []
    for case in cases:
        if case.find("OverallResult").get("success") == "true":
            count.passed += 1
        else:
            count.failed += 1
            details += failures_of(case)
    if code != 0 and not count.failed:  # e.g. a leak found at exit
        count.failed += 1
        details.append(f"exit code {code} although no test case failed")
    return name, count, "\n".join([output, *details])


def only_layers(patterns):
    """The patterns are names of layers: then nothing else is built, and nothing else has such tests."""
    return bool(patterns) and all((ROOT / "tests/unit" / pattern).is_dir() for pattern in patterns)


def targets(options):
    """What to build; empty: everything."""
    if options.vm:
        return GUEST_PROGRAMS
    if options.unit and only_layers(options.patterns):
        return [f"tests/unit/{layer}/{layer}_test" for layer in options.patterns]
    return []


def unit_jobs(build, patterns, env):
    listing = subprocess.run(["meson", "introspect", "--tests", str(build)], stdout=subprocess.PIPE, check=True).stdout
    for test in json.loads(listing):
        if only_layers(patterns) and test["name"] not in patterns:
            continue
        environment = {**env, **test["env"]}
        if pathlib.Path(test["cmd"][0]).name.endswith("_test"):
            yield lambda t=test, e=environment: run_catch(t["name"], t["cmd"], patterns, e)
        elif not patterns or any(pattern in test["name"] for pattern in patterns):
            yield lambda t=test, e=environment: run_program(t["name"], t["cmd"], e)


def check_jobs(build, env):
    yield lambda: run_program("check-layers", ["scripts/check-layers.py"], env)
    yield lambda: run_program("check-headers", ["scripts/check-headers", str(build)], env)


def run_jobs(jobs, threads=None):
    """One thread per processor unless told otherwise."""
    total = Count()
    with concurrent.futures.ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        for future in concurrent.futures.as_completed([pool.submit(job) for job in jobs]):
            name, count, output = future.result()
            report(name, count, output)
            total += count
    return total


def count_junit(text):
    """Counts the test cases of a JUnit report; none if it is not complete."""
    total = Count()
    try:
        suites = ElementTree.fromstring(text).iter("testsuite")
    except ElementTree.ParseError:
        return total
    for suite in suites:
        skipped = int(suite.get("skipped"))
        failed = int(suite.get("failures")) + int(suite.get("errors"))
        total += Count(passed=max(0, int(suite.get("tests")) - failed - skipped), failed=failed, skipped=skipped)
    return total


def run_integration(build, patterns, env):
    with tempfile.NamedTemporaryFile(suffix=".xml") as results:
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rs", "--durations=10",
                   f"--junitxml={results.name}", "tests/integration"]
        if patterns:
            command += ["-k", " or ".join(patterns)]
        code = subprocess.run(command, env={**env, "SLUICE_BUILD": str(build)}, cwd=ROOT).returncode
        total = count_junit(results.read().decode())
    no_tests = 5  # pytest: nothing selected, which is right when the patterns name unit tests only
    if code not in (0, no_tests) and not total.failed:
        total.failed = 1
    report("integration", total)
    return total


def run_guests(build, patterns):
    """Every scenario of tests/vm on every kernel: two guests beside each other, those that compare times alone."""
    os.environ["SLUICE_BUILD"] = str(build)
    sys.path.insert(0, str(ROOT / "tests"))
    from vm import guest, kernels, prepare  # needs the packages of its group, which other runs do without
    kernel_of = {series: kernels.make(series) for series in kernels.SERIES}

    def run_scenario(name, series):
        outcome = guest.boot(kernel_of[series], [name], images)
        count = count_junit(outcome.report)
        if not outcome.passed and not count.failed:
            count.failed = 1
        return f"{name}-{series}", count, f"{outcome.console}\n{outcome.fault}"

    def jobs(names):
        return [functools.partial(run_scenario, name, series) for name in names for series in kernel_of
                if not patterns or any(pattern in f"{name}-{series}" for pattern in patterns)]

    with prepare.images_folder() as images:
        total = run_jobs(jobs(name for name in guest.scenarios() if name not in guest.ALONE), threads=GUESTS)
        total += run_jobs(jobs(guest.ALONE), threads=1)
    return total


def main():
    parser = argparse.ArgumentParser(prog="scripts/test")
    parser.add_argument("--sanitize", choices=["address", "thread"])
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--unit", action="store_true", help="unit tests and fuzz corpora only")
    kind.add_argument("--integration", action="store_true", help="integration tests only (need root)")
    kind.add_argument("--vm", action="store_true", help="tests in guests with other kernels only")
    parser.add_argument("patterns", nargs="*", metavar="PATTERN", help="name of a layer, or part of a test's name")
    options = parser.parse_args()

    # Ignored in a background job of a shell; programs under test inherit that and could not be interrupted.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    build = ROOT / (f"build-{options.sanitize}" if options.sanitize else "build")
    arguments = [f"--sanitize={options.sanitize}"] if options.sanitize else []
    if subprocess.run(["scripts/build", *arguments, *targets(options)], cwd=ROOT).returncode != 0:
        print("the build failed\n0 passed, 1 failed")
        return 1
    env = {**os.environ, **(SANITIZER_ENV if options.sanitize else {})}

    total = Count()
    if options.vm:
        total += run_guests(build, options.patterns)
    elif not options.integration:
        checks = [] if options.sanitize or options.unit or options.patterns else list(check_jobs(build, env))
        total += run_jobs(checks + list(unit_jobs(build, options.patterns, env)))
    if not options.unit and not options.vm:
        total += run_integration(build, options.patterns, env)
    print(total)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
