# SPDX-License-Identifier: Apache-2.0
"""An HTTP server that does to its answers what networks and servers do: it stands in front of another server, or serves the
files of a folder, and lets each request meet the fault that was asked for."""
import http.client
import http.server
import pathlib
import re
import socket
import struct
import sys
import threading
import urllib.parse

UPSTREAM_TIMEOUT_S = 30
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Answer:
    """A response before it is sent: what an honest server would say."""

    def __init__(self, status, fields, body, length=None):
        self.status = status
        self.fields = dict(fields)
        self.body = body
        self.length = len(body) if length is None else length  # what HEAD says


class Fault:
    """Sends `answer` through `handler`, which is a http.server.BaseHTTPRequestHandler.  This one does it honestly."""

    def send(self, handler, answer):
        self.send_head(handler, answer, len(answer.body))
        handler.wfile.write(answer.body)

    @staticmethod
    def send_head(handler, answer, length):
        handler.send_response_only(answer.status)
        for name, value in answer.fields.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(length))
        handler.end_headers()

    def __repr__(self):
        values = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({values})"


class Delay(Fault):
    """Waits before the answer."""

    def __init__(self, seconds):
        self.seconds = seconds

    def send(self, handler, answer):
        handler.server.ending.wait(self.seconds)
        super().send(handler, answer)


class Drop(Fault):
    """Closes the connection instead of answering."""

    def send(self, handler, answer):
        handler.close_connection = True


