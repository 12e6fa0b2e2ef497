#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Fails when an include breaks the layer table of ARCHITECTURE.md, or the rule that a third-party C header has one home.

usage: check-layers.py [ROOT]
"""
import collections
import pathlib
import re
import sys

# Third-party headers by library, as the table names them.  C libraries are wrapped: one .cc per header.
C_LIBRARIES = {
    "openssl": r"openssl/.*",
    "blake3": r"blake3\.h",
    "zstd": r"zstd(_errors)?\.h",
    "lz4": r"lz4(hc)?\.h",
    "zlib": r"zlib\.h",
    "libdeflate": r"libdeflate\.h",
    "liburing": r"liburing\.h",
    "libcurl": r"curl/.*",
    "http_parser": r"http_parser\.h",
    "libarchive": r"archive(_entry)?\.h",
    "systemd": r"systemd/.*",
}
CXX_LIBRARIES = {
    "fmt": r"fmt/.*",
    "spdlog": r"spdlog/.*",
    "nlohmann": r"nlohmann/.*",
    "tomlplusplus": r"toml\+\+/.*",
    "cli11": r"CLI/.*",
}
# Headers of the C library and the kernel: everything below these folders, and the flat ones by name.
SYSTEM = re.compile(
    r"(sys|linux|asm|asm-generic|arpa|net|netinet)/.*"
    r"|(dirent|endian|errno|fcntl|fnmatch|getopt|grp|limits|mntent|poll|pthread|pwd|sched|semaphore|signal|spawn|termios|time|unistd)\.h")
STANDARD = re.compile(r"[a-z_0-9]+")  # C++ headers have no suffix
THREADS = {"thread", "mutex", "shared_mutex", "condition_variable", "future", "semaphore", "barrier", "latch", "pthread.h",
           "semaphore.h"}
PURE_LAYERS = {"base", "codec", "image"}  # no coroutine, no thread, no loop
VOCABULARY = {"fmt"}  # every layer may use it
INTERFACE_ONLY = {(layer, "backend"): "backend/backend.h" for layer in ("cache", "frontend")}

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)


def read_table(architecture):
    """Returns {layer: set of names it may use} from the table headed 'layer | may use'."""
    rows = {}
    in_table = False
    for line in architecture.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if cells == ["layer", "may use"]:
            in_table = True
        elif in_table and not line.startswith("|"):
            break
        elif in_table and not cells[0].startswith("-"):
            rows[cells[0]] = set(re.findall(r"[a-z][a-z0-9_+]*", cells[1]))
    if not rows:
        sys.exit(f"{architecture}: no table 'layer | may use'")
    return rows


def library_of(header):
    for name, pattern in {**C_LIBRARIES, **CXX_LIBRARIES}.items():
        if re.fullmatch(pattern, header):
            return name
    return None


def check_include(layer, allowed, quoted, header):
    """Returns what is wrong with one include, or None."""
    everything = "everything" in allowed
    if quoted:
        target = header.split("/")[0] if "/" in header else layer
        only = INTERFACE_ONLY.get((layer, target))
        if only and header != only:
            return f"of '{target}' {layer} may use '{only}' only"
        if target != layer and not everything and target not in allowed:
            return f"{layer} may not use layer '{target}'"
        return None
    library = library_of(header)
    if library:
        return None if everything or library in allowed | VOCABULARY else f"{layer} may not use '{library}'"
    if header in THREADS and layer != "runtime":
        return "threads appear in runtime only"
    if header == "coroutine" and layer in PURE_LAYERS:
        return f"{layer} holds no coroutine"
    if STANDARD.fullmatch(header) or SYSTEM.fullmatch(header):
        return None
    return "is of no known library: name it in scripts/check-layers.py and in the layer table"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    table = read_table(root / "ARCHITECTURE.md")
    faults = []
    homes = collections.defaultdict(set)
    checked = 0
    for layer, allowed in table.items():
        folder = root / layer if (root / layer).is_dir() else root / "lib" / layer
        for path in sorted(p for p in folder.rglob("*") if p.suffix in {".h", ".cc"}):
            checked += 1
            shown = path.relative_to(root)
            for bracket, header in INCLUDE.findall(path.read_text()):
                fault = check_include(layer, allowed, bracket == '"', header)
                if fault:
                    faults.append(f"{shown}: includes {header}: {fault}")
                if library_of(header) in C_LIBRARIES:
                    homes[header].add(shown)
    for folder in sorted(p for p in (root / "lib").iterdir() if p.is_dir() and p.name not in table):
        faults.append(f"lib/{folder.name}: has no row in the layer table")
    for header, paths in sorted(homes.items()):
        if len(paths) > 1 or any(p.suffix == ".h" for p in paths):
            faults.append(f"{header}: a C header belongs in exactly one .cc, is in {', '.join(map(str, sorted(paths)))}")
    for fault in faults:
        print(fault)
    print(f"check-layers: {checked} files, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
