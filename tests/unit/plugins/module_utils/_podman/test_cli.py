# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What podman is asked and how its answers (as podman 4.3 gives them) are read; podman itself is in other tests."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import CommandError
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman import cli as lib

INSPECTED = [
    {
        "Id": "69384d597609a39b016ef9f681ae75f0ae895c0ace7a2f08fcdc5162fc8648d1",
        "RepoTags": ["localhost/httpbin:0447df673119"],
        "Config": {
            "User": "65532:65532",
            "ExposedPorts": {"8080/tcp": {}},
            "Entrypoint": ["/usr/local/bin/go-httpbin"],
            "Labels": {"io.kubernaut.coverage": "1"},
        },
        "Architecture": "amd64",
        "Os": "linux",
        "Size": 12900000,
        "Labels": {"io.kubernaut.coverage": "1"},
    }
]
FAKE = """#!/bin/sh
printf '%s\\n' "$@" > {folder}/asked
test -e {folder}/stdin && cat > {folder}/fed
test -e {folder}/error && cat {folder}/error >&2
cat {folder}/answer
exit $(cat {folder}/status)
"""


class Fake:
    """A program in podman's place: gives one answer and remembers what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder, program = folder, folder / "podman"
        program.write_text(FAKE.format(folder=folder))
        program.chmod(0o755)
        self.podman = lib.Podman(str(program))
        self.answer("")

    def answer(self, text: t.Any, status: int = 0) -> None:
        (self.folder / "answer").write_text(text if isinstance(text, str) else json.dumps(text))
        (self.folder / "status").write_text(str(status))

    @property
    def asked(self) -> list[str]:
        return (self.folder / "asked").read_text().splitlines()


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    return Fake(tmp_path)


def test_an_image_is_read(fake: Fake) -> None:
    fake.answer(INSPECTED)
    image = fake.podman.image("httpbin")
    assert fake.asked == ["image", "inspect", "httpbin"]
    assert image == lib.Image(
        id="69384d597609a39b016ef9f681ae75f0ae895c0ace7a2f08fcdc5162fc8648d1",
        names=["localhost/httpbin:0447df673119"],
        labels={"io.kubernaut.coverage": "1"},
        architecture="amd64",
        user="65532:65532",
        entrypoint=["/usr/local/bin/go-httpbin"],
        command=[],
        size=12900000,
    )


def test_an_image_of_which_little_is_known_is_read_too(fake: Fake) -> None:
    fake.answer([{"Id": "sha256:abc", "RepoTags": None, "Config": None, "Labels": {"a": "b"}}])
    assert fake.podman.image("x") == lib.Image("abc", [], {"a": "b"}, "", "", [], [], 0)


def test_an_image_that_is_not_there_is_none(fake: Fake) -> None:
    fake.answer("[]", lib.MISSING)
    assert fake.podman.image("x") is None


def test_a_podman_that_fails_otherwise_is_an_error(fake: Fake) -> None:
    fake.answer("", 126)
    with pytest.raises(CommandError, match="Could not look up image x: podman exited with 126"):
        fake.podman.image("x")
    with pytest.raises(CommandError) as caught:
        lib.Podman("no-such-podman").image("x")
    assert caught.value.cause == "command-not-found"


@pytest.mark.parametrize("nothing", ["", "null", "[]"])
def test_a_list_of_nothing_is_empty(fake: Fake, nothing: str) -> None:
    fake.answer(nothing)
    assert fake.podman.containers() == []
    assert fake.podman.images_with_label("a=b") == []


def test_lists_are_asked_for_with_filters(fake: Fake) -> None:
    fake.answer([{"Id": "a"}])
    assert fake.podman.containers("label=a=b", "name=x") == [{"Id": "a"}]
    assert fake.asked == ["ps", "--all", "--filter", "label=a=b", "--filter", "name=x", "--format", "json"]
    assert fake.podman.images_with_label("a=b") == [{"Id": "a"}]
    assert fake.asked == ["image", "ls", "--filter", "label=a=b", "--format", "json"]


def test_a_build_has_all_that_it_is_given_in_a_fixed_order(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    image = lib.Image("abc", [], {}, "", "", [], [], 0)
    monkeypatch.setattr(fake.podman, "image", lambda _reference: image)
    assert (
        fake.podman.build(
            "/src",
            tags=["a:1", "a:2"],
            containerfile="/src/Containerfile",
            build_args={"B": "2", "A": "1 1"},
            labels={"l": "m"},
            target="run",
            options=["--pull=never"],
        )
        is image
    )
    assert fake.asked == [
        *["build", "--format", "docker", "--layers", "--tag", "a:1", "--tag", "a:2"],
        *["--build-arg", "A=1 1", "--build-arg", "B=2", "--label", "l=m"],
        *["--file", "/src/Containerfile", "--target", "run", "--pull=never", "/src"],
    ]
    monkeypatch.setattr(fake.podman, "image", lambda _reference: None)
    with pytest.raises(CommandError, match="but the image does not exist"):
        fake.podman.build("/src", tags=["a:1"])


def test_an_archive_appears_whole_or_not_at_all(fake: Fake, tmp_path: Path) -> None:
    archive = tmp_path / "images" / "a.tar"
    archive.parent.mkdir()
    archive.write_text("the old one")
    fake.answer("", 125)
    with pytest.raises(CommandError, match="save a:1 as"):
        fake.podman.save(["a:1"], str(archive))
    assert archive.read_text() == "the old one"
    # a podman that writes
    (tmp_path / "podman").write_text('#!/bin/sh\nfor last; do :; done\necho "$@" > "$6"\n')
    with archive.open() as whoever_reads_it:
        fake.podman.save(["a:1"], str(archive))
        assert whoever_reads_it.read() == "the old one"
    written = archive.read_text().split()
    assert written[:5] == ["save", "--quiet", "--format", "docker-archive", "--output"]
    assert written[6:] == ["a:1"]
    assert [path.name for path in archive.parent.iterdir()] == ["a.tar"]


def test_an_archive_of_many_says_so(fake: Fake, tmp_path: Path) -> None:
    fake.answer("", 125)
    with pytest.raises(CommandError):
        fake.podman.save(["a:1", "b:1"], str(tmp_path / "a.tar"))
    assert "--multi-image-archive" in fake.asked
    assert fake.asked[-2:] == ["a:1", "b:1"]


def test_a_command_in_a_container_is_fed_only_if_there_is_something(fake: Fake, tmp_path: Path) -> None:
    fake.podman.exec("node", "ctr", "images", "ls", purpose="list")
    assert fake.asked == ["exec", "node", "ctr", "images", "ls"]
    (tmp_path / "stdin").touch()
    fake.podman.exec("node", "cat", purpose="feed", stdin=b"data")
    assert fake.asked == ["exec", "--interactive", "node", "cat"]
    assert (tmp_path / "fed").read_bytes() == b"data"


@pytest.mark.parametrize(
    ("call", "asked"),
    [
        (lambda podman: podman.load("/a.tar"), ["load", "--quiet", "--input", "/a.tar"]),
        (lambda podman: podman.remove_image("a:1"), ["image", "rm", "a:1"]),
        (lambda podman: podman.tag("a:1", "b:1"), ["tag", "a:1", "b:1"]),
        (lambda podman: podman.copy_out("node", "/x/.", "/y"), ["cp", "node:/x/.", "/y"]),
    ],
)
def test_the_rest_is_asked_as_it_is(fake: Fake, call: t.Callable[[lib.Podman], None], asked: list[str]) -> None:
    call(fake.podman)
    assert fake.asked == asked


def test_an_image_that_is_gone_already_is_removed(fake: Fake) -> None:
    fake.answer("", 1)
    fake.podman.remove_image("a:1")
    fake.answer("", 2)
    with pytest.raises(CommandError):
        fake.podman.remove_image("a:1")


@pytest.mark.parametrize(
    ("said", "times", "attempts"),
    [("getting top layer info: layer not known", 1, 2), ("layer not known", 9, 3), ("no such file", 9, 1)],
)
def test_a_build_that_another_process_disturbed_is_done_again(
    tmp_path: Path, said: str, times: int, attempts: int
) -> None:
    program, tried = tmp_path / "podman", tmp_path / "tried"
    script = f"""#!/bin/sh
[ "$1" = build ] || exit 1
echo >> {tried}
[ $(wc -l < {tried}) -gt {times} ] && exit 0
echo "Error: {said}" >&2
exit 125
"""
    program.write_text(script, encoding="utf-8")
    program.chmod(0o755)
    with pytest.raises(CommandError) as caught:
        lib.Podman(str(program)).build(str(tmp_path), tags=["localhost/x:1"])
    assert len(tried.read_text().splitlines()) == attempts
    # where a later attempt went well, it is only that this podman has no image to tell of
    assert ("build image" not in caught.value.message.lower()) is (attempts == 2)
