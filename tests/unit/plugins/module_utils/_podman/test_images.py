# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images by an ordered list of ways, with a real podman, real archives and a registry that speaks the real protocol."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import json
import os
import shutil
import socket
import tarfile
import threading
import typing as t
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.images import (
    RECIPE_LABEL,
    ImageError,
    ImageRequest,
    obtain,
    read_archive,
    recipe_hash,
    remove,
)

PODMAN = Podman()


@pytest.fixture
def name() -> t.Iterator[str]:
    """A name for an image that nobody else uses; the image is gone afterwards."""
    given = f"localhost/coverage-test-{uuid.uuid4().hex[:8]}:1"
    yield given
    remove(PODMAN, given)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    folder = tmp_path / "recipe"
    folder.mkdir()
    (folder / "Containerfile").write_text("FROM scratch\nCOPY word /word\n", encoding="utf-8")
    # every test its own content, so that no image of another test has the same id
    (folder / "word").write_text(uuid.uuid4().hex, encoding="utf-8")
    return folder


# the hash of a recipe


def test_recipe_hash_is_of_names_contents_and_what_can_be_executed(recipe: Path) -> None:
    seen = [recipe_hash(str(recipe))]
    assert len(seen[0]) == 64
    (recipe / "word").chmod(0o600)
    assert recipe_hash(str(recipe)) == seen[0], "a checkout's umask is no change"
    (recipe / "word").chmod(0o700)
    seen.append(recipe_hash(str(recipe)))
    (recipe / "word").write_text("other", encoding="utf-8")
    seen.append(recipe_hash(str(recipe)))
    (recipe / "word").rename(recipe / "ward")
    seen.append(recipe_hash(str(recipe)))
    (recipe / "link").symlink_to("ward")
    seen.append(recipe_hash(str(recipe)))
    (recipe / "below").mkdir()
    (recipe / "below/ward").write_text("other", encoding="utf-8")
    seen.append(recipe_hash(str(recipe)))
    assert len(set(seen)) == len(seen)


def test_recipe_hash_is_the_same_elsewhere(recipe: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(recipe, tmp_path / "a copy")
    assert recipe_hash(str(copy)) == recipe_hash(str(recipe))


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir], ids=["no folder", "an empty one"])
def test_what_is_no_recipe_is_refused(tmp_path: Path, make: t.Callable[[Path], None]) -> None:
    make(tmp_path / "recipe")
    with pytest.raises(InputError, match="recipe"):
        recipe_hash(str(tmp_path / "recipe"))


# present and build


def test_built_once_then_present_then_built_again_for_another_recipe(name: str, recipe: Path) -> None:
    request = ImageRequest(name=name, recipe=str(recipe))
    first = obtain(PODMAN, request)
    assert (first.way, first.changed) == ("build", True)
    assert [item["way"] for item in first.tried] == ["present", "archive", "registry"]
    image = PODMAN.image(name)
    assert image is not None
    assert image.labels[RECIPE_LABEL] == recipe_hash(str(recipe)) == first.recipe_hash

    second = obtain(PODMAN, request)
    assert (second.way, second.changed, second.id, second.tried) == ("present", False, first.id, [])

    (recipe / "word").write_text(uuid.uuid4().hex, encoding="utf-8")
    third = obtain(PODMAN, request)
    assert (third.way, third.changed) == ("build", True)
    assert third.id != first.id
    assert "another recipe" in third.tried[0]["reason"]
    assert PODMAN.image(first.id) is None, "what was replaced and has no other name is removed"


def test_a_containerfile_is_built_each_time_and_is_a_change_where_another_image_comes_of_it(
    name: str, recipe: Path, tmp_path: Path
) -> None:
    file = tmp_path / "tests.Containerfile"
    # one step: those between would stay in podman's store
    file.write_text("ARG BASE\nFROM ${BASE}\nCOPY word /word\n", encoding="utf-8")
    request = ImageRequest(name=name, containerfile=str(file), context=str(recipe), build_args={"BASE": "scratch"})
    first, second = obtain(PODMAN, request), obtain(PODMAN, request)
    assert [(outcome.way, outcome.changed) for outcome in (first, second)] == [("build", True), ("build", False)]
    assert "only a build can show" in second.tried[0]["reason"]
    (recipe / "word").write_text(uuid.uuid4().hex, encoding="utf-8")
    third = obtain(PODMAN, request)
    assert third.changed
    assert third.id != first.id


