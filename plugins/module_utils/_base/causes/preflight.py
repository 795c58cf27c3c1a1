# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes that preflight finds on the host and in the source."""

from __future__ import annotations

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import CAUSES, Cause

CAUSES.add(
    "Preflight: the host and the source",
    Cause(
        "podman-fails",
        title="Podman does not answer",
        why="Podman is installed and fails; its own words are in the message.",
        remedy="Run `playbooks/runner.yml`.",
    ),
    Cause(
        "no-cgroups",
        title="Control groups are not mounted",
        why="Podman and kind need them.",
        remedy="Mount `/sys/fs/cgroup`.",
    ),
    Cause(
        "disk-full",
        title="The disk is full",
        why=(
            "Less space is free than a run may need: an image exists three times, in podman's store, as an "
            "archive and on the nodes. kind gives it too when the disk fills up while it creates a "
            "cluster, and extraction when the log has `no space left on device` or counters are half "
            "written."
        ),
        remedy="Free space on the disk; nodes share the disk of their host.",
        settings=("preflight_info#disk_gib",),
    ),
    Cause(
        "memory-short",
        title="Memory is short",
        why=("Less memory is available than a run asks for, or the kubelet of a node reports MemoryPressure."),
        remedy="End something else, or ask for less.",
        settings=("preflight_info#memory_gib",),
    ),
    Cause(
        "go-missing",
        title="Go is not installed",
        why="The source is a Go module, and the host has no Go.",
        remedy="Run the role coverage_runner, or name Go's path.",
        settings=("instrumented_image#go",),
    ),
    Cause(
        "go-too-old",
        title="Go is too old",
        why="Go is older than 1.24 or than the module requires, and may not download a newer one.",
        remedy="Install a newer Go, or set `GOTOOLCHAIN=auto`.",
        settings=("instrumented_image#go",),
    ),
    Cause(
        "module-unknown",
        title="The module does not exist",
        why=("The module proxy does not know it. From major version 2 on the version belongs to the path."),
        remedy="Correct the module path.",
        settings=("source.module",),
    ),
    Cause(
        "version-unknown",
        title="The module has no such version",
        why="The nearest version is named.",
        remedy="Correct the version.",
        settings=("source.version",),
    ),
    Cause(
        "module-proxy-unreachable",
        title="The module proxy does not answer",
        why="It gave no usable answer, or `GOPROXY=off` is set and the module is not in the cache.",
        remedy="Fix the network, or name another proxy.",
        settings=("instrumented_image#go_environment.GOPROXY",),
    ),
    Cause(
        "package-unknown",
        title="The module has no such package",
        why="The programs of the module are listed.",
        remedy="Correct the package.",
        settings=("source.package",),
    ),
    Cause(
        "not-a-main-package",
        title="The package is not a program",
        why="It is a library: its name is not `main`.",
        remedy="Name the package of the program.",
        settings=("source.package",),
    ),
    Cause(
        "dir-missing",
        title="The checkout does not exist",
        why="The folder is not on the runner.",
        remedy="Correct the folder, or check the source out.",
        settings=("source.dir",),
    ),
    Cause(
        "containerfile-missing",
        title="The Containerfile does not exist",
        why="The nearest file is named.",
        remedy="Correct its path.",
        settings=("source.containerfile",),
    ),
    Cause(
        "context-missing",
        title="The build context does not exist",
        why="It is not a folder on the runner.",
        remedy="Correct the folder.",
        settings=("source.dir",),
    ),
    Cause(
        "base-missing",
        title="The base image does not exist",
        why="The base image of a Go module's program is not in podman's store.",
        remedy="Pull, load or build it; or use the base `scratch`.",
        settings=("image.base",),
    ),
    Cause(
        "containerfile-goflags",
        title="The coverage flags do not reach `go build`",
        why=(
            "There is no `ARG GOFLAGS` in the stage that builds, `ENV` or the command itself sets other "
            "flags, `GOFLAGS` is compared exactly with `-cover`, or only `go install path@version` is "
            "called. File and line are named."
        ),
        remedy="Pass `$GOFLAGS` on without a condition; see [preflight](preflight.md#containerfile).",
        settings=(
            "source.containerfile",
            "image.build_args",
        ),
    ),
    Cause(
        "containerfile-target",
        title="The Containerfile has no such stage",
        why="The target names a stage that does not exist, or the file has no stage.",
        remedy="Correct the target.",
        settings=("source.target",),
    ),
    Cause(
        "sigterm-lost",
        title="SIGTERM does not reach the program",
        why=(
            "A shell is process 1 and keeps SIGTERM from the program (shell form, a script without "
            "`exec`), or `STOPSIGNAL` kills it: no counters would be written."
        ),
        remedy="Use the JSON form of `ENTRYPOINT`, or `exec`.",
        settings=("source.containerfile",),
    ),
    Cause(
        "image-user",
        title="Kubernetes will not start the user of the image",
        why=(
            "The workload sets `runAsNonRoot`, and the user of the image is root or a name: Kubernetes "
            "cannot know that it is not root."
        ),
        remedy="Use a number as `USER`, or set `runAsUser` in the manifest.",
        settings=("source.containerfile",),
    ),
    Cause(
        "manifest-invalid",
        title="A manifest is not valid",
        why=(
            "It cannot be read, a key is written twice, or its parts contradict each other: a volume, port "
            "or probe port that does not exist, a selector that selects none of its own pods. File and "
            "line are named."
        ),
        remedy="Correct the manifest.",
        settings=(
            "workload.manifests",
            "workload.objects",
        ),
    ),
    Cause(
        "reference-unresolved",
        title="A manifest refers to something that does not exist",
        why=(
            "A pod needs a ConfigMap, Secret, key, claim or ServiceAccount that neither the manifests nor "
            "the namespace have. Where the namespace may have it already, this is a warning."
        ),
        remedy="Add it to the manifests.",
        settings=(
            "workload.manifests",
            "workload.objects",
        ),
    ),
)
