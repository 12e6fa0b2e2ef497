# SPDX-License-Identifier: Apache-2.0
"""A registry as a configured backend: nydusd's options against docker-registry."""
import base64
import json

import pytest

from support import tree
from support.daemon import scan
from support.fault_server import Drop, FaultServer, Unauthorized
from support.hostile_registry import HostileRegistry
from support.places import Placed
from support.programs import BUILD, run
from support.registry import Registry
from support.tls import Authority
from support.tunnel import TunnelProxy

READ_BLOB = BUILD / "tests" / "unit" / "backend" / "read_blob"
USER, PASSWORD, TOKEN = "reader", "the-Password", "the-Token"
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


def test_redirects_lead_where_the_configuration_says(read, blob, work):
    with Registry(work / "registry", redirect=True) as registry:
        registry.push(blob[0].reference, f"{REPOSITORY}:1")
        with FaultServer(upstream=registry.storage_host.url.removeprefix("http://")) as cache:
            read(registry, blob_url_scheme="http", blob_redirected_host=cache.host)
            assert cache.requests(method="GET")


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


def test_a_proxy_is_asked_by_http_for_what_lies_behind_https_where_that_is_said(read, blob, work):
    with Registry(work / "registry") as registry, FaultServer(upstream=registry.host) as proxy:
        registry.push(blob[0].reference, f"{REPOSITORY}:1")
        read(registry, scheme="https", proxy={"url": proxy.url, "use_http": True, "fallback": False})
        assert {request.path.partition(":")[0] for request in proxy.requests()} == {"http"}


def test_a_forward_proxy_hears_nothing_of_what_is_behind_https(read, blob, work):
    """Neither password nor token, and the registry nothing of what the proxy is told."""
    authority = Authority(work / "ca")
    secrets = (PASSWORD, AUTH, TOKEN, "of-the-proxy")
    with HostileRegistry(authority=authority) as registry, HostileRegistry(authority=authority) as tokens, TunnelProxy() as proxy:
        registry.put_blob(blob[0].blob_path(blob[1]).read_bytes())
        tokens.answer("/token", 200, {}, json.dumps({"token": TOKEN}).encode())
        for challenge, servers in {'Basic realm="x"': [registry], f'Bearer realm="{tokens.url}/token"': [registry, tokens]}.items():
            registry.challenge = challenge
            read(registry, scheme="https", auth=AUTH, ca_cert_files=[str(authority.ca)],
                 proxy={"url": f"http://us:of-the-proxy@{proxy.host}", "fallback": False})
            assert all(server.heard(secrets) for server in servers)
        assert set(proxy.targets()) == {registry.host, tokens.host}
        basic = base64.b64encode(b"us:of-the-proxy")
        assert all(b"Proxy-Authorization: Basic " + basic in head for head in proxy.heads)
        assert not [secret for secret in secrets if secret.encode() in proxy.heard()]
        assert not registry.heard([basic.decode()]) and not tokens.heard([basic.decode()])


def test_a_forward_proxy_hears_a_password_where_it_is_to_see_everything(read, blob, work):
    with Registry(work / "registry", users={USER: PASSWORD}) as registry, FaultServer(upstream=registry.host) as proxy:
        registry.push(blob[0].reference, f"{REPOSITORY}:1", "--dest-creds", f"{USER}:{PASSWORD}")
        read(registry, scheme="https", auth=AUTH, proxy={"url": proxy.url, "use_http": True, "fallback": False})
        assert [request for request in proxy.requests() if request.authorization]


def test_without_verification_a_registry_may_be_without_tls(read, blob, work):
    with Registry(work / "registry") as registry:
        registry.push(blob[0].reference, f"{REPOSITORY}:1")
        read(registry, scheme="https", skip_verify=True)
        assert read(registry, expect=1, scheme="https").startswith("io: ")


def test_a_mirror_that_asks_who_we_are_is_not_told(read, blob, work):
    with Registry(work / "registry", users={USER: PASSWORD}) as registry, FaultServer(upstream=registry.host) as mirror:
        registry.push(blob[0].reference, f"{REPOSITORY}:1", "--dest-creds", f"{USER}:{PASSWORD}")
        mirror.inject(Unauthorized('Basic realm="say"'))
        read(registry, auth=AUTH, mirrors=[{"host": mirror.url}])
        assert mirror.requests()
        assert not [request for request in mirror.requests() if request.authorization]


def test_a_mount_has_its_blobs_from_a_configured_repository(image, converted, work, start_daemon):
    daemon = start_daemon()
    with Registry(work / "registry", users={USER: PASSWORD}) as registry:
        registry.push(converted("plain").reference, f"{REPOSITORY}:1", "--dest-creds", f"{USER}:{PASSWORD}")
        (work / "image.boot").write_bytes(converted("plain").bootstrap())
        (work / "backend.json").write_text(json.dumps({"type": "registry", "config": {
            "scheme": "http", "host": registry.host, "repo": REPOSITORY, "auth": AUTH}}))
        mountpoint = daemon.mount(Placed(f"rafs:{work}/image.boot", "--backend-config", work / "backend.json"))
        assert not tree.compare(image("plain").tree, scan(mountpoint))
        assert [target for _, target, status in registry.requests() if "/blobs/" in target and status in (200, 206)]
        daemon.umount(mountpoint)
    assert PASSWORD not in daemon.log() and AUTH not in daemon.log()
