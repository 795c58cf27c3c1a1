# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made of the output of kind."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind import failures as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.config import ClusterConfig

IMAGE = "localhost/kindest/node:v1.34.4"


def config(**options: t.Any) -> ClusterConfig:
    return ClusterConfig.from_options(**{"name": "demo", "node_image": IMAGE, **options})


@pytest.mark.parametrize(
    ("line", "step"),
    [
        (" • Ensuring node image (kindest/node:v1.34.4) 🖼  ...", "Ensuring node image (kindest/node:v1.34.4)"),
        (" • Preparing nodes 📦 📦   ...", "Preparing nodes"),
        (" • Starting control-plane 🕹️  ...", "Starting control-plane"),
        (" ✓ Starting control-plane 🕹️", ""),
        ('Creating cluster "demo" ...', ""),
        ("", ""),
    ],
)
def test_steps_of_kind(line: str, step: str) -> None:
    assert lib.step_of(line) == step


@pytest.mark.parametrize(
    ("output", "cause", "said"),
    [
        (
            "Error: statfs /root/coverdata: no such file or directory",
            "mount-source-missing",
            "/root/coverdata, which a node mounts, does not exist",
        ),
        ("listen tcp 127.0.0.1:80: bind: address already in use", "port-taken", "host port was taken"),
        ("write /var/tmp/x: no space left on device", "disk-full", "disk is full"),
        ("Failed to allocate directory watch: Too many open files\ntoo many open files", "kernel-limits", "inotify"),
        ("running kind with rootless provider requires cgroup v2, see", "no-root", "podman runs rootless"),
        (
            'could not find a log line that matches "Reached target .*Multi-User System.*"',
            "node-boot",
            "systemd did not start",
        ),
        ("[kubelet-check] The kubelet is not healthy after 4m0s", "control-plane", "control plane did not start"),
        ("ERROR: something new", "kind-failed", "kind failed"),
    ],
)
def test_failures_of_kind_become_verdicts(output: str, cause: str, said: str) -> None:
    error = lib.explain_failure(config(), f"Creating cluster\n{output}\n", ["demo-control-plane: last words"])
    assert (error.cause, said in error.message) == (cause, True)
    assert error.message.startswith('Cluster "demo" could not be created')
    assert error.evidence[-1] == "demo-control-plane: last words"
    assert output.splitlines()[-1] in error.evidence
