# SPDX-License-Identifier: Apache-2.0
"""Debian's docker-registry on loopback, with the ways to log in and the storage that a test asks for."""
import base64
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import warnings

from support import programs, token_server
from support.programs import PATIENCE, run, wait_until

with warnings.catch_warnings():  # gone in Python 3.13; Debian 12 has 3.11, and no other bcrypt without one more package
    warnings.simplefilter("ignore", DeprecationWarning)
    import crypt

START_TIMEOUT_S = 20
LISTENING = re.compile(r'msg="listening on 127\.0\.0\.1:(\d+)')
# Combined log format, as docker-registry writes it to its stdout.
ACCESS = re.compile(r'"(?P<method>[A-Z]+) (?P<target>\S+) HTTP/[\d.]+" (?P<status>\d+) (?P<bytes>\d+)')


class StorageHost:
    """An nginx on a port of its own that serves the blobs of a registry's storage, as an object store behind redirects does:
    it refuses requests that carry credentials which are not its own."""

    def __init__(self, folder, storage, authority=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        self.log = self.folder / "access.log"
        # nginx cannot say which port it was given: it inherits a socket that has one.
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
            tls, scheme = "", "http"
            if authority:
                certificate, key = authority.issue("storage")
                tls, scheme = f"ssl_certificate {certificate}; ssl_certificate_key {key};", "https"
            self.url = f"{scheme}://127.0.0.1:{self.port}"
            config = self.folder / "nginx.conf"
            config.write_text(f"""
                daemon off; worker_processes 1; user root; pid {self.folder}/nginx.pid; error_log {self.folder}/error.log;
                events {{}}
                http {{
                  access_log {self.log}; default_type application/octet-stream;
                  client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy;
                  fastcgi_temp_path {self.folder}/fastcgi; uwsgi_temp_path {self.folder}/uwsgi; scgi_temp_path {self.folder}/scgi;
                  server {{
                    listen 127.0.0.1:{self.port} {"ssl" if authority else ""}; {tls}
                    location / {{ if ($http_authorization) {{ return 400; }} root {storage}; }}
                  }}
                }}""")
            listener.set_inheritable(True)
            self.process = subprocess.Popen(["nginx", "-c", config, "-p", self.folder, "-e", self.folder / "error.log"],
                                            env={**os.environ, "NGINX": f"{listener.fileno()};"}, pass_fds=[listener.fileno()],
                                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def requests(self):
        """What was asked for, as (method, target, status)."""
        return [(found["method"], found["target"], int(found["status"]))
                for found in map(ACCESS.search, self.log.read_text().splitlines()) if found]

    def close(self):
        self.process.terminate()
        self.process.wait(START_TIMEOUT_S * PATIENCE)


class Registry:
    """Starts in the constructor and is ready when that returns.  Use it as a context manager.

    users      {name: password}: Basic authentication by htpasswd
    tokens     a TokenServer: Bearer authentication
    authority  a tls.Authority: https with a certificate of its own
    redirect   blobs come from another host (StorageHost)
    port       0: one that is free.  The storage outlives stop() and start(), which keeps the port.
    """

    def __init__(self, folder, *, users=None, tokens=None, authority=None, redirect=False, port=0):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.storage = self.folder / "storage"
        self.storage.mkdir(exist_ok=True)
        self.port = port
        self.authority = authority
        self.log_path = self.folder / "registry.log"
        self.access_path = self.folder / "access.log"
        self.process = None
        self.storage_host = None
        if redirect:
            self.storage_host = StorageHost(self.folder / "nginx", self.storage, authority)
        self._config = self._make_config(users, tokens)
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def _make_config(self, users, tokens):
        config = {
            "version": "0.1",
            "log": {"level": "info", "formatter": "text"},
            "storage": {"filesystem": {"rootdirectory": str(self.storage)}, "delete": {"enabled": True},
                        "maintenance": {"uploadpurging": {"enabled": False}}},
            "http": {"addr": f"127.0.0.1:{self.port}", "secret": "of this test only"},
        }
        if self.storage_host:
            config["middleware"] = {"storage": [{"name": "redirect", "options": {"baseurl": self.storage_host.url}}]}
        if self.authority:
            certificate, key = self.authority.issue("registry")
            config["http"]["tls"] = {"certificate": str(certificate), "key": str(key)}
        if users is not None:
            path = self.folder / "htpasswd"
            cheap = crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=1 << 4)
            path.write_text("".join(f"{name}:{crypt.crypt(password, cheap)}\n" for name, password in users.items()))
            config["auth"] = {"htpasswd": {"realm": "sluice test", "path": str(path)}}
        if tokens is not None:
            config["auth"] = {"token": {"realm": tokens.realm, "service": token_server.SERVICE, "issuer": token_server.ISSUER,
                                        "rootcertbundle": str(tokens.certificate)}}
        return config

    def start(self):
        self._config["http"]["addr"] = f"127.0.0.1:{self.port}"
        config_path = self.folder / "config.yml"
        config_path.write_text(json.dumps(self._config))  # JSON is YAML
        offset = self.log_path.stat().st_size if self.log_path.exists() else 0
        with open(self.log_path, "ab") as log, open(self.access_path, "ab") as access:
            self.process = subprocess.Popen(["docker-registry", "serve", config_path], stdin=subprocess.DEVNULL,
                                            stdout=access, stderr=log, env={**os.environ, "OTEL_TRACES_EXPORTER": "none"})
        self.port = wait_until(lambda: self._listening(offset), "docker-registry listens", timeout=START_TIMEOUT_S)

    def _listening(self, offset):
        if self.process.poll() is not None:
            raise programs.Failed(f"docker-registry ended with {self.process.returncode}\n{self.log_path.read_text()}")
        found = LISTENING.search(self.log_path.read_bytes()[offset:].decode(errors="replace"))
        return int(found[1]) if found else None

    def stop(self):
        """The registry is down; start() brings it back on the same port."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(START_TIMEOUT_S * PATIENCE)

    def close(self):
        self.stop()
        if self.storage_host:
            self.storage_host.close()

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    @property
    def url(self):
        return f"{'https' if self.authority else 'http'}://{self.host}"

    def reference(self, name):
        """`name` is REPOSITORY[:TAG|@DIGEST]."""
        return f"docker://{self.host}/{name}"

    def push(self, source, name, *options):
        """Copies an image of any transport into the registry with skopeo; returns its reference."""
        run(["skopeo", "copy", "-q", "--dest-tls-verify=false", *options, source, self.reference(name)])
        return self.reference(name)

    def put_manifest(self, name, media_type, content):
        """Of a registry without login and TLS; what it names is there.  `name` is REPOSITORY:TAG."""
        repository, _, tag = name.rpartition(":")
        connection = http.client.HTTPConnection(self.host, timeout=START_TIMEOUT_S)
        connection.request("PUT", f"/v2/{repository}/manifests/{tag}", content, {"Content-Type": media_type})
        status = connection.getresponse().status
        connection.close()
        assert status == 201, status

    def requests(self):
        """What was asked for, as (method, target, status)."""
        return [(found["method"], found["target"], int(found["status"]))
                for found in map(ACCESS.search, self.access_path.read_text(errors="replace").splitlines()) if found]

    def repositories(self):
        root = self.storage / "docker/registry/v2/repositories"
        return sorted(str(path.parent.relative_to(root)) for path in root.rglob("_manifests"))

    def blob_path(self, digest):
        """The file that holds a blob, to look at it or to break it."""
        algorithm, _, value = digest.partition(":")
        return self.storage / "docker/registry/v2/blobs" / algorithm / value[:2] / value / "data"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def write_auth_file(path, host, user, password):
    """Credentials in the form of containers-auth.json(5), readable by the owner only."""
    entry = base64.b64encode(f"{user}:{password}".encode()).decode()
    path = pathlib.Path(path)
    path.touch(mode=0o600)
    path.write_text(json.dumps({"auths": {host: {"auth": entry}}}))
    return path
