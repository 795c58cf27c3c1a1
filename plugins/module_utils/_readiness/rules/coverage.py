# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes of a program that runs and writes no counters, and of an address that does not lead to it."""

from __future__ import annotations

import posixpath
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Cause, Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import (
    Object,
    Observation,
    condition,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.readers import (
    LOG_LINES,
    pods_without_covmeta,
    seconds_since,
    specification,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rule import SETTLING, rule

VOLUME = "coverage-data"  # as coverage mode names it
STARTING = 1.0  # seconds from a container's start to its program's first file


@rule(
    "Programs that write no counters",
    Cause(
        "gocoverdir-unset",
        title="GOCOVERDIR is not set for the program",
        why=(
            "The container has no `GOCOVERDIR`, or the program said so: something between the "
            "start of the container and the program drops it."
        ),
        remedy=(
            "Let coverage mode change the right container; look for a wrapper or `env -i` that drops the variable."
        ),
        settings=("workload.container",),
        terminal="yes",
    ),
    Cause(
        "coverage-read-only",
        title="The folder for counters is read-only",
        why="The program said so, or its mount says so.",
        remedy="Mount the volume for the counters writable: no `readOnly` at the mount or the volume.",
        settings=("coverage.directory",),
        terminal="yes",
    ),
    Cause(
        "coverage-path-mismatch",
        title="The program writes its counters to another folder",
        why=(
            "`GOCOVERDIR` does not point into the volume for the counters. Where files were found "
            "elsewhere, they are named."
        ),
        remedy=(
            "Remove what overrides `GOCOVERDIR` (the entrypoint, a wrapper or the manifest); one "
            "setting sets variable and mount."
        ),
        settings=("coverage.directory",),
        terminal="yes",
    ),
    Cause(
        "coverage-not-writable",
        title="The program may not write its counters",
        why=("Its user may not write to the folder; user, mode and owner are named where they are known."),
        remedy=("Let its user write to the folder: mode 1777, as the role coverage_mode prepares it, or an fsGroup."),
        settings=(
            "coverage.directory",
            "coverage_mode#nodes",
        ),
        terminal="yes",
    ),
    Cause(
        "coverage-folder-missing",
        title="The folder for counters is not on the node",
        why="The folder is not on the node where the pod runs; the nodes that have it are named.",
        remedy="Prepare it on every node that may run the pod.",
        settings=("coverage_mode#nodes",),
        terminal="after 2 s",
    ),
    Cause(
        "no-covmeta",
        title="The program wrote no covmeta",
        why=("Go writes covmeta when an instrumented program starts. There is none, and nothing says why."),
        remedy=("Check that the image that runs is the one that was built, and that it was built with -cover."),
        settings=("source",),
        terminal="yes",
    ),
    gives=("not-instrumented",),
)
def not_written(seen: Observation) -> t.Iterator[Diagnosis]:
    """covmeta is written when the process starts: a pod that is ready and has none will never have any counters."""
    if not seen.coverage_watched:
        return
    without = pods_without_covmeta(seen)
    for pod in seen.ready_pods:
        # a pod without a readiness probe is ready a moment before its program has begun
        since = seconds_since(seen, condition(pod, "Ready").get("lastTransitionTime") or "")
        if seen.waited < SETTLING and (since < STARTING or since == float("inf")):
            continue
        if pod["metadata"]["name"] in without:
            yield _verdict(seen, pod)
            return


def _verdict(seen: Observation, pod: Object) -> Diagnosis:
    name = pod["metadata"]["name"]
    log = seen.logs.get(f"{name}/{seen.container}", "") or seen.logs.get(f"{name}/{seen.container}/previous", "")
    lines = [line for line in log.splitlines() if "GOCOVERDIR" in line or "coverage" in line][:LOG_LINES]
    listing = ", ".join(seen.coverage.get(name, [])) or "(empty)"
    container = specification(pod, seen.container)
    variable = next((item for item in container.get("env") or [] if item["name"] == "GOCOVERDIR"), None)
    directory = str((variable or {}).get("value") or "")
    mount = _mount_over(container, directory)
    evidence = [*lines, f"coverage folder of {name}: {listing}"]
    if directory:
        over = f"mount {mount['mountPath']}" if mount else "no mount there"
        evidence.append(f"GOCOVERDIR: {directory}; {over}")
    # what the manifest itself says comes first, then the program's own words, then the file of the process
    if seen.programs.get(name) and not seen.programs[name].get("instrumented"):
        return _not_instrumented(seen, name, [*evidence, _program(seen, name)])
    told_unset = any("GOCOVERDIR not set" in line for line in lines)
    if container and not directory and "valueFrom" not in (variable or {}) and (told_unset or not lines):
        return Diagnosis(
            cause="gocoverdir-unset",
            sentence=f"Container {seen.container} of pod {name} has no variable GOCOVERDIR, or an empty one.",
            evidence=[*evidence, "env: " + ", ".join(item["name"] for item in container.get("env") or [])],
            remedy="Let coverage mode change this container; its name is the container's in the manifest.",
            setting="workload.container",
        )
    if told_unset:
        return Diagnosis(
            cause="gocoverdir-unset",
            sentence=f"The program in pod {name} is instrumented, but GOCOVERDIR does not reach it.",
            evidence=evidence,
            remedy="Find what drops it between the container's entrypoint and the program: a wrapper, or env -i.",
            setting="workload.container",
        )
    said = lines[-1].rpartition(": ")[2] if lines else ""
    failed = [line for line in lines if "emit failed" in line]
    if any("read-only file system" in line for line in failed):
        return Diagnosis(
            cause="coverage-read-only",
            sentence=f"The program in pod {name} cannot write its counters: {directory or 'the folder'} is read-only.",
            evidence=evidence,
            remedy="Mount the volume for the counters writable: no readOnly at the mount or the volume.",
            setting="coverage.directory",
        )
    mounts = [item["mountPath"] for item in container.get("volumeMounts") or [] if item.get("name") == VOLUME]
    astray = directory and mounts and (mount is None or mount.get("name") != VOLUME)
    if astray or any("inaccessible" in line for line in failed):
        expected = mounts[0] if mounts else "a mounted folder"
        return Diagnosis(
            cause="coverage-path-mismatch",
            sentence=f"The program in pod {name} writes its counters to {directory or said}, which is not where the"
            f" folder for them is mounted ({expected}).",
            evidence=evidence,
            remedy="Give GOCOVERDIR and the mount the same path: one variable sets both.",
            setting="coverage.directory",
        )
    if failed:
        return Diagnosis(
            cause="coverage-not-writable",
            sentence=f"The program in pod {name} cannot write its counters: {said}.",
            evidence=evidence,
            remedy="Let its user write to the folder, and mount it where GOCOVERDIR points.",
            setting="coverage.directory",
        )
    if seen.programs.get(name):
        return Diagnosis(
            cause="coverage-path-mismatch",
            sentence=f"The program in pod {name} is instrumented; its counters do not go to the folder on the node.",
            evidence=[*evidence, _program(seen, name)],
            remedy="Check that GOCOVERDIR points into the volume that coverage mode mounts.",
            setting="coverage.directory",
        )
    return Diagnosis(
        cause="no-covmeta",
        sentence=f"Pod {name} is ready, but its program wrote no covmeta when it started: it is not instrumented.",
        evidence=evidence,
        remedy="Build it with -cover, and check that the image that runs is the one that was built.",
        setting="source",
    )


def _not_instrumented(seen: Observation, name: str, evidence: list[str]) -> Diagnosis:
    claims = bool(seen.programs[name].get("cover"))
    sentence = f"The program in pod {name} is not instrumented"
    if claims:
        sentence += ", though its build information says -cover: go install -cover of another module does that"
    return Diagnosis(
        cause="not-instrumented",
        sentence=f"{sentence}.",
        evidence=evidence,
        remedy="Build it with go build -cover, and check that the image that runs is the one that was built."
        if not claims
        else "Build it in a module of its own (go get -tool, then go build -cover -coverpkg=...).",
        setting="source",
    )


def _program(seen: Observation, name: str) -> str:
    found = seen.programs[name]
    has = "has" if found.get("instrumented") else "lacks"
    info = "-cover=true" if found.get("cover") else "no -cover"
    where = f"{found.get('file', 'the process')} on node {found.get('node', '?')}"
    return f"{where} {has} runtime/coverage.initHook; build info: {info}"


def _mount_over(container: Object, directory: str) -> t.Optional[Object]:
    """The mount that a folder of the container is on."""
    if not directory:
        return None
    path = posixpath.normpath(directory)
    over = [
        item
        for item in container.get("volumeMounts") or []
        if path == (place := posixpath.normpath(item["mountPath"])) or path.startswith(f"{place.rstrip('/')}/")
    ]
    return max(over, key=lambda item: len(item["mountPath"]), default=None)
