# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Builds that the tests make: of images (podman, docker) and of programs (go), instrumented without their doing."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import threading
import typing as t
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.architecture import host_architecture
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import CommandError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.containerfile import expand, parse
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.proof import prove
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Image, Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.arguments import Arguments, read
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.calls import Call
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.context import read_patterns, stage, takes_back
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.instrument import FLAGS, instrumented
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.record import ImageProof, Journal, Record

DOCKER_HUB = "docker.io/library/"
# options of podman build, and of docker build, that take no value
SWITCHES = frozenset(
    [
        *("--all-platforms", "--compress", "--disable-compression", "-D", "--force-rm", "--layers", "--no-cache"),
        *("--no-hosts", "--no-hostname", "--omit-history", "--pull", "--pull-always", "--pull-never", "--push"),
        *("--quiet", "-q", "--rm", "--skip-unused-stages", "--squash", "--squash-all", "--stdin", "--tls-verify"),
        *("--load", "--help", "-h", "--no-cache-filter", "--identity-label", "--inherit-labels"),
    ]
)
# of docker build only; what follows is their value, if any
DOCKER_ONLY = ("--load", "--progress", "--provenance", "--sbom", "--builder")
GO_BUILD = "build"


class Images:
    """The images that the tests build and load: proved, archived once, and known by their ids.

    :arg given: what stands for images of third parties: the name that the tests use, and the name in podman's store.
    """

    def __init__(
        self,
        podman: Podman,
        folder: Path,
        record: Record,
        journal: Journal,
        given: t.Mapping[str, str] | None = None,
    ) -> None:
        self.podman, self.folder, self.record, self.journal = podman, folder, record, journal
        self._given = {normal_name(name): image for name, image in (given or {}).items()}
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()

    def archive(self, reference: str) -> tuple[str, str]:
        """Return the archive of an image under the name that Kubernetes gives it, and its id; a new image is proved.

        :arg reference: as the tests call it. What podman's store has under the names of others stays as it is.
        :raises CommandError: podman has no such image.
        """
        name = normal_name(reference)
        image = self.podman.image(local_name(self.podman, self._given.get(name) or reference))
        if image is None:
            raise CommandError(f"There is no image {reference} in podman's store.", cause="image-unobtainable")
        path = self.folder / f"{image.id}-{hashlib.sha256(name.encode()).hexdigest()[:8]}.tar"
        with self._lock:
            if not path.exists():
                self._save(image, name, str(path))
                self.prove(str(path), name, image.id)
        return str(path), image.id

    def _save(self, image: Image, name: str, path: str) -> None:
        """Save an image under a name that it has for that time only."""
        if name in image.names:
            self.podman.save([name], path)
            return
        before = self.podman.image(name)
        self.podman.tag(image.id, name)
        try:
            self.podman.save([name], path)
        finally:
            if before is None:
                self.podman.untag(name)
            else:
                self.podman.tag(before.id, name)

    def prove(self, archive: str, reference: str, identity: str) -> ImageProof:
        """Find out whether what an image starts counts, and say so, once for each image."""
        known = next((item for item in self.record.images if item.id == identity and identity), None)
        if known is not None:
            return known
        try:
            found = prove(archive, reference, architecture=host_architecture())
            proof = ImageProof(
                *(reference, str(found["id"]), True, ""),
                *(found["go_version"], found["binary"], found["main_package"]),
            )
            said = f"image {reference} is instrumented ({proof.binary}, {proof.go_version})"
        except CoverageError as error:
            proof = ImageProof(reference, identity, False, error.message)
            said = f"image {reference} counts nothing: {error.message}"
        self.record.images.append(proof)
        self.journal.say(said)
        return proof


