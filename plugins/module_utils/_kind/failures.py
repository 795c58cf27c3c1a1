# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Turn kind's output into progress and into errors that name the cause."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import last_lines
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.config import ClusterConfig

READY_RUNNER = "Run playbooks/runner.yml, which prepares this host."


class ClusterError(CoverageError):
    """A cluster cannot be made, used or deleted as asked."""

    cause = "cluster"


def step_of(line: str) -> str:
    """Return the step that a line of kind's output begins ("Starting control-plane"), or an empty string."""
    match = re.match(r"\s*•\s+(.*?)\s*\.\.\.\s*$", line)
    if not match:
        return ""
    # kind decorates its steps with pictures
    return " ".join("".join(character for character in match[1] if character.isascii()).split())


# pattern in kind's output, cause, what it means, what to do about it, setting
KNOWN_FAILURES = (
    (
        r"statfs ([^:\n]+): no such file",
        "mount-source-missing",
        "{0}, which a node mounts, does not exist on this host",
        "Create it, or remove the mount.",
        "cluster.extra_mounts",
    ),
    (
        r"(?:address already in use|port is already allocated)",
        "port-taken",
        "a host port was taken while the cluster was being created",
        "Free it, or choose another host_port.",
        "cluster.port_mappings",
    ),
    (r"no space left on device", "disk-full", "the disk is full", "Free space where podman stores its containers.", ""),
    (
        r"(?:too many open files|inotify_init|inotify watches)",
        "kernel-limits",
        "the kernel's limit of open files or inotify watches is too low",
        READY_RUNNER,
        "",
    ),
    (
        r"(?:rootless provider requires|Delegate=yes)",
        "no-root",
        "podman runs rootless, but this host does not delegate the cgroups that kind needs",
        "Run as root, or set up rootless kind: cgroup v2 and Delegate=yes.",
        "",
    ),
    (
        r"could not find a (?:log )?line that matches",
        "node-boot",
        "systemd did not start inside a node's container",
        READY_RUNNER,
        "cluster.node_image",
    ),
    (
        r"(?:kubelet is not healthy|wait-control-plane|timed out waiting for the condition|context deadline exceeded)",
        "control-plane",
        "the control plane did not start inside its node",
        "Read the kubelet's log lines; usually memory or disk space is short, or the node image does not suit"
        " this host.",
        "cluster.node_image",
    ),
)


def explain_failure(config: ClusterConfig, output: str, node_lines: t.Sequence[str]) -> ClusterError:
    """Turn the output of a failed C(kind create cluster) into one sentence with its evidence.

    :arg node_lines: what the control-plane container said, where it was still there to be asked.
    """
    evidence = [*last_lines(output), *node_lines]
    for pattern, cause, sentence, remedy, setting in KNOWN_FAILURES:
        match = re.search(pattern, output)
        if match:
            return ClusterError(
                f'Cluster "{config.name}" could not be created: {sentence.format(*match.groups())}.',
                remedy=remedy,
                setting=setting,
                evidence=evidence,
                cause=cause,
            )
    return ClusterError(
        f'Cluster "{config.name}" could not be created: kind failed. The end of its output is in the evidence.',
        evidence=evidence,
        cause="kind-failed",
    )
