# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Build the image of a published Go module: named after the hash of its recipe, the same bytes on every host."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import typing as t
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.files import write_json
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.go import (
    Go,
    GoModule,
    Wrapper,
    go_version_key,
    program_name,
    too_old,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.packages import (
    check_main_is_covered,
    import_path,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.proof import prove
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.request import (
    LABEL,
    NO_BASE,
    SHORT,
    BuildOutcome,
    BuildRequest,
    service_folder,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.store import archive_is_good, read_json
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.archive import ImageArchive
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.new_image import (
    NewImage,
    write_image,
)

RECIPE_FORMAT = 1  # raise it when the same recipe begins to give another image


def image_from_module(request: BuildRequest, check: bool) -> BuildOutcome:
    """Build, prove and archive the image of a module unless it exists; see M(instrumented.ensure_image)."""
    build = _ModuleBuild(request, check)
    return build.existing() or (build.planned() if check else build.build())


class _ModuleBuild:
    """One build of a module, and the recipe that names its image."""

    def __init__(self, request: BuildRequest, check: bool) -> None:
        self.request, self.check = request, check
        self.go, self.podman = Go(request.go, request.go_environment), Podman(request.podman)
        self.folder = service_folder(request)
        settings = self.go.settings()
        base_id = _base_id(request, self.podman)
        self.module: t.Optional[GoModule] = None
        if not is_exact_version(request.source.version):
            with self._lookup_folder() as lookup:
                self.module = self._find_module(lookup)
        version = self.module.version if self.module else request.source.version
        self.package = import_path(request.source.module, request.source.package)
        self.coverpkg = list(request.coverpkg) or [f"{request.source.module}/..."]
        check_main_is_covered(self.package, self.coverpkg)
        self.name = program_name(self.package)
        self.goarch = request.goarch or settings["GOARCH"]
        self.recipe = recipe_hash(
            {
                "format": RECIPE_FORMAT,
                "module": [request.source.module, version, self.package],
                "cover": [request.covermode, self.coverpkg],
                "build": [request.ldflags, request.tags, self.goarch],
                "toolchain": {key: value for key, value in settings.items() if key not in ("GOARCH", "GOTOOLCHAIN")},
                "image": [base_id, request.user, request.ports, self.name],
            }
        )
        self.reference = request.reference or f"localhost/{request.service}:{self.recipe[:SHORT]}"
        self.labels = {
            f"{LABEL}/recipe": self.recipe,
            f"{LABEL}/service": request.service,
            f"{LABEL}/source": f"{request.source.module}@{version}",
        }
        self.record = self.folder / f"{self.recipe[:SHORT]}.json"
        self.stored = self.podman.image(self.reference)

    def existing(self) -> t.Optional[BuildOutcome]:
        """Return the outcome if podman has the image of this recipe; a lost or damaged archive is saved again.

        None: something is to be built, or in check mode to be saved.
        """
        known = read_json(self.record)
        if self.stored is None or not self._is_of_recipe() or known.get("id") != self.stored.id:
            return None
        if not all(Path(folder).is_dir() for folder in known["sources"].values()):
            return None
        archive = self.folder / f"{self.stored.id}.tar"
        save = not archive_is_good(archive, self.stored.id, self.reference)
        if save and self.check:
            return None
        if save:
            report_progress(f"saving {self.reference}")
            self.podman.save([self.reference], str(archive))
        return self._outcome(save, {**self._prove(archive), "archive": str(archive), "sources": known["sources"]})

    def planned(self) -> BuildOutcome:
        """Return what a build would change, after checking that the module has the package."""
        with self._lookup_folder() as lookup:
            self._wrapper(lookup)
        return self._outcome(not self._is_of_recipe(), {"id": "", "archive": "", "sources": {}})

    def build(self) -> BuildOutcome:
        """Build the program, put it into an image, prove that, and only then store it."""
        work = self.folder / "build"
        wrapper = self._wrapper(work)
        wrapper.complete()
        binary = work / self.name
        built = wrapper.build(
            str(binary),
            covermode=self.request.covermode,
            coverpkg=self.coverpkg,
            ldflags=self.request.ldflags,
            tags=self.request.tags,
            goarch=self.goarch,
        )
        report_progress(f"writing {self.reference}")
        fresh = work / "image.tar"
        try:
            identity = self._write_image(binary, fresh)
            proof = self._prove(fresh)
            archive = self.folder / f"{identity}.tar"
            wrote = not archive_is_good(archive, identity, self.reference)
            fresh.replace(archive)
        finally:
            fresh.unlink(missing_ok=True)
        load = self.stored is None or self.stored.id != identity
        if load:
            self.podman.load(str(archive))
        write_json(self.record, {"id": identity, "sources": built.sources})
        binary.unlink()  # the archive has it
        return self._outcome(wrote or load, {**proof, "archive": str(archive), "sources": built.sources})

    def _write_image(self, binary: Path, archive: Path) -> str:
        """Write the image's archive and return the image's id."""
        request = self.request
        image = NewImage(self.reference, str(binary), self.name, self.goarch, request.user, self.labels, request.ports)
        if request.base == NO_BASE:
            return write_image(str(archive), image)
        base_file = archive.with_name("base.tar")
        self.podman.save([request.base], str(base_file))
        try:
            with ImageArchive(str(base_file)) as base:
                return write_image(str(archive), image, base)
        finally:
            base_file.unlink()

    def _is_of_recipe(self) -> bool:
        """Whether podman's image of that name was made by this recipe."""
        return self.stored is not None and self.stored.labels.get(f"{LABEL}/recipe") == self.recipe

    def _prove(self, archive: Path) -> dict[str, t.Any]:
        return prove(str(archive), self.reference, binary=self.request.binary, architecture=self.goarch)

    def _outcome(self, changed: bool, image: t.Mapping[str, t.Any]) -> BuildOutcome:
        common = {"reference": self.reference, "covermode": self.request.covermode, "coverpkg": self.coverpkg}
        return BuildOutcome(changed, {**common, **image})

    def _wrapper(self, folder: Path) -> Wrapper:
        """Return the module around the program, whose package is known to exist."""
        wrapper = Wrapper(self.go, self.module or self._find_module(folder), self.package, str(folder))
        wrapper.check()
        return wrapper

    def _find_module(self, folder: Path) -> GoModule:
        settings = self.go.settings()
        module = self.go.find_module(self.request.source.module, self.request.source.version, str(folder))
        if (
            module.go_version
            and settings["GOTOOLCHAIN"] == "local"
            and go_version_key(module.go_version) > go_version_key(settings["GOVERSION"])
        ):
            raise too_old(module.path, module.version, module.go_version, settings["GOVERSION"])
        return module

    @contextmanager
    def _lookup_folder(self) -> t.Iterator[Path]:
        """Give a folder for Go to work in; in check mode a temporary one, because nothing may stay."""
        if self.check:
            with tempfile.TemporaryDirectory() as temporary:
                yield Path(temporary)
        else:
            yield self.folder / "lookup"


def is_exact_version(version: str) -> bool:
    """Tell whether a version means the same for ever (C(v1.2.3), pseudo-versions), unlike C(latest) or a branch."""
    return re.fullmatch(r"v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+incompatible)?", version) is not None


def recipe_hash(recipe: t.Mapping[str, t.Any]) -> str:
    """Return the SHA-256 of a recipe, 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()


def _base_id(request: BuildRequest, podman: Podman) -> str:
    if request.base == NO_BASE:
        return NO_BASE
    base = podman.image(request.base)
    if base is None:
        raise InputError(
            f"There is no image {request.base} to put the program on.",
            remedy="Pull, load or build it first, or use scratch: a Go program needs no base.",
            setting="image.base",
            cause="base-missing",
        )
    return base.id
