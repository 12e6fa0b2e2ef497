# SPDX-License-Identifier: Apache-2.0
"""A forward proxy that makes tunnels and listens to what goes through them."""
import contextlib
import socket
import socketserver
import threading

PIECE = 65536


class TunnelProxy(socketserver.ThreadingTCPServer):
    """Use it as a context manager.  Knows CONNECT and nothing else."""

    daemon_threads = True
    block_on_close = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.host = f"127.0.0.1:{self.server_address[1]}"
        self.heads = []  # what clients asked of the proxy, as bytes
        self._heard = []
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})

    def note(self, head=None, data=b""):
        with self._lock:
            if head is not None:
                self.heads.append(head)
            self._heard.append(head or data)

    def heard(self):
        """All that clients have sent, to the proxy and through it."""
        with self._lock:
            return b"".join(self._heard)

    def targets(self):
        return [head.split()[1].decode() for head in self.heads]

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Tunnel(socketserver.BaseRequestHandler):
    def handle(self):
        head = b""
        while b"\r\n\r\n" not in head:
            piece = self.request.recv(PIECE)
            if not piece:
                return
            head += piece
        self.server.note(head=head)
        method, target, _ = head.split(None, 2)
        if method != b"CONNECT":
            self.request.sendall(b"HTTP/1.1 405 no\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        host, _, port = target.decode().rpartition(":")
        with socket.create_connection((host, int(port))) as server:
            self.request.sendall(b"HTTP/1.1 200 here you are\r\n\r\n")
            back = threading.Thread(target=self._pass, args=(server, self.request))
            back.start()
            self._pass(self.request, server, listen=True)
            back.join()

    def _pass(self, source, target, listen=False):
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE):
                if listen:
                    self.server.note(data=piece)
                target.sendall(piece)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
