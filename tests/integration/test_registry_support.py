# SPDX-License-Identifier: Apache-2.0
"""The registries that other tests rely on do what those tests assume, as skopeo sees them."""
import json

import pytest

from support.programs import Failed, run, wait_until
from support.registry import Registry, write_auth_file
from support.tls import Authority
from support.token_server import TokenServer

USERS = {"alice": "open sesame"}


def inspect(registry, name, *options):
    return json.loads(run(["skopeo", "inspect", "--tls-verify=false", *options, registry.reference(name)]).stdout)


def test_an_anonymous_registry_keeps_what_skopeo_pushes_across_a_restart(image, work):
    source = image("odd")
    with Registry(work / "registry") as registry:
        registry.push(source.reference, "a/b:1")
        registry.stop()
        registry.start()
        assert inspect(registry, "a/b:1")["Digest"] == source.layout.tags()["latest"]
        assert registry.repositories() == ["a/b"]
        assert any(target == "/v2/a/b/manifests/1" and status == 200 for _, target, status in registry.requests())


def test_htpasswd_lets_in_who_knows_the_password(image, work):
    with Registry(work / "registry", users=USERS) as registry:
        auth = write_auth_file(work / "auth.json", registry.host, "alice", USERS["alice"])
        registry.push(image("odd").reference, "odd:1", "--dest-authfile", auth)
        assert inspect(registry, "odd:1", "--authfile", auth)["Layers"]
        with pytest.raises(Failed, match="[Uu]nauthorized|authentication required"):
            inspect(registry, "odd:1", "--creds", "alice:wrong")


def test_tokens_are_asked_for_by_scope_and_end(image, work):
    authority = Authority(work / "tls")
    with TokenServer(work, authority, users=USERS) as tokens, Registry(work / "registry", tokens=tokens) as registry:
        registry.push(image("odd").reference, "odd:1", "--dest-creds", f"alice:{USERS['alice']}")
        scopes = {scope for seen in tokens.requests() for scope in seen["scopes"]}
        assert "repository:odd:pull,push" in scopes
        tokens.lifetime = -1
        with pytest.raises(Failed):
            inspect(registry, "odd:1", "--creds", f"alice:{USERS['alice']}")


def test_blobs_of_a_tls_registry_come_from_another_host(image, work):
    authority = Authority(work / "tls")
    with Registry(work / "registry", authority=authority, redirect=True) as registry:
        registry.push(image("odd").reference, "odd:1")
        run(["skopeo", "copy", "-q", "--src-tls-verify=false", registry.reference("odd:1"), f"dir:{work}/copy"])
        assert any(status == 307 for _, _, status in registry.requests())
        # The log is written behind the last byte of an answer.
        layers = len(image("odd").layout.manifest()["layers"])
        wait_until(lambda: [status for _, _, status in registry.storage_host.requests()].count(200) >= layers,
                   "the other host has served every layer")
