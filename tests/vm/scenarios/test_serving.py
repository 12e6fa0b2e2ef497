# SPDX-License-Identifier: Apache-2.0
"""Images mounted by the kernel's own command."""
import os
import pathlib
import re

import pytest

from serving import Door, umount
from support import made, programs, rafs
from support.daemon import scan
from support.programs import drop_caches, run, wait_until

MANUAL = programs.ROOT / "docs" / "cachefiles.md"
FEW, MANY = 8, 64  # images


def plain_bytes(images):
    """Plain bytes of the chunks of several images, each counted once."""
    return sum({(chunk.blob, chunk.index): chunk.plain_bytes
                for image in images for chunk in rafs.chunks(image.bootstrap())}.values())


@pytest.mark.parametrize("name, domain", [("odd", None), ("slim", "base")])
def test_tree_is_umocis_and_a_second_mount_fetches_nothing(name, domain, daemon, image):
    source, converted = image(name)
    command = daemon.bind(converted, name, domain)
    mountpoint = daemon.attach(command)
    daemon.expect_tree(mountpoint, source)
    fetched = daemon.counters()["fetched_plain_bytes"]
    assert fetched
    umount(mountpoint)
    drop_caches()
    daemon.attach(command)
    daemon.expect_tree(mountpoint, source)
    assert daemon.counters()["fetched_plain_bytes"] == fetched


def test_eight_readers_at_once_see_the_right_bytes(daemon, image):
    source, converted = image("plain")
    mountpoint = daemon.attach(daemon.bind(converted, "plain"))
    daemon.read_in_parallel(mountpoint, source.rootfs, readers=8)
    assert daemon.counters()["fetched_plain_bytes"] == plain_bytes([converted])


def test_mount_command_of_sluice_takes_this_door_where_there_is_no_other(start_daemon, image):
    daemon = start_daemon(frontend="auto")
    assert daemon.status()["frontend"]["name"] == "cachefiles"
    assert daemon.status()["shards"] == 1, "limits are shared by the shards that serve"
    source, converted = image("slim")
    mountpoint = daemon.mount(converted.reference)
    daemon.expect_tree(mountpoint, source)
    daemon.umount(mountpoint)
    assert not daemon.status()["mounts"]


@pytest.mark.parametrize("case", ["dir-lz4-4k", "inline"])  # inline: the bootstrap is inside its blob
def test_image_of_nydus_has_its_tree(case, daemon):
    mountpoint = daemon.attach(daemon.bind(made.reference(case), case))
    made.expect_tree(case, scan(mountpoint))
    assert daemon.counters()["fetched_plain_bytes"]


def test_unbound_image_cannot_be_mounted(daemon, image):
    command = daemon.bind(image("slim")[1], "gone")
    daemon.sluice("unbind", "gone")
    with pytest.raises(programs.Failed, match="can't read superblock|No buffer space"):  # EIO, ENOBUFS
        daemon.attach(command)


@pytest.mark.parametrize("domain, refusal", [(None, "already mounted"), ("base", "File exists")])
def test_name_is_mounted_once_at_a_time(domain, refusal, daemon, image):
    command = daemon.bind(image("slim")[1], "slim", domain)
    daemon.attach(command)
    with pytest.raises(programs.Failed, match=refusal):
        daemon.attach(command, "second")


def test_commands_of_the_manual_work(daemon, image):
    run(["mount", "-t", "tmpfs", "none", "/srv"])
    pathlib.Path("/srv/lazy").symlink_to(image("slim")[1].path)
    environment = {**os.environ, "SLUICE_SOCKET": daemon.socket, "PATH": f"{programs.SLUICE.parent}:{os.environ['PATH']}"}
    blocks = re.findall(r"^```sh\n(.*?)^```", MANUAL.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 2
    for block in blocks:
        run(["sh", "-ex", "-c", block], env=environment)
    umount("/srv")


def test_images_of_a_domain_fetch_what_they_share_once(daemon, image):
    names = ("plain", "twin")
    for name in names:
        source, converted = image(name)
        daemon.expect_tree(daemon.attach(daemon.bind(converted, name, "shared"), name), source)
    assert daemon.counters()["fetched_plain_bytes"] == plain_bytes(image(name)[1] for name in names)


def test_64_mounts_need_no_more_threads_than_8(daemon, image):
    source, converted = image("twin")
    path = max((path for path, entry in source.tree.items() if entry["kind"] == "file"), key=lambda p: source.tree[p]["size"])
    expected = (source.rootfs / path).read_bytes()
    threads = []
    for numbers in (range(FEW), range(FEW, MANY)):
        for mountpoint in daemon.attach_many(converted, [f"image-{number}" for number in numbers], "many"):
            assert (mountpoint / path).read_bytes() == expected
        threads.append(daemon.threads())
    assert threads[0] == threads[1]


def test_second_daemon_is_refused_and_says_why(daemon, image, work):
    source, converted = image("slim")
    mountpoint = daemon.attach(daemon.bind(converted, "slim"))
    (work / "second").mkdir()
    with pytest.raises(programs.Failed, match=r"/dev/cachefiles"):
        Door(work / "second")
    daemon.expect_tree(mountpoint, source)


def test_quota_removes_what_is_not_mounted_and_leaves_what_is(start_daemon, image, work):
    config = work / "config.toml"
    config.write_text("[cachefiles]\nquota = 1\n")
    daemon = start_daemon("--config", config)
    (source, mounted), (other, culled) = image("plain"), image("twin")
    mountpoint = daemon.attach(daemon.bind(mounted, "mounted"), "mounted")
    daemon.expect_tree(mountpoint, source)
    command = daemon.bind(culled, "culled")
    daemon.expect_tree(daemon.attach(command, "culled"), other)
    umount(daemon.mountpoint("culled"))
    removed = re.compile(r"removed (\d+) bytes of the cache")
    wait_until(lambda: sum(map(int, removed.findall(daemon.log()))) >= plain_bytes([culled]), "what is not mounted is removed")
    assert not [path for path in (daemon.root / "cachefiles" / "cache").rglob("D*") if path.is_file()]

    fetched = daemon.counters()["fetched_plain_bytes"]
    drop_caches()
    daemon.expect_tree(mountpoint, source)
    assert daemon.counters()["fetched_plain_bytes"] == fetched
    daemon.expect_tree(daemon.attach(command, "culled"), other)
    assert daemon.counters()["fetched_plain_bytes"] == fetched + plain_bytes([culled])
