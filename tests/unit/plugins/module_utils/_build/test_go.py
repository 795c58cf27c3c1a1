# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""With the real go command and a module proxy in a folder: no network."""

from __future__ import annotations

import runpy
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.architecture import host_architecture
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.go import (
    Go,
    Wrapper,
    go_version_key,
    nearest_version,
    program_name,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.packages import (
    covers_main,
    import_path,
    matches_pattern,
)

FIXTURES = Path(__file__).parents[4] / "fixtures" / "instrumented_image"
PROXY = runpy.run_path(str(FIXTURES / "proxy.py"))
MODULE = "example.com/coverable"

DEPENDENCY = 'package dep\n\nfunc Name() string {{ return "{version}" }}\n'
CARRIER_MOD = """module example.com/carrier

go 1.24

godebug panicnil=1

require example.com/dep v1.0.0

replace example.com/dep v1.0.0 => example.com/dep v1.1.0
"""
CARRIER = """package main

import (
    "os"

    "example.com/dep"
)

func main() {
    defer func() {
        if recover() == nil {
            os.Stdout.WriteString(dep.Name() + " panicnil\\n")
        }
    }()
    panic(nil)
}
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("proxy")
    add = PROXY["add_version"]
    for version in ("v1.0.0", "v1.2.0", "v1.2.1", "v1.3.0", "v1.4.0", "v1.5.0", "v1.6.0", "v1.7.0"):
        add(root, MODULE, version, PROXY["files_of"](FIXTURES / "service"))
    add(root, "example.com/future", "v1.0.0", {"go.mod": "module example.com/future\n\ngo 1.99\n"})
    add(
        root,
        "example.com/library",
        "v1.0.0",
        {"go.mod": "module example.com/library\n\ngo 1.24\n", "a.go": "package a\n"},
    )
    for version in ("v1.0.0", "v1.1.0"):
        files = {"go.mod": "module example.com/dep\n\ngo 1.24\n", "dep.go": DEPENDENCY.format(version=version)}
        add(root, "example.com/dep", version, files)
    add(root, "example.com/carrier", "v1.0.0", {"go.mod": CARRIER_MOD, "main.go": CARRIER})
    local = {
        "go.mod": "module example.com/local\n\ngo 1.24\n\nrequire example.com/gone v0.0.0\n\n"
        "replace example.com/gone => ./gone\n",
        "main.go": 'package main\n\nimport _ "example.com/gone"\n\nfunc main() {}\n',
    }
    add(root, "example.com/local", "v1.0.0", local)
    return t.cast("dict[str, str]", PROXY["environment"](root, tmp_path_factory.mktemp("modules")))


def wrapper(environment: dict[str, str], folder: Path, module: str, package: str, version: str = "latest") -> Wrapper:
    go = Go("go", environment)
    found = go.find_module(module, version, str(folder / "lookup"))
    return Wrapper(go, found, import_path(module, package), str(folder / "work"))


def failure(action: t.Callable[[], object]) -> CoverageError:
    with pytest.raises(CoverageError) as caught:
        action()
    return caught.value


def test_latest_is_the_newest_release(environment: dict[str, str], tmp_path: Path) -> None:
    module = Go("go", environment).find_module(MODULE, "latest", str(tmp_path))
    assert (module.version, module.go_version) == ("v1.7.0", "1.24")
    assert (Path(module.folder) / "greeting" / "greeting.go").is_file()


def test_a_proxy_that_has_no_list_of_versions_will_do(tmp_path: Path) -> None:
    PROXY["add_version"](tmp_path / "proxy", MODULE, "v1.7.0", PROXY["files_of"](FIXTURES / "service"))
    (lists,) = (tmp_path / "proxy").rglob("@v/list")
    lists.unlink()
    go = Go("go", PROXY["environment"](tmp_path / "proxy", tmp_path / "modules"))
    assert go.find_module(MODULE, "v1.7.0", str(tmp_path / "work")).version == "v1.7.0"
    assert failure(lambda: go.find_module(MODULE, "v1.7.1", str(tmp_path / "work"))).cause == "module-unknown"


@pytest.mark.parametrize(
    ("what", "cause", "says"),
    [
        (f"{MODULE}@v1.2.7", "version-unknown", "v1.3.0, v1.4.0, v1.5.0, v1.6.0, v1.7.0, and the nearest is v1.2.1"),
        (f"{MODULE}@v1.7.9", "version-unknown", "its latest are v1.3.0, v1.4.0, v1.5.0, v1.6.0, v1.7.0."),
        ("example.com/nowhere@v1.0.0", "module-unknown", "There is no Go module example.com/nowhere"),
        ("nodots@v1.0.0", "module-unknown", "There is no Go module nodots"),
        ("example.com/future@v1.0.0", "go-too-old", "requires Go 1.99 or newer"),
    ],
)
def test_what_does_not_exist_is_named(
    environment: dict[str, str], tmp_path: Path, what: str, cause: str, says: str
) -> None:
    module, _at, version = what.partition("@")
    if module == "example.com/future":
        error = failure(lambda: wrapper(environment, tmp_path, module, "", version).complete())
    else:
        error = failure(lambda: Go("go", environment).find_module(module, version, str(tmp_path)))
    assert error.cause == cause
    assert says in error.message
    assert error.remedy and error.setting and error.evidence


def test_a_major_version_outside_the_path_is_explained(environment: dict[str, str], tmp_path: Path) -> None:
    error = failure(lambda: Go("go", environment).find_module("example.com/nowhere", "v2.1.0", str(tmp_path)))
    assert "try example.com/nowhere/v2" in error.remedy


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "http://nowhere.invalid", "off"])
def test_no_answer_is_told_from_no_module(environment: dict[str, str], tmp_path: Path, proxy: str) -> None:
    go = Go("go", {**environment, "GOPROXY": proxy})
    error = failure(lambda: go.find_module("example.com/elsewhere", "v1.0.0", str(tmp_path)))
    assert error.cause == "module-proxy-unreachable"


def test_missing_go_is_an_error_before_anything(tmp_path: Path) -> None:
    assert failure(lambda: Go(str(tmp_path / "go"))).cause == "go-missing"


def test_a_go_that_cannot_do_it_is_too_old(tmp_path: Path) -> None:
    old = tmp_path / "go"
    old.write_text('#!/bin/sh\necho \'{"GOVERSION": "go1.19.13"}\'\n', encoding="utf-8")
    old.chmod(0o755)
    error = failure(Go(str(old)).settings)
    assert (error.cause, "go1.19.13" in error.message) == ("go-too-old", True)


@pytest.mark.parametrize(
    ("path", "cause", "says"),
    [
        (f"{MODULE}/cmd/servise", "package-unknown", "the main packages in it are: cmd/other, cmd/service"),
        (f"{MODULE}/greeting", "not-a-main-package", "is a library (package greeting)"),
        (MODULE, "package-unknown", "the main packages in it are: cmd/other, cmd/service"),
        ("example.com/library", "not-a-main-package", "it has no main package at all"),
    ],
)
def test_a_package_that_is_no_program_is_named(
    environment: dict[str, str], tmp_path: Path, path: str, cause: str, says: str
) -> None:
    module = "/".join(path.split("/")[:2])
    error = failure(wrapper(environment, tmp_path, module, path).check)
    assert error.cause == cause
    assert says in error.message
    if path.endswith("/cmd/servise"):
        assert error.remedy == "Name cmd/service."


def build(environment: dict[str, str], folder: Path, module: str, package: str, coverpkg: list[str]) -> t.Any:
    made = wrapper(environment, folder, module, package)
    made.check()
    made.complete()
    return made.build(str(folder / "program"), covermode="atomic", coverpkg=coverpkg)


def test_the_program_counts(environment: dict[str, str], tmp_path: Path) -> None:
    built = build(environment, tmp_path, MODULE, "cmd/service", [f"{MODULE}/..."])
    data = tmp_path / "data"
    data.mkdir()
    answer = subprocess.run([built.binary], env={"GOCOVERDIR": str(data)}, capture_output=True, check=True, text=True)
    assert answer.stdout == "hello\n"
    assert sorted(path.name.partition(".")[0] for path in data.iterdir()) == ["covcounters", "covmeta"]
    percent = subprocess.run(
        ["go", "tool", "covdata", "textfmt", f"-i={data}", "-o=/dev/stdout"], capture_output=True, check=True, text=True
    ).stdout.splitlines()
    # the mode that was asked for, and import paths that the sources belong to
    assert percent[0] == "mode: atomic"
    assert {line.rpartition("/")[0] for line in percent[1:]} == {f"{MODULE}/cmd/service", f"{MODULE}/greeting"}
    assert list(built.sources) == [MODULE]
    assert (Path(built.sources[MODULE]) / "greeting" / "greeting.go").is_file()


def test_the_wrapper_keeps_what_only_a_main_module_may_say(environment: dict[str, str], tmp_path: Path) -> None:
    built = build(environment, tmp_path, "example.com/carrier", "", ["example.com/carrier", "example.com/dep/..."])
    answer = subprocess.run([built.binary], capture_output=True, check=True, text=True)
    assert answer.stdout == "v1.1.0 panicnil\n"
    assert sorted(built.sources) == ["example.com/carrier", "example.com/dep"]
    assert "v1.1.0" in (Path(built.sources["example.com/dep"]) / "dep.go").read_text(encoding="utf-8")


def test_a_replaced_folder_is_explained(environment: dict[str, str], tmp_path: Path) -> None:
    made = wrapper(environment, tmp_path, "example.com/local", "")
    made.check()
    error = failure(made.complete)
    assert error.cause == "build-failed"
    assert "replace example.com/gone => ./gone" in error.remedy


def test_patterns_without_the_main_package_are_an_error(environment: dict[str, str], tmp_path: Path) -> None:
    """Only main has the code that writes counters: such a program would write nothing, and say nothing."""
    error = failure(lambda: build(environment, tmp_path, MODULE, "cmd/service", [f"{MODULE}/greeting"]))
    assert (error.cause, error.setting) == ("coverpkg-without-main", "image.coverpkg")
    assert error.remedy == f"Add {MODULE}/cmd/service to the patterns."


@pytest.mark.parametrize(
    ("coverpkg", "covered"),
    [
        ([], True),
        (["all"], True),
        (["example.com/x/..."], True),
        (["example.com/x/internal/...", "example.com/x/cmd/..."], True),
        (["example.com/x/internal/...,example.com/x/cmd/app"], True),
        (["example.com/x/internal/..."], False),
        (["example.com/x/cmd"], False),
        (["std"], False),
    ],
)
def test_patterns_that_cover_the_main_package(coverpkg: list[str], covered: bool) -> None:
    assert covers_main("example.com/x/cmd/app", coverpkg) is covered


def test_a_pattern_that_matches_nothing_is_an_error(environment: dict[str, str], tmp_path: Path) -> None:
    error = failure(lambda: build(environment, tmp_path, MODULE, "cmd/service", ["example.com/cover/..."]))
    assert error.cause == "coverpkg-matches-nothing"
    assert MODULE in error.remedy


def test_a_failed_build_shows_the_end_of_the_log(environment: dict[str, str], tmp_path: Path) -> None:
    made = wrapper(environment, tmp_path, MODULE, "cmd/service")
    made.check()
    made.complete()
    error = failure(
        lambda: made.build(str(tmp_path / "x"), covermode="atomic", coverpkg=[f"{MODULE}/..."], ldflags="-no-such-flag")
    )
    assert error.cause == "build-failed"
    assert any("no-such-flag" in line for line in error.evidence)


@pytest.mark.parametrize(
    ("package", "path"),
    [
        ("", "example.com/x"),
        (".", "example.com/x"),
        ("cmd/y", "example.com/x/cmd/y"),
        ("./cmd/y/", "example.com/x/cmd/y"),
        ("example.com/x", "example.com/x"),
        ("example.com/x/cmd/y", "example.com/x/cmd/y"),
        ("example.com/xy", "example.com/x/example.com/xy"),
    ],
)
def test_import_path(package: str, path: str) -> None:
    assert import_path("example.com/x", package) == path


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("example.com/x/...", "example.com/x", True),
        ("example.com/x/...", "example.com/x/y/z", True),
        ("example.com/x/...", "example.com/xy", False),
        ("example.com/x...", "example.com/xy", True),
        ("example.com/x", "example.com/x/y", False),
        ("example.com/.../y", "example.com/a/b/y", True),
        ("all", "net/http", True),
        ("examplexcom/x", "example.com/x", False),
        ("example.com/x", "examplexcom/x", False),
    ],
)
def test_matches_pattern(pattern: str, path: str, matches: bool) -> None:
    assert matches_pattern(pattern, path) is matches


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("example.com/x/cmd/y", "y"),
        ("example.com/x/v2", "x"),
        ("example.com/x/v2/cmd/v1", "v1"),
        ("example.com/x/v12", "x"),
    ],
)
def test_program_name_is_the_one_of_go_install(path: str, name: str) -> None:
    assert program_name(path) == name


def test_versions_compare() -> None:
    assert go_version_key("go1.26.8") > go_version_key("1.26") > go_version_key("go1.9.7")
    assert go_version_key("devel go1.28-abc") > go_version_key("go1.27rc1")
    assert nearest_version("v1.2.3", ["v1.1.0", "v1.2.0", "v1.3.0"]) == "v1.2.0"
    assert nearest_version("1.3.0", ["v1.1.0", "v1.3.0"]) == "v1.3.0"


def test_the_host_speaks_gos_language() -> None:
    answer = subprocess.run(["go", "env", "GOHOSTARCH"], capture_output=True, check=True, text=True)
    assert host_architecture() == answer.stdout.strip()
