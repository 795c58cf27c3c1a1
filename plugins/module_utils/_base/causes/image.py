# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes of images: built, proved, loaded."""

from __future__ import annotations

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import CAUSES, Cause

CAUSES.add(
    "Instrumented image",
    Cause(
        "build-failed",
        title="The image cannot be built",
        why="Go or podman failed; the end of the log is the evidence.",
        remedy="Fix what the log says.",
        settings=("source",),
    ),
    Cause(
        "coverpkg-matches-nothing",
        title="A package pattern matches nothing",
        why="The program does not contain such a package.",
        remedy="Correct the pattern.",
        settings=("image.coverpkg",),
    ),
    Cause(
        "coverpkg-without-main",
        title="A package pattern leaves the main package out",
        why="Only an instrumented main package has the code that writes what was counted; without it a program writes "
        "nothing and says nothing.",
        remedy="Add the main package to the patterns.",
        settings=("image.coverpkg",),
    ),
    Cause(
        "not-instrumented",
        title="The program is not instrumented",
        why=(
            "It lacks `runtime/coverage.initHook`. The likeliest reason is named: no `ARG GOFLAGS` in the "
            "stage that builds, an exact comparison of `GOFLAGS`, flags without `-cover`, `go install "
            "-cover` (its build information says `-cover` and proves nothing), a `-coverpkg` without the main package, "
            "or another program of the "
            "image is the instrumented one."
        ),
        remedy=("Build it with `go build -cover`, and check that the image that runs is the one that was built."),
        settings=(
            "image.build_args",
            "instrumented_image#binary",
        ),
    ),
    Cause(
        "no-go-binary",
        title="The image does not start a Go program",
        why="Its entrypoint starts something else.",
        remedy="Name the program that the workload starts.",
        settings=("instrumented_image#binary",),
    ),
    Cause(
        "bad-archive",
        title="An image archive cannot be used",
        why="It is damaged, or holds another image.",
        remedy="Save it again.",
    ),
    Cause(
        "cluster-missing",
        title="The cluster does not exist",
        why="There is no cluster of that name to load images into.",
        remedy="Create it, or correct its name.",
        settings=("node_image#cluster",),
    ),
    Cause(
        "node-missing",
        title="The node does not exist",
        why="There is no container of that name.",
        remedy="Correct the name.",
        settings=("node_image#nodes",),
    ),
    Cause(
        "node-not-running",
        title="A node does not run",
        why="Its container is stopped.",
        remedy="Start it, or create the cluster again.",
    ),
    Cause(
        "containerd-not-answering",
        title="containerd does not answer",
        why="It did not answer on a node in time.",
        remedy="Wait longer.",
        settings=("node_image#timeout",),
    ),
    Cause(
        "image-import-failed",
        title="A node cannot import the image",
        why="The free space of the node is in the evidence.",
        remedy="Free space on the node.",
    ),
)
