# SPDX-License-Identifier: Apache-2.0
"""Reads and writes OCI image layouts, without any tool in between."""
import gzip
import hashlib
import json
import pathlib
import subprocess

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
REF_NAME = "org.opencontainers.image.ref.name"


def _compress(data, how):
    if how == "gzip":
        return gzip.compress(data, compresslevel=1, mtime=0)
    if how == "zstd":
        return subprocess.run(["zstd", "-q", "-1", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


def _suffix(how):
    return f"+{how}" if how else ""


class Layout:
    """An OCI image layout directory."""

    def __init__(self, path):
        self.path = pathlib.Path(path)

    def blob_path(self, digest):
        algorithm, _, value = digest.partition(":")
        return self.path / "blobs" / algorithm / value

    def read_json(self, digest):
        return json.loads(self.blob_path(digest).read_bytes())

    def tags(self):
        index = json.loads((self.path / "index.json").read_bytes())
        return {m.get("annotations", {}).get(REF_NAME): m["digest"] for m in index["manifests"]}

    def manifest(self, tag="latest"):
        return self.read_json(self.tags()[tag])

    def add_blob(self, data):
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        path = self.blob_path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return digest

    def write_image(self, layers, *, tag="latest", compression="gzip", diff_ids=None, config=None):
        """Writes a one-platform image of `layers` (bytes of tar archives, lowest first).  `diff_ids` replaces the true ones."""
        self.path.mkdir(parents=True, exist_ok=True)
        true_ids = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
        descriptors = []
        for layer in layers:
            packed = _compress(layer, compression)
            media_type = LAYER + _suffix(compression)
            descriptors.append({"mediaType": media_type, "digest": self.add_blob(packed), "size": len(packed)})
        document = {"architecture": "amd64", "os": "linux", "config": config or {"Cmd": ["/bin/sh"]},
                    "rootfs": {"type": "layers", "diff_ids": diff_ids or true_ids}}
        config_bytes = json.dumps(document).encode()
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "layers": descriptors,
                    "config": {"mediaType": CONFIG, "digest": self.add_blob(config_bytes), "size": len(config_bytes)}}
        manifest_bytes = json.dumps(manifest).encode()
        entry = {"mediaType": MANIFEST, "digest": self.add_blob(manifest_bytes), "size": len(manifest_bytes),
                 "annotations": {REF_NAME: tag}}
        (self.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
        (self.path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
