# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""An image by an ordered list of ways: already present, from an archive, from a registry, built here.

Each way either gives the image or says in a phrase why it does not serve; the first that gives it ends the search. What
is built here carries the hash of its recipe as a label, and from then on serves only as long as the recipe is the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import tarfile
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import CommandError, last_lines, run
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.checksums import damage_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Image, Podman

RECIPE_LABEL = "coverage.kubernaut.io/recipe"
WAYS = ("present", "archive", "registry", "build")
LOCAL = "localhost/"
# asking a registry for a manifest is one small answer: who takes longer is not in reach
REGISTRY_TIMEOUT = 20.0


class ImageError(CoverageError):
    """No way gave the image."""

    cause = "image-unobtainable"


class ImageUnavailable(Exception):
    """This way does not serve; the argument is a phrase that says why."""


@dataclass(frozen=True)
class ImageRequest:
    """What is wanted.

    :arg name: the reference under which the image is to be found afterwards.
    :arg ways: some of C(WAYS), in the order in which they are tried.
    :arg archive: file that C(podman save) wrote, or "".
    :arg source: reference in a registry; "" means C(name), if that is not a name of this host alone.
    :arg recipe: folder with a Containerfile or an executable C(build), or "".
    :arg containerfile: file to build C(context) by; built each time, because podman's layers know what is new.
    :arg work_dir: folder for intermediate results of an executable C(build).
    :arg pull_timeout: seconds for the whole pull from a registry that did answer.
    :arg save_to: file to keep the image in as an archive, or "".
    """

    name: str
    ways: t.Sequence[str] = WAYS
    archive: str = ""
    source: str = ""
    recipe: str = ""
    containerfile: str = ""
    context: str = ""
    build_args: t.Mapping[str, str] = field(default_factory=dict)
    work_dir: str = ""
    pull_timeout: float = 1800.0
    save_to: str = ""


@dataclass
class ImageOutcome:
    """What came of it. C(id) is empty if check mode cannot know it; C(tried) has the ways that did not serve."""

    way: str
    id: str
    id_before: str
    recipe_hash: str
    changed: bool
    tried: list[dict[str, str]] = field(default_factory=list)
    saved: str = ""


# recipes


