# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds of the tests: podman and docker behind are a podman that records, go is the real one."""

from __future__ import annotations

import os
import subprocess
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.archive import ImageArchive
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.builds import (
    GoBuilds,
    ImageBuilds,
    Images,
    check_given,
    normal_name,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.calls import Switchboard
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.record import Journal, Record

FLAGS = "-cover -covermode=atomic"
# records its arguments, the Containerfile that it gets and the files of its context
PODMAN = r"""#!/bin/sh
if [ "$1 $2" = "image inspect" ]; then
  [ "$4 $5" != "{{json .Config.Env}} toolset:1" ] || { echo '["PATH=/bin","GOFLAGS=-mod=mod"]'; exit 0; }
  exit 125
fi
printf '%s\n' "$@" > "$STATE/argv"
while [ $# -gt 0 ]; do
  [ "$1" != --file ] || cp "$2" "$STATE/containerfile"
  [ ! -d "$1" ] || [ "$1" = . ] || (cd "$1" && find . -type f | sort > "$STATE/context")
  shift
done
exit "${STATUS:-0}"
"""


@dataclass
class Bench:
    """A folder with a build, and podman and docker in front of a podman that records."""

    folder: Path
    programs: Path

    def run(self, *argv: str, status: int = 0, **options: t.Any) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "STATUS": str(status)}
        return subprocess.run(
            [self.programs / argv[0], *argv[1:]],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=self.folder,
            env=environment,
            **options,
        )

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()

    def argv(self) -> list[str]:
        """What podman got, without the file that is made for each build."""
        argv = self.text("argv").splitlines()
        return ["FILE" if at and argv[at - 1] == "--file" else word for at, word in enumerate(argv)]


@pytest.fixture
def bench(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> t.Iterator[Bench]:
    behind = tmp_path / "behind"
    behind.mkdir()
    (behind / "podman").write_text(PODMAN)
    (behind / "podman").chmod(0o755)
    monkeypatch.setenv("STATE", str(tmp_path))
    scratch = tmp_path_factory.mktemp("scratch")
    path = f"{behind}{os.pathsep}{os.environ['PATH']}"
    images = Images(Podman(str(behind / "podman")), scratch / "images", Record(), Journal(str(tmp_path)))
    builds = ImageBuilds(images, scratch, path)
    board = Switchboard({"podman": builds, "docker": builds, "go": GoBuilds()}, path)
    (tmp_path / "Dockerfile").write_text("FROM toolset:1\nRUN go build -o /app .\n")
    (tmp_path / "other.Dockerfile").write_text("FROM golang\nRUN make\n")
    yield Bench(tmp_path, board.folder)
    board.close()


@pytest.mark.parametrize("program", ["podman", "docker"])
def test_a_build_is_instrumented_and_the_rest_is_as_given(bench: Bench, program: str) -> None:
    assert bench.run(program, "build", "--build-arg", "A=b c", "-t", "app:1", ".").returncode == 0
    assert bench.argv() == [
        *("build", "--format", "docker", "--build-arg", "A=b c", "-t", "app:1", ".", "--file", "FILE"),
    ]
    assert bench.text("containerfile") == f'FROM toolset:1\nENV GOFLAGS="-mod=mod {FLAGS}"\nRUN go build -o /app .\n'


@pytest.mark.parametrize(("argument", "environment"), [("GOFLAGS=-cover", ""), ("GOFLAGS", "-cover")])
def test_a_build_whose_own_switch_is_on_is_built_as_it_is(bench: Bench, argument: str, environment: str) -> None:
    text = "FROM golang\nARG GOFLAGS\nRUN [ $GOFLAGS = -cover ] && go build\n"
    (bench.folder / "Dockerfile").write_text(text)
    done = subprocess.run(
        [bench.programs / "podman", "build", "--build-arg", argument, "."],
        check=False,
        cwd=bench.folder,
        # the caller's own, as a Makefile exports it
        env={**os.environ, "GOFLAGS": environment},
    )
    assert done.returncode == 0
    assert bench.text("containerfile") == text


@pytest.mark.parametrize("named", [["-f", "other.Dockerfile"], ["--file=other.Dockerfile"], ["-fother.Dockerfile"]])
def test_a_named_containerfile_is_the_one_that_counts(bench: Bench, named: list[str]) -> None:
    bench.run("podman", "build", *named, ".")
    assert bench.argv() == ["build", "--format", "docker", ".", "--file", "FILE"]
    assert bench.text("containerfile").startswith("FROM golang\nENV GOFLAGS=")


def test_a_piped_containerfile_is_read(bench: Bench) -> None:
    bench.run("docker", "build", "-f", "-", ".", input="FROM alpine\nRUN true\n")
    assert bench.text("containerfile") == f'FROM alpine\nENV GOFLAGS="{FLAGS}"\nRUN true\n'


def test_options_may_stand_behind_the_context(bench: Bench) -> None:
    bench.run("docker", "build", ".", "--no-cache", "-q", "-t", "app")
    assert bench.argv()[:7] == ["build", "--format", "docker", ".", "--no-cache", "-q", "-t"]


def test_the_format_that_is_asked_for_stays(bench: Bench) -> None:
    bench.run("podman", "build", "--format=oci", ".")
    assert bench.argv() == ["build", "--format=oci", ".", "--file", "FILE"]


def test_what_only_docker_knows_is_left_out(bench: Bench) -> None:
    bench.run("docker", "buildx", "build", "--load", "--progress", "plain", "--provenance=false", "-t", "app", ".")
    assert bench.argv() == ["build", "--format", "docker", "-t", "app", ".", "--file", "FILE"]


@pytest.mark.parametrize("argv", [["ps", "-a"], ["image", "ls"], ["build", "--help"], ["run", "build"]])
def test_all_else_is_passed_on(bench: Bench, argv: list[str]) -> None:
    assert bench.run("docker", *argv).returncode == 0
    assert bench.argv() == argv


def test_a_context_that_is_no_folder_is_built_as_it_is(bench: Bench) -> None:
    done = bench.run("podman", "build", "https://example.com/app.git")
    assert bench.argv() == ["build", "--format", "docker", "https://example.com/app.git"]
    assert "built as it is" in done.stderr


def test_a_build_that_fails_fails(bench: Bench) -> None:
    assert bench.run("docker", "build", ".", status=17).returncode == 17


def test_a_missing_containerfile_is_left_to_podman(bench: Bench) -> None:
    bench.run("podman", "build", "-f", "nowhere", ".")
    assert bench.argv() == ["build", "--format", "docker", "-f", "nowhere", "."]


def test_docker_takes_back_what_its_ignore_file_takes_back(bench: Bench) -> None:
    (bench.folder / ".dockerignore").write_text("**\n!**/*.go\n")
    (bench.folder / "cmd").mkdir()
    (bench.folder / "cmd" / "main.go").write_text("package main")
    bench.run("docker", "build", "-t", "app", ".")
    assert bench.text("context") == "./cmd/main.go\n"


def test_the_list_of_ignored_files_of_one_containerfile_goes_along(bench: Bench) -> None:
    (bench.folder / "other.Dockerfile.dockerignore").write_text("secret\n")
    bench.run("podman", "build", "-f", "other.Dockerfile", ".")
    made = Path(bench.text("argv").splitlines()[-1])
    assert made.with_name(f"{made.name}.dockerignore").read_text() == "secret\n"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("app", "docker.io/library/app:latest"),
        ("app:1", "docker.io/library/app:1"),
        ("org/app:1", "docker.io/org/app:1"),
        ("example.com/app:v1", "example.com/app:v1"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("localhost/app:1", "localhost/app:1"),
        ("quay.io/a/b@sha256:12", "quay.io/a/b@sha256:12"),
    ],
)
def test_names_are_completed_as_kubernetes_does(given: str, expected: str) -> None:
    assert normal_name(given) == expected


