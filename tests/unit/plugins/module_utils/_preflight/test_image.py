# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of an image that is there: real archives around real programs."""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.architecture import host_architecture
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.new_image import (
    NewImage,
    write_image,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight import image as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.table import (
    ADVICE,
    ERROR,
    OK,
    WARNING,
    Finding,
)

MAIN = "package main\n\nfunc main() {}\n"
NAME = "localhost/preflight:1"


def states(found: t.Iterable[Finding]) -> list[str]:
    return [finding.state for finding in found]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same program with and without counters, and built as a file."""
    go = shutil.which("go", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/go/bin"]))
    assert go, "these tests need Go: `make runner` brings it, or put it into PATH"
    folder = tmp_path_factory.mktemp("programs")
    (folder / "go.mod").write_text("module example.com/svc\n\ngo 1.24\n", encoding="utf-8")
    (folder / "main.go").write_text(MAIN, encoding="utf-8")
    made = {}
    for name, arguments in {"cover": ["-cover", "."], "plain": ["."], "file": ["-cover", "main.go"]}.items():
        made[name] = folder / name
        clean = {**os.environ, "GOFLAGS": "", "GOWORK": "off"}
        subprocess.run([go, "build", "-o", str(made[name]), *arguments], cwd=folder, env=clean, check=True)
    return made


@pytest.fixture
def built(programs: dict[str, Path], tmp_path: Path) -> t.Callable[..., lib.Built]:
    """An image around one of the programs, looked into."""

    def build(program: str, *, user: str = "65532:65532", architecture: str = "", **rest: t.Any) -> lib.Built:
        archive = tmp_path / "image.tar"
        image = NewImage(NAME, str(programs[program]), "svc", architecture or host_architecture(), user)
        write_image(str(archive), image)
        return lib.proved(NAME, str(archive), **rest)

    return build


def test_an_image_that_counts(built: t.Callable[..., lib.Built]) -> None:
    found = built("cover")
    assert states(lib.check_instrumented(found)) == [OK]
    assert next(lib.check_instrumented(found)).text == f"/usr/local/bin/svc in {NAME}"
    assert next(lib.check_architecture(found)).text == host_architecture()
    assert states(lib.check_process(found, replaced=False)) == [OK]
    assert next(lib.check_run_as(found, as_non_root=True)).text == "uid 65532:65532"
    assert lib.uid_of(found) == "65532:65532"
    assert len(found.id) == 64


def test_an_image_that_does_not(built: t.Callable[..., lib.Built]) -> None:
    found = next(lib.check_instrumented(built("plain")))
    assert (found.check, found.state, found.cause) == ("instrumented", ERROR, "not-instrumented")
    # it is built anew in any case: what was wrong with the last one ends nothing
    assert states(lib.check_instrumented(built("plain", stale=True))) == [WARNING]


def test_a_main_package_built_as_a_file_is_advice(built: t.Callable[..., lib.Built]) -> None:
    found = list(lib.check_instrumented(built("file")))
    assert states(found) == [OK, ADVICE]
    assert "command-line-arguments" in found[1].text


def test_another_architecture(built: t.Callable[..., lib.Built]) -> None:
    found = next(lib.check_instrumented(built("cover", **{"architecture": "", "stale": False})))
    assert found.state == OK
    other = lib.proved(NAME, built("cover").archive, architecture="s390x")
    assert [(item.check, item.cause) for item in lib.check_instrumented(other)] == [
        ("architecture", "wrong-architecture")
    ]


@pytest.mark.parametrize(
    ("user", "as_non_root", "state"),
    [
        ("", True, ERROR),
        ("0", True, ERROR),
        ("svc", True, ERROR),
        ("svc", False, OK),
        ("", False, OK),
        ("1:0", True, OK),
    ],
)
def test_the_user(built: t.Callable[..., lib.Built], user: str, as_non_root: bool, state: str) -> None:
    found = next(lib.check_run_as(built("cover", user=user), as_non_root=as_non_root))
    assert found.state == state
    assert found.cause == ("image-user" if state == ERROR else "")


def test_a_user_that_is_no_number_is_not_known() -> None:
    assert lib.uid_of(lib.Built(proof={"user": "svc"})) == ""
    assert lib.uid_of(lib.Built(proof={"user": ""})) == "0"
    assert lib.uid_of(lib.Built(), "1001:0") == "1001:0"


def test_a_shell_as_process_1(built: t.Callable[..., lib.Built]) -> None:
    found = built("cover")
    proof = {**(found.proof or {}), "entrypoint": ["/bin/dash", "-c", "/usr/local/bin/svc"], "command": []}
    shell = lib.Built(found.reference, found.id, found.archive, proof)
    wrong = next(lib.check_process(shell, replaced=False))
    assert (wrong.state, wrong.cause) == (ERROR, "sigterm-lost")
    assert states(lib.check_process(shell, replaced=True)) == [OK]


def test_an_archive_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        lib.given(NAME, str(tmp_path / "none.tar"))
    assert caught.value.cause == "bad-archive"
