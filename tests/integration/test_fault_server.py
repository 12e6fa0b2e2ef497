# SPDX-License-Identifier: Apache-2.0
"""The fault server does what the tests that use it believe."""
import http.client
import os
import socket

import pytest

from support import fault_server
from support.fault_server import FaultServer

SIZE = 10_000


@pytest.fixture
def content():
    return os.urandom(SIZE)


@pytest.fixture
def server(work, content):
    (work / "files").mkdir()
    (work / "files" / "blob").write_bytes(content)
    with FaultServer(folder=work / "files") as one:
        yield one


def get(server, path="/blob", method="GET", timeout=1, **fields):
    """Status, fields and body; the body ends where an honest client gives up."""
    connection = http.client.HTTPConnection(server.host, timeout=timeout)
    try:
        connection.request(method, path, headers=fields)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def test_honest_answers_have_ranges_and_entity_tags(server, content):
    status, fields, body = get(server)
    assert (status, body) == (200, content)
    status, fields, body = get(server, Range="bytes=100-199")
    assert (status, body, fields["Content-Range"]) == (206, content[100:200], f"bytes 100-199/{SIZE}")
    assert fields["ETag"]
    assert get(server, Range=f"bytes={SIZE}-")[0] == 416
    assert get(server, "/other")[0] == 404
    status, fields, body = get(server, method="HEAD")
    assert (status, fields["Content-Length"], body) == (200, str(SIZE), b"")


def test_it_can_stand_in_front_of_another_server(server, content):
    with FaultServer(upstream=server.host) as front:
        assert get(front, Range="bytes=1-2")[2] == content[1:3]
        assert get(front, method="HEAD")[1]["Content-Length"] == str(SIZE)
        front.inject(fault_server.FlipBits())
        assert get(front)[2] != content
    assert [(r.method, r.path, r.range) for r in server.requests()] == [
        ("GET", "/blob", "bytes=1-2"), ("HEAD", "/blob", None), ("GET", "/blob", None)]


def test_a_fault_meets_the_requests_that_it_is_for(server, content):
    server.inject(fault_server.Status(503, retry_after=7), match="^/blob", times=2)
    assert get(server, "/other")[0] == 404
    for _ in range(2):
        status, fields, _ = get(server)
        assert (status, fields["Retry-After"]) == (503, "7")
    assert get(server)[2] == content
    server.inject(fault_server.Status(429))
    assert get(server)[0] == 429 and get(server)[1]["Retry-After"] is None
    server.heal()
    assert get(server)[2] == content


@pytest.mark.parametrize("fault, error", [
    (fault_server.Drop(), http.client.RemoteDisconnected),
    (fault_server.Reset(), ConnectionResetError),
    (fault_server.Truncate(), http.client.IncompleteRead),
    (fault_server.Stall(), socket.timeout),
    (fault_server.Slowloris(interval=0.01), None),
])
def test_connections_break_as_asked(fault, error, server):
    server.inject(fault)
    if error:
        with pytest.raises(error):
            get(server)
    else:  # bytes keep coming, so that no timeout of one read fires
        with socket.create_connection(server.server_address) as client:
            client.sendall(b"GET /blob HTTP/1.1\r\nHost: x\r\n\r\n")
            seen = b""
            while len(seen) < 200:
                seen += client.recv(1)
    server.heal()
    assert get(server)[0] == 200


@pytest.mark.parametrize("fault, check", [
    (fault_server.Shorten(), lambda whole, status, fields, body: body == whole[:50] and fields["Content-Length"] == "50"),
    (fault_server.Lengthen(), lambda whole, status, fields, body: len(body) > 100 and body.startswith(whole)),
    (fault_server.FlipBits(), lambda whole, status, fields, body: sum(a != b for a, b in zip(whole, body)) == 2),
    (fault_server.WholeBody(), lambda whole, status, fields, body: status == 200 and body == whole),
    (fault_server.WrongRange(), lambda whole, status, fields, body: fields["Content-Range"] == f"bytes 1-100/{SIZE}" and body == whole),
    (fault_server.RedirectLoop(), lambda whole, status, fields, body: status == 307 and fields["Location"] == "/blob"),
    (fault_server.Redirect("http://other"), lambda whole, status, fields, body: fields["Location"] == "http://other/blob"),
    (fault_server.TokenExpired("http://t"),
     lambda whole, status, fields, body: status == 401 and 'realm="http://t"' in fields["WWW-Authenticate"]),
    (fault_server.Delay(0.1), lambda whole, status, fields, body: body == whole),
])
def test_answers_lie_as_asked(fault, check, server, content):
    server.inject(fault)
    assert check(content[:100], *get(server, Range="bytes=0-99"))