@pytest.mark.parametrize(
    ("argv", "counts"),
    [
        (["build", "-o", "app", "."], True),
        (["build", "-covermode=set", "-cover", "-o", "app", "."], True),
        (["build", "-cover=false", "-o", "app", "."], False),
        (["-C", "module", "build", "-o", "../app", "."], True),
    ],
)
def test_programs_that_go_builds_count(bench: Bench, argv: list[str], counts: bool) -> None:
    for folder in (bench.folder, bench.folder / "module"):
        folder.mkdir(exist_ok=True)
        (folder / "go.mod").write_text("module example.com/app\n\ngo 1.26\n")
        (folder / "main.go").write_text("package main\n\nfunc main() {}\n")
    done = bench.run("go", *argv)
    assert done.returncode == 0, done.stderr
    assert (b"runtime/coverage.initHook" in (bench.folder / "app").read_bytes()) is counts


@pytest.fixture
def store(tmp_path: Path) -> t.Iterator[tuple[Podman, str, str]]:
    """Podman with a store of two images: one that stands for another, and one that has the other's name."""
    podman, found = Podman(), []
    names = ["localhost/suite-images-test/redis:7", "quay.io/suite-images-test/redis:7-alpine"]
    for number, name in enumerate(names):
        (tmp_path / "content").write_text(str(number))
        (tmp_path / "Containerfile").write_text("FROM scratch\nCOPY content /content\n")
        argv = ["build", "--quiet", "--format", "docker", "--tag", name, str(tmp_path)]
        found.append(podman.run(*argv, purpose="build an image of a test").stdout.strip())
    yield podman, found[0], found[1]
    for identity in found:
        podman.run("image", "rm", "--force", identity, purpose="remove an image of a test")


def names_in_archive(path: str, reference: str) -> list[str]:
    with ImageArchive(path, reference) as archive:
        return archive.image.names


@pytest.mark.parametrize("name", ["quay.io/suite-images-test/redis:7-alpine", "suite-images-test-redis"])
def test_an_image_stands_for_another_and_the_store_stays_as_it_was(
    store: tuple[Podman, str, str], tmp_path: Path, name: str
) -> None:
    podman, ours, theirs = store
    given = {name: "suite-images-test/redis:7"}
    images = Images(podman, tmp_path / "archives", Record(), Journal(str(tmp_path)), given)
    path, identity = images.archive(normal_name(name))
    assert identity == ours
    assert names_in_archive(path, normal_name(name)) == [normal_name(name)]
    assert podman.image(normal_name("suite-images-test-redis")) is None
    there = podman.image("quay.io/suite-images-test/redis:7-alpine")
    assert there is not None
    assert there.id == theirs


def test_an_image_of_its_own_is_the_one_of_its_name(store: tuple[Podman, str, str], tmp_path: Path) -> None:
    podman, _ours, theirs = store
    images = Images(podman, tmp_path / "archives", Record(), Journal(str(tmp_path)), {"redis:7-alpine": "other"})
    assert images.archive("quay.io/suite-images-test/redis:7-alpine")[1] == theirs


def test_an_image_that_is_to_stand_for_another_and_is_not_there_is_told_at_once(bench: Bench) -> None:
    podman = Podman(str(bench.folder / "behind" / "podman"))
    with pytest.raises(InputError, match=r"There is no image mine:1 in podman's store.* to get as redis:7"):
        check_given(podman, {"redis:7": "mine:1"})
