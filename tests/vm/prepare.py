# SPDX-License-Identifier: Apache-2.0
"""What the guests find ready: images, converted here, because a real processor does that in a hundredth of the time."""
import json
import pathlib
import subprocess

from support import converted, images, rafs
from support.registry import Registry

LIST = "images.json"
# By the name that the scenarios use: recipe and how it is converted.
IMAGES = {
    "odd": ("odd",),
    "slim": ("slim",),
    "plain": ("plain", "--digester", "sha256"),  # which chunk a file became can be found
    "fine": ("plain", "--chunk-size", "4K"),     # every page is a question
    "wide": ("wide",),                           # default settings, and enough to measure
    "wide-fine": ("wide", "--chunk-size", "4K"),
    "twin": ("twin", "--digester", "sha256"),    # shares a layer with `plain`
}

RESPONDER_SERVES = ("wide", "wide-fine")


def prepare(folder):
    """Fills `folder`; LIST names the folders of each source image and of what it was converted to."""
    folder = pathlib.Path(folder)
    entries = {}
    for name, (recipe, *options) in IMAGES.items():
        source = images.make(recipe)
        converted.convert(source.reference, folder / name, *options)
        entries[name] = {"source": str(source.path), "converted": str(folder / name)}
    (folder / LIST).write_text(json.dumps(entries))
    for name in RESPONDER_SERVES:
        unpack_objects(converted.Converted(folder / name), folder / "objects" / name)
    with Registry(folder / "registry") as registry:
        registry.push(converted.Converted(folder / "plain").reference, "plain")


def unpack_objects(image, folder):
    """Writes what the kernel reads of an image as plain files: `bootstrap`, and each blob's chunks at their plain offsets."""
    folder.mkdir(parents=True)
    bootstrap = image.bootstrap()
    (folder / "bootstrap").write_bytes(bootstrap)
    for blob in image.blobs():
        stored = image.blob_path(blob).read_bytes()
        chunks = sorted((chunk for chunk in rafs.chunks(bootstrap) if chunk.blob == blob), key=lambda chunk: chunk.plain_offset)
        with open(folder / blob, "wb") as file:
            for chunk in chunks:
                data = stored[chunk.stored_offset:chunk.stored_offset + chunk.stored_bytes]
                if chunk.stored_bytes < chunk.plain_bytes:
                    data = subprocess.run(["zstd", "-d", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout
                file.seek(chunk.plain_offset)
                file.write(data)
            file.truncate(-(-file.tell() // 4096) * 4096)
