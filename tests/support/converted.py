# SPDX-License-Identifier: Apache-2.0
"""Images that `sluice convert` made."""
import io
import pathlib
import tarfile

from support import oci, programs

TAG = "latest"
BLOB_TYPE = "application/vnd.oci.image.layer.nydus.blob.v1"
CONVERT_TIMEOUT_S = 300


class Converted:
    """A converted image: one blob per layer and a bootstrap layer."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.layout = oci.Layout(self.path)
        self.reference = f"oci:{self.path}:{TAG}"

    def blobs(self):
        """Ids of the data blobs, lowest layer first."""
        return [layer["digest"].removeprefix("sha256:") for layer in self.layout.manifest(TAG)["layers"]
                if layer["mediaType"] == BLOB_TYPE]

    def blob_path(self, blob):
        return self.layout.blob_path(f"sha256:{blob}")

    def bootstrap(self):
        layer = self.layout.manifest(TAG)["layers"][-1]
        with tarfile.open(fileobj=io.BytesIO(self.layout.blob_path(layer["digest"]).read_bytes())) as archive:
            return archive.extractfile("image/image.boot").read()

    def total_bytes(self):
        return sum(path.stat().st_size for path in self.path.rglob("*") if path.is_file())


def convert(source, target, *options):
    """Converts `source` (a reference) into an OCI layout at the folder `target`."""
    programs.sluice("convert", "--quiet", *options, source, f"oci:{target}:{TAG}", timeout=CONVERT_TIMEOUT_S)
    return Converted(target)
