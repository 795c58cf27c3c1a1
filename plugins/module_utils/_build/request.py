# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What image to build, with its defaults resolved and contradictions refused; and what came of it."""

from __future__ import annotations

import re
import typing as t
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.go import COVER_MODES

LABEL = "coverage.kubernaut.io"
SHORT = 12
NO_BASE = "scratch"


@dataclass(frozen=True)
class ImageSource:
    """Where the service comes from: C(module), C(version), C(package), or C(dir) with a Containerfile."""

    module: str = ""
    version: str = ""
    package: str = ""
    dir: str = ""
    containerfile: str = ""
    context: str = ""
    target: str = ""


@dataclass(frozen=True)
class BuildRequest:
    """What to build and how; the fields are the options of M(kubernaut.coverage.instrumented_image)."""

    service: str
    source: ImageSource
    cache_dir: str
    reference: str = ""
    covermode: str = "atomic"
    coverpkg: tuple[str, ...] = ()
    build_args: t.Mapping[str, str] = field(default_factory=dict)
    build_options: tuple[str, ...] = ()
    ldflags: str = ""
    tags: tuple[str, ...] = ()
    goarch: str = ""
    base: str = NO_BASE
    user: str = "65532:65532"
    ports: tuple[str, ...] = ()
    binary: str = ""
    go: str = "go"
    go_environment: t.Mapping[str, str] = field(default_factory=dict)
    podman: str = "podman"


@dataclass(frozen=True)
class BuildOutcome:
    """C(changed), and the documented result of the module and the role."""

    changed: bool
    image: dict[str, t.Any]


def checked(request: BuildRequest) -> BuildRequest:
    """Return the request with its defaults resolved; raise InputError where it contradicts itself."""
    source = request.source
    if not re.fullmatch(r"[a-z0-9]+([._-][a-z0-9]+)*", request.service):
        raise InputError(
            f"{request.service!r} cannot be part of an image name.",
            remedy="Use lowercase letters and digits, separated by single dots, dashes or underscores.",
            setting="instrumented_image#service",
        )
    if bool(source.module) == bool(source.dir):
        raise InputError(
            "The source of an instrumented image is either a Go module or a folder with a Containerfile"
            + ("; both are given." if source.module else "; none is given."),
            remedy="Give module, or give dir.",
            setting="source",
        )
    foreign = ["package", "version"] if source.dir else ["containerfile", "context", "target"]
    given = [name for name in foreign if getattr(source, name)]
    if given:
        raise InputError(
            f"{' and '.join(given)} of the source cannot be combined with {'dir' if source.dir else 'module'}.",
            remedy=f"Remove {' and '.join(given)}.",
            setting="source",
        )
    if request.covermode not in COVER_MODES:
        raise InputError(
            f"{request.covermode!r} is not a coverage mode of Go.",
            remedy=f"Take one of {', '.join(COVER_MODES)}.",
            setting="image.covermode",
        )
    values = asdict(request)
    if source.module:
        path, _at, version = source.module.partition("@")
        values["source"] = {**values["source"], "module": path, "version": version or source.version or "latest"}
    values["source"] = ImageSource(**values["source"])
    values["cache_dir"] = str(Path(request.cache_dir).expanduser())
    values["reference"] = full_reference(request.reference) if request.reference else ""
    return BuildRequest(**values)


def full_reference(reference: str) -> str:
    """Return an image's name as podman and a cluster's nodes both understand it: with a host and a tag.

    Podman stores C(app:1) as C(localhost/app:1), a node looks for C(docker.io/library/app:1): that difference is what
    an explicit C(localhost/) avoids.
    """
    if "@" in reference:
        raise InputError(
            f"{reference} names an image by digest, which an image that is not built yet does not have.",
            remedy="Give a name with a tag.",
            setting="instrumented_image#reference",
        )
    first, slash, _rest = reference.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        reference = f"localhost/{reference}"
    return reference if ":" in reference.rpartition("/")[2] else f"{reference}:latest"


def service_folder(request: BuildRequest) -> Path:
    """Return the folder of the service in the cache."""
    return Path(request.cache_dir).expanduser() / "instrumented_image" / request.service
