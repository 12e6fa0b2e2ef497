# SPDX-License-Identifier: Apache-2.0
"""OpenStack Swift with its S3 door (Debian's packages): a peer for object stores that we did not write.

Four daemons and memcached on loopback, everything in one folder, no service manager.  Buckets and objects are made and
looked at by Swift's native protocol, so that tests of our S3 code do not check it with itself.
"""
import contextlib
import http.client
import json
import pathlib
import pwd
import os
import socket
import subprocess
import urllib.parse

from support.programs import Failed, PYTHON, run, wait_until

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 10
PORT_ATTEMPTS = 3  # a port that was free may be taken before the daemon binds it

ACCESS_KEY = "test:tester"
SECRET_KEY = "swift-Secret/with+odd=chars"
REGION = "eu-test-1"
DOMAIN = "localhost"  # BUCKET.localhost is this machine for curl (RFC 6761)

SERVERS = ("account", "container", "object")

SWIFT_CONF = """[swift-hash]
swift_hash_path_suffix = test
[storage-policy:0]
name = only
default = yes
"""

STORAGE_CONF = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
log_level = WARNING
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""

PROXY_CONF = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {folder}
log_level = WARNING
[pipeline:main]
pipeline = catch_errors cache s3api tempauth bulk slo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{memcached}
[filter:s3api]
use = egg:swift#s3api
location = {region}
storage_domain = {domain}
min_segment_size = 1
[filter:tempauth]
use = egg:swift#tempauth
{key} = {secret} .admin
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
min_segment_size = 1
"""

# One replica on one device: the ring files that every daemon reads.
MAKE_RINGS = """
import sys
from swift.common.ring import RingBuilder
for kind, port in zip(("account", "container", "object"), sys.argv[2:]):
    builder = RingBuilder(4, 1, 0)
    builder.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": int(port), "device": "disk", "weight": 1})
    builder.rebalance()
    builder.get_ring().save(f"{sys.argv[1]}/{kind}.ring.gz")
"""


def _free_ports(count):
    with contextlib.ExitStack() as sockets:
        bound = [sockets.enter_context(socket.socket()) for _ in range(count)]
        for one in bound:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in bound]


class Swift:
    """Starts in the constructor and serves when that returns.  Use it as a context manager."""

    access_key, secret_key, region, domain = ACCESS_KEY, SECRET_KEY, REGION, DOMAIN

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        (self.folder / "devices" / "disk").mkdir(parents=True)
        self._processes = {}
        self._token = None
        for attempt in range(PORT_ATTEMPTS):
            try:
                self._start()
                return
            except BaseException as error:
                log = self.log()
                self.stop()
                if not isinstance(error, Failed) or "in use" not in log or attempt + 1 == PORT_ATTEMPTS:
                    raise Failed(f"{error}\n{log}") from error

    def _start(self):
        *storage_ports, memcached, self.port = _free_ports(len(SERVERS) + 2)
        values = {"user": pwd.getpwuid(os.getuid()).pw_name, "folder": self.folder, "memcached": memcached, "region": REGION,
                  "domain": DOMAIN, "key": "user_" + ACCESS_KEY.replace(":", "_"), "secret": SECRET_KEY}
        (self.folder / "swift.conf").write_text(SWIFT_CONF)
        for kind, port in zip(SERVERS, storage_ports):
            (self.folder / f"{kind}.conf").write_text(STORAGE_CONF.format(kind=kind, port=port, **values))
        (self.folder / "proxy.conf").write_text(PROXY_CONF.format(port=self.port, **values))
        run([PYTHON, "-c", MAKE_RINGS, self.folder, *storage_ports])

        self._spawn("memcached", "memcached", "-u", values["user"], "-l", "127.0.0.1", "-p", memcached, "-U", 0, "-m", 8)
        for kind in (*SERVERS, "proxy"):
            self._spawn(kind, f"swift-{kind}-server", self.folder / f"{kind}.conf")
        for kind, port in zip((*SERVERS, "memcached", "proxy"), (*storage_ports, memcached, self.port)):
            wait_until(lambda kind=kind, port=port: self._listens(kind, port), f"swift's {kind} listens", timeout=START_TIMEOUT_S)
        self._authenticate()

    def _spawn(self, name, *command):
        with open(self.folder / f"{name}.log", "ab") as log:
            self._processes[name] = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log,
                                                     stderr=subprocess.STDOUT, cwd=self.folder, start_new_session=True)

    def _listens(self, name, port):
        process = self._processes[name]
        if process.poll() is not None:
            raise Failed(f"swift's {name} ended with {process.returncode}")
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return True
        return False

    @property
    def endpoint(self):
        """HOST:PORT of the S3 door."""
        return f"127.0.0.1:{self.port}"

    def log(self):
        return "\n".join(f"{path.name}:\n{path.read_text(errors='replace')}" for path in sorted(self.folder.glob("*.log")))

    def _exchange(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            data = response.read()
            if response.status >= 300:
                raise Failed(f"swift: {method} {path}: {response.status} {data[:200]}")
            return response, data

    def _authenticate(self):
        response, _ = self._exchange("GET", "/auth/v1.0", headers={"X-Auth-User": ACCESS_KEY, "X-Auth-Key": SECRET_KEY})
        self._token = response.getheader("X-Auth-Token")
        self._account = urllib.parse.urlsplit(response.getheader("X-Storage-Url")).path

    def _native(self, method, bucket, key="", body=None, query=""):
        path = f"{self._account}/{urllib.parse.quote(bucket)}" + (f"/{urllib.parse.quote(key)}" if key else "") + query
        return self._exchange(method, path, body, {"X-Auth-Token": self._token})

    def make_bucket(self, name):
        self._native("PUT", name)
        return name

    def put(self, bucket, key, content):
        self._native("PUT", bucket, key, content)

    def get(self, bucket, key):
        return self._native("GET", bucket, key)[1]

    def timestamp(self, bucket, key):
        """When the object was written; another one for each write."""
        return self._native("HEAD", bucket, key)[0].getheader("X-Timestamp")

    def keys(self, bucket):
        return [entry["name"] for entry in json.loads(self._native("GET", bucket, query="?format=json")[1])]

    def stop(self):
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
