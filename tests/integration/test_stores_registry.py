# SPDX-License-Identifier: Apache-2.0
"""A registry as a configured backend: nydusd's options against docker-registry."""
import base64
import json

import pytest

from support.fault_server import Drop, FaultServer
from support.programs import BUILD, run
from support.registry import Registry

READ_BLOB = BUILD / "tests" / "unit" / "backend" / "read_blob"
USER, PASSWORD = "reader", "the-Password"
REPOSITORY = "some/image"


@pytest.fixture
def blob(converted):
    """A converted image and the id of its largest blob."""
    image = converted("odd")
    return image, max(image.blobs(), key=lambda name: image.blob_path(name).stat().st_size)


@pytest.fixture
def read(blob, work):
    def do(registry, expect=0, **changes):
        image, name = blob
        config = {"scheme": "http", "host": registry.host, "repo": REPOSITORY, "retry_limit": 0, **changes}
        (work / "backend.json").write_text(json.dumps({"type": "registry", "config": config}))
        size = image.blob_path(name).stat().st_size
        result = run([READ_BLOB, work / "backend.json", name, 1, size - 1], expect=expect, text=False, errors=None)
        if expect:
            error = result.stderr.decode()
            assert PASSWORD not in error
            return error
        assert result.stdout == image.blob_path(name).read_bytes()[1:]
        return None

    return do


AUTH = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def test_a_public_registry(read, blob, work):
    with Registry(work / "registry") as registry:
        registry.push(blob[0].reference, f"{REPOSITORY}:1")
        read(registry)
        assert read(registry, expect=1, repo="some/other").startswith("not-found: ")


def test_user_and_password(read, blob, work):
    with Registry(work / "registry", users={USER: PASSWORD}) as registry:
        registry.push(blob[0].reference, f"{REPOSITORY}:1", "--dest-creds", f"{USER}:{PASSWORD}")
        read(registry, auth=AUTH)
        assert read(registry, expect=1).startswith("permission: ")


def test_blobs_that_the_registry_keeps_elsewhere(read, blob, work):
    with Registry(work / "registry", redirect=True) as registry:
        registry.push(blob[0].reference, f"{REPOSITORY}:1")
        read(registry)
        assert registry.storage_host.requests()


def test_a_mirror_that_fails_is_passed_over(read, blob, work):
    with Registry(work / "registry") as registry, FaultServer(upstream=registry.host) as mirror:
        registry.push(blob[0].reference, f"{REPOSITORY}:1")
        read(registry, mirrors=[{"host": mirror.url}])
        assert mirror.requests()
        mirror.inject(Drop())
        read(registry, mirrors=[{"host": mirror.url}])


def test_blobs_come_through_a_forward_proxy(read, blob, work):
    with Registry(work / "registry") as registry, FaultServer(upstream=registry.host) as proxy:
        registry.push(blob[0].reference, f"{REPOSITORY}:1")
        read(registry, proxy={"url": proxy.url})
        assert proxy.requests()
        proxy.inject(Drop())
        read(registry, proxy={"url": proxy.url})