class ImageBuilds:
    """C(podman) and C(docker) of the tests: builds are instrumented, all else is passed on.

    :arg path: PATH without our programs. :arg other: what is done with all other calls.
    """

    def __init__(
        self,
        images: Images,
        scratch: Path,
        path: str,
        *,
        instrument: bool = True,
        other: t.Callable[[Call, list[str], dict[str, str]], None] = Call.become,
    ) -> None:
        self.images, self.scratch, self.path, self.instrument, self.other = images, scratch, path, instrument, other
        self._numbers = itertools.count(1)

    def __call__(self, call: Call) -> None:
        podman = shutil.which(self.images.podman.executable, path=self.path) or self.images.podman.executable
        argv = _as_podman(call.argv) if call.program == "docker" else call.argv
        environment = {"PATH": self.path}
        at = _build_at(argv)
        if at is None:
            self.other(call, [podman, *argv], environment)
            return
        given = argv[at:]
        arguments = read(given, SWITCHES)
        changed, stdin = (given, None) if not self.instrument else self._changed(call, given, arguments)
        if "--format" not in arguments.options:
            # the id of an image then stays the same in an archive and on a node
            changed = ["--format", "docker", *changed]
        status = call.run([podman, *argv[:at], *changed], environment, stdin)
        if status == 0:
            for reference in arguments.options.get("-t", []) + arguments.options.get("--tag", []):
                try:
                    self.images.archive(reference)
                except CoverageError as error:
                    call.say(error.message)
        call.exit(status)

    def _changed(self, call: Call, given: t.Sequence[str], arguments: Arguments) -> tuple[list[str], t.Optional[str]]:
        """Return the arguments with a Containerfile that instruments, and what is to be piped in."""
        named = arguments.last("-f", "--file")
        context = arguments.words[-1] if arguments.words else "."
        if "://" in context or context.startswith("git@") or context == "-":
            call.say(f"its context is not a folder of this host ({context}): it is built as it is")
            return list(given), None
        path = _containerfile(Path(call.cwd), context, named)
        if named == "-":
            text = call.stdin()
        elif path is None:
            return list(given), None  # podman says what is missing
        else:
            text = path.read_text(encoding="utf-8", errors="surrogateescape")
        # where another stage of the same file is meant, that one counts too: all stages are instrumented
        values = _build_arguments(arguments, call.environment)
        changed = instrumented(text, lambda base: self._inherited(base, text, values), values)
        fresh = self.scratch / f"Containerfile-{next(self._numbers)}"
        fresh.write_text(changed, encoding="utf-8", errors="surrogateescape")
        staged = self._staged(call, Path(call.cwd, context), path) if call.program == "docker" else None
        if staged is not None:
            given = [str(staged) if at == arguments.places[-1] else word for at, word in enumerate(given)]
        elif path is not None:
            _copy_ignore(path, fresh)
        return [*_without_file(given), "--file", str(fresh)], None

    def _staged(self, call: Call, folder: Path, containerfile: t.Optional[Path]) -> t.Optional[Path]:
        """Return a folder with what Docker would take of a context; None where podman takes the same."""
        own = [containerfile.with_name(f"{containerfile.name}.dockerignore")] if containerfile else []
        ignore = next((path for path in [*own, folder / ".dockerignore"] if path.is_file()), None)
        patterns = read_patterns(ignore.read_text(encoding="utf-8", errors="replace")) if ignore else []
        if not takes_back(patterns):
            return None
        target = self.scratch / f"context-{next(self._numbers)}"
        target.mkdir()
        stage(folder, target, patterns)
        return target

    def _inherited(self, base: str, text: str, given: t.Mapping[str, str]) -> str:
        """Return the GOFLAGS that a base image in podman's store sets."""
        values = {name: value or "" for item in parse(text).arguments for name, value in item.variables().items()}
        values.update(given)
        try:
            answer = self.images.podman.run(
                *["image", "inspect", "--format", "{{json .Config.Env}}", expand(base, values)],
                purpose=f"read the environment of {base}",
            )
        except CommandError:
            return ""
        variables = dict(item.partition("=")[::2] for item in json.loads(answer.stdout) or [])
        return str(variables.get("GOFLAGS", ""))


class GoBuilds:
    """C(go) of the tests: C(go build) is instrumented, all else is passed on."""

    def __init__(self, *, instrument: bool = True) -> None:
        self.instrument = instrument

    def __call__(self, call: Call) -> None:
        argv = list(call.argv)
        # go -C FOLDER build
        at = next((place for place, word in enumerate(argv) if word == GO_BUILD and _global(argv[:place])), None)
        if at is not None and self.instrument:
            given = f"{call.environment.get('GOFLAGS', '')} {' '.join(argv[at + 1 :])}".split()
            have = {word.lstrip("-").partition("=")[0] for word in given if word.startswith("-")}
            argv[at + 1 : at + 1] = [flag for flag in FLAGS if flag.lstrip("-").partition("=")[0] not in have]
        # its children, such as the tests of go test, are to find our programs: the PATH stays
        call.become([call.behind, *argv])


