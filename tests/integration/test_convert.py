# SPDX-License-Identifier: Apache-2.0
"""`sluice convert`: same bytes every time, nothing half-written, errors that say what is wrong with which layer."""
import hashlib
import json
import os
import re
import signal
import subprocess

import pytest

from support import converted as conversions
from support import layers, oci, tar, tree
from support.daemon import scan
from support.programs import PATIENCE, PYTHON, SLUICE, SUPPORT, run, sluice, wait_until

FAILURE, USAGE_OR_NOT_FOUND = 1, 2
MOST_RESIDENT_BYTES = 300 << 20  # of the converter, whatever the size of a layer


def contents(folder):
    """{relative path: sha256} of all files."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def refused(source, target, code=FAILURE):
    """Converts what must be refused; returns the message."""
    before = sorted(target.parent.iterdir())
    result = sluice("convert", "--quiet", source, f"oci:{target}:latest", expect=code)
    assert result.stderr.startswith("sluice: ")
    assert sorted(target.parent.iterdir()) == before, "something half-written is left"
    return result.stderr


def write_layout(work, archives, **options):
    layout = oci.Layout(work / "source" / "layout")
    layout.path.parent.mkdir(exist_ok=True)
    layout.write_image(archives, **options)
    return layout, f"oci:{layout.path}:latest"


@pytest.mark.parametrize("options", [(), ("--chunk-size", "4K", "--compressor", "lz4")])
def test_two_runs_give_identical_bytes_whatever_the_number_of_jobs(options, image, work):
    source = image("odd").reference
    first = conversions.convert(source, work / "first", *options)
    second = conversions.convert(source, work / "second", "--jobs", "1", *options)
    third = conversions.convert(source, work / "third", "--jobs", "7", *options)
    assert contents(first.path) == contents(second.path) == contents(third.path)


def test_every_transport_gives_the_same_image(image, work):
    source = image("plain")
    expected = conversions.convert(source.reference, work / "layout")
    run(["skopeo", "copy", "-q", source.reference, f"oci-archive:{work}/image.tar:latest"])
    run(["skopeo", "copy", "-q", source.reference, f"docker-archive:{work}/docker.tar:plain:latest"])
    for reference in (f"oci-archive:{work}/image.tar:latest", f"docker-archive:{work}/docker.tar"):
        actual = conversions.convert(reference, work / reference.partition(":")[0])
        assert actual.blobs() == expected.blobs(), reference
        assert actual.bootstrap() == expected.bootstrap(), reference


@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
def test_compression_of_the_source_layers_does_not_matter(compression, work):
    _, reference = write_layout(work, [layers.odd_base(), layers.odd_changes()], compression=compression)
    actual = conversions.convert(reference, work / "out")
    _, reference = write_layout(work, [layers.odd_base(), layers.odd_changes()])
    expected = conversions.convert(reference, work / "expected")
    assert actual.bootstrap() == expected.bootstrap()


def test_folder_and_archive_sources_look_like_what_they_hold(image, work, start_daemon):
    source = image("odd")
    daemon = start_daemon()
    converted = conversions.convert(f"rootfs:{source.rootfs}", work / "rootfs")
    differences = tree.compare(source.tree, scan(daemon.mount(converted.reference)))
    assert not differences, "\n".join(differences[:20])


@pytest.mark.parametrize("tar_format", ["gnu", "posix"])
def test_sparse_archives_of_gnu_tar_are_understood(tar_format, work, start_daemon):
    archive = work / "layer.tar"
    archive.write_bytes(layers.sparse_archive(tar_format))
    (work / "expected").mkdir()
    run(["tar", "-x", "-f", archive, "-C", work / "expected"])
    converted = conversions.convert(f"tar:{archive}", work / "out")
    assert converted.total_bytes() < 1 << 20, "holes are stored"
    mountpoint = start_daemon().mount(converted.reference)
    differences = tree.compare(tree.scan(work / "expected"), scan(mountpoint), ignore={(".", "mtime"), (".", "mode")})
    assert not differences, "\n".join(differences)


def test_parents_that_no_layer_names_are_made(work, start_daemon):
    def fill(t):
        t.add("a/b/c/file", data=b"x", mode=0o600, uid=5)
    _, reference = write_layout(work, [layers.archive(fill)])
    seen = scan(start_daemon().mount(conversions.convert(reference, work / "out").reference))
    for path in ("a", "a/b", "a/b/c"):
        assert (seen[path]["kind"], seen[path]["mode"], seen[path]["uid"]) == ("dir", 0o755, 0)
    assert (seen["a/b/c/file"]["mode"], seen["a/b/c/file"]["uid"]) == (0o600, 5)


def test_bytes_of_the_image_are_what_its_descriptors_say(converted):
    for name in ("odd", "numpy"):
        target = converted(name)
        manifest = target.layout.manifest()
        for descriptor in [manifest["config"], *manifest["layers"]]:
            data = target.layout.blob_path(descriptor["digest"]).read_bytes()
            assert len(data) == descriptor["size"]
            assert "sha256:" + hashlib.sha256(data).hexdigest() == descriptor["digest"]


def test_equal_chunks_are_stored_once(work):
    twice = work / "twice"
    (twice / "a").mkdir(parents=True)
    for name in ("one", "two", "a/three"):
        (twice / name).write_bytes(layers.content("equal", 3 << 20))
    converted = conversions.convert(f"rootfs:{twice}", work / "out")
    assert 3 << 20 < converted.total_bytes() < (3 << 20) + 200_000


def test_output_options(image, work):
    source = image("plain").reference
    result = sluice("convert", "--output-json", work / "out.json", "--digestfile", work / "digest", "--progress", "plain",
                    source, f"oci:{work}/out:latest")
    digest = oci.Layout(work / "out").tags()["latest"]
    assert (work / "digest").read_text().strip() == digest
    assert digest in json.dumps(json.loads((work / "out.json").read_text()))
    assert result.stderr, "plain progress goes to stderr"
    quiet = sluice("convert", "--quiet", source, f"oci:{work}/again:latest")
    assert (quiet.stdout.strip(), quiet.stderr) == (digest, "")
    lines = sluice("convert", "--progress", "json", source, f"oci:{work}/json:latest").stderr.splitlines()
    assert lines and all(isinstance(json.loads(line), dict) for line in lines)


def test_target_can_be_an_archive(image, work):
    source = image("plain").reference
    sluice("convert", "--quiet", source, f"oci-archive:{work}/out.tar")
    (work / "out").mkdir()
    run(["tar", "-x", "-f", work / "out.tar", "-C", work / "out"])
    tag, = oci.Layout(work / "out").tags()
    assert oci.Layout(work / "out").manifest(tag)["layers"] == \
        conversions.convert(source, work / "layout").layout.manifest()["layers"]


def test_second_tag_joins_a_layout(image, work):
    for tag, name in (("one", "plain"), ("two", "odd"), ("one", "odd")):
        sluice("convert", "--quiet", image(name).reference, f"oci:{work}/out:{tag}")
    tags = oci.Layout(work / "out").tags()
    assert set(tags) == {"one", "two"} and tags["one"] == tags["two"]


def test_layer_with_a_flipped_bit_is_refused(work):
    layout, reference = write_layout(work, [layers.random_files("a", 3), layers.random_files("b", 3)])
    digest = layout.manifest()["layers"][1]["digest"]
    data = bytearray(layout.blob_path(digest).read_bytes())
    data[len(data) // 2] ^= 4
    layout.blob_path(digest).write_bytes(data)
    assert digest.removeprefix("sha256:")[:12] in refused(reference, work / "out")


def test_layer_with_another_diff_id_is_refused(work):
    wrong = "sha256:" + "5" * 64
    archives = [layers.random_files("a", 3), layers.random_files("b", 3)]
    right = "sha256:" + hashlib.sha256(archives[0]).hexdigest()
    layout, reference = write_layout(work, archives, diff_ids=[right, wrong])
    message = refused(reference, work / "out")
    assert "555555" in message


def test_missing_layer_is_an_error(work):
    layout, reference = write_layout(work, [layers.random_files("a", 3)])
    digest = layout.manifest()["layers"][0]["digest"]
    layout.blob_path(digest).unlink()
    result = sluice("convert", "--quiet", reference, f"oci:{work}/out:latest", expect=None)
    assert result.returncode in (FAILURE, USAGE_OR_NOT_FOUND)
    assert digest.removeprefix("sha256:")[:12] in result.stderr
    assert not (work / "out").exists()


def hostile(name):
    def fill(t):
        t.directory("d")
        t.add("d/file", data=b"x")
        if name == "link-target-missing":
            t.hard_link("d/link", "d/never")
        elif name == "link-to-folder":
            t.hard_link("d/link", "d")
        elif name == "root-as-link":
            t.symlink(".", "/etc")
        elif name == "dot-dot":
            t.add("../escape", data=b"x")
        elif name == "dot-dot-inside":
            t.add("d/../../escape", data=b"x")
        elif name == "name-too-long":
            t.add("d/" + "n" * 256, data=b"x")
        elif name == "unknown-type":
            t.add("d/odd", kind=b"Z")
    archive = layers.archive(fill)
    return archive[:1300] if name == "truncated" else archive


@pytest.mark.parametrize("name, word", [
    ("link-target-missing", "d/never"), ("link-to-folder", "d/link"), ("root-as-link", ""), ("dot-dot", "escape"),
    ("dot-dot-inside", "escape"), ("name-too-long", "nnnn"), ("truncated", ""),
])
def test_hostile_layer_is_refused_by_layer_and_entry(name, word, work):
    archive = hostile(name)
    layout, reference = write_layout(work, [layers.random_files("a", 1), archive])
    message = refused(reference, work / "out")
    assert word in message
    assert re.search(r"layer\W+(2|1)\b", message) or layout.manifest()["layers"][1]["digest"][7:19] in message, message


def test_absolute_names_stay_inside_the_image(work, start_daemon):
    def fill(t):
        t.add("/etc/absolute", data=b"inside")
    _, reference = write_layout(work, [layers.archive(fill)])
    seen = scan(start_daemon().mount(conversions.convert(reference, work / "out").reference))
    assert seen["etc/absolute"]["size"] == 6


def test_entry_below_a_link_never_leaves_the_image(work):
    """d is a link out of the image; an entry d/file must not touch what it names."""
    outside = work / "outside"
    outside.mkdir()

    def fill(t):
        t.symlink("d", str(outside))
        t.add("d/file", data=b"x")
    _, reference = write_layout(work, [layers.archive(fill)])
    sluice("convert", "--quiet", reference, f"oci:{work}/out:latest", expect=None)
    assert not list(outside.iterdir())


@pytest.mark.parametrize("arguments, code, word", [
    (["oci:/nowhere/at/all:x", "oci:{work}/out:x"], USAGE_OR_NOT_FOUND, "/nowhere/at/all"),
    (["--chunk-size", "5000", "{source}", "oci:{work}/out:x"], USAGE_OR_NOT_FOUND, "5000"),
    (["--chunk-size", "32M", "{source}", "oci:{work}/out:x"], USAGE_OR_NOT_FOUND, "32M"),
    (["--compressor", "brotli", "{source}", "oci:{work}/out:x"], USAGE_OR_NOT_FOUND, "brotli"),
    (["{source}"], USAGE_OR_NOT_FOUND, "TARGET"),
    (["{source}", "oci:{work}/no/such/folder/out:x"], None, "no/such/folder"),
])
def test_wrong_arguments_are_told_apart(arguments, code, word, image, work):
    words = [argument.format(work=work, source=image("plain").reference) for argument in arguments]
    result = sluice("convert", *words, expect=code)
    assert result.returncode != 0
    assert word in result.stderr
    assert not list(work.iterdir())


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_conversion_leaves_nothing(signal_number, image, work):
    process = subprocess.Popen([SLUICE, "convert", "--quiet", "--level", "19", image("numpy").reference, f"oci:{work}/out:latest"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: list(work.iterdir()), "the conversion writes something", interval=0.005)
        process.send_signal(signal_number)
        assert process.wait(30 * PATIENCE) != 0
    finally:
        process.kill()
    assert not list(work.iterdir())


def test_memory_does_not_grow_with_the_layer(work):
    """A layer of files that are each larger than the limit."""
    archive = work / "layer.tar"
    with open(archive, "wb") as file, tar.TarWriter(file) as writer:
        for i in range(3):
            writer.add(f"big{i}", data=os.urandom(MOST_RESIDENT_BYTES + (i << 20)))
    command = [SLUICE, "convert", "--quiet", "--compressor", "none", f"tar:{archive}", f"oci:{work}/out:latest"]
    cost = json.loads(run([PYTHON, SUPPORT / "measure.py", *command]).stdout)
    assert cost["peak_bytes"] < MOST_RESIDENT_BYTES * PATIENCE  # a sanitizer's shadow is not the program's memory
