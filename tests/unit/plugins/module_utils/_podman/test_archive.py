# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs by the real Go, archives by the real podman; by hand only the shapes that neither makes on demand."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import runpy
import shutil
import subprocess
import tarfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.archive import (
    ArchiveError,
    ImageArchive,
    command_words,
    read_go_binary,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.new_image import (
    NewImage,
    write_image,
)

FIXTURES = Path(__file__).parents[4] / "fixtures" / "instrumented_image"
PROXY = runpy.run_path(str(FIXTURES / "proxy.py"))
MODULE = "example.com/coverable"
NAME = "localhost/coverage-unit-test/archive"


def go(*arguments: str, cwd: Path, **environment: str) -> None:
    subprocess.run(
        ["go", *arguments],
        cwd=cwd,
        env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", **environment},
        check=True,
        capture_output=True,
    )


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every way to build one service that matters here, each in a file of its own."""
    folder = tmp_path_factory.mktemp("programs")
    source = folder / "source"
    shutil.copytree(FIXTURES / "service", source)
    out = f"-o={folder}/"
    go("build", f"{out}plain", "./cmd/service", cwd=source)
    go("build", "-cover", f"{out}cover", "./cmd/service", cwd=source)
    go("build", "-cover", "-trimpath", "-ldflags=-s -w", f"{out}stripped", "./cmd/service", cwd=source)
    go("build", "-cover", f"{out}file", "./cmd/service/main.go", cwd=source)
    go("build", "-cover", f"{out}arm64", "./cmd/service", cwd=source, GOARCH="arm64")
    go("build", "-cover", f"{out}s390x", "./cmd/service", cwd=source, GOARCH="s390x")
    go("build", f"{out}other", "./cmd/other", cwd=source)
    PROXY["add_version"](folder / "proxy", MODULE, "v1.0.0", PROXY["files_of"](FIXTURES / "service"))
    asked = PROXY["environment"](folder / "proxy", folder / "modules")
    go("install", "-cover", f"{MODULE}/cmd/service@v1.0.0", cwd=folder, GOBIN=str(folder / "bin"), **asked)
    (folder / "bin" / "service").replace(folder / "installed")
    return folder


def read(path: Path) -> t.Any:
    with path.open("rb") as stream:
        return read_go_binary(stream, f"/{path.name}")


@pytest.mark.parametrize(
    ("name", "instrumented", "main", "architecture"),
    [
        ("plain", False, f"{MODULE}/cmd/service", "amd64"),
        ("cover", True, f"{MODULE}/cmd/service", "amd64"),
        ("stripped", True, f"{MODULE}/cmd/service", "amd64"),
        ("file", True, "command-line-arguments", "amd64"),
        ("installed", False, f"{MODULE}/cmd/service", "amd64"),
        ("other", False, f"{MODULE}/cmd/other", "amd64"),
        ("arm64", True, f"{MODULE}/cmd/service", "arm64"),
        ("s390x", True, f"{MODULE}/cmd/service", "s390x"),
    ],
)
def test_instrumentation_is_read_from_the_bytes(
    programs: Path, name: str, instrumented: bool, main: str, architecture: str
) -> None:
    binary = read(programs / name)
    assert (binary.instrumented, binary.main_package) == (instrumented, main)
    if architecture != "amd64" or os.uname().machine == "x86_64":
        assert binary.architecture == architecture
    said = subprocess.run(["go", "version", "-m", programs / name], capture_output=True, check=True, text=True).stdout
    assert said.startswith(f"{programs / name}: {binary.go_version}\n")
    settings = [line.split("\t")[2] for line in said.splitlines() if line.startswith("\tbuild\t")]
    assert [f"{key}={value}" for key, value in binary.settings.items()] == settings


def test_build_information_is_no_proof(programs: Path) -> None:
    assert read(programs / "installed").settings["-cover"] == "true"
    assert b"runtime/coverage.initHook" in (programs / "other").read_bytes()


def test_a_chunk_boundary_hides_nothing(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # every boundary of small chunks, somewhere of which lies inside the proof and inside the build information
    whole = read(programs / "stripped")
    for size in (1009, 4096, 65537):
        monkeypatch.setattr(f"{read_go_binary.__module__}.CHUNK", size)
        assert read(programs / "stripped") == whole


def test_other_files_are_no_go_programs(tmp_path: Path) -> None:
    for content in (b"", b"#!/bin/sh\n", b"\x7fELF", Path("/bin/true").read_bytes()):
        (tmp_path / "file").write_bytes(content)
        assert read(tmp_path / "file") is None


# Archives by podman


@pytest.fixture
def image(tmp_path: Path) -> t.Iterator[t.Callable[..., ImageArchive]]:
    """Build an image of these files and instructions with podman and open its archive."""
    made: list[str] = []
    opened: list[ImageArchive] = []

    def build(files: dict[str, Path], *instructions: str) -> ImageArchive:
        reference = f"{NAME}:{os.getpid()}-{len(made)}"
        context = tmp_path / f"context{len(made)}"
        for name, source in files.items():
            (context / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, context / name)
        (context / "Containerfile").write_text("\n".join(["FROM scratch", *instructions]), encoding="utf-8")
        archive = tmp_path / f"{len(made)}.tar"
        for arguments in (
            ["build", "--quiet", "--format", "docker", "--layers", "--tag", reference, str(context)],
            ["save", "--quiet", "--format", "docker-archive", "--output", str(archive), reference],
        ):
            subprocess.run(["podman", *arguments], check=True, capture_output=True)
        made.append(reference)
        opened.append(ImageArchive(str(archive), reference))
        return opened[-1]

    yield build
    for archive in opened:
        archive.close()
    for reference in made:
        subprocess.run(["podman", "image", "rm", reference], check=True, capture_output=True)


def test_the_entrypoint_of_a_podman_image(programs: Path, image: t.Callable[..., ImageArchive]) -> None:
    archive = image({"service": programs / "stripped"}, "COPY service /app/service", 'ENTRYPOINT ["/app/service"]')
    said = subprocess.run(
        ["podman", "image", "inspect", "--format", "{{.Id}} {{.Architecture}}", archive.image.names[0]],
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split()
    assert [archive.image.id, archive.architecture] == said
    assert archive.argv == ["/app/service"]
    binary = archive.go_binary(archive.which(archive.argv[0]))
    assert binary is not None
    assert (binary.path, binary.instrumented) == ("/app/service", True)


def test_the_last_layer_wins(programs: Path, image: t.Callable[..., ImageArchive]) -> None:
    archive = image(
        {"old": programs / "cover", "new": programs / "plain"}, "COPY old /service", "COPY new /service", "CMD service"
    )
    binary = archive.go_binary(archive.which("/service"))
    assert binary is not None and not binary.instrumented
    assert [item.path for item in archive.go_binaries()] == ["/service"]


def test_names_without_a_folder_are_looked_up_in_the_images_path(
    programs: Path, image: t.Callable[..., ImageArchive]
) -> None:
    archive = image(
        {"service": programs / "cover"},
        "COPY service /opt/tool/service",
        "ENV PATH=/bin:/opt/tool",
        "WORKDIR /opt",
        'ENTRYPOINT ["service"]',
    )
    assert archive.which("service") == "opt/tool/service"
    assert archive.which("tool/service") == "opt/tool/service"
    assert archive.which("./tool/service") == "opt/tool/service"
    assert archive.which("absent") == ""


# Archives by hand


def layer(*entries: tuple[str, t.Any]) -> bytes:
    """Return a layer: name and bytes (a file), None (a folder), C(-> x) (a symbolic link) or C(== x) (a hard link)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in entries:
            member = tarfile.TarInfo(name)
            if content is None:
                member.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                member.type = tarfile.SYMTYPE if content.startswith("->") else tarfile.LNKTYPE
                member.linkname = content[3:]
            else:
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content) if isinstance(content, bytes) else None)
    return buffer.getvalue()


