# SPDX-License-Identifier: Apache-2.0
"""What the guests find ready: images, converted here, because a real processor does that in a hundredth of the time."""
import contextlib
import json
import pathlib
import subprocess
import tempfile

from support import converted, images, rafs
from support.programs import run
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

MEMORY_NEEDED = 8 << 30  # two guests with their memory, disks and images
RESPONDER_SERVES = ("wide", "wide-fine")


@contextlib.contextmanager
def images_folder():
    """A folder with the images; beside it is room for the disks of guests.  In memory where there is enough: times are compared,
    and how a disk of the host fares is not what is tested."""
    with tempfile.TemporaryDirectory(prefix="sluice-vm-", dir="/var/tmp") as name:
        in_memory = _free_memory() >= MEMORY_NEEDED and run(
            ["mount", "-t", "tmpfs", "-o", f"mode=700,size={MEMORY_NEEDED}", "sluice-vm", name], expect=None).returncode == 0
        try:
            images_path = pathlib.Path(name) / "images"
            images_path.mkdir()
            prepare(images_path)
            yield images_path
        finally:
            if in_memory:
                run(["umount", "--lazy", name])


def _free_memory():
    """In bytes."""
    with open("/proc/meminfo") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable:"))


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
