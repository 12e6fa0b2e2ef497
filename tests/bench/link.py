#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that is as far away as it is told to be: a round trip, and one bandwidth that all connections share.

usage: link.py TARGET_HOST:PORT ROUND_TRIP_MS MBIT_PER_S     prints its own port; counts on SIGUSR1; ends with its stdin

Each direction is one line: connections with bytes to send take turns of a slice each, a slice occupies the line for its size
divided by the bandwidth and arrives half a round trip later.  A connection costs a round trip before its first byte, as a
handshake does.  There is no slow start and no loss.
"""
import asyncio
import collections
import contextlib
import json
import os
import signal
import socket
import sys

SLICE = 16 << 10  # bytes that a connection sends before it is the next one's turn
WINDOW = 256 << 10  # bytes of one connection and direction that wait for the line; more are left to the sender


class Line:
    """One direction of the link."""

    def __init__(self, bytes_per_s, delay_s):
        self.bytes_per_s, self.delay_s = bytes_per_s, delay_s
        self.sent_bytes = 0
        self._loop = asyncio.get_running_loop()
        self._waiting = collections.deque()  # ends with bytes to send, in the order of their turns
        self._free_at = 0.0  # when the line has sent what it was given
        self._busy = False

    def put(self, end):
        """`end` has bytes to send."""
        self._waiting.append(end)
        if not self._busy:
            self._busy = True
            self._free_at = max(self._free_at, self._loop.time())
            self._send()

    def _send(self):
        """Sends what should have been sent by now; a timer that comes late makes up for it."""
        now = self._loop.time()
        while self._waiting and self._free_at <= now:
            end = self._waiting.popleft()
            data = end.take(SLICE)
            # The end takes a moment, too: timers of one moment come in no order.
            self._free_at += max(len(data), 1) / self.bytes_per_s
            self.sent_bytes += len(data)
            self._loop.call_at(self._free_at + self.delay_s, end.deliver, data)
            if end.pending():
                self._waiting.append(end)
        self._busy = bool(self._waiting)
        if self._busy:
            self._loop.call_at(self._free_at, self._send)


class End(asyncio.Protocol):
    """One side of a connection: what it receives goes over `line` to `peer`."""

    def __init__(self, line):
        self.line = line
        self.peer = None
        self.transport = None
        self._bytes = bytearray()
        self._held = self._queued = self._paused = self._ended = False

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def hold(self):
        """Sends nothing until release()."""
        self._held = True

    def release(self):
        self._held = False
        if self._queued:
            self.line.put(self)

    def data_received(self, data):
        self._bytes += data
        if len(self._bytes) >= WINDOW and not self._paused:
            self._paused = True
            self.transport.pause_reading()
        self._queue()

    def eof_received(self):
        self._end()
        return True  # the other direction goes on

    def connection_lost(self, _):
        self._end()

    def _end(self):
        if not self._ended:
            self._ended = True
            self._queue()

    def _queue(self):
        if self._queued:
            return
        self._queued = True
        if not self._held:
            self.line.put(self)

    def pending(self):
        return self._queued

    def take(self, most):
        """The next bytes for the line; empty: the end."""
        data = bytes(self._bytes[:most])
        del self._bytes[:most]
        # The end of the stream is a turn of its own, after the last byte.
        self._queued = bool(self._bytes) or (self._ended and bool(data))
        if self._paused and len(self._bytes) < WINDOW:
            self._paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()
        return data

    def deliver(self, data):
        """Half a round trip later, on the other side."""
        if self.peer.transport is None or self.peer.transport.is_closing():
            return
        if data:
            self.peer.transport.write(data)
        elif self.peer.transport.can_write_eof():
            with contextlib.suppress(OSError):  # it has left without a word
                self.peer.transport.write_eof()
        if not data and self.transport.is_closing():
            self.peer.transport.close()


async def run(host, port, round_trip_s, bytes_per_s):
    loop = asyncio.get_running_loop()
    up, down = Line(bytes_per_s, round_trip_s / 2), Line(bytes_per_s, round_trip_s / 2)
    connections = 0

    def accept():
        nonlocal connections
        connections += 1
        near, far = End(up), End(down)
        near.peer, far.peer = far, near
        near.hold()
        near.connecting = loop.create_task(connect(near, far))  # keeps the task alive
        return near

    async def connect(near, far):
        """The handshake: what the client sends meanwhile waits, however long the target takes."""
        try:
            await asyncio.gather(loop.create_connection(lambda: far, host, port), asyncio.sleep(round_trip_s))
            near.release()
        except OSError:
            if near.transport:
                near.transport.close()

    def count():
        print(json.dumps({"connections": connections, "down_bytes": down.sent_bytes, "up_bytes": up.sent_bytes}), flush=True)

    loop.add_signal_handler(signal.SIGUSR1, count)
    server = await loop.create_server(accept, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), lambda: ended.set() if not os.read(sys.stdin.fileno(), 4096) else None)
    await ended.wait()


def main():
    host, _, port = sys.argv[1].rpartition(":")
    asyncio.run(run(host, int(port), float(sys.argv[2]) / 1000, float(sys.argv[3]) * 1e6 / 8))


if __name__ == "__main__":
    main()