def _global(words: t.Sequence[str]) -> bool:
    return not words or (len(words) == 2 and words[0] == "-C") or (len(words) == 1 and words[0].startswith("-C="))


def _build_arguments(arguments: Arguments, environment: t.Mapping[str, str]) -> dict[str, str]:
    """Return what C(--build-arg) gives; a name alone is a variable of the caller."""
    found = {}
    for item in arguments.options.get("--build-arg", []):
        name, equals, value = item.partition("=")
        if equals or name in environment:
            found[name] = value if equals else environment[name]
    return found


def _as_podman(argv: t.Sequence[str]) -> list[str]:
    """Return the arguments of docker as podman understands them."""
    words = list(argv)
    if words[:2] == ["buildx", "build"]:
        words = words[1:]
    if words[:1] != ["build"]:
        return words
    found: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
            continue
        name = word.partition("=")[0]
        if name in DOCKER_ONLY:
            skip = name not in SWITCHES and "=" not in word
            continue
        found.append(word)
    return found


def _build_at(argv: t.Sequence[str]) -> t.Optional[int]:
    """Return where the arguments of a build begin; None where it is none."""
    for words in (["build"], ["image", "build"], ["buildx", "build"]):
        if list(argv[: len(words)]) == words and not {"--help", "-h"} & set(argv):
            return len(words)
    return None


def _containerfile(cwd: Path, context: str, named: str) -> t.Optional[Path]:
    """Return the Containerfile that podman would take; None where there is none."""
    folder = cwd / context
    wanted = [cwd / named, folder / named] if named else [folder / "Containerfile", folder / "Dockerfile"]
    return next((path for path in wanted if path.is_file()), None)


def _copy_ignore(path: Path, fresh: Path) -> None:
    """Keep the list of ignored files that belongs to this Containerfile alone."""
    for end in (".containerignore", ".dockerignore"):
        ignore = path.with_name(path.name + end)
        if ignore.is_file():
            shutil.copyfile(ignore, fresh.with_name(fresh.name + end))


def _without_file(given: t.Sequence[str]) -> list[str]:
    """Return the arguments without the option that names the Containerfile."""
    found: list[str] = []
    skip = False
    for word in given:
        if skip:
            skip = False
        elif word in ("-f", "--file"):
            skip = True
        elif not word.startswith("--file=") and not (word.startswith("-f") and not word.startswith("--")):
            found.append(word)
    return found


def normal_name(reference: str) -> str:
    """Return an image's name as Kubernetes completes it: C(app:1) is C(docker.io/library/app:1)."""
    first, slash, _rest = reference.partition("/")
    if not slash:
        name = f"{DOCKER_HUB}{reference}"
    elif "." in first or ":" in first or first == "localhost":
        name = reference
    else:
        name = f"docker.io/{reference}"
    return name if ":" in name.rpartition("/")[2] or "@" in name else f"{name}:latest"


def check_given(podman: Podman, given: t.Mapping[str, str]) -> None:
    """Refuse images of third parties that are not there, before the tests wait for them.

    :arg given: the name that the tests use, and the name in podman's store.
    :raises InputError: one is not in podman's store.
    """
    for name, image in given.items():
        if podman.image(local_name(podman, image)) is None:
            raise InputError(
                f"There is no image {image} in podman's store, which the suite is to get as {name}.",
                remedy="Pull, load or build it, or name another one.",
                setting="e2e_suite#images",
                cause="image-unobtainable",
            )


def local_name(podman: Podman, reference: str) -> str:
    """Return the name under which podman has an image that the tests call C(reference).

    A name without a registry is C(localhost/...) in podman, and Docker Hub's for Docker and Kubernetes.
    """
    for name in (f"localhost/{reference}" if not reference.startswith("localhost/") else "", normal_name(reference)):
        if name and podman.image(name) is not None:
            return name
    return reference