def archive_of(
    path: Path, layers: t.Sequence[bytes], config: t.Optional[dict[str, t.Any]] = None, **manifest: t.Any
) -> Path:
    raw = json.dumps({"architecture": "amd64", "config": config or {}}).encode()
    names = [f"{number}/layer.tar" for number in range(len(layers))]
    described = {"Config": f"{hashlib.sha256(raw).hexdigest()}.json", "RepoTags": ["a:1"], "Layers": names, **manifest}
    with tarfile.open(path, "w") as tar:
        for name, content in [
            *zip(names, layers, strict=True),
            (f"{hashlib.sha256(raw).hexdigest()}.json", raw),
            ("manifest.json", json.dumps([described]).encode()),
        ]:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def test_whiteouts_hide_what_lies_below(tmp_path: Path) -> None:
    layers = [
        layer(("a", b"1"), ("dir", None), ("dir/b", b"1"), ("dir/sub/c", b"1"), ("gone/d", b"1"), ("keep", b"1")),
        # a whiteout hides what is below it, never what its own layer brings, whatever the order
        layer(("dir/new", b"2"), ("dir/.wh..wh..opq", b""), (".wh.gone", b""), (".wh.a", b""), ("./a", b"2")),
        layer((".wh.keep", b"")),
    ]
    with ImageArchive(str(archive_of(tmp_path / "x.tar", layers))) as archive:
        assert sorted(archive.files()) == ["a", "dir", "dir/new"]
        assert archive.open("a").read() == b"2"


