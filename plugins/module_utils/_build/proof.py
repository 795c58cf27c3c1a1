# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Prove by its bytes that the program of an image is instrumented, or say why it is not."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.goflags import flag_value
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.archive import (
    GoBinary,
    ImageArchive,
    command_words,
)


def prove(
    archive: str,
    reference: str,
    *,
    architecture: str,
    binary: str = "",
    containerfile: str = "",
    build_args: t.Optional[t.Mapping[str, str]] = None,
) -> dict[str, t.Any]:
    """Prove by its bytes that what the image starts is an instrumented Go program for C(architecture).

    :arg binary: the program's path in the image, where the workload starts another than the entrypoint.
    :returns: the part of the result that the archive tells.
    :raises CoverageError: causes C(not-instrumented), C(no-go-binary), C(wrong-architecture), C(bad-archive).
    """
    with ImageArchive(archive, reference) as opened:
        candidates, started = started_binaries(opened, binary)
        config = opened.container_config
        argv = opened.argv
        if not candidates:
            raise CoverageError(
                f"Image {reference} has no Go program: {binary or ' '.join(argv) or 'its empty entrypoint'} starts"
                " something else.",
                remedy="Check the Containerfile's last stage, or name the program that the workload starts.",
                setting="instrumented_image#binary",
                cause="no-go-binary",
            )
        program = next((item for item in candidates if item.instrumented), candidates[0])
        if not program.instrumented:
            raise not_instrumented(reference, candidates, opened, containerfile, build_args or {})
        claims = opened.architecture
        identity = opened.image.id
    if program.architecture != architecture:
        raise CoverageError(
            f"{program.path} in image {reference} is built for {program.architecture}, but {architecture} is required.",
            remedy="Remove GOARCH from the Containerfile, or set it to the nodes' architecture.",
            setting="instrumented_image#goarch",
            evidence=[f"image configuration: {claims}", f"program: {program.architecture}"],
            cause="wrong-architecture",
        )
    notes = []
    if claims != architecture:
        notes.append(f"the image's configuration claims {claims}, its program is built for {program.architecture}")
    if program.main_package == "command-line-arguments":
        notes.append(
            "the main package was built as a file (go build path/main.go): reports name it command-line-arguments,"
            " by the path in the builder; build the folder instead"
        )
    if not started:
        notes.append(f"the entrypoint names no Go program itself; {program.path} was found in the image")
    return {
        "reference": reference,
        "id": identity,
        "architecture": program.architecture,
        "user": config.get("User") or "",
        "entrypoint": list(config.get("Entrypoint") or []),
        "command": list(config.get("Cmd") or []),
        "binary": program.path,
        "main_package": program.main_package,
        "go_version": program.go_version,
        "instrumented": True,
        "notes": notes,
    }


def started_binaries(archive: ImageArchive, binary: str = "") -> tuple[list[GoBinary], bool]:
    """Return the Go programs that the image may start, and whether its entrypoint names them.

    Every word of the argument list is checked, because the first may be a shell or a small init (tini, dumb-init);
    where none is a Go program (a script), every file of the image.
    """
    words = [binary] if binary else command_words(archive.argv)
    found: list[GoBinary] = []
    for word in dict.fromkeys(words):
        path = archive.which(word)
        program = archive.go_binary(path) if path else None
        if program is not None:
            found.append(program)
    if found or binary:
        return found, True
    return archive.go_binaries(), False


def not_instrumented(
    reference: str,
    programs: t.Sequence[GoBinary],
    archive: ImageArchive,
    containerfile: str,
    build_args: t.Mapping[str, str],
) -> CoverageError:
    """Return the error of an image whose program counts nothing, with the likeliest reason."""
    program = programs[0]
    goflags = build_args.get("GOFLAGS", "")
    evidence = [f"{item.path}: no runtime/coverage.initHook in it ({item.go_version})" for item in programs]
    others = [item.path for item in archive.go_binaries() if item.instrumented]
    evidence += [f"{path} is instrumented, but it is not what the image starts" for path in others]
    reason, remedy, setting = "", "Build it with -cover.", "image.build_args.GOFLAGS"
    compared = exact_comparisons(containerfile)
    if others:
        reason = f"another program of the image is instrumented: {', '.join(others)}"
        remedy, setting = "Name the program that the workload starts.", "instrumented_image#binary"
    elif program.counts:
        main = program.main_package
        reason = (
            f"its packages count, but -coverpkg leaves out its main package {main}, which alone writes the counters"
        )
        remedy = f"Add {main} to -coverpkg."
        setting = setting if containerfile else "image.coverpkg"
    elif program.settings.get("-cover") == "true":
        reason = "its build information says -cover, so it was made by 'go install -cover', which instruments nothing"
        remedy, setting = "Use 'go build -cover' in a module that requires it.", ""
    elif containerfile and compared and goflags not in compared:
        reason = f"the Containerfile compares GOFLAGS exactly with '{compared[0]}', and it was given '{goflags}'"
        remedy = f"Pass exactly that value, or use GOFLAGS in the Containerfile without a comparison: '{compared[0]}'."
    elif containerfile and not declares_argument(containerfile, "GOFLAGS"):
        reason = "no build stage of the Containerfile declares 'ARG GOFLAGS', so the flags never reached Go"
        remedy, setting = "Add 'ARG GOFLAGS' after the FROM line of the stage that builds.", ""
    elif containerfile and not flag_value(goflags, "cover"):
        reason = f"GOFLAGS was '{goflags}', without -cover"
        remedy = "Add -cover to it."
    return CoverageError(
        f"{program.path} in image {reference} is not instrumented" + (f": {reason}." if reason else "."),
        remedy=remedy,
        setting=setting,
        evidence=evidence,
        cause="not-instrumented",
    )


def exact_comparisons(containerfile: str) -> list[str]:
    """Return the values that a Containerfile's shell code compares GOFLAGS with: C([ "$GOFLAGS" = "-cover" ])."""
    pattern = r"""["']?\$\{?GOFLAGS\}?["']?\s*==?\s*(?P<quote>["']?)(?P<value>[^"'\s\]]+)(?P=quote)"""
    return [match["value"] for match in re.finditer(pattern, containerfile)]


def declares_argument(containerfile: str, name: str) -> bool:
    """Tell whether a stage declares the build argument; before the first FROM it reaches no stage."""
    _before, _from, stages = _logical(containerfile).partition("\nFROM ")
    return re.search(rf"^[ \t]*ARG[ \t]+([^\n]*[ \t])?{name}(=|\s|$)", stages, re.MULTILINE | re.IGNORECASE) is not None


def _logical(containerfile: str) -> str:
    joined = re.sub(r"\\\s*\n", " ", containerfile)
    return "\n" + re.sub(r"^\s*(from)\s+", "FROM ", joined, flags=re.MULTILINE | re.IGNORECASE)
