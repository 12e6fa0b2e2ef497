# SPDX-License-Identifier: Apache-2.0
"""Conversion into a registry: what it has already is not sent again, whatever it says about it."""
import dataclasses
import json

import pytest

from support import layers, oci
from support.fault_server import FaultServer, Status
from support.programs import run, sluice
from support.registry import Registry

PLAIN = "--tls-verify=false"
# Without compression and above what is kept in memory until its digest is known (8 MiB).
BASE, APP, OTHER = (layers.archive(lambda t, name=name: t.add(name, data=layers.content(name, 20 << 20))) for name in ("base", "app", "other"))


@dataclasses.dataclass
class World:
    front: FaultServer
    registry: Registry
    folder: object

    def source(self, *archives):
        layout = oci.Layout(self.folder / f"source{len(list(self.folder.iterdir()))}")
        layout.write_image(list(archives), compression="")
        return f"oci:{layout.path}:latest"

    def convert(self, source, **options):
        """Converts into the registry; returns the digest and how many bytes of blobs went there."""
        self.front.forget_requests()
        digest = sluice("convert", "--quiet", PLAIN, "--retry-times", "0", "--compressor", "none", source,
                        f"docker://{self.front.host}/a/b:t", **options).stdout.strip()
        sent = sum(int(dict(request.fields).get("Content-Length", 0)) for request in self.front.requests("/uploads/")
                   if request.method in ("PATCH", "PUT", "POST"))
        return digest, sent

    def layers(self):
        return json.loads(run(["skopeo", "inspect", "--raw", PLAIN, self.registry.reference("a/b:t")]).stdout)["layers"]

    def layer_sizes(self):
        return [layer["size"] for layer in self.layers()]

    def expect_whole(self):
        """skopeo finds every blob, and each is what its digest says."""
        run(["skopeo", "copy", "-q", "--src-tls-verify=false", self.registry.reference("a/b:t"),
             f"dir:{self.folder}/copy{len(list(self.folder.iterdir()))}"])


@pytest.fixture
def world(work):
    (work / "images").mkdir()
    with Registry(work / "registry") as registry, FaultServer(upstream=registry.host) as front:
        yield World(front, registry, work / "images")


def test_a_second_conversion_sends_no_blob(world):
    source = world.source(BASE, APP)
    first, sent = world.convert(source)
    sizes = world.layer_sizes()
    assert sent >= sum(sizes) and sizes[0] > 20 << 20 and sizes[1] > 20 << 20
    assert world.convert(source) == (first, 0)
    world.expect_whole()


def test_only_what_has_changed_is_sent(world):
    world.convert(world.source(BASE, APP))
    _, sent = world.convert(world.source(BASE, OTHER))
    sizes = world.layer_sizes()
    assert sizes[1] <= sent < sizes[0] + sizes[1]
    world.expect_whole()


def test_a_layer_of_the_same_size_is_not_taken_for_the_one_before(world):
    world.convert(world.source(BASE))
    before = world.layers()[0]
    _, sent = world.convert(world.source(OTHER))
    after = world.layers()[0]
    assert sent >= after["size"] == before["size"] and after["digest"] != before["digest"]
    world.expect_whole()


def test_a_layer_that_has_grown_is_sent(world):
    world.convert(world.source(BASE))
    grown = layers.archive(lambda t: (t.add("base", data=layers.content("base", 20 << 20)), t.add("more", data=layers.content("more", 9 << 20))))
    _, sent = world.convert(world.source(grown))
    assert sent >= world.layer_sizes()[0] > 29 << 20
    world.expect_whole()


def test_a_blob_that_the_tag_names_and_the_registry_has_lost_is_sent(world):
    source = world.source(BASE)
    first, _ = world.convert(source)
    world.registry.blob_path(world.layers()[0]["digest"]).unlink()
    digest, sent = world.convert(source)
    assert digest == first and sent >= world.layer_sizes()[0]
    world.expect_whole()


@pytest.mark.parametrize("status", [404, 403, 500])
def test_a_registry_that_does_not_say_what_it_has_gets_everything(world, status):
    source = world.source(BASE)
    first, _ = world.convert(source)
    world.front.inject(Status(status), match="/manifests/")
    digest, sent = world.convert(source)
    assert digest == first and sent >= world.layer_sizes()[0]


def test_without_room_for_a_blob_it_is_sent_as_it_comes(world):
    source = world.source(BASE)
    first, _ = world.convert(source)
    digest, sent = world.convert(source, env={"TMPDIR": "/nowhere"})
    assert digest == first and sent >= world.layer_sizes()[0]
    world.expect_whole()