@pytest.mark.parametrize(
    ("change", "setting"),
    [
        ({"containerfile": "/nowhere/Containerfile"}, "containerfile"),
        ({"context": "/nowhere"}, "context"),
        ({"recipe": "RECIPE"}, "recipe"),
    ],
)
def test_a_containerfile_that_cannot_be_built_by_is_refused(recipe: Path, change: dict[str, str], setting: str) -> None:
    given = {"containerfile": str(recipe / "Containerfile"), "context": str(recipe), **change}
    given = {key: str(recipe) if value == "RECIPE" else value for key, value in given.items()}
    with pytest.raises(InputError) as caught:
        obtain(PODMAN, ImageRequest(name="localhost/never:1", **t.cast("t.Any", given)))
    assert caught.value.setting == setting


def test_what_was_replaced_stays_if_it_has_another_name(name: str, recipe: Path) -> None:
    first = obtain(PODMAN, ImageRequest(name=name, recipe=str(recipe)))
    other = name.replace(":1", ":kept")
    PODMAN.run("tag", first.id, other, purpose="keep it")
    (recipe / "word").write_text(uuid.uuid4().hex, encoding="utf-8")
    obtain(PODMAN, ImageRequest(name=name, recipe=str(recipe)))
    try:
        kept = PODMAN.image(other)
        assert kept is not None
        assert kept.id == first.id
    finally:
        remove(PODMAN, other)


def test_an_image_without_the_label_came_from_elsewhere_and_is_present(name: str, recipe: Path) -> None:
    PODMAN.build(str(recipe), tags=[name])
    assert obtain(PODMAN, ImageRequest(name=name, recipe=str(recipe))).way == "present"


def test_the_order_of_the_ways_is_the_callers(name: str, recipe: Path) -> None:
    request = ImageRequest(name=name, recipe=str(recipe), ways=["build", "present"])
    first = obtain(PODMAN, request)
    second = obtain(PODMAN, request)
    assert (first.way, second.way) == ("build", "build")
    assert second.tried == []
    # the layers are cached: it is the same image, so nothing changed
    assert (second.id, second.changed) == (first.id, False)


