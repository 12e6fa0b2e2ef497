#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Source images for tests, demo and benchmark, made once and kept under ~/.cache/sluice/images by the text of their recipe.

usage: images.py NAME…      makes the images and prints the folder of each

Each folder holds `layout` (an OCI layout with the tag 'latest'), `rootfs` (what `umoci unpack` makes of it, the reference for
trees), `tree.json` (that tree as support/tree.py sees it), and `rootfs.tar` for images made from one archive.
"""
import fcntl
import functools
import hashlib
import inspect
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile

if __package__ in (None, ""):
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from support import layers, oci, tar, tree  # noqa: E402: after the path is set

SUITE = "bookworm"
TAG = "latest"
# Files of packages carry times up to the build of the package; nothing made here is newer than this.
EPOCH = "1735689600"


class Image:
    """One image of the cache."""

    def __init__(self, path):
        self.path = path
        self.layout = oci.Layout(path / "layout")
        self.reference = f"oci:{path / 'layout'}:{TAG}"
        self.rootfs = path / "rootfs"
        self.tar = path / "rootfs.tar"

    @functools.cached_property
    def tree(self):
        return json.loads((self.path / "tree.json").read_text())


def run(*command, **options):
    subprocess.run([str(word) for word in command], check=True, **options)


def debian_mirror(suite=SUITE, default="http://deb.debian.org/debian"):
    """The mirror of `suite` that apt of this machine uses."""
    listing = subprocess.run(["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE)"], stdout=subprocess.PIPE, text=True)
    for line in listing.stdout.splitlines():
        site, _, release = line.partition(" ")
        if release == suite:
            return site
    return default


def debian_root(target, *packages):
    """Writes the archive of a minimal Debian with `packages`."""
    include = [f"--include={','.join(packages)}"] if packages else []
    run("mmdebstrap", "-q", "--variant=minbase", *include, SUITE, target, debian_mirror(),
        env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH})


def extract(archive, folder):
    run("tar", "-x", "-f", archive, "-C", folder, "--numeric-owner", "--xattrs", "--xattrs-include=*", "--same-permissions")


def umoci_image(layout, *archives):
    run("umoci", "init", "--layout", layout)
    run("umoci", "new", "--image", f"{layout}:{TAG}")
    for archive in archives:
        run("umoci", "raw", "add-layer", "--image", f"{layout}:{TAG}", archive)


def repack(layout, bundle):
    run("umoci", "repack", "--refresh-bundle", "--image", f"{layout}:{TAG}", bundle, stdout=subprocess.DEVNULL)


# The recipes.  Each fills a fresh folder with `layout`, and `rootfs.tar` where it has one.

def python(folder):
    """A minimal Debian with python3, one layer."""
    debian_root(folder / "rootfs.tar", "python3-minimal")
    umoci_image(folder / "layout", folder / "rootfs.tar")


def numpy(folder):
    """A minimal Debian, then python3 and numpy as a repacked difference, then small changes with whiteouts."""
    debian_root(folder / "base.tar")
    debian_root(folder / "rootfs.tar", "python3", "python3-numpy")
    layout, bundle = folder / "layout", folder / "bundle"
    umoci_image(layout, folder / "base.tar")
    run("umoci", "unpack", "--image", f"{layout}:{TAG}", bundle, stdout=subprocess.DEVNULL)
    root = bundle / "rootfs"
    for entry in root.iterdir():
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    extract(folder / "rootfs.tar", root)
    repack(layout, bundle)

    shutil.rmtree(root / "usr/share/doc/python3-numpy")
    (root / "etc/debian_version").unlink()
    (root / "etc/motd").write_text("changed by the third layer\n")
    (root / "srv/data").mkdir()
    os.link(root / "etc/motd", root / "srv/data/motd")
    repack(layout, bundle)
    shutil.rmtree(bundle)
    (folder / "base.tar").unlink()


def numpy_flat(folder):
    """The same content as `numpy` before its third layer, in one layer: for the benchmark."""
    shutil.copy(make("numpy").tar, folder / "rootfs.tar")
    umoci_image(folder / "layout", folder / "rootfs.tar")


def odd(folder):
    """Hand-made layers with every type of entry, whiteouts, opaque folders, hard links and extreme values."""
    oci.Layout(folder / "layout").write_image([layers.odd_base(), layers.odd_sparse(), layers.odd_changes()])


def many(folder):
    """50 000 small files."""
    oci.Layout(folder / "layout").write_image([layers.many_files(50_000)])


def plain(folder):
    """Two layers of files with random content, one chunk each at the default settings: for faults in known places."""
    oci.Layout(folder / "layout").write_image([layers.random_files("lower", 40), layers.random_files("upper", 40)])


def wide(folder):
    """As `plain`, with more of it: for measurements."""
    oci.Layout(folder / "layout").write_image([layers.random_files("lower", 60), layers.random_files("upper", 60)])


def twin(folder):
    """The lower layer of `plain` with another upper one."""
    oci.Layout(folder / "layout").write_image([layers.random_files("lower", 40), layers.random_files("other", 20)])


def slim(folder):
    """The files of some packages, then those of more as a repacked difference with whiteouts: real, and small enough for an
    emulated processor."""
    for archive, packages in (("base.tar", "busybox"), ("rootfs.tar", "busybox,python3-minimal")):
        run("mmdebstrap", "-q", "--variant=extract", f"--include={packages}", SUITE, folder / archive, debian_mirror(),
            env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH})
    layout, bundle = folder / "layout", folder / "bundle"
    umoci_image(layout, folder / "base.tar")
    run("umoci", "unpack", "--image", f"{layout}:{TAG}", bundle, stdout=subprocess.DEVNULL)
    extract(folder / "rootfs.tar", bundle / "rootfs")
    shutil.rmtree(bundle / "rootfs/usr/share/doc/busybox")
    repack(layout, bundle)
    shutil.rmtree(bundle)
    (folder / "base.tar").unlink()


RECIPES = {recipe.__name__.replace("_", "-"): recipe
           for recipe in (python, numpy, numpy_flat, odd, many, plain, twin, wide, slim)}


def _cache_root():
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "sluice" / "images"


def _key(recipe):
    """Changes when the recipe or what it is made with changes."""
    text = inspect.getsource(recipe)
    if recipe in (odd, many, plain, twin, wide):
        text += inspect.getsource(layers) + inspect.getsource(tar) + inspect.getsource(oci)
    else:
        text += inspect.getsource(debian_root) + inspect.getsource(umoci_image) + inspect.getsource(repack) + SUITE + EPOCH
    if recipe is numpy_flat:
        text += inspect.getsource(numpy)
    text += inspect.getsource(_complete) + inspect.getsource(tree.describe) + platform.machine()
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _complete(folder):
    """Adds the reference tree."""
    bundle = folder / "bundle"
    run("umoci", "unpack", "--image", f"{folder / 'layout'}:{TAG}", bundle, stdout=subprocess.DEVNULL)
    (bundle / "rootfs").rename(folder / "rootfs")
    shutil.rmtree(bundle)
    (folder / "tree.json").write_text(json.dumps(tree.scan(folder / "rootfs")))


def make(name):
    """Returns the image, made now if the cache does not have it."""
    recipe = RECIPES[name]
    root = _cache_root()
    root.mkdir(parents=True, exist_ok=True)
    final = root / f"{name}-{_key(recipe)}"
    with open(root / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not final.exists():
            for old in [*root.glob(f"{name}-????????????????"), *root.glob(f".{name}.*")]:  # other recipes, broken off
                shutil.rmtree(old)
            work = pathlib.Path(tempfile.mkdtemp(prefix=f".{name}.", dir=root))
            try:
                recipe(work)
                _complete(work)
                work.chmod(0o755)
                work.rename(final)
            except BaseException:
                shutil.rmtree(work, ignore_errors=True)
                raise
    return Image(final)


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        if wanted not in RECIPES:
            sys.exit(f"images.py: no recipe '{wanted}', there are: {', '.join(RECIPES)}")
        print(make(wanted).path, flush=True)
