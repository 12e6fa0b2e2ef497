# SPDX-License-Identifier: Apache-2.0
"""The places that a converted image can be mounted from.  Each gives what `sluice mount` is told: a reference and options."""
import json


class OciPlace:
    """The layout that it was converted into."""
    name = "oci"

    def put(self, converted):
        return Placed(converted.reference)


class RegistryPlace:
    """A repository of a registry without login, one for each image."""
    name = "docker"

    def __init__(self, registry):
        self.registry = registry
        self._placed = {}

    def put(self, converted):
        name = f"image{len(self._placed)}:latest"
        if converted.path not in self._placed:
            self._placed[converted.path] = Placed(self.registry.push(converted.reference, name), "--tls-verify=false")
        return self._placed[converted.path]


class S3Place:
    """Blobs in a bucket, the bootstrap in a local file."""
    name = "s3"

    def __init__(self, store, folder):
        self.store = store
        self.folder = folder
        self.folder.mkdir()
        self.bucket = store.make_bucket("places")
        self._placed = {}

    def put(self, converted):
        if converted.path not in self._placed:
            name = f"image{len(self._placed)}"
            for blob in converted.blobs():
                self.store.put(self.bucket, f"{name}/{blob}", converted.blob_path(blob).read_bytes())
            bootstrap, config = self.folder / f"{name}.boot", self.folder / f"{name}.json"
            bootstrap.write_bytes(converted.bootstrap())
            config.write_text(json.dumps(self.backend_config(f"{name}/")))
            self._placed[converted.path] = Placed(f"rafs:{bootstrap}", "--backend-config", config)
        return self._placed[converted.path]

    def backend_config(self, prefix):
        return {"type": "s3", "config": {
            "scheme": "http", "endpoint": self.store.endpoint, "region": self.store.region, "bucket_name": self.bucket,
            "object_prefix": prefix, "access_key_id": self.store.access_key, "access_key_secret": self.store.secret_key}}


class Placed:
    """What to mount, and with which options."""

    def __init__(self, reference, *options):
        self.reference = reference
        self.options = options
