# SPDX-License-Identifier: Apache-2.0
"""Registries of the internet that send us into networks which they cannot reach themselves, by names."""
import base64
import json

import pytest

from support import layers
from support.hostile_registry import REPOSITORY, HostileRegistry
from support.network import Network

# Of the networks that are meant for examples (RFC 5737), so neither private nor local.
REGISTRY, PUBLIC = "203.0.113.1", "198.51.100.1"
INSIDE, NEIGHBOUR, LINK, LOCAL = "10.9.8.7", "192.168.9.9", "169.254.169.254", "127.0.0.1"
USER, PASSWORD, TOKEN = "alice", "pa55-of-alice", "t0ken-of-alice"
SECRETS = (PASSWORD, base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode(), TOKEN)
LAYER = layers.archive(lambda t: t.add("file", data=b"content"))


@pytest.fixture
def network(work):
    with Network(work, [REGISTRY, PUBLIC, INSIDE, NEIGHBOUR, LINK]) as own:
        yield own


def token_server(address):
    server = HostileRegistry(address=address)
    server.answer("/token", 200, {}, json.dumps({"token": TOKEN}).encode())
    return server


def copy(network, registry, work, expect):
    reference = f"docker://registry.test:{registry.port}/{REPOSITORY}:t"
    return network.sluice("copy", "--quiet", "--tls-verify=false", "--retry-times", "0", "--creds", f"{USER}:{PASSWORD}",
                          reference, f"oci:{work}/copy:x", expect=expect, timeout=30)


def log_in(network, work, *, registry_at, tokens_at, expect):
    """Copies from a registry whose token server, by a name, is elsewhere; whether that has heard a secret, and the error."""
    with HostileRegistry(address=registry_at) as registry, token_server(tokens_at) as tokens:
        network.name(registry=registry_at, auth=tokens_at)
        registry.put_manifest(registry.manifest_of(LAYER))
        registry.challenge = f'Bearer realm="http://auth.test:{tokens.port}/token",service="x"'
        error = copy(network, registry, work, expect).stderr
        assert PASSWORD not in error
        return bool(tokens.requests()), error


@pytest.mark.parametrize("address", [INSIDE, NEIGHBOUR, LINK, LOCAL])
def test_a_public_registry_has_no_token_server_inside(network, work, address):
    asked, error = log_in(network, work, registry_at=REGISTRY, tokens_at=address, expect=1)
    assert not asked
    assert "may not send us" in error and "auth.test" in error


@pytest.mark.parametrize("registry_at, tokens_at", [(REGISTRY, PUBLIC), (INSIDE, NEIGHBOUR), (INSIDE, PUBLIC)])
def test_a_token_server_is_asked_where_the_registry_may_have_one(network, work, registry_at, tokens_at):
    asked, _ = log_in(network, work, registry_at=registry_at, tokens_at=tokens_at, expect=0)
    assert asked


@pytest.mark.parametrize("registry_at", [REGISTRY, INSIDE])
def test_no_registry_elsewhere_has_a_token_server_on_this_machine(network, work, registry_at):
    asked, error = log_in(network, work, registry_at=registry_at, tokens_at=LOCAL, expect=1)
    assert not asked and "may not send us" in error


def test_a_name_that_changes_its_meaning_gets_no_credentials(network, work):
    """DNS rebinding: the registry's own name stands for another address when the token server is looked up."""
    with HostileRegistry(address=REGISTRY) as registry, token_server(INSIDE) as tokens:
        network.name(registry=REGISTRY)
        registry.put_manifest(registry.manifest_of(LAYER))
        registry.challenge = f'Bearer realm="http://registry.test:{tokens.port}/token",service="x"'
        registry.on_challenge = lambda: network.name(registry=INSIDE)
        error = copy(network, registry, work, expect=1).stderr
        assert not tokens.requests()
        assert "may not send us" in error


@pytest.mark.parametrize("address", [LOCAL, LINK])
@pytest.mark.parametrize("by_name", [True, False])
def test_a_redirect_does_not_lead_into_this_machine(network, work, address, by_name):
    with HostileRegistry(address=REGISTRY) as registry, HostileRegistry(address=address) as target:
        network.name(registry=REGISTRY, blobs=address)
        registry.put_manifest(registry.manifest_of(LAYER))
        target.manifest_of(LAYER)
        registry.send_away("blobs", f"http://{'blobs.test' if by_name else address}:{target.port}")
        error = copy(network, registry, work, expect=1).stderr
        assert not target.requests()
        assert "address of this machine or link" in error or "may not send us" in error


def test_a_redirect_into_a_private_network_takes_no_secret_there(network, work):
    with HostileRegistry(address=REGISTRY, challenge='Basic realm="x"') as registry, HostileRegistry(address=INSIDE) as target:
        network.name(registry=REGISTRY, blobs=INSIDE)
        registry.put_manifest(registry.manifest_of(LAYER))
        target.manifest_of(LAYER)
        registry.send_away("blobs", f"http://blobs.test:{target.port}")
        copy(network, registry, work, expect=0)
        assert registry.heard(SECRETS)
        assert target.requests("blobs") and not target.heard(SECRETS)
