# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The instrumented image, where there is one already: does it count, can it run here, does SIGTERM reach it."""

from __future__ import annotations

import posixpath
import re
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.architecture import host_architecture
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.process import (
    SCRIPT_LIMIT,
    SHELLS,
    lost_sigterm,
    program,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.proof import prove
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.request import (
    LABEL,
    BuildRequest,
    service_folder,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.archive import ImageArchive
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.table import (
    ADVICE,
    ERROR,
    OK,
    WARNING,
    Finding,
    failed,
    finding,
)


@dataclass(frozen=True)
class Built:
    """An image that was built. C(proof): what its bytes say, as M(_instrumentation.prove) gives it; C(error): instead.

    C(reason): why there is none. C(stale): it is the last one of a source that may have changed since.
    """

    reference: str = ""
    id: str = ""
    archive: str = ""
    proof: t.Optional[t.Mapping[str, t.Any]] = None
    error: t.Optional[CoverageError] = None
    reason: str = ""
    stale: bool = False


def proved(reference: str, archive: str, *, binary: str = "", architecture: str = "", stale: bool = False) -> Built:
    """Look into an archive."""
    try:
        proof = prove(archive, reference, architecture=architecture or host_architecture(), binary=binary)
    except CoverageError as error:
        return Built(reference, archive=archive, error=error, stale=stale)
    return Built(reference, proof["id"], archive, proof, stale=stale)


def last_built(request: BuildRequest, podman: Podman) -> Built:
    """Return the newest image that was built for the service from a Containerfile."""
    made = [item for item in podman.images_with_label(f"{LABEL}/service={request.service}") if item.get("Names")]
    made.sort(key=lambda item: item.get("Created") or 0, reverse=True)
    for item in made:
        archive = service_folder(request) / f"{item['Id'].removeprefix('sha256:')}.tar"
        if archive.is_file():
            return proved(
                item["Names"][0], str(archive), binary=request.binary, architecture=request.goarch, stale=True
            )
    return Built(reason="no image has been built yet")


def given(reference: str, archive: str, binary: str = "") -> Built:
    """Look into the archive of an image that was just built.

    :raises InputError: there is no such archive.
    """
    if not Path(archive).is_file():
        raise InputError(
            f"There is no image archive {archive} of {reference}.",
            remedy="Pass the archive from the result of the role instrumented_image.",
            setting="preflight_info#built.archive",
            cause="bad-archive",
        )
    return proved(reference, archive, binary=binary)


def check_instrumented(built: Built) -> t.Iterator[Finding]:
    """Whether the program that is started counts."""
    old = ", built last" if built.stale else ""
    if built.error is not None:
        name = "architecture" if built.error.cause == "wrong-architecture" else "instrumented"
        wrong = failed(name, built.error)
        # a Containerfile's image is rebuilt: what was wrong with the last may be fixed
        yield (
            wrong
            if not built.stale
            else finding(name, WARNING, f"In the last build: {wrong.text}", wrong.remedy, wrong.setting)
        )
        return
    proof = built.proof or {}
    yield finding("instrumented", OK, f"{proof['binary']} in {built.reference}{old}")
    for note in proof.get("notes") or ():
        yield finding("instrumented", ADVICE, f"{note[:1].upper()}{note[1:]}.")


def check_architecture(built: Built) -> t.Iterator[Finding]:
    """What it is built for."""
    if built.proof is not None:
        yield finding("architecture", OK, str(built.proof["architecture"]))


def check_process(built: Built, *, replaced: bool) -> t.Iterator[Finding]:
    """Whether a shell is process 1."""
    proof = built.proof or {}
    words = [*(proof.get("entrypoint") or ()), *(proof.get("command") or ())]
    first = posixpath.basename((program(words) or [""])[0])
    lost = None
    if not replaced and words and (first in SHELLS or not words[0].endswith(posixpath.basename(proof["binary"]))):
        with ImageArchive(built.archive, built.reference) as archive:
            lost = lost_sigterm(words, lambda path: _text(archive, path), _sh(archive))
    if lost is None:
        yield finding("process-1", OK, "the workload's own command" if replaced else " ".join(words)[:100])
        return
    yield finding(
        "process-1",
        ERROR if lost.certain and not built.stale else WARNING,
        f"In {built.reference}, {lost.text}.",
        lost.remedy,
        "source.containerfile",
        cause="sigterm-lost",
    )


def _sh(archive: ImageArchive) -> str:
    """Return which shell sh is in the image, "" where there is none or its name does not say which."""
    return posixpath.basename(archive.which("sh"))


def _text(archive: ImageArchive, path: str) -> t.Optional[str]:
    found = archive.which(path)
    if not found:
        return None
    with archive.open(found) as stream:
        content = stream.read(SCRIPT_LIMIT)
    return content.decode(errors="replace") if content.startswith(b"#!") else None


def check_run_as(built: Built, *, as_non_root: bool) -> t.Iterator[Finding]:
    """Whether Kubernetes may start the image's user."""
    user = str((built.proof or {}).get("user") or "")
    name = user.partition(":")[0]
    number = re.fullmatch(r"\d+", name) is not None
    if as_non_root and (not number or int(name) == 0):
        what = "root" if not name or number else f"'{name}', a name, not a number"
        yield finding(
            "run-as",
            WARNING if built.stale else ERROR,
            f"The workload sets runAsNonRoot, and the user of {built.reference} is {what}: Kubernetes will not"
            f" start it.",
            "Set runAsUser in the manifest, or a number as the image's user.",
            "image.user",
            cause="image-user",
        )
        return
    yield finding("run-as", OK, f"uid {user}" if number else (user or "root"))


def uid_of(built: Built, otherwise: str = "") -> str:
    """Return uid and gid that the image's program runs as, as C(65532:65532), "" where that is not known as a number.

    :arg otherwise: the user that an image will have which is still to be built.
    """
    user = str(built.proof.get("user") or "0") if built.proof is not None else otherwise
    return user if re.fullmatch(r"\d+(:\d+)?", user) else ""
