# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the node image's recipe that decide something. Molecule proves the recipe as a whole."""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import json
import os
import subprocess
import tarfile
import types
from pathlib import Path

import pytest

RECIPE = Path(__file__).resolve().parents[3] / "roles/coverage_runner/files/kind_node"


@pytest.fixture(scope="module")
def build() -> types.ModuleType:
    """The recipe's program as a module; it has no ending in its name."""
    loader = importlib.machinery.SourceFileLoader("kind_node_build", str(RECIPE / "build.py"))
    spec = importlib.util.spec_from_loader("kind_node_build", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


# where Debian's packages come from

DEBIAN = {"ID": "debian", "VERSION_CODENAME": "bookworm"}


def _apt(folder: Path, **files: str) -> Path:
    (folder / "sources.list.d").mkdir()
    for name, text in files.items():
        path = folder / "sources.list" if name == "main" else folder / "sources.list.d" / name.replace("_", ".")
        path.write_text(text, encoding="utf-8")
    return folder


def test_both_forms_of_apts_sources_are_read(build: types.ModuleType, tmp_path: Path) -> None:
    folder = _apt(
        tmp_path,
        main="# deb http://off/debian bookworm main\n"
        "deb [arch=amd64 signed-by=/k.gpg] http://one/debian bookworm main contrib\n"
        "deb-src http://source/debian bookworm main\n",
        debian_sources="Types: deb\n# a comment\nURIs: http://two/debian\nSuites: bookworm bookworm-updates\n"
        "Components: main\nSigned-By: /k.gpg\n\nTypes: deb deb-src\nURIs: http://three/debian\n http://four/debian\n"
        "Suites: trixie\nComponents: main\n\nEnabled: no\nTypes: deb\nURIs: http://off/debian\nSuites: sid\n",
        old_list="deb http://five/debian sid main\n",
        debian_sources_save="Types: deb\nURIs: http://backup\nSuites: x\n",
    )
    assert build.apt_sources(folder) == [
        ("http://one/debian", "bookworm", ["main", "contrib"]),
        ("http://two/debian", "bookworm", ["main"]),
        ("http://two/debian", "bookworm-updates", ["main"]),
        ("http://three/debian", "trixie", ["main"]),
        ("http://four/debian", "trixie", ["main"]),
        ("http://five/debian", "sid", ["main"]),
    ]


@pytest.mark.parametrize(
    ("release", "sources", "chosen"),
    [
        (
            DEBIAN,
            [("http://extra", "bookworm", ["contrib"]), ("http://m", "bookworm", ["main"])],
            ("http://m", "bookworm", ["main"]),
        ),
        # a newer Debian has an archive with all releases: a node is the proved one
        (
            {"ID": "debian", "VERSION_CODENAME": "trixie"},
            [("http://m", "trixie", ["main"])],
            ("http://m", "bookworm", ["main"]),
        ),
        (
            {"ID": "ubuntu", "VERSION_CODENAME": "noble"},
            [("http://u", "noble", ["main", "universe"])],
            ("http://u", "noble", ["main", "universe"]),
        ),
        (
            DEBIAN,
            [("cdrom:[x]", "bookworm", ["main"]), ("file:/srv/m", "bookworm", ["main"])],
            ("file:/srv/m", "bookworm", ["main"]),
        ),
    ],
)
def test_the_archive_is_that_of_the_host(
    build: types.ModuleType, monkeypatch: pytest.MonkeyPatch, release: dict, sources: list, chosen: tuple
) -> None:
    for name in ("KIND_NODE_MIRROR", "KIND_NODE_SUITE"):
        monkeypatch.delenv(name, raising=False)
    assert build.debian_archive(release, sources) == chosen
    monkeypatch.setenv("KIND_NODE_MIRROR", "http://mine")
    monkeypatch.setenv("KIND_NODE_SUITE", "trixie")
    assert build.debian_archive(release, sources)[:2] == ("http://mine", "trixie")


def test_no_archive_is_an_error_that_names_the_variable(
    build: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KIND_NODE_MIRROR", raising=False)
    with pytest.raises(build.StepError, match="KIND_NODE_MIRROR"):
        build.debian_archive(DEBIAN, [("https://other", "stable", ["main"])])


# programs


def test_the_version_is_that_of_the_pinned_module(build: types.ModuleType) -> None:
    version = build.kubernetes_version()
    assert version == "v1.34.4"
    flags = build.kubernetes_ldflags(version)
    assert "-X k8s.io/component-base/version.gitVersion=v1.34.4" in flags
    assert "-X k8s.io/client-go/pkg/version.gitMinor=34" in flags


def test_every_module_is_pinned_with_its_digest() -> None:
    pinned = 0
    for module in ("hyperkube", "coredns", "local_path_provisioner"):
        sums = (RECIPE / module / "go.sum").read_text(encoding="utf-8")
        for line in (RECIPE / module / "go.mod").read_text(encoding="utf-8").splitlines():
            words = line.removeprefix("require ").split()
            if len(words) >= 2 and words[1].startswith("v") and "=>" not in line and words[1] != "v0.0.0":
                assert f"{words[0]} {words[1]}/go.mod h1:" in sums
                pinned += 1
    assert pinned > 100


def test_a_failed_program_is_quoted_without_passwords(build: types.ModuleType, tmp_path: Path) -> None:
    with pytest.raises(build.StepError) as caught:
        build.run(
            ["sh", "-c", "echo one; echo two >&2; exit 4", "http://anna:secret@mirror/"],
            purpose="try",
            log=tmp_path / "log",
        )
    text = str(caught.value)
    assert text.startswith("could not try: sh ended with 4\n$ sh -c")
    assert "one\ntwo" in text
    assert "http://***@mirror/" in text
    assert "secret" not in text
    assert (tmp_path / "log").read_text(encoding="utf-8") == "one\ntwo\n"


def test_a_program_that_is_missing_is_named(build: types.ModuleType) -> None:
    with pytest.raises(build.StepError, match="debootstrapp cannot be started"):
        build.run(["debootstrapp"], purpose="install Debian")


# steps


def test_a_step_is_done_while_its_inputs_are_the_same(build: types.ModuleType, tmp_path: Path) -> None:
    result = tmp_path / "result"
    step = build.Step(tmp_path, "one", result, ["a", 1])
    assert not step.done()
    step.start()
    result.write_text("x", encoding="utf-8")
    assert not step.done(), "half a result is none"
    step.finish()
    assert build.Step(tmp_path, "one", result, ["a", 1]).done()
    assert not build.Step(tmp_path, "one", result, ["a", 2]).done()
    result.unlink()
    assert not step.done()


def test_remove_tree_never_removes_what_is_mounted_there(build: types.ModuleType, tmp_path: Path) -> None:
    kept, tree = tmp_path / "kept", tmp_path / "tree"
    kept.mkdir()
    (kept / "file").write_text("x", encoding="utf-8")
    (tree / "mounted").mkdir(parents=True)
    subprocess.run(["mount", "--bind", kept, tree / "mounted"], check=True)
    build.remove_tree(tree)
    assert not tree.exists()
    assert (kept / "file").exists()


# images inside the node


def test_a_layout_is_what_skopeo_and_podman_take_for_an_image(build: types.ModuleType, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    layout = build.Layout(tmp_path / "layout")
    shared = layout.layer([("usr/bin/program", program), ("usr/bin/other", "program")])
    layout.image(["localhost/coverage-test-layout:1", "localhost/coverage-test-layout:2"], [shared], Entrypoint=["/x"])
    layout.image(["localhost/coverage-test-layout:3"], [shared, layout.layer([("etc/word", program)])])
    layout.finish()

    index = json.loads((tmp_path / "layout/index.json").read_text(encoding="utf-8"))
    names = [entry["annotations"]["io.containerd.image.name"] for entry in index["manifests"]]
    assert names == [f"localhost/coverage-test-layout:{number}" for number in (1, 2, 3)]
    for blob in (tmp_path / "layout/blobs/sha256").iterdir():
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    with tarfile.open(tmp_path / "layout/blobs/sha256" / shared["digest"].removeprefix("sha256:")) as layer:
        members = {member.name: (member.type, member.mode, member.mtime, member.uid) for member in layer}
        assert layer.getmember("usr/bin/other").linkname == "program"
    assert members["usr/bin/program"] == (tarfile.REGTYPE, 0o755, 0, 0)
    assert members["usr/bin"][0] == tarfile.DIRTYPE

    # podman judges whether it is an OCI layout: it takes one image of it by its digest
    index["manifests"] = [{**index["manifests"][2], "annotations": {"org.opencontainers.image.ref.name": "three"}}]
    (tmp_path / "layout/index.json").write_text(json.dumps(index), encoding="utf-8")
    pulled = subprocess.run(
        ["podman", "pull", "--quiet", f"oci:{tmp_path}/layout:three"], check=True, capture_output=True, text=True
    ).stdout.strip()
    try:
        found = json.loads(
            subprocess.run(["podman", "image", "inspect", pulled], check=True, capture_output=True, text=True).stdout
        )
        assert found[0]["RootFS"]["Layers"][0] == shared["digest"]
        assert len(found[0]["RootFS"]["Layers"]) == 2
    finally:
        subprocess.run(["podman", "image", "rm", "--force", pulled], check=True, capture_output=True)


def test_equal_contents_give_equal_digests(build: types.ModuleType, tmp_path: Path) -> None:
    digests = set()
    for number in (1, 2):
        source = tmp_path / f"file{number}"
        source.write_text("same", encoding="utf-8")
        os.utime(source, (number, number))
        digests.add(build.Layout(tmp_path / f"layout{number}").layer([("file", source)])["digest"])
    assert len(digests) == 1


def test_links_are_followed_as_in_the_nodes_own_root(build: types.ModuleType, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "usr/lib/x").mkdir(parents=True)
    (root / "usr/lib/x/libm.so.6.1").write_text("m", encoding="utf-8")
    (root / "usr/lib/x/libm.so.6").symlink_to("libm.so.6.1")
    (root / "lib").symlink_to("usr/lib")
    (root / "usr/lib64").mkdir()
    # absolute: on the host it would lead to the host's own file
    (root / "usr/lib64/ld.so").symlink_to("/lib/x/../x/libm.so.6")
    assert build.inside(root, "/usr/lib64/ld.so") == root / "usr/lib/x/libm.so.6.1"
    (root / "loop").symlink_to("/loop")
    with pytest.raises(build.StepError, match="links of /loop"):
        build.inside(root, "/loop")


# the command line


@pytest.mark.parametrize("arguments", [[], ["work", "image"], ["work", "image", "no hash"]])
def test_wrong_arguments_show_how_it_is_called(arguments: list[str]) -> None:
    ended = subprocess.run([RECIPE / "build", *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "usage: build WORKDIR IMAGE RECIPE_HASH" in ended.stderr
    assert ended.stdout == ""


def test_a_failing_step_ends_the_others_and_says_why(tmp_path: Path) -> None:
    # Go is there and says nothing useful; Debian's archive is nowhere
    fakes = tmp_path / "bin"
    fakes.mkdir()
    (fakes / "go").write_text('#!/bin/sh\n[ "$1" = env ] && exec echo go1.26\nexec sleep infinity\n', encoding="utf-8")
    (fakes / "go").chmod(0o755)
    ended = subprocess.run(
        [RECIPE / "build", tmp_path / "work", "localhost/coverage-test-none:1", "0" * 64],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,  # were the others not ended, this would never return
        env={**os.environ, "PATH": f"{fakes}:{os.environ['PATH']}", "KIND_NODE_MIRROR": "file:/nonexistent"},
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("could not install Debian packages of bookworm: unshare ended with ")
    assert "file:/nonexistent" in ended.stderr
    assert "compile Kubernetes (1 of 4): find its packages" in ended.stdout
