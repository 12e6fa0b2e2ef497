# SPDX-License-Identifier: Apache-2.0
"""A machine in QEMU that runs pytest once and is gone: one of our kernels, the host's files as root, an ext4 disk."""
import ctypes
import dataclasses
import pathlib
import shlex
import signal
import subprocess
import tempfile
import threading

from support.programs import BUILD, run

HERE = pathlib.Path(__file__).resolve().parent
SCENARIOS = HERE / "scenarios"
DISK_BYTES = 1 << 30
MEMORY = "2G"
ALONE = ["speed"]  # scenarios that compare times: no other guest beside them
DEADLINE_S = 1500  # of a boot with its scenarios, which take three minutes: bounds a hang, also on a busy machine
HUNG_TASK_S = 120
PR_SET_PDEATHSIG = 1  # linux/prctl.h
PATIENCE = 8  # times as long as on the host may the programs of a test take


@dataclasses.dataclass
class Outcome:
    """What came of one boot."""
    fault: str    # why there is no complete report; empty if there is one
    passed: bool  # pytest's own word
    report: str   # JUnit XML, if complete
    console: str


def _kernel_command_line():
    tsc_khz = run([BUILD / "tests" / "vm" / "tsc_khz"]).stdout.strip()
    settings = [
        # EROFS says a line for each read that fails, and a serial line is slow.  Hung tasks and panics come all the same.
        "console=ttyS0", "loglevel=3", "root=rootfs", "rootfstype=9p", "ro",
        # Nobody changes the files of the host under the guest: it may keep what it read.
        "rootflags=trans=virtio,version=9p2000.L,msize=262144,cache=loose",
        # A busy host lets timers come late: no reason to doubt them.
        "tsc=reliable", f"tsc_early_khz={tsc_khz}", "no_timer_check",
        # QEMU ends when the guest resets; whatever goes wrong in the kernel is a reset.
        "reboot=t", "panic=-1", "oops=panic", f"hung_task_timeout_secs={HUNG_TASK_S}", "sysctl.kernel.hung_task_panic=1",
        f"init={HERE / 'init'}",
    ]
    return " ".join(settings)


def _qemu(kernel, disk, results):
    return [
        "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-nographic", "-no-reboot", "-serial", "stdio",
        # KVM would be faster, where it works; emulation works everywhere.
        "-machine", "microvm,acpi=off,pit=on,pic=on", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", MEMORY,
        "-kernel", kernel, "-append", _kernel_command_line(),
        "-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap",
        "-device", "virtio-9p-device,fsdev=root,mount_tag=rootfs",
        "-fsdev", f"local,id=results,path={results},security_model=none",
        "-device", "virtio-9p-device,fsdev=results,mount_tag=results",
        "-drive", f"file={disk},format=raw,if=none,id=disk,cache=unsafe", "-device", "virtio-blk-device,drive=disk",
    ]


def scenarios():
    """Names of all scenarios."""
    return sorted(path.stem.removeprefix("test_") for path in SCENARIOS.glob("test_*.py"))


def _file(name):
    return SCENARIOS / f"test_{name}.py"


def boot(kernel, names, images, *, select="", echo=None):
    """Runs the scenarios `names` in a guest, all of them or what pytest's expression `select` chooses.  `images`: as
    `prepare` makes it; `echo` gets each line of the console."""
    with tempfile.TemporaryDirectory(prefix="guest-", dir=images.parent) as name:
        work = pathlib.Path(name)
        results = work / "results"
        results.mkdir()
        disk = work / "disk"
        with open(disk, "wb") as file:
            file.truncate(DISK_BYTES)
        run(["mke2fs", "-q", "-t", "ext4", "-E", "lazy_itable_init=1,lazy_journal_init=1", disk])
        environment = {"SLUICE_BUILD": BUILD, "SLUICE_PATIENCE": PATIENCE, "SLUICE_TEST_DIR": "/run/disk",
                       "SLUICE_VM_IMAGES": images, "SLUICE_VM_SELECT": select, "SLUICE_VM_TESTS": shlex.join(str(_file(name)) for name in names)}
        (results / "environment").write_text("".join(f"{key}={shlex.quote(str(value))}\n" for key, value in environment.items()))
        return watch(_qemu(kernel, disk, results), results, echo or (lambda line: None))


def _die_with_parent():
    """A guest does not outlive the test run, whatever ends that."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def watch(command, results, echo, deadline_s=DEADLINE_S):
    """Runs a guest that leaves its report in the folder `results`; ends it after `deadline_s`."""
    lines = []
    timed_out = threading.Event()
    with subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", preexec_fn=_die_with_parent) as qemu:

        def end():
            timed_out.set()
            qemu.kill()

        timer = threading.Timer(deadline_s, end)
        timer.start()
        try:
            for line in qemu.stdout:
                lines.append(line.rstrip())
                echo(lines[-1])
        finally:
            timer.cancel()
            qemu.kill()
    console = "\n".join(lines)
    report, status = results / "report.xml", results / "exit"
    if timed_out.is_set():
        fault = f"no end within {deadline_s} s"
    elif not status.exists() or not report.exists():
        fault = "the guest stopped before its tests had ended"
    else:
        return Outcome("", status.read_text().strip() == "0", report.read_text(), console)
    return Outcome(fault, False, "", console)