def test_an_executable_build_is_called_with_folder_name_and_hash(name: str, recipe: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    program = recipe / "build"
    program.write_text(
        f'#!/bin/sh\nset -eu\necho step one\nprintf "%s\\n" "$@" >"$1/called"\ncp {recipe}/word "$1/word"\n'
        f'tar -C "$1" -c word | podman import --quiet --change "LABEL {RECIPE_LABEL}=$3" - "$2"\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    outcome = obtain(PODMAN, ImageRequest(name=name, recipe=str(recipe), work_dir=str(work)))
    assert outcome.way == "build"
    assert (work / "called").read_text(encoding="utf-8").split() == [str(work), name, recipe_hash(str(recipe))]
    assert obtain(PODMAN, ImageRequest(name=name, recipe=str(recipe), work_dir=str(work))).way == "present"


def test_progress_of_a_build_is_reported(
    name: str, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBERNAUT_COVERAGE_PROGRESS", str(tmp_path / "progress"))
    obtain(PODMAN, ImageRequest(name=name, recipe=str(recipe)))
    said = (tmp_path / "progress").read_text(encoding="utf-8").splitlines()
    assert any(line.rpartition("\t")[2].startswith(f"build {name}: STEP") for line in said)


def test_a_failed_build_ends_the_search_and_quotes_the_end_of_its_log(name: str, recipe: Path, tmp_path: Path) -> None:
    program = recipe / "build"
    program.write_text(
        "#!/bin/sh\necho fetching\necho could not reach http://anna:secret@mirror/x >&2\nexit 3\n", encoding="utf-8"
    )
    program.chmod(0o755)
    request = ImageRequest(name=name, recipe=str(recipe), work_dir=str(tmp_path), ways=["present", "build", "archive"])
    with pytest.raises(ImageError) as caught:
        obtain(PODMAN, request)
    verdict = caught.value.result()["verdict"]
    assert verdict["cause"] == "image-build-failed"
    assert "exited with 3" in verdict["sentence"]
    assert "could not reach http://***@mirror/x" in verdict["evidence"]
    assert "secret" not in json.dumps(caught.value.result())


def test_a_build_that_leaves_no_image_is_no_success(name: str, recipe: Path, tmp_path: Path) -> None:
    program = recipe / "build"
    program.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    program.chmod(0o755)
    with pytest.raises(ImageError, match="left no image"):
        obtain(PODMAN, ImageRequest(name=name, recipe=str(recipe), work_dir=str(tmp_path)))


def test_a_program_needs_a_folder_before_anything_is_tried(name: str, recipe: Path) -> None:
    (recipe / "build").write_text("#!/bin/sh\n", encoding="utf-8")
    (recipe / "build").chmod(0o755)
    with pytest.raises(InputError, match="needs a working folder"):
        obtain(PODMAN, ImageRequest(name=name, recipe=str(recipe)))


# archive


@pytest.fixture
def archive(name: str, recipe: Path, tmp_path: Path) -> str:
    """An archive that another host saved, of an image that is not here."""
    path = tmp_path / "saved/image.tar"
    saved = obtain(PODMAN, ImageRequest(name=name, recipe=str(recipe), save_to=str(path)))
    assert saved.saved == str(path)
    remove(PODMAN, name)
    return str(path)


def test_a_second_host_takes_the_archive(name: str, recipe: Path, archive: str) -> None:
    request = ImageRequest(name=name, archive=archive, recipe=str(recipe))
    outcome = obtain(PODMAN, request)
    assert (outcome.way, outcome.changed) == ("archive", True)
    image = PODMAN.image(name)
    assert image is not None
    assert image.id == outcome.id
    assert obtain(PODMAN, request).way == "present"


def test_an_image_in_the_archive_gets_the_name_that_is_wanted(name: str, archive: str) -> None:
    other = name.replace(":1", ":other")
    try:
        outcome = obtain(PODMAN, ImageRequest(name=other, archive=archive))
        image = PODMAN.image(other)
        assert image is not None
        assert image.id == outcome.id
    finally:
        remove(PODMAN, other)


def test_an_archive_of_another_recipe_is_not_even_loaded(name: str, recipe: Path, archive: str) -> None:
    held = read_archive(archive)
    assert held is not None
    (recipe / "word").write_text(uuid.uuid4().hex, encoding="utf-8")
    outcome = obtain(PODMAN, ImageRequest(name=name, archive=archive, recipe=str(recipe)))
    assert outcome.way == "build"
    assert "another recipe" in next(item["reason"] for item in outcome.tried if item["way"] == "archive")
    assert PODMAN.image(held[0].id) is None


def test_a_saved_archive_is_written_once(name: str, recipe: Path, archive: str) -> None:
    request = ImageRequest(name=name, archive=archive, recipe=str(recipe), save_to=archive)
    before = Path(archive).stat().st_mtime_ns
    assert obtain(PODMAN, request).saved == ""
    assert Path(archive).stat().st_mtime_ns == before
    (recipe / "word").write_text(uuid.uuid4().hex, encoding="utf-8")
    again = obtain(PODMAN, request)
    assert (again.saved, again.changed) == (archive, True)
    held = read_archive(archive)
    assert held is not None
    assert [image.id for image in held] == [again.id]


def test_archives_are_read_in_both_layouts_and_compressed(name: str, recipe: Path, tmp_path: Path) -> None:
    image = PODMAN.build(str(recipe), tags=[name], labels={"key": "value"})
    found = {}
    for layout in ("docker-archive", "oci-archive"):
        path = tmp_path / layout
        PODMAN.run("save", "--quiet", "--format", layout, "--output", str(path), name, purpose="save")
        with path.open("rb") as plain, gzip.open(f"{path}.gz", "wb") as packed:
            shutil.copyfileobj(plain, packed)
        found[layout] = read_archive(str(path))
        assert read_archive(f"{path}.gz") == found[layout]
    docker, oci = found["docker-archive"], found["oci-archive"]
    assert docker is not None
    assert oci is not None
    assert [(held.id, held.names, held.labels["key"]) for held in docker] == [(image.id, [name], "value")]
    assert [held.labels["key"] for held in oci] == ["value"]
    # and what was read is what podman makes of it
    remove(PODMAN, name)
    outcome = obtain(PODMAN, ImageRequest(name=name, archive=str(tmp_path / "oci-archive")))
    assert outcome.id == oci[0].id


@pytest.mark.parametrize("content", [b"", b"no archive", gzip.compress(b"nor this", mtime=0)])
def test_a_file_that_is_no_archive_is_a_reason_and_no_crash(name: str, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(content)
    assert read_archive(str(path)) is None
    with pytest.raises(ImageError) as caught:
        obtain(PODMAN, ImageRequest(name=name, archive=str(path), ways=["archive"]))
    assert caught.value.evidence[0].startswith("archive: ")


def test_an_archive_of_several_images_must_name_the_one(name: str, recipe: Path, tmp_path: Path) -> None:
    names = [name, name.replace(":1", ":2")]
    PODMAN.build(str(recipe), tags=[names[0]])
    (recipe / "word").write_text("second", encoding="utf-8")
    PODMAN.build(str(recipe), tags=[names[1]])
    path = str(tmp_path / "both.tar")
    PODMAN.save(names, path)
    for each in names:
        remove(PODMAN, each)
    with pytest.raises(ImageError, match=f"2 images, none named localhost/none:1: {names[0]}, {names[1]}"):
        obtain(PODMAN, ImageRequest(name="localhost/none:1", archive=path, ways=["archive"]))
    try:
        outcome = obtain(PODMAN, ImageRequest(name=names[1], archive=path, ways=["archive"]))
        image = PODMAN.image(names[1])
        assert image is not None
        assert image.id == outcome.id
    finally:
        remove(PODMAN, names[1])


# registry


class Registry(http.server.BaseHTTPRequestHandler):
    """The reading half of the distribution protocol, over the blobs of one OCI archive."""

    blobs: t.ClassVar[dict[str, bytes]] = {}
    manifest = ""

    def do_GET(self) -> None:
        parts = self.path.strip("/").split("/")
        if parts == ["v2"]:
            self._answer(b"{}", "application/json")
        elif parts[-2] == "manifests" and parts[-1] in ("1", self.manifest):
            self._answer(self.blobs[self.manifest], "application/vnd.oci.image.manifest.v1+json")
        elif parts[-2] == "blobs" and parts[-1] in self.blobs:
            self._answer(self.blobs[parts[-1]], "application/octet-stream")
        else:
            self._answer(b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}', "application/json", 404)

    do_HEAD = do_GET

    def _answer(self, body: bytes, kind: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Docker-Content-Digest", f"sha256:{hashlib.sha256(body).hexdigest()}")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def registry(name: str, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[str]:
    """The address of a registry that has the recipe's image as C(thing:1), and nothing else has it."""
    archive = tmp_path / "registry.tar"
    PODMAN.build(str(recipe), tags=[name])
    PODMAN.run("save", "--quiet", "--format", "oci-archive", "--output", str(archive), name, purpose="save")
    remove(PODMAN, name)
    with tarfile.open(archive) as opened:
        blobs = {
            f"sha256:{Path(member.name).name}": t.cast("t.IO[bytes]", opened.extractfile(member)).read()
            for member in opened
            if member.isfile() and member.name.startswith("blobs/")
        }
        index = json.load(t.cast("t.IO[bytes]", opened.extractfile("index.json")))
    handler = type("Handler", (Registry,), {"blobs": blobs, "manifest": index["manifests"][0]["digest"]})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"127.0.0.1:{server.server_address[1]}"
    settings = tmp_path / "registries.conf"
    settings.write_text(f'[[registry]]\nlocation = "{address}"\ninsecure = true\n', encoding="utf-8")
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(settings))
    yield address
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_image_is_pulled_and_named(name: str, registry: str) -> None:
    request = ImageRequest(name=name, source=f"{registry}/thing:1", ways=["present", "registry", "build"])
    try:
        outcome = obtain(PODMAN, request)
        assert (outcome.way, outcome.changed) == ("registry", True)
        image = PODMAN.image(name)
        assert image is not None
        assert image.id == outcome.id
        second = obtain(PODMAN, request)
        assert (second.way, second.changed) == ("present", False)
    finally:
        remove(PODMAN, f"{registry}/thing:1")


def test_a_registry_without_the_image_is_a_reason(name: str, registry: str, recipe: Path) -> None:
    request = ImageRequest(name=name, source=f"{registry}/thing:2", recipe=str(recipe))
    outcome = obtain(PODMAN, request)
    assert outcome.way == "build"
    assert outcome.tried[-1]["way"] == "registry"
    assert "manifest" in outcome.tried[-1]["reason"]


def test_a_registry_that_never_answers_is_given_up_soon(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ansible_collections.kubernaut.coverage.plugins.module_utils._podman.images.REGISTRY_TIMEOUT", 1.0
    )
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = f"127.0.0.1:{silent.getsockname()[1]}/thing:1"
        with pytest.raises(ImageError, match="no answer within 1 s"):
            obtain(PODMAN, ImageRequest(name=name, source=source, ways=["registry"]))


# none, and check mode


def test_if_no_way_serves_the_error_has_every_reason(name: str, tmp_path: Path) -> None:
    with pytest.raises(ImageError) as caught:
        obtain(PODMAN, ImageRequest(name=name, archive=str(tmp_path / "none.tar")))
    assert caught.value.evidence == [
        "present: podman has no image of that name",
        f"archive: there is no file {tmp_path}/none.tar",
        "registry: no registry reference is given, and the name is local to this host",
        "build: no recipe is given",
    ]
    for reason in caught.value.evidence:
        assert reason in caught.value.message


@pytest.mark.parametrize("ways", [[], ["present", "download"]])
def test_unknown_ways_are_refused(name: str, ways: list[str]) -> None:
    with pytest.raises(InputError, match="Image sources are present, archive, registry, build"):
        obtain(PODMAN, ImageRequest(name=name, ways=ways))


def test_check_mode_predicts_and_does_nothing(name: str, recipe: Path, archive: str) -> None:
    request = ImageRequest(name=name, archive=archive, recipe=str(recipe), save_to=f"{archive}.again")
    predicted = obtain(PODMAN, request, check_mode=True)
    assert (predicted.way, predicted.changed) == ("archive", True)
    assert PODMAN.image(name) is None
    assert not Path(f"{archive}.again").exists()
    assert obtain(PODMAN, request).id == predicted.id

    built = obtain(PODMAN, replace(request, archive="", name=f"{name}2"), check_mode=True)
    assert (built.way, built.changed, built.id) == ("build", True, "")
    settled = obtain(PODMAN, request, check_mode=True)
    assert (settled.way, settled.changed) == ("present", False)


def test_check_mode_on_a_host_without_podman(name: str, recipe: Path) -> None:
    nobody = Podman("/nonexistent/podman")
    predicted = obtain(nobody, ImageRequest(name=name, recipe=str(recipe)), check_mode=True)
    assert (predicted.way, predicted.changed) == ("build", True)
    assert remove(nobody, name) is False


def test_removing_takes_the_name_once(name: str, recipe: Path) -> None:
    obtain(PODMAN, ImageRequest(name=name, recipe=str(recipe)))
    assert remove(PODMAN, name, check_mode=True) is True
    assert PODMAN.image(name) is not None
    assert remove(PODMAN, name) is True
    assert remove(PODMAN, name) is False


def test_the_environment_of_the_caller_reaches_the_build(
    name: str, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # proxies, certificates and Go's settings are given to a recipe this way
    monkeypatch.setenv("COVERAGE_TEST_WORD", "through")
    program = recipe / "build"
    program.write_text('#!/bin/sh\necho "$COVERAGE_TEST_WORD" >"$1/word"\nexit 1\n', encoding="utf-8")
    program.chmod(0o755)
    with pytest.raises(ImageError):
        obtain(PODMAN, ImageRequest(name=name, recipe=str(recipe), work_dir=str(tmp_path)))
    assert (tmp_path / "word").read_text(encoding="utf-8") == "through\n"
    assert os.environ["COVERAGE_TEST_WORD"] == "through"
