# SPDX-License-Identifier: Apache-2.0
"""What `meson install` puts where."""
import os

import pytest

from support.programs import BUILD, run


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("install")
    run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet"], env={**os.environ, "DESTDIR": str(folder)})
    return folder


def found(installed, name):
    paths = list(installed.rglob(name))
    assert len(paths) == 1, f"{name}: {paths}"
    return paths[0]


def test_programs_run_from_where_they_are_installed(installed):
    for program in ("bin/sluice", "sbin/sluiced"):
        assert run([found(installed, program), "--version"]).stdout.startswith(program.partition("/")[2])


@pytest.mark.parametrize("path", ["bash-completion/completions/sluice", "zsh/*/_sluice", "fish/*/sluice.fish", "*/config.toml"])
def test_completions_and_the_example_configuration_are_installed(installed, path):
    assert found(installed, path).stat().st_size


@pytest.mark.parametrize("page", ["sluice.1", "sluice-bind.1", "sluice-unbind.1", "sluice-convert.1", "sluice-mount.1", "sluice-umount.1", "sluice-list.1",
                                  "sluice-status.1", "sluice-backend.5", "sluiced.8"])
def test_manual_page_formats_without_a_warning(installed, page):
    path = found(installed, page)
    assert path.parent.name == f"man{page[-1]}"
    result = run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", path], env={**os.environ, "MANWIDTH": "80"})
    assert not result.stderr
    assert result.stdout


def test_unit_file_verifies(installed):
    unit = found(installed, "sluiced.service")
    assert unit.parent.match("systemd/system")
    text = unit.read_text()
    assert "Type=notify" in text and "FileDescriptorStoreMax=" in text
    program = next(line.split("=", 1)[1].split()[0] for line in text.splitlines() if line.startswith("ExecStart="))
    assert (installed / program.lstrip("/")).exists()
    # systemd-analyze looks for the program on this machine
    copy = installed / "verify" / unit.name
    copy.parent.mkdir()
    copy.write_text(text.replace(program, str(installed / program.lstrip("/"))))
    result = run(["systemd-analyze", "verify", "--man=no", copy], expect=None)
    assert result.returncode == 0 and unit.name not in result.stderr, result.stderr
