# SPDX-License-Identifier: Apache-2.0
"""A token server as the distribution specification's token documents describe it, for docker-registry.

Tokens are JWTs signed with RS256; openssl does the arithmetic.
"""
import base64
import http.server
import json
import pathlib
import ssl
import threading
import time
import urllib.parse
import uuid

from support.programs import run

SERVICE = "sluice test registry"
ISSUER = "sluice test tokens"
# docker-registry accepts tokens up to this long after their end (registry/auth/token/token.go, Leeway).
REGISTRY_LEEWAY_S = 60


def _encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class TokenServer:
    """Runs in a thread of the test.  `users` maps names to passwords; None lets everybody in.  A token really ends after
    `lifetime` seconds: the registry's leeway is taken off.  `seen` lists what was asked for."""

    def __init__(self, folder, authority, *, users=None, identity_tokens=(), lifetime=300, expires_in=None, tls=False):
        self.folder = pathlib.Path(folder)
        self.users = users
        self.identity_tokens = set(identity_tokens)
        self.lifetime = lifetime
        self.expires_in = expires_in  # what the answer says; None: nothing
        self.seen = []
        self.certificate, self._key = authority.issue("tokens", key_options=("-newkey", "rsa:2048"))
        chain = ssl.PEM_cert_to_DER_cert(self.certificate.read_text())
        self._header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(chain).decode()]}
        self._lock = threading.Lock()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        if tls:
            self._server.socket = authority.server_context("token-server").wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.realm = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/token"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def token(self, subject, access):
        now = int(time.time())
        end = now + self.lifetime - REGISTRY_LEEWAY_S
        claims = {"iss": ISSUER, "sub": subject, "aud": SERVICE, "exp": end, "nbf": min(now, end) - 10, "iat": now,
                  "jti": str(uuid.uuid4()), "access": access}
        signed = ".".join(_encode(json.dumps(part).encode()) for part in (self._header, claims))
        signature = run(["openssl", "dgst", "-sha256", "-sign", self._key, "-binary"], input=signed.encode(), stdin=None,
                        text=False, errors=None).stdout
        return f"{signed}.{_encode(signature)}"

    def requests(self):
        with self._lock:
            return list(self.seen)

    def answer(self, method, fields, user):
        """Status and document for the fields of a query or form; `user` is a (name, password) or None."""
        if fields.get("grant_type", [""])[0] == "refresh_token":
            allowed = fields.get("refresh_token", [""])[0] in self.identity_tokens
            name = "identity"
        else:
            if fields.get("grant_type", [""])[0] == "password":
                user = (fields.get("username", [""])[0], fields.get("password", [""])[0])
            allowed = self.users is None or (user is not None and self.users.get(user[0]) == user[1])
            name = user[0] if user else ""
        scopes = [scope for value in fields.get("scope", []) for scope in value.split(" ")]
        with self._lock:
            self.seen.append({"method": method, "user": name, "scopes": scopes, "allowed": allowed})
        if not allowed:
            return 401, {"errors": [{"code": "UNAUTHORIZED", "message": "wrong user or password"}]}
        access = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            repository, _, actions = rest.rpartition(":")
            access.append({"type": kind, "name": repository, "actions": actions.split(",")})
        document = {"access_token" if method == "POST" else "token": self.token(name, access)}
        if self.expires_in is not None:
            document["expires_in"] = self.expires_in
        return 200, document

    def _handler(self):
        tokens = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                user = None
                scheme, _, credentials = self.headers.get("Authorization", "").partition(" ")
                if scheme.lower() == "basic":
                    name, _, password = base64.b64decode(credentials).decode().partition(":")
                    user = (name, password)
                self._answer("GET", urllib.parse.urlsplit(self.path).query, user)

            def do_POST(self):
                self._answer("POST", self.rfile.read(int(self.headers["Content-Length"])).decode(), None)

            def _answer(self, method, form, user):
                status, document = tokens.answer(method, urllib.parse.parse_qs(form), user)
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
