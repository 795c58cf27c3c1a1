# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Build the image of a checkout's Containerfile: named after its own id once it is proved."""

from __future__ import annotations

import os
import re
import shlex
import typing as t
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.architecture import host_architecture
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import CommandError, last_lines
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.checkout import (
    containerfile_of,
    go_modules_below,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.goflags import (
    DEFAULT_GOFLAGS,
    coverpkg_of,
    flag_value,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.proof import prove
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.request import (
    LABEL,
    SHORT,
    BuildOutcome,
    BuildRequest,
    service_folder,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.store import archive_is_good
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Image, Podman

TO_BE_BUILT = "coverage-to-be-built"  # in check mode; the real name ends in the id, which only the build tells
BUILD_LOG_LINES = 30


def image_from_containerfile(request: BuildRequest, check: bool) -> BuildOutcome:
    """Build, prove and archive the image of a Containerfile; see M(instrumented.ensure_image)."""
    folder, containerfile, context = containerfile_of(request.source)
    podman = Podman(request.podman)
    goflags = request.build_args.get("GOFLAGS", DEFAULT_GOFLAGS)
    build_args = {**request.build_args, "GOFLAGS": goflags}
    labels = {f"{LABEL}/service": request.service, f"{LABEL}/source": str(folder)}
    common = {"covermode": flag_value(goflags, "covermode") or "set", "coverpkg": coverpkg_of(goflags)}
    recipe: dict[str, t.Any] = {
        "containerfile": str(containerfile),
        "build_args": build_args,
        "labels": labels,
        "target": request.source.target,
        "options": request.build_options,
    }
    if check:
        have = podman.image(request.reference) if request.reference else None
        made = podman.images_with_label(f"{LABEL}/service={request.service}")
        # those without a name are cached layers
        names = [name for item in made for name in item.get("Names") or []]
        changed = have is None if request.reference else not names
        reference = request.reference or next(iter(names), f"localhost/{request.service}:{TO_BE_BUILT}")
        command = podman.build_command(str(context), tags=[reference], **recipe)
        nothing = {"id": "", "archive": "", "sources": {}}
        return BuildOutcome(changed, {**common, **nothing, "reference": reference, "build_command": command})

    before = podman.image(request.reference) if request.reference else None
    # a name unique to this run until the image is proved: the old image keeps its name if the new one is unusable
    passing = f"localhost/{request.service}:building-{os.getpid()}"
    log: list[str] = []
    steps = _Steps(log)
    try:
        built = podman.build(str(context), tags=[passing], on_line=steps, **recipe)
    except CommandError as error:
        raise build_error(error, containerfile, steps.last, log) from error
    service = service_folder(request)
    reference = request.reference or f"localhost/{request.service}:coverage-{built.id[:SHORT]}"
    archive = service / f"{built.id}.tar"
    fresh = service / f"{passing.rpartition(':')[2]}.tar"
    known = podman.image(reference) if not request.reference else before
    good = archive_is_good(archive, built.id, reference)
    try:
        if known is None or known.id != built.id:
            podman.tag(built.id, reference)
        if not good:
            report_progress(f"saving {reference}")
            podman.save([reference], str(fresh))
        proof = prove(
            str(archive if good else fresh),
            reference,
            binary=request.binary,
            architecture=request.goarch or host_architecture(),
            containerfile=containerfile.read_text(encoding="utf-8", errors="replace"),
            build_args=build_args,
        )
        if not good:
            fresh.replace(archive)
    except CoverageError:
        _take_back(podman, reference, known)
        raise
    finally:
        fresh.unlink(missing_ok=True)
        podman.remove_image(passing)
    changed = not good or known is None or known.id != built.id
    sources = go_modules_below(folder)
    return BuildOutcome(changed, {**common, **proof, "archive": str(archive), "sources": sources})


def _take_back(podman: Podman, reference: str, known: t.Optional[Image]) -> None:
    """Point a name back at its previous image after the new one proved unusable."""
    if known is None:
        podman.remove_image(reference)
    else:
        podman.tag(known.id, reference)


class _Steps:
    """Podman's C(STEP 3/9: RUN ...) lines as progress; the rest is kept for the error."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.last = ""

    def __call__(self, line: str) -> None:
        if line.strip():
            self.log.append(line)
        if re.match(r"(\[\d+/\d+\] )?STEP \d+/\d+: ", line):
            self.last = line
            report_progress(line)


def build_error(error: CommandError, containerfile: Path, step: str, log: t.Sequence[str]) -> CoverageError:
    """Turn a failed C(podman build) into an error that shows the step and the end of the log."""
    if error.cause != CommandError.cause:
        return error
    at = f" at '{step}'" if step else ""
    return CoverageError(
        f"Building {containerfile} failed{at}.",
        remedy="The end of the build's log says why.",
        evidence=[*_shown_command(error), *last_lines("\n".join(log), BUILD_LOG_LINES)],
        cause="build-failed",
    )


def _shown_command(error: CommandError) -> list[str]:
    """Return the command that failed, without the values of build arguments: some are secrets."""
    argv = error.completed.argv if error.completed is not None else []
    shown = list(argv)
    for place, argument in enumerate(argv[1:], start=1):
        if argv[place - 1] == "--build-arg" and not argument.startswith("GOFLAGS="):
            shown[place] = f"{argument.partition('=')[0]}=..."
    return [f"$ {shlex.join(shown)}"] if shown else []