def recipe_hash(folder: str) -> str:
    """Return 64 hexadecimal digits over names, permissions and contents of all files of a recipe.

    Only whether a file can be executed counts of its permissions: the rest differs with the checkout's umask.

    :raises InputError: no such folder, or neither a Containerfile nor an executable C(build) in it.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"The recipe {folder} is not a folder.", setting="recipe")
    if not (root / "Containerfile").is_file() and not os.access(root / "build", os.X_OK):
        raise InputError(f"The recipe {folder} has neither a Containerfile nor an executable build.", setting="recipe")
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*"), key=lambda path: path.relative_to(root).as_posix()):
        name = path.relative_to(root).as_posix()
        if "__pycache__" in name:
            continue
        if path.is_symlink():
            kind, content = "link", str(path.readlink()).encode()
        elif path.is_file():
            kind = "program" if path.stat().st_mode & stat.S_IXUSR else "file"
            content = path.read_bytes()
        else:
            continue
        # lengths keep the parts apart: no two recipes can give the same bytes
        for part in (name.encode(), kind.encode(), content):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


# archives


@dataclass(frozen=True)
class Archived:
    """One image of an archive: the digest of its configuration (its id), names and labels."""

    id: str
    names: list[str]
    labels: dict[str, str]


def read_archive(path: str) -> t.Optional[list[Archived]]:
    """Return the images of an archive of C(podman save) without loading it, or None if it cannot be looked into.

    The latter are compressions that Python does not know; podman may still load them. Both layouts are read: Docker's
    (manifest.json) and OCI's (index.json).

    :raises InputError: no such file.
    """
    if not Path(path).is_file():
        raise InputError(f"There is no archive {path}.", setting="archive")
    try:
        with tarfile.open(path, "r:*") as archive:

            def load(name: str) -> t.Any:
                stream = archive.extractfile(name)
                if stream is None:
                    raise KeyError(name)
                return json.load(stream)

            def describe(config: str, names: list[str]) -> Archived:
                settings = load(config).get("config") or {}
                digest = Path(config).name.removesuffix(".json")
                return Archived(id=digest, names=names, labels=dict(settings.get("Labels") or {}))

            members = set(archive.getnames())
            if "manifest.json" in members:
                return [describe(entry["Config"], list(entry.get("RepoTags") or [])) for entry in load("manifest.json")]
            if "index.json" not in members:
                return None
            found = []
            for entry in load("index.json")["manifests"]:
                manifest = load("blobs/" + entry["digest"].replace(":", "/"))
                name = (entry.get("annotations") or {}).get("org.opencontainers.image.ref.name", "")
                found.append(
                    describe("blobs/" + manifest["config"]["digest"].replace(":", "/"), [name] if name else [])
                )
            return found
    except (tarfile.TarError, KeyError, ValueError, EOFError):
        return None


def _choose(images: list[Archived], name: str) -> Archived:
    """Return the image of an archive that is meant: the only one, or the one of that name."""
    named = [image for image in images if name in image.names]
    if len(named) == 1:
        return named[0]
    if len(images) == 1:
        return images[0]
    held = ", ".join(sorted(held for image in images for held in image.names)) or "images without names"
    raise ImageUnavailable(f"it has {len(images)} images, none named {name}: {held}")


# the ways


def _clean(text: str) -> str:
    """Return text without the user and password of any URL."""
    return re.sub(r"://[^/\s@]+@", "://***@", text)


def _reason(error: CommandError) -> str:
    """Return the line in which a failed program names its error, else the last that it said, else how it ended."""
    if error.completed is None or error.cause == "command-timeout":
        return _clean(error.message)
    said = last_lines(error.completed.stderr)
    named = [line for line in said if line.startswith("Error: ")]
    return _clean((named or said[-1:] or [error.message])[0])


class Search:
    """The search for one image."""

    def __init__(self, podman: Podman, request: ImageRequest, *, check_mode: bool = False) -> None:
        self.podman = podman
        self.request = request
        self.check_mode = check_mode
        self.wanted = recipe_hash(request.recipe) if request.recipe else ""
        self.before: t.Optional[Image] = None

    def run(self) -> ImageOutcome:
        """Try the ways in their order; in check mode only say which one would be the first to serve.

        :raises ImageError: none serves; its evidence has one line for each way.
        :raises InputError: the request contradicts itself.
        """
        unknown = [way for way in self.request.ways if way not in WAYS]
        if unknown or not self.request.ways:
            raise InputError(
                f"Image sources are {', '.join(WAYS)}, not {', '.join(unknown) or 'none'}.", setting="ways"
            )
        self._check_containerfile()
        if (
            self.request.recipe
            and not self.request.work_dir
            and os.access(Path(self.request.recipe) / "build", os.X_OK)
        ):
            raise InputError("A recipe that is a program needs a working folder.", setting="work_dir")
        self.before = self._before()
        tried: list[dict[str, str]] = []
        for way in self.request.ways:
            try:
                image_id = WAY_METHODS[way](self)
            except ImageUnavailable as reason:
                tried.append({"way": way, "reason": str(reason)})
                continue
            outcome = ImageOutcome(
                way=way,
                id=image_id,
                id_before=self.before.id if self.before else "",
                recipe_hash=self.wanted,
                changed=self.before is None or image_id != self.before.id,
                tried=tried,
            )
            self._save(outcome)
            if outcome.changed and not self.check_mode:
                self._remove_replaced()
            return outcome
        raise ImageError(
            f"Image {self.request.name} could not be obtained: "
            + "; ".join(f"{item['way']}: {item['reason']}" for item in tried)
            + ".",
            remedy="Make one of these image sources available, or name another.",
            setting="ways",
            evidence=[f"{item['way']}: {item['reason']}" for item in tried],
        )

    def _check_containerfile(self) -> None:
        file, context = self.request.containerfile, self.request.context
        if not file:
            return
        if self.request.recipe:
            raise InputError(
                "An image is built from a recipe or from a Containerfile, not from both.", setting="recipe"
            )
        if not Path(file).is_file():
            raise InputError(
                f"There is no Containerfile {file}to build image {self.request.name} from.",
                setting="containerfile",
                cause="containerfile-missing",
            )
        if not Path(context).is_dir():
            raise InputError(f"There is no folder {context}, the build context of {file}.", setting="context")

    def _before(self) -> t.Optional[Image]:
        """Return the image that has the name now; on a host that is still to get podman, none."""
        try:
            return self.podman.image(self.request.name)
        except CommandError as error:
            if self.check_mode and error.cause == "command-not-found":
                return None
            raise

    def _check_label(self, labels: t.Mapping[str, str]) -> None:
        """Refuse an image that another recipe made; one without the label came from elsewhere and is taken as it is."""
        label = labels.get(RECIPE_LABEL, "")
        if self.wanted and label and label != self.wanted:
            raise ImageUnavailable(f"built from another recipe ({label[:12]}, expected {self.wanted[:12]})")

    def present(self) -> str:
        if self.before is None:
            raise ImageUnavailable("podman has no image of that name")
        if self.request.containerfile:
            raise ImageUnavailable("only a build can show whether it matches the Containerfile")
        self._check_label(self.before.labels)
        return self.before.id

    def archive(self) -> str:
        path = self.request.archive
        if not path:
            raise ImageUnavailable("no archive is given")
        if not Path(path).exists():
            raise ImageUnavailable(f"there is no file {path}")
        images = read_archive(path)
        expected = _choose(images, self.request.name) if images is not None else None
        if expected is not None:
            self._check_label(expected.labels)
        if self.check_mode:
            return expected.id if expected is not None else ""
        report_progress(f"load {path}")
        try:
            if expected is None or self.podman.image(expected.id) is None:
                self.podman.load(path)
            if expected is not None:
                self._tag(expected.id)
            image = self.podman.image(self.request.name)
        except CommandError as error:
            raise ImageUnavailable(_reason(error)) from error
        if image is None:
            raise ImageUnavailable(f"{path} contains no image of that name")
        try:
            self._check_label(image.labels)
        except ImageUnavailable:
            # what could not be looked into before: the name goes back to what had it
            if self.before is not None:
                self._tag(self.before.id)
            raise
        return image.id

    def registry(self) -> str:
        source = self.request.source
        if not source:
            if self.request.name.startswith(LOCAL):
                raise ImageUnavailable("no registry reference is given, and the name is local to this host")
            source = self.request.name
        if self.check_mode:
            return ""
        report_progress(f"ask the registry for {source}")
        try:
            # a small question first, so that a registry that never answers costs seconds and not the time of a pull
            self.podman.run(
                *["manifest", "inspect", source], purpose=f"ask the registry for {source}", timeout=REGISTRY_TIMEOUT
            )
        except CommandError as error:
            # any answer will do: podman 4 will not show the manifest of a single image, and of a refusal the pull tells
            if error.cause == "command-timeout":
                raise ImageUnavailable(f"no answer within {REGISTRY_TIMEOUT:g} s for {source}") from error
        try:
            report_progress(f"pull {source}")
            pulled = self.podman.run(
                *["pull", "--quiet", source], purpose=f"pull {source}", timeout=self.request.pull_timeout
            )
            image = self.podman.image(pulled.stdout.split()[-1])
        except CommandError as error:
            raise ImageUnavailable(_reason(error)) from error
        if image is None:
            raise ImageUnavailable(f"podman pulled {source}, but the image does not exist")
        self._check_label(image.labels)
        self._tag(image.id)
        return image.id

    def build(self) -> str:
        folder = self.request.recipe
        if not folder and not self.request.containerfile:
            raise ImageUnavailable("no recipe is given")
        if self.check_mode:
            return ""
        name = self.request.name
        try:
            if folder and os.access(Path(folder) / "build", os.X_OK):
                Path(self.request.work_dir).mkdir(parents=True, exist_ok=True)
                run(
                    [str(Path(folder) / "build"), self.request.work_dir, name, self.wanted],
                    purpose=f"build {name} by its recipe",
                    on_line=lambda line: report_progress(f"build {name}: {line}"),
                )
            else:
                self.podman.build(
                    folder or self.request.context,
                    tags=[name],
                    containerfile=self.request.containerfile or str(Path(folder) / "Containerfile"),
                    build_args=self.request.build_args,
                    labels={RECIPE_LABEL: self.wanted} if folder else {},
                    on_line=lambda line: report_progress(f"build {name}: {line}"),
                )
            image = self.podman.image(name)
        except CommandError as error:
            raise ImageError(
                f"Image {name} could not be built: {_clean(error.message)}",
                remedy="The end of the build's output is in the evidence.",
                setting="containerfile" if self.request.containerfile else "recipe",
                evidence=[_clean(line) for line in error.evidence],
                cause="image-build-failed",
            ) from error
        if image is None or image.labels.get(RECIPE_LABEL, "") != self.wanted:
            raise ImageError(
                f"The recipe {folder} succeeded but left no image {name} with its label {RECIPE_LABEL}.",
                setting="recipe",
                cause="image-build-failed",
            )
        return image.id

    def _tag(self, image_id: str) -> None:
        """Give the name to an image; nothing happens if it has it."""
        image = self.podman.image(self.request.name)
        if image is None or image.id != image_id:
            self.podman.run("tag", image_id, self.request.name, purpose=f"name image {self.request.name}")

    def _save(self, outcome: ImageOutcome) -> None:
        """Keep the image as an archive, unless it is already there."""
        path = self.request.save_to
        if not path:
            return
        held = read_archive(path) if Path(path).exists() else None
        # a damaged archive is written again
        if held is not None and [image.id for image in held] == [outcome.id] and not damage_of(path):
            return
        outcome.saved, outcome.changed = path, True
        if not self.check_mode:
            report_progress(f"save {self.request.name} as {path}")
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            self.podman.save([self.request.name], path)

    def _remove_replaced(self) -> None:
        """Remove the image that had the name before, unless it has another name or a container uses it."""
        if self.before is None:
            return
        left = self.podman.image(self.before.id)
        if left is not None and not left.names:
            in_use = 2
            self.podman.run("image", "rm", left.id, purpose="remove the replaced image", accept=(0, 1, in_use))


WAY_METHODS: t.Mapping[str, t.Callable[[Search], str]] = {
    "present": Search.present,
    "archive": Search.archive,
    "registry": Search.registry,
    "build": Search.build,
}


def obtain(podman: Podman, request: ImageRequest, *, check_mode: bool = False) -> ImageOutcome:
    """Make sure that podman has an image under the name wanted, by the first way that serves.

    :raises ImageError: no way serves, or a build failed.
    :raises InputError: the request cannot be meant so; nothing was changed.
    """
    return Search(podman, request, check_mode=check_mode).run()


def remove(podman: Podman, name: str, *, check_mode: bool = False) -> bool:
    """Take the name from its image, which goes with its last name, and tell whether there was one."""
    try:
        found = podman.image(name)
    except CommandError as error:
        if error.cause == "command-not-found":
            return False
        raise
    if found is not None and not check_mode:
        podman.run("image", "rm", name, purpose=f"remove image {name}", remedy="First remove what was created from it.")
    return found is not None