def test_a_file_replaces_a_folder(tmp_path: Path) -> None:
    layers = [layer(("x", None), ("x/y", b"1")), layer(("x", b"2"))]
    with ImageArchive(str(archive_of(tmp_path / "x.tar", layers))) as archive:
        assert sorted(archive.files()) == ["x"]


@pytest.mark.parametrize("pack", [lambda content: content, gzip.compress])
def test_links_are_followed_as_in_the_container(tmp_path: Path, pack: t.Callable[[bytes], bytes]) -> None:
    layers = [
        layer(("usr/bin/service", b"1"), ("bin", "-> usr/bin"), ("usr/bin/hard", "== usr/bin/service")),
        layer(
            ("opt/app", "-> ../bin/alias"),
            ("usr/bin/alias", "-> /usr/bin/service"),
            ("loop", "-> pool"),
            ("pool", "-> loop"),
            ("dangling", "-> /nowhere/at/all"),
        ),
    ]
    with ImageArchive(str(archive_of(tmp_path / "x.tar", [pack(item) for item in layers]))) as archive:
        assert archive.which("/opt/app") == "usr/bin/service"
        assert archive.which("/bin/service") == "usr/bin/service"
        assert archive.which("/usr/../bin/./service") == "usr/bin/service"
        assert archive.open(archive.which("/bin/hard")).read() == b"1"
        assert [archive.which(name) for name in ("/loop", "/dangling", "/bin", "/usr/bin/absent")] == [""] * 4


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["/service", "--port=1"], ["/service"]),
        (["/sbin/tini", "--", "/service"], ["/sbin/tini", "/service"]),
        (["/bin/sh", "-c", "exec /service --name 'a b'; echo"], ["/bin/sh", "exec", "/service", "a b", "echo"]),
        (["sh", "-c", "it's /service"], ["sh", "it's", "/service"]),
    ],
)
def test_every_word_may_be_the_program(argv: list[str], words: list[str]) -> None:
    assert command_words(argv) == words


def test_what_is_no_archive_is_said(tmp_path: Path) -> None:
    text = tmp_path / "text.tar"
    text.write_text("no tar at all", encoding="utf-8")
    plain = tmp_path / "plain.tar"
    with tarfile.open(plain, "w"):
        pass
    good = archive_of(tmp_path / "good.tar", [layer(("a", b"1"))])
    half = tmp_path / "half.tar"
    half.write_bytes(good.read_bytes()[:1200])
    foreign = archive_of(tmp_path / "foreign.tar", [], Config="0" * 64 + ".json")
    unknown = archive_of(tmp_path / "unknown.tar", [], Config="config.json")
    for path, says in (
        (tmp_path / "absent.tar", "cannot be read"),
        (text, "cannot be read"),
        (plain, "has no manifest.json"),
        (half, "damaged"),
        (foreign, "has no 0000"),
        (unknown, "not by digest"),
    ):
        with pytest.raises(ArchiveError, match=says):
            ImageArchive(str(path))
    with pytest.raises(ArchiveError, match=r"does not contain image b:1; it contains a:1"):
        ImageArchive(str(good), "b:1")


def test_a_configuration_that_was_changed_is_damage(tmp_path: Path) -> None:
    good = archive_of(tmp_path / "good.tar", [layer(("a", b"1"))])
    good.write_bytes(good.read_bytes().replace(b'"amd64"', b'"arm64"'))
    with pytest.raises(ArchiveError, match="damaged"):
        ImageArchive(str(good))


def test_layers_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    broken = archive_of(tmp_path / "broken.tar", [gzip.compress(layer(("a", os.urandom(4096))))[:2000]])
    zstd = archive_of(tmp_path / "zstd.tar", [b"\x28\xb5\x2f\xfd" + bytes(100)])
    missing = archive_of(tmp_path / "missing.tar", [], Layers=["absent/layer.tar"])
    for path, says in ((broken, "damaged in its layer 0/layer.tar"), (zstd, "zstd"), (missing, "absent/layer.tar")):
        with ImageArchive(str(path)) as archive, pytest.raises(ArchiveError, match=says):
            archive.files()


