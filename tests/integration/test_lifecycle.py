# SPDX-License-Identifier: Apache-2.0
"""Starting, mounting, listing, refusing, stopping."""
import json
import subprocess

import pytest

from support import tree
from support.daemon import mounts_below, scan
from support.programs import SLUICE, SLUICED, run, sluice, wait_until

FAILURE, USAGE_OR_NOT_FOUND = 1, 2


def test_list_and_status_tell_what_is_mounted(converted, start_daemon):
    daemon = start_daemon()
    target = converted("plain")
    mountpoint = daemon.mount(target.reference)
    mount, = json.loads(daemon.sluice("list", "--json").stdout)["mounts"]
    assert mount["image"] == target.reference
    assert mount["mountpoint"] == str(mountpoint)
    assert mount["state"] == "mounted"
    assert mount["blobs"] == target.blobs()
    assert str(mountpoint) in daemon.sluice("list").stdout

    status = daemon.status()
    assert status["mounts"] == 1
    assert {blob["id"] for blob in status["blobs"]} == set(target.blobs())
    assert status["frontend"]["name"] == "fanotify"
    scan(mountpoint)
    after = daemon.status()
    assert all(blob["complete"] and blob["ready_bytes"] == blob["plain_bytes"] for blob in after["blobs"])
    assert after["counters"]["misses"] > 0 and after["counters"]["errors"] == 0
    assert "fanotify" in daemon.sluice("status").stdout


@pytest.mark.parametrize("engine, name", [("io_uring", "io_uring"), ("epoll", "epoll"), ("auto", "io_uring")])
def test_status_names_the_engine(engine, name, start_daemon):
    assert start_daemon("--engine", engine).status()["engine"]["name"] == name


def test_umount_frees_the_mountpoint_and_the_image_can_come_back(image, converted, start_daemon):
    daemon = start_daemon()
    for _ in range(3):
        mountpoint = daemon.mount(converted("plain").reference)
        assert not tree.compare(image("plain").tree, scan(mountpoint))
        daemon.umount(mountpoint)
        assert not list(mountpoint.iterdir())
    assert daemon.status()["mounts"] == 0


def test_one_image_can_be_mounted_many_times(image, converted, start_daemon):
    daemon = start_daemon()
    mountpoints = [daemon.mount(converted("plain").reference, f"mnt{i}") for i in range(5)]
    assert not tree.compare(image("plain").tree, scan(mountpoints[4]))
    daemon.umount(mountpoints[4])
    assert not tree.compare(image("plain").tree, scan(mountpoints[0]))
    assert {blob["references"] for blob in daemon.status()["blobs"]} == {4}


def test_busy_mount_is_not_unmounted_and_stays_served(image, converted, start_daemon):
    daemon = start_daemon()
    mountpoint = daemon.mount(converted("plain").reference)
    with open(mountpoint / "lower/f00", "rb"):
        result = daemon.sluice("umount", mountpoint, expect=FAILURE)
        assert str(mountpoint) in result.stderr and "in use" in result.stderr
        assert not tree.compare(image("plain").tree, scan(mountpoint))
    daemon.umount(mountpoint)


def test_stop_unmounts_and_ends(converted, start_daemon):
    daemon = start_daemon()
    daemon.mount(converted("plain").reference)
    assert daemon.stop() == 0
    assert not mounts_below(daemon.folder)
    assert not daemon.socket.exists()


def test_stop_with_a_busy_mount_keeps_serving_until_it_is_free(image, converted, start_daemon):
    daemon = start_daemon()
    mountpoint = daemon.mount(converted("plain").reference)
    with open(mountpoint / "lower/f00", "rb"):
        daemon.process.terminate()
        wait_until(lambda: "in use" in daemon.log() and str(mountpoint) in daemon.log(), "the daemon says what is in use")
        assert not tree.compare(image("plain").tree, scan(mountpoint)), "cold reads while it cannot stop"
        assert daemon.process.poll() is None
    assert daemon.stop() == 0


def test_second_daemon_on_one_root_is_refused(start_daemon, work):
    daemon = start_daemon()
    result = run([SLUICED, "--root", daemon.root, "--socket", work / "other.sock"], expect=None, timeout=30)
    assert result.returncode not in (0, None)
    assert str(daemon.root) in result.stderr
    assert daemon.status()["mounts"] == 0


@pytest.mark.parametrize("what, code, words", [
    ("image", USAGE_OR_NOT_FOUND, ["no-such-image"]),
    ("tag", USAGE_OR_NOT_FOUND, ["no-such-tag"]),
    ("mountpoint", USAGE_OR_NOT_FOUND, ["no-such-folder"]),
    ("unconverted", FAILURE, []),
    ("taken", FAILURE, []),
    ("reference", USAGE_OR_NOT_FOUND, ["nonsense"]),
])
def test_mount_that_cannot_work_says_why(what, code, words, image, converted, start_daemon):
    daemon = start_daemon()
    target = converted("plain")
    reference, mountpoint = target.reference, daemon.mountpoint()
    left = 0
    if what == "image":
        reference = f"oci:{daemon.folder}/no-such-image:latest"
    elif what == "tag":
        reference = f"oci:{target.path}:no-such-tag"
    elif what == "mountpoint":
        mountpoint = daemon.folder / "no-such-folder"
    elif what == "unconverted":
        reference = image("plain").reference
    elif what == "taken":
        daemon.mount(target.reference)
        words, left = [str(mountpoint)], 1
    elif what == "reference":
        reference = "nonsense"
    result = daemon.sluice("mount", reference, mountpoint, expect=code)
    assert result.stderr.startswith("sluice: ")
    assert all(word in result.stderr for word in words), result.stderr
    assert daemon.status()["mounts"] == left


def test_umount_of_what_is_not_mounted_says_so(start_daemon):
    daemon = start_daemon()
    result = daemon.sluice("umount", daemon.mountpoint(), expect=USAGE_OR_NOT_FOUND)
    assert str(daemon.mountpoint()) in result.stderr


def test_client_without_daemon_says_what_to_do(work):
    result = sluice("status", "--socket", work / "none.sock", expect=FAILURE)
    assert "sluiced" in result.stderr and "none.sock" in result.stderr


def test_unknown_configuration_key_is_an_error(work):
    config = work / "config.toml"
    config.write_text("no-such-key = 1\n")
    result = run([SLUICED, "--config", config, "--root", work / "root", "--socket", work / "s.sock"], expect=None, timeout=30)
    assert result.returncode not in (0, None)
    assert "no-such-key" in result.stderr


def test_programs_tell_their_version():
    first = subprocess.run([SLUICE, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    second = subprocess.run([SLUICED, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    assert first[0] == "sluice" and second[0] == "sluiced" and first[1] == second[1]
