# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""With the real go command, the real podman and a module proxy in a folder; no base image and no network is needed."""

from __future__ import annotations

import dataclasses
import os
import runpy
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.architecture import host_architecture
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.checkout import (
    containerfile_of,
    go_modules_below,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.from_module import is_exact_version
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.goflags import coverpkg_of, flag_value
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.instrumented import ensure_image, remove_images
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.proof import (
    declares_argument,
    exact_comparisons,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.request import (
    BuildRequest,
    ImageSource,
    checked,
    full_reference,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman

FIXTURES = Path(__file__).parents[4] / "fixtures" / "instrumented_image"
PROXY = runpy.run_path(str(FIXTURES / "proxy.py"))
MODULE = "example.com/coverable"
SERVICE = f"coverage-unit-test-{os.getpid()}"
FOREIGN = "arm64" if host_architecture() == "amd64" else "amd64"


def failure(request: BuildRequest, **options: t.Any) -> CoverageError:
    with pytest.raises(CoverageError) as caught:
        ensure_image(request, **options)
    return caught.value


def image_id(reference: str) -> str:
    image = Podman().image(reference)
    return image.id if image else ""


def names_of_service() -> list[str]:
    records = Podman().images_with_label(f"coverage.kubernaut.io/service={SERVICE}")
    return [name for record in records for name in record.get("Names") or []]


@pytest.fixture
def request_(tmp_path: Path) -> t.Iterator[BuildRequest]:
    """Ask for the fixture's service, out of a module proxy in a folder; afterwards no image of it is left."""
    for version in ("v1.0.0", "v1.1.0"):
        PROXY["add_version"](tmp_path / "proxy", MODULE, version, PROXY["files_of"](FIXTURES / "service"))
    request = BuildRequest(
        service=SERVICE,
        source=ImageSource(module=MODULE, version="v1.0.0", package="cmd/service"),
        cache_dir=str(tmp_path / "cache"),
        go_environment=PROXY["environment"](tmp_path / "proxy", tmp_path / "modules"),
    )
    yield request
    remove_images(request)


def test_a_module_is_built_once(request_: BuildRequest) -> None:
    first = ensure_image(request_)
    image = first.image
    assert first.changed
    assert (image["instrumented"], image["binary"], image["user"]) == (True, "/usr/local/bin/service", "65532:65532")
    assert image_id(image["reference"]) == image["id"]
    assert image["coverpkg"] == [f"{MODULE}/..."]
    assert (Path(image["sources"][MODULE]) / "greeting" / "greeting.go").is_file()

    second = ensure_image(request_)
    assert not second.changed
    assert second.image == image

    # without the network: an exact version and a known recipe need none
    offline = {**request_.go_environment, "GOPROXY": "off"}
    assert not ensure_image(dataclasses.replace(request_, go_environment=offline)).changed


def test_what_is_lost_is_made_again_and_is_the_same(request_: BuildRequest) -> None:
    image = ensure_image(request_).image
    Path(image["archive"]).write_bytes(b"half of it")
    again = ensure_image(request_)
    assert (again.changed, again.image) == (True, image)
    Podman().remove_image(image["reference"])
    again = ensure_image(request_)
    assert (again.changed, again.image) == (True, image)


def test_another_recipe_has_another_name(request_: BuildRequest) -> None:
    names = {ensure_image(request_).image["reference"]}
    for change in (
        {"covermode": "count"},
        {"ldflags": "-s -w"},
        {"user": "7:7"},
        {"source": dataclasses.replace(request_.source, version="latest")},
    ):
        outcome = ensure_image(dataclasses.replace(request_, **change))
        assert outcome.changed
        names.add(outcome.image["reference"])
    assert len(names) == 5
    # latest is the same as the version that it means
    exact = dataclasses.replace(request_, source=dataclasses.replace(request_.source, version="v1.1.0"))
    assert not ensure_image(exact).changed


def test_check_mode_leaves_nothing(request_: BuildRequest) -> None:
    outcome = ensure_image(request_, check=True)
    assert (outcome.changed, outcome.image["id"], outcome.image["archive"]) == (True, "", "")
    assert not Path(request_.cache_dir).exists()
    assert image_id(outcome.image["reference"]) == ""
    assert ensure_image(request_).image["reference"] == outcome.image["reference"]
    assert not ensure_image(request_, check=True).changed
    absent = dataclasses.replace(request_, source=dataclasses.replace(request_.source, package="cmd/absent"))
    assert failure(absent, check=True).cause == "package-unknown"


def test_absent_removes_what_was_made_and_nothing_else(request_: BuildRequest) -> None:
    image = ensure_image(request_).image
    other = dataclasses.replace(request_, service=f"{SERVICE}-other")
    kept = ensure_image(other).image
    try:
        assert remove_images(request_, check=True).changed
        assert image_id(image["reference"]) == image["id"]
        assert remove_images(request_).changed
        assert image_id(image["reference"]) == ""
        assert not Path(image["archive"]).exists()
        assert not remove_images(request_).changed
        assert image_id(kept["reference"]) == kept["id"]
        assert Path(kept["archive"]).is_file()
    finally:
        remove_images(other)


def test_a_base_image_is_built_upon(request_: BuildRequest, tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "passwd").write_text("app:x:7:7::/:/bin/sh\n", encoding="utf-8")
    containerfile = tmp_path / "base" / "Containerfile"
    containerfile.write_text("FROM scratch\nCOPY passwd /etc/passwd\nENV KEPT=1\n", encoding="utf-8")
    base = f"localhost/{SERVICE}-base:1"
    Podman().build(str(tmp_path / "base"), tags=[base])
    try:
        based = ensure_image(dataclasses.replace(request_, base=base)).image
        assert based["reference"] != ensure_image(request_, check=True).image["reference"]
        assert image_id(based["reference"]) == based["id"]
    finally:
        remove_images(request_)
        Podman().remove_image(base)
    assert failure(dataclasses.replace(request_, base=base)).cause == "base-missing"


# Containerfiles


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("programs")
    source = folder / "source"
    shutil.copytree(FIXTURES / "service", source)

    def go(*arguments: str, **environment: str) -> None:
        environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", **environment}
        subprocess.run(["go", *arguments], cwd=source, env=environment, check=True, capture_output=True)

    go("build", f"-o={folder}/plain", "./cmd/service")
    go("build", "-cover", f"-o={folder}/cover", "./cmd/service")
    go("build", "-cover", f"-o={folder}/file", "./cmd/service/main.go")
    go("build", "-cover", f"-coverpkg={MODULE}/greeting", f"-o={folder}/left", "./cmd/service")
    go("build", "-cover", f"-o={folder}/foreign", "./cmd/service", GOARCH=FOREIGN)
    PROXY["add_version"](folder / "proxy", MODULE, "v1.0.0", PROXY["files_of"](FIXTURES / "service"))
    asked = PROXY["environment"](folder / "proxy", folder / "modules")
    go("install", "-cover", f"{MODULE}/cmd/service@v1.0.0", GOBIN=f"{folder}/bin", **asked)
    (folder / "bin" / "service").replace(folder / "installed")
    return folder


@pytest.fixture
def contained(programs: Path, tmp_path: Path) -> t.Iterator[t.Callable[..., BuildRequest]]:
    """Ask for an image of these programs, by these lines of a Containerfile."""
    made: list[BuildRequest] = []

    def ask(files: dict[str, str], *lines: str, **options: t.Any) -> BuildRequest:
        folder = tmp_path / "service"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, program in files.items():
            if program.startswith("#!"):
                (folder / name).write_text(program, encoding="utf-8")
            else:
                shutil.copy(programs / program, folder / name)
        (folder / "Containerfile").write_text("\n".join(["FROM scratch", "ARG GOFLAGS", *lines]), encoding="utf-8")
        made.append(BuildRequest(SERVICE, ImageSource(dir=str(folder)), str(tmp_path / "cache"), **options))
        return made[-1]

    yield ask
    for request in made:
        remove_images(request)
        if request.reference:
            Podman().remove_image(request.reference)


RUN = ("COPY service /service", 'ENTRYPOINT ["/service"]')


def test_a_containerfile_is_changed_only_by_another_image(contained: t.Callable[..., BuildRequest]) -> None:
    request = contained({"service": "cover"}, *RUN, "USER 1001")
    first = ensure_image(request)
    image = first.image
    assert first.changed
    assert image["reference"] == f"localhost/{SERVICE}:coverage-{image['id'][:12]}"
    assert (image["user"], image["covermode"], image["coverpkg"], image["notes"]) == ("1001", "atomic", [], [])
    second = ensure_image(request)
    assert (second.changed, second.image) == (False, image)
    other = ensure_image(contained({"service": "cover"}, *RUN, "USER 1002"))
    assert other.changed
    # the first name still means the first image: a stale image cannot be mistaken
    assert image_id(image["reference"]) == image["id"] != other.image["id"]
    assert sorted(names_of_service()) == sorted([image["reference"], other.image["reference"]])


def test_a_given_name_survives_a_build_that_is_no_good(contained: t.Callable[..., BuildRequest]) -> None:
    reference = f"localhost/{SERVICE}:named"
    good = ensure_image(contained({"service": "cover"}, *RUN, reference=reference)).image
    assert good["reference"] == reference
    error = failure(contained({"service": "plain"}, *RUN, reference=reference))
    assert error.cause == "not-instrumented"
    assert image_id(reference) == good["id"]
    assert Path(good["archive"]).is_file()


@pytest.mark.parametrize(
    ("program", "lines", "cause", "says"),
    [
        ("plain", RUN, "not-instrumented", "/service in image"),
        ("installed", RUN, "not-instrumented", "made by 'go install -cover'"),
        ("left", RUN, "not-instrumented", f"-coverpkg leaves out its main package {MODULE}/cmd/service"),
        (
            "plain",
            (*RUN, '# [ "${GOFLAGS}" = "-cover" ]'),
            "not-instrumented",
            "compares GOFLAGS exactly with '-cover'",
        ),
        ("foreign", RUN, "wrong-architecture", f"is built for {FOREIGN}, but {host_architecture()} is required"),
        ("cover", ("COPY service /service", 'ENTRYPOINT ["/absent"]'), "", "names no Go program itself; /service"),
        ("file", RUN, "", "built as a file"),
        ("cover", ("COPY service /service", "ENTRYPOINT exec /service --port 1"), "", ""),
        ("cover", ("COPY service /bin/service", 'ENTRYPOINT ["/tini", "--"]', 'CMD ["service"]'), "", ""),
    ],
)
def test_the_proof(
    contained: t.Callable[..., BuildRequest], program: str, lines: tuple[str, ...], cause: str, says: str
) -> None:
    request = contained({"service": program}, *lines)
    if cause:
        error = failure(request)
        assert error.cause == cause
        assert says in error.message
        assert error.remedy and error.evidence
        assert names_of_service() == []
        assert not list((Path(request.cache_dir) / "instrumented_image" / SERVICE).glob("*.tar"))
    else:
        notes = ensure_image(request).image["notes"]
        assert (says in notes[0]) if says else notes == []


def test_a_script_is_looked_behind(contained: t.Callable[..., BuildRequest]) -> None:
    files = {"service": "cover", "start": "#!/bin/sh\nexec /opt/service\n"}
    request = contained(files, "COPY service /opt/service", "COPY start /start", 'ENTRYPOINT ["/start"]')
    assert ensure_image(request).image["binary"] == "/opt/service"


def test_the_program_that_is_started_counts_and_no_other(contained: t.Callable[..., BuildRequest]) -> None:
    files = {"service": "plain", "tool": "cover"}
    lines = ("COPY service /service", "COPY tool /tool", 'ENTRYPOINT ["/service"]')
    error = failure(contained(files, *lines))
    assert error.cause == "not-instrumented"
    assert (error.setting, "/tool" in error.message) == ("instrumented_image#binary", True)
    assert ensure_image(contained(files, *lines, binary="/tool")).image["binary"] == "/tool"
    assert failure(contained(files, *lines, binary="/absent")).cause == "no-go-binary"
    script = contained({"service": "#!/bin/sh\n"}, *RUN)
    assert failure(script).cause == "no-go-binary"


def test_a_failed_build_shows_its_end_and_no_secret(contained: t.Callable[..., BuildRequest]) -> None:
    error = failure(contained({}, "ARG TOKEN", "COPY absent /", build_args={"TOKEN": "hush-hush"}))
    assert error.cause == "build-failed"
    assert "COPY absent /" in error.message
    assert any("absent" in line for line in error.evidence[1:])
    assert "hush-hush" not in str(error.result())
    assert "TOKEN=..." in error.evidence[0]


def test_check_mode_of_a_containerfile_builds_nothing(contained: t.Callable[..., BuildRequest]) -> None:
    request = contained({"service": "cover"}, *RUN)
    assert ensure_image(request, check=True).changed
    assert names_of_service() == []
    assert not Path(request.cache_dir).exists()
    ensure_image(request)
    assert not ensure_image(request, check=True).changed


def test_what_is_missing_is_named_with_the_nearest(tmp_path: Path) -> None:
    folder = tmp_path / "kubernaut"
    (folder / "docker").mkdir(parents=True)
    for name in ("gateway.Dockerfile", "notification-controller.Dockerfile"):
        (folder / "docker" / name).write_text("FROM scratch\n", encoding="utf-8")
    asked = ImageSource(dir=str(folder), containerfile="docker/notification.Dockerfile")
    with pytest.raises(CoverageError, match=r"nearest there is docker/notification-controller\.Dockerfile") as caught:
        containerfile_of(asked)
    assert caught.value.cause == "containerfile-missing"
    with pytest.raises(CoverageError, match=rf"The nearest is {folder}\.") as caught:
        containerfile_of(ImageSource(dir=str(tmp_path / "kubernout")))
    assert caught.value.cause == "dir-missing"
    with pytest.raises(CoverageError) as caught:
        containerfile_of(dataclasses.replace(asked, containerfile="docker/gateway.Dockerfile", context="absent"))
    assert caught.value.cause == "context-missing"
    (folder / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    assert containerfile_of(ImageSource(dir=str(folder)))[1] == folder / "Dockerfile"


@pytest.mark.parametrize(
    ("service", "source", "says"),
    [
        ("Bad Name", ImageSource(module="x.y/z"), "cannot be part of an image name"),
        ("a", ImageSource(), "none is given"),
        ("a", ImageSource(module="x.y/z", dir="/x"), "both are given"),
        ("a", ImageSource(dir="/x", package="p", version="v"), "package and version"),
        ("a", ImageSource(module="x.y/z", containerfile="c"), "containerfile"),
    ],
)
def test_contradictions_are_refused(service: str, source: ImageSource, says: str) -> None:
    with pytest.raises(CoverageError, match=says):
        checked(BuildRequest(service, source, "/nowhere"))


def test_a_version_may_stand_in_the_path() -> None:
    assert checked(BuildRequest("a", ImageSource(module="x.y/z@v1.2.3"), "/x")).source.version == "v1.2.3"
    assert checked(BuildRequest("a", ImageSource(module="x.y/z"), "/x")).source.version == "latest"


@pytest.mark.parametrize(
    ("given", "full"),
    [
        ("app", "localhost/app:latest"),
        ("kubernaut/app:1", "localhost/kubernaut/app:1"),
        ("localhost/app:1", "localhost/app:1"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("quay.io/a/b:1", "quay.io/a/b:1"),
    ],
)
def test_a_name_means_the_same_to_podman_and_a_node(given: str, full: str) -> None:
    assert full_reference(given) == full


def test_a_digest_is_no_name_for_what_is_not_built() -> None:
    with pytest.raises(CoverageError, match="by digest"):
        full_reference("app@sha256:" + "0" * 64)


@pytest.mark.parametrize(
    ("version", "exact"),
    [
        ("v1.2.3", True),
        ("v1.2.3-rc.1", True),
        ("v0.0.0-20260101120000-abcdef123456", True),
        ("v2.0.0+incompatible", True),
        ("v1.2", False),
        ("latest", False),
        ("main", False),
    ],
)
def test_exact_versions(version: str, exact: bool) -> None:
    assert is_exact_version(version) is exact


@pytest.mark.parametrize(
    "line",
    [
        'RUN if [ "${GOFLAGS}" = "-cover" ]; then \\',
        "RUN if [ $GOFLAGS = -cover ]; then",
        "RUN [[ \"$GOFLAGS\" == '-cover' ]] && go build",
    ],
)
def test_exact_comparisons_are_found(line: str) -> None:
    assert exact_comparisons(line) == ["-cover"]


def test_passing_flags_on_is_no_comparison() -> None:
    assert exact_comparisons('RUN GOFLAGS="${GOFLAGS}" go build ./cmd/x\nARG GOFLAGS=""\nENV GOFLAGS=$GOFLAGS') == []


@pytest.mark.parametrize(
    ("text", "declares"),
    [
        ("FROM a\nARG GOFLAGS\n", True),
        ("FROM a\n  arg GOFLAGS=''\n", True),
        ("FROM a\nARG A=1 GOFLAGS=x\n", True),
        ("from a\nARG A=1 \\\n  GOFLAGS\n", True),
        ("ARG GOFLAGS\nFROM a\nRUN go build\n", False),
        ("FROM a\nARG GOFLAGS_EXTRA\n", False),
        ("FROM a\n# ARG GOFLAGS\n", False),
    ],
)
def test_an_argument_counts_inside_a_stage(text: str, declares: bool) -> None:
    assert declares_argument(text, "GOFLAGS") is declares


def test_goflags_are_read() -> None:
    flags = "-mod=mod -cover --covermode=atomic -coverpkg=./...,x.y/z"
    assert [flag_value(flags, name) for name in ("cover", "covermode", "mod", "race")] == ["true", "atomic", "mod", ""]
    assert coverpkg_of(flags) == ["./...", "x.y/z"]
    assert coverpkg_of("-cover") == []


def test_modules_of_a_checkout(tmp_path: Path) -> None:
    for folder, module in ((".", "x.y/a"), ("sub", '"x.y/a/sub"'), ("vendor/v", "x.y/v"), ("testdata/t", "x.y/t")):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "go.mod").write_text(f"// a comment\nmodule {module}\n\ngo 1.24\n", encoding="utf-8")
    assert go_modules_below(tmp_path) == {"x.y/a": str(tmp_path), "x.y/a/sub": str(tmp_path / "sub")}
