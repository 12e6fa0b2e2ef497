# SPDX-License-Identifier: Apache-2.0
"""A registry that says what a test wants it to say, however wrong, and remembers who told it what."""
import hashlib
import json
import re

from support import oci
from support.fault_server import Answer, FaultServer

REPOSITORY = "some/image"
INDEX = "application/vnd.oci.image.index.v1+json"


class HostileRegistry(FaultServer):
    """Use it as a context manager.  `authority`: speaks TLS, with a certificate of that (`certificate`:
    options of its issue()).  `challenge`: who shows no credentials
    is answered 401 with it.  `address`: where it listens.  Faults are injected as into any FaultServer."""

    def __init__(self, *, authority=None, certificate=None, challenge=None, address="127.0.0.1"):
        super().__init__(address=address)
        if authority:
            context = authority.server_context(f"hostile{self.port}", **(certificate or {}))
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.url = f"https://{self.host}"
        self.challenge = challenge
        self.on_challenge = lambda: None  # is called before it
        self._answers = {}
        self._elsewhere = []
        self.reference = f"docker://{self.host}/{REPOSITORY}:t"

    # What it serves.

    def answer(self, path, status, fields, body, method="GET"):
        """`path` without its query; of several answers each is given once, the last one from then on."""
        self._answers.setdefault((method, path), []).append((status, fields, body))

    def send_away(self, part, target):
        """Whoever asks for a path with `part` in it, and has logged in, is sent to `target` and the path; or to `target` as
        it is, when that has a path."""
        self._elsewhere.append((part, target))

    def replace(self, path, status, fields, body):
        self._answers["GET", path] = [(status, fields, body)]

    def put_blob(self, content):
        """Returns its descriptor."""
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        self.answer(f"/v2/{REPOSITORY}/blobs/{digest}", 200, {}, content)
        return {"mediaType": oci.LAYER, "digest": digest, "size": len(content)}

    def put_manifest(self, document, media_type=oci.MANIFEST, tag="t", digest=None):
        """Under its digest, or the one that is given, and its tag; returns its descriptor."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        digest = digest or "sha256:" + hashlib.sha256(body).hexdigest()
        for name in filter(None, (digest, tag)):
            self.answer(f"/v2/{REPOSITORY}/manifests/{name}", 200, {"Content-Type": media_type}, body)
        return {"mediaType": media_type, "digest": digest, "size": len(body)}

    def manifest_of(self, *layers):
        """The manifest, as a dictionary, of an image with these layers (bytes of tar archives), whose blobs are put."""
        diff_ids = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
        config = self.put_blob(json.dumps({"architecture": "amd64", "os": "linux",
                                           "rootfs": {"type": "layers", "diff_ids": diff_ids}}).encode())
        return {"schemaVersion": 2, "mediaType": oci.MANIFEST, "config": {**config, "mediaType": oci.CONFIG},
                "layers": [self.put_blob(layer) for layer in layers]}

    # What it heard.

    def heard(self, secrets):
        """The requests that hold one of the secrets, in whatever form."""
        return [request for request in self.requests()
                if any(secret in text for secret in secrets
                       for text in (request.path, *(value for _, value in request.fields)))]

    def ask_origin(self, method, path, fields, body):
        if self.challenge and "Authorization" not in fields:
            self.on_challenge()
            return Answer(401, {"WWW-Authenticate": self.challenge}, b"{}")
        place = path.partition("?")[0]
        for part, target in self._elsewhere:
            if part in place and method in ("GET", "HEAD"):
                return Answer(307, {"Location": target if target.count("/") > 2 else target + path}, b"")
        if method == "GET" and place in ("/v2", "/v2/"):
            return Answer(200, {}, b"{}")
        known = self._answers.get(("GET" if method == "HEAD" else method, place))
        if not known:
            return Answer(404, {}, b"{}")
        status, kept, content = known[0] if len(known) == 1 else known.pop(0)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", fields.get("Range", ""))
        if wanted and status == 200:
            begin, end = int(wanted[1]), min(int(wanted[2]), len(content) - 1)
            return Answer(206, {**kept, "Content-Range": f"bytes {begin}-{end}/{len(content)}"}, content[begin:end + 1])
        return Answer(status, kept, content)