@pytest.mark.parametrize(("program", "pack"), [("gzip", gzip.compress), ("bzip2", bz2.compress), ("xz", lzma.compress)])
def test_an_archive_that_is_compressed_is_said_to_be_and_how_to_unpack_it(
    tmp_path: Path, program: str, pack: t.Callable[[bytes], bytes]
) -> None:
    """C(docker save | gzip): the remedy is followed here, and leads to an archive that is read."""
    plain = archive_of(tmp_path / "plain.tar", [layer(("a", b"1"))])
    packed = tmp_path / "image.tar.gz"
    packed.write_bytes(pack(plain.read_bytes()))
    with pytest.raises(ArchiveError, match=f"{packed} is compressed by {program}; it must be a plain tar") as caught:
        ImageArchive(str(packed))
    assert f"{program} -d -c {packed} > " in (caught.value.remedy or "")
    unpacked = tmp_path / "unpacked.tar"
    unpacked.write_bytes(subprocess.run([program, "-d", "-c", packed], check=True, capture_output=True).stdout)
    with ImageArchive(str(unpacked)) as archive:
        assert list(archive.files()) == ["a"]


def test_an_archive_that_is_compressed_by_zstd_is_said_to_be(tmp_path: Path) -> None:
    packed = tmp_path / "image.tar.zst"
    packed.write_bytes(b"\x28\xb5\x2f\xfd" + bytes(100))
    with pytest.raises(ArchiveError, match="compressed by zstd"):
        ImageArchive(str(packed))


# Writing


def new_image(programs: Path, reference: str = f"{NAME}:new") -> NewImage:
    return NewImage(
        reference, str(programs / "cover"), "service", "amd64", "65532:65532", {"some": "label"}, ["8080/tcp"]
    )


def test_the_same_program_gives_the_same_image(programs: Path, tmp_path: Path) -> None:
    first = write_image(str(tmp_path / "1.tar"), new_image(programs))
    os.utime(programs / "cover")
    assert write_image(str(tmp_path / "2.tar"), new_image(programs)) == first
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.tar", "2.tar"]
    with ImageArchive(str(tmp_path / "1.tar"), f"{NAME}:new") as archive:
        assert archive.image.id == first
        binary = archive.go_binary(archive.which(archive.argv[0]))
        assert binary is not None
        assert (binary.path, binary.instrumented) == ("/usr/local/bin/service", True)


def test_podman_knows_a_written_image_by_the_same_id(programs: Path, tmp_path: Path) -> None:
    reference = f"{NAME}:written-{os.getpid()}"
    identity = write_image(str(tmp_path / "new.tar"), new_image(programs, reference))
    subprocess.run(["podman", "load", "--quiet", "--input", tmp_path / "new.tar"], check=True, capture_output=True)
    try:
        answer = subprocess.run(["podman", "image", "inspect", reference], check=True, capture_output=True, text=True)
        found = json.loads(answer.stdout)[0]
        assert found["Id"] == identity
        assert found["User"] == "65532:65532"
        assert found["Config"]["Entrypoint"] == ["/usr/local/bin/service"]
        assert found["Config"]["ExposedPorts"] == {"8080/tcp": {}}
        assert found["Labels"] == {"some": "label"}
        # and what podman saves of it is that image
        again = str(tmp_path / "again.tar")
        save = ["podman", "save", "--quiet", "--format", "docker-archive", "--output", again, reference]
        subprocess.run(save, check=True, capture_output=True)
        with ImageArchive(again, reference) as archive:
            assert archive.image.id == identity
    finally:
        subprocess.run(["podman", "image", "rm", reference], check=True, capture_output=True)


def test_a_base_keeps_its_layers_and_settings(
    programs: Path, tmp_path: Path, image: t.Callable[..., ImageArchive]
) -> None:
    (tmp_path / "passwd").write_text("app:x:7:7::/:/bin/sh\n", encoding="utf-8")
    base = image({"passwd": tmp_path / "passwd"}, "COPY passwd /etc/passwd", "ENV A=1", "LABEL own=kept", "CMD sh")
    reference = f"{NAME}:based-{os.getpid()}"
    identity = write_image(str(tmp_path / "new.tar"), new_image(programs, reference), base)
    with ImageArchive(str(tmp_path / "new.tar"), reference) as archive:
        assert sorted(archive.files()) == [
            "etc",
            "etc/passwd",
            "usr",
            "usr/local",
            "usr/local/bin",
            "usr/local/bin/service",
        ]
        config = archive.container_config
        assert "A=1" in config["Env"]
        assert (config["Labels"]["own"], config["Labels"]["some"], config["Cmd"]) == ("kept", "label", None)
    subprocess.run(["podman", "load", "--quiet", "--input", tmp_path / "new.tar"], check=True, capture_output=True)
    try:
        answer = subprocess.run(["podman", "image", "inspect", reference], check=True, capture_output=True, text=True)
        assert json.loads(answer.stdout)[0]["Id"] == identity
    finally:
        subprocess.run(["podman", "image", "rm", reference], check=True, capture_output=True)