class Part(Fault):
    """Announces the whole body and sends half of it, or `most` bytes if that is less: what a reader waits for may be a small part
    of what comes."""

    def __init__(self, most=sys.maxsize):
        self.most = most

    def send(self, handler, answer):
        self.send_head(handler, answer, len(answer.body))
        handler.wfile.write(answer.body[:min(len(answer.body) // 2, self.most)])
        self.end(handler)


class Reset(Part):
    """Resets the connection (RST) behind a part of the body."""

    @staticmethod
    def end(handler):
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.close_connection = True


class Truncate(Part):
    """Closes the connection behind a part of the body."""

    @staticmethod
    def end(handler):
        handler.close_connection = True


class Stall(Part):
    """A part of the body, then nothing more on an open connection."""

    @staticmethod
    def end(handler):
        handler.wait_for_hangup()


class Shorten(Fault):
    """Sends half of the body as if that were all."""

    def send(self, handler, answer):
        answer.body = answer.body[:len(answer.body) // 2]
        super().send(handler, answer)


class Lengthen(Fault):
    """Sends more than was asked for."""

    def send(self, handler, answer):
        answer.body += b"more"
        super().send(handler, answer)


class FlipBits(Fault):
    """Flips a bit in every few bytes, so that no chunk of an answer with many is right."""
    EVERY = 64

    def send(self, handler, answer):
        if answer.body:
            body = bytearray(answer.body)
            for offset in range(0, len(body), self.EVERY):
                body[offset] ^= 1
            answer.body = bytes(body)
        super().send(handler, answer)


class Status(Fault):
    """Answers with an error."""

    def __init__(self, status, retry_after=None):
        self.status = status
        self.retry_after = retry_after

    def send(self, handler, answer):
        fields = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        super().send(handler, Answer(self.status, fields, b"no"))


class Slowloris(Fault):
    """One byte of the body after the other, so slowly that it never ends."""

    def __init__(self, interval=0.2):
        self.interval = interval

    def send(self, handler, answer):
        self.send_head(handler, answer, len(answer.body))
        for byte in answer.body:
            handler.wfile.write(bytes([byte]))
            if handler.server.ending.wait(self.interval):
                break
        handler.close_connection = True


class RedirectLoop(Fault):
    """Sends the client to the place where it asked."""

    def send(self, handler, answer):
        super().send(handler, Answer(307, {"Location": handler.path}, b""))


class Redirect(Fault):
    """Sends the client to the same path of another server."""

    def __init__(self, origin):
        self.origin = origin

    def send(self, handler, answer):
        super().send(handler, Answer(307, {"Location": self.origin + handler.path}, b""))


class WholeBody(Fault):
    """200 in place of 206, with a body of the length that was asked for."""

    def send(self, handler, answer):
        answer.status = 200
        answer.fields.pop("Content-Range", None)
        super().send(handler, answer)


class WrongRange(Fault):
    """Says that the body comes from another place of the file."""

    def send(self, handler, answer):
        if "Content-Range" in answer.fields:
            begin, end, size = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", answer.fields["Content-Range"]).groups()
            answer.fields["Content-Range"] = f"bytes {int(begin) + 1}-{int(end) + 1}/{size}"
        super().send(handler, answer)


class Unauthorized(Fault):
    """401 with a challenge."""

    def __init__(self, challenge):
        self.challenge = challenge

    def send(self, handler, answer):
        super().send(handler, Answer(401, {"WWW-Authenticate": self.challenge}, b"{}"))


class TokenExpired(Unauthorized):
    """401 with the challenge of a token server."""

    def __init__(self, realm):
        super().__init__(f'Bearer realm="{realm}",service="registry",scope="",error="invalid_token"')


class Request:
    """One request that the server saw."""

    def __init__(self, handler):
        self.method = handler.command
        self.path = handler.path
        self.range = handler.headers.get("Range")
        self.authorization = handler.headers.get("Authorization")
        self.fields = handler.headers.items()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _answer(self):
        server = self.server
        server.note(Request(self))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = server.take_fault(self.command, self.path)
        answer = server.ask_origin(self.command, self.path, self.headers, body)
        if self.command == "HEAD":  # no body to spoil; its length is in the fields
            fault.send_head(self, answer, answer.length)
        else:
            fault.send(self, answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

    def handle(self):
        try:
            super().handle()
        except OSError:  # the client hung up, which is what some faults are for
            self.close_connection = True

    def wait_for_hangup(self):
        """Until the client has left, or the server ends."""
        self.close_connection = True
        self.connection.settimeout(0.1)
        while not self.server.ending.is_set():
            try:
                if not self.connection.recv(4096):
                    return
            except TimeoutError:
                pass

    def log_message(self, *_):
        pass


class FaultServer(http.server.ThreadingHTTPServer):
    """Use it as a context manager.  `upstream` is "HOST:PORT" of a server, `folder` holds files served by their names, with
    ranges and entity tags; one of the two is given.  It listens at `address`."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, *, upstream=None, folder=None, address="127.0.0.1"):
        super().__init__((address, 0), _Handler)
        self.port = self.server_address[1]
        self.host = f"{address}:{self.port}"
        self.url = f"http://{self.host}"
        self.ending = threading.Event()
        self._upstream = upstream
        self._folder = folder and pathlib.Path(folder)
        self._lock = threading.Lock()
        self._faults = []
        self._requests = []
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})

    # What tests say and ask.

    def inject(self, fault, *, match="", method="GET", times=None):
        """Requests of `method` whose path the regular expression finds meet the fault; `times`: that many, else until heal()."""
        with self._lock:
            self._faults.append([fault, re.compile(match), method, times])

    def heal(self):
        with self._lock:
            self._faults.clear()

    def requests(self, match="", method=None):
        """What came since the start or forget_requests()."""
        with self._lock:
            return [r for r in self._requests if re.search(match, r.path) and method in (None, r.method)]

    def forget_requests(self):
        with self._lock:
            self._requests.clear()

    # What the handler needs.

    def note(self, request):
        with self._lock:
            self._requests.append(request)

    def take_fault(self, method, path):
        with self._lock:
            for entry in self._faults:
                fault, match, wanted, times = entry
                if wanted != method or times == 0 or not match.search(path):
                    continue
                if times is not None:
                    entry[3] -= 1
                return fault
        return Fault()

    def ask_origin(self, method, path, fields, body):
        return self._serve_file(method, path, fields) if self._folder else self._forward(method, path, fields, body)

    def _forward(self, method, path, fields, body):
        connection = http.client.HTTPConnection(self._upstream, timeout=UPSTREAM_TIMEOUT_S)
        try:
            # Host stays what the client said, so that the server makes links that lead back here.
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in fields.items():  # one by one: a field may come several times
                if name.lower() not in HOP_BY_HOP:
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
            response = connection.getresponse()
            content = response.read()
            kept = {name: value for name, value in response.getheaders() if name.lower() not in HOP_BY_HOP}
            return Answer(response.status, kept, content, length=response.getheader("Content-Length", "0"))
        except OSError as error:
            return Answer(502, {}, str(error).encode())
        finally:
            connection.close()

    def _serve_file(self, method, path, fields):
        name = urllib.parse.unquote(urllib.parse.urlsplit(path).path).rpartition("/")[2]
        file = self._folder / name
        if method not in ("GET", "HEAD") or not name or not file.is_file():
            return Answer(404, {}, b"not here")
        content = file.read_bytes()
        answer = Answer(200, {"ETag": f'"{file.stat().st_mtime_ns:x}"', "Accept-Ranges": "bytes"}, content)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", fields.get("Range", ""))
        if wanted:
            begin, end = int(wanted[1]), min(int(wanted[2] or len(content) - 1), len(content) - 1)
            if begin > end:
                answer = Answer(416, {"Content-Range": f"bytes */{len(content)}"}, b"")
            else:
                answer.status = 206
                answer.fields["Content-Range"] = f"bytes {begin}-{end}/{len(content)}"
                answer.body = content[begin:end + 1]
        return answer

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def shutdown_request(self, request):
        """A connection that is to be reset must not be ended in order first."""
        lingers, _ = struct.unpack("ii", request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))
        if lingers:
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request, client_address):
        """A client that hangs up is no news."""
