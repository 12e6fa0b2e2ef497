# SPDX-License-Identifier: Apache-2.0
"""Blobs on HTTP servers as backends read them: by TLS, by unix socket, over mirrors and forward proxies that fail."""
import hashlib
import json
import random
import socketserver
import ssl
import threading

import pytest

from support import fault_server
from support.fault_server import FaultServer
from support.places import Placed
from support.programs import BUILD, run, sluice
from support.tls import Authority

READ_BLOB = BUILD / "tests" / "unit" / "backend" / "read_blob"
CONTENT = random.Random("http").randbytes(200_000)
ID = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def folder(work):
    (work / "blobs").mkdir()
    (work / "blobs" / ID).write_bytes(CONTENT)
    return work / "blobs"


@pytest.fixture
def read(work):
    def do(kind, expect=0, offset=1000, length=100_000, **config):
        path = work / "backend.json"
        path.write_text(json.dumps({"type": kind, "config": config}))
        result = run([READ_BLOB, path, ID, offset, length], expect=expect, text=False, errors=None)
        if expect:
            return result.stderr.decode()
        assert result.stdout == CONTENT[offset:offset + length]
        return None

    return do


def test_a_server_with_a_certificate_of_an_own_authority(read, folder, work):
    authority = Authority(work / "ca")
    with FaultServer(folder=folder) as server:
        server.socket = authority.server_context("server").wrap_socket(server.socket, server_side=True)
        url = server.url.replace("http:", "https:")
        read("http", url=url, ca_cert_files=[str(authority.ca)])
        read("http", url=url, skip_verify=True)
        assert read("http", expect=1, url=url, retry_limit=0).startswith("permission: ")


def test_a_server_that_wants_to_know_who_we_are(read, folder, work):
    authority = Authority(work / "ca")
    with FaultServer(folder=folder) as server:
        context = authority.server_context("server")
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.ca)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        options = {"url": server.url.replace("http:", "https:"), "ca_cert_files": [str(authority.ca)], "retry_limit": 0}
        certificate, key = authority.issue("client")
        read("http", **options, client_cert_file=str(certificate), client_key_file=str(key))
        read("http", expect=1, **options)


def test_a_mirror_that_lies_or_fails_costs_nothing_but_time(read, folder):
    with FaultServer(folder=folder) as mirror, FaultServer(folder=folder) as origin:
        for fault in (fault_server.Drop(), fault_server.Status(503), fault_server.Status(404), fault_server.Truncate()):
            mirror.inject(fault)
            origin.forget_requests()
            read("http", url=origin.url, mirrors=[{"host": mirror.url}])
            assert origin.requests()
            mirror.heal()
        origin.forget_requests()
        read("http", url=origin.url, mirrors=[{"host": mirror.url}])
        assert not origin.requests()


def test_a_forward_proxy_is_used_while_it_works(read, folder):
    """The fault server takes absolute URLs as any proxy does."""
    with FaultServer(folder=folder) as origin, FaultServer(upstream=origin.host) as proxy:
        read("http", url=origin.url, proxy={"url": proxy.url})
        assert proxy.requests(ID)
        proxy.inject(fault_server.Drop())
        origin.forget_requests()
        read("http", url=origin.url, proxy={"url": proxy.url})
        assert origin.requests(ID)
        assert read("http", expect=1, url=origin.url, retry_limit=0, proxy={"url": proxy.url, "fallback": False}).startswith("io: ")


def test_keys_that_change_nothing_are_told_before_the_daemon_is_asked(work):
    path = work / "backend.json"
    path.write_text(json.dumps({"type": "http", "config": {"url": "http://h", "proxy": {"url": "http://p", "check_interval": 5}}}))
    result = sluice("mount", "--socket", work / "nobody", "--backend-config", path, f"oci:{work}", work, expect=None)
    assert result.returncode != 0
    assert f"sluice: '{path}'.config.proxy.check_interval has no effect" in result.stderr.splitlines()


def test_keys_that_change_nothing_are_in_the_log_of_the_daemon_too(converted, work, start_daemon):
    """Whoever asks over the socket is not sluice perhaps."""
    daemon = start_daemon()
    image = converted("odd")
    path = work / "backend.json"
    with FaultServer(folder=image.blob_path(image.blobs()[0]).parent) as origin:
        path.write_text(json.dumps({"type": "http", "config": {
            "url": origin.url, "headers": {"X-Key": "s3cr3t"},
            "mirrors": [{"host": origin.url, "ping_url": "http://s3cr3t/"}]}}))
        daemon.umount(daemon.mount(Placed(image.reference, "--backend-config", path)))
    told = [line for line in daemon.log().splitlines() if "has no effect" in line]
    assert len(told) == 1 and "mirrors[0].ping_url" in told[0] and image.reference in told[0]
    assert "s3cr3t" not in daemon.log()


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Gives ranges of CONTENT for any path, once per connection, and remembers the paths."""

    daemon_threads = True

    def __init__(self, path):
        super().__init__(path, self.Handler)
        self.paths = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            lines = iter(lambda: self.rfile.readline().decode().strip(), "")
            self.server.paths.append(next(lines).split()[1])
            value = next(line for line in lines if line.lower().startswith("range: bytes=")).partition("=")[2]
            first, last = (int(number) for number in value.split("-"))
            head = (f"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {first}-{last}/{len(CONTENT)}\r\n"
                    f"Content-Length: {last - first + 1}\r\nConnection: close\r\n\r\n")
            self.wfile.write(head.encode() + CONTENT[first:last + 1])


@pytest.mark.parametrize("path, asked", [("", "/"), ("/ns/blobs", f"/ns/blobs/{ID}")])
def test_a_server_on_a_unix_socket(read, work, path, asked):
    with UnixServer(str(work / "server.sock")) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            read("http-proxy", addr=str(work / "server.sock"), path=path)
        finally:
            server.shutdown()
            thread.join()
        assert set(server.paths) == {asked}
