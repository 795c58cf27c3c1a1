# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""How the folder for the counters comes to be writable for the program: the mildest way that works, and why that one.

The ways, mildest first: it is writable already; it is prepared on the nodes (mode 1777); the pod's C(fsGroup) gets it;
an init container opens it; the program runs as root.
"""

from __future__ import annotations

import posixpath
import re
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode.patch import (
    CLAIM,
    FS_GROUP,
    HOST_PATH,
    INIT,
    NODE,
    ROOT,
    WRITABLE,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman

AUTO = "auto"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # one step of a path that a folder is removed by


class NotWritable(CoverageError):
    """No way is allowed or possible in which the program could write its counters."""

    cause = "coverage-folder-not-writable"


@dataclass(frozen=True)
class Permission:
    """The way that was chosen, and a sentence that says why."""

    way: str
    reason: str


def decide(
    podman: Podman,
    nodes: t.Sequence[str],
    folder: str,
    *,
    wanted: str = AUTO,
    volume: str = AUTO,
    init_image: str = "",
    allow_root: bool = False,
    nodes_exist: bool = True,
) -> Permission:
    """Return the mildest way that works; nothing is changed.

    :arg nodes: containers of the nodes; without them nothing is known of the folder.
    :arg nodes_exist: whether the nodes exist already and can be queried.
    :arg wanted: a way, or C(auto). :arg volume: C(auto), or the kind of volume that is wanted.
    :raises InputError: what is wanted cannot work, or was not allowed. :raises NotWritable: no way is left.
    """
    if wanted != AUTO:
        _refuse(wanted, volume, init_image, allow_root, nodes)
        return Permission(wanted, "as coverage_mode_permission says")
    if nodes:
        if nodes_exist and all(modes_of(podman, nodes, folder)):
            return Permission(WRITABLE, f"{folder} exists on every node and is writable for everyone")
        return Permission(NODE, f"{folder} is created on every node with mode 1777")
    if init_image:
        return Permission(INIT, f"no node is named to prepare the folder on, but the image {init_image} is")
    if allow_root:
        return Permission(ROOT, "no node is named to prepare the folder on, no init_image, and root is allowed")
    raise NotWritable(
        f"Nothing makes the folder {folder} writable for the program: no node is named on which to prepare it.",
        remedy="Name the nodes, or choose another way: coverage_mode_permission (writable, if it is prepared already),"
        " coverage_mode_init_image, or last coverage_mode_allow_root.",
        setting="coverage_mode#nodes",
    )


def modes_of(podman: Podman, nodes: t.Sequence[str], folder: str) -> list[bool]:
    """Return for each node whether the folder is there and everyone may make files in it."""

    def is_open(node: str) -> bool:
        answer = podman.exec(
            *(node, "find", folder, "-maxdepth", "0", "-type", "d", "-perm", "-0003"),
            purpose=f"inspect the folder for counters on node {node}",
            accept=(0, 1),  # 1: it is not there
        )
        return bool(answer.stdout.strip())

    with ThreadPoolExecutor() as pool:
        return list(pool.map(is_open, nodes))


def make_folders(podman: Podman, nodes: t.Sequence[str], folders: t.Sequence[str], mode: str) -> None:
    """Make the folders on every node; one that is there gets the mode."""

    def on_node(node: str) -> None:
        podman.exec(
            *(node, "install", "-d", "-m", mode, *folders), purpose=f"create the folder for counters on node {node}"
        )

    with ThreadPoolExecutor() as pool:
        list(pool.map(on_node, nodes))


def remove_folders(podman: Podman, nodes: t.Sequence[str], folder: str, *, discard: bool) -> list[str]:
    """Remove a component's folder, and its run's with the last one; return C(node:folder) of those that stay.

    A folder that still has counters is kept: they were not collected.

    :arg discard: whether counters go, too.
    """

    def on_node(node: str) -> t.Optional[str]:
        if not discard:
            found = podman.exec(
                *(node, "find", folder, "-name", "covcounters.*", "-print", "-quit"),
                purpose=f"look for counters on node {node}",
                accept=(0, 1),
            )
            if found.stdout.strip():
                return f"{node}:{folder}"
        podman.exec(node, "rm", "-rf", "--", folder, purpose=f"remove the folder for counters on node {node}")
        run = posixpath.dirname(folder)
        podman.exec(
            *(node, "find", run, "-maxdepth", "0", "-type", "d", "-empty", "-delete"),
            purpose=f"remove the run's folder on node {node}",
            accept=(0, 1),
        )
        return None

    with ThreadPoolExecutor() as pool:
        return [kept for kept in pool.map(on_node, nodes) if kept]


def is_own_folder(folder: str, node_directory: str, run: str, component: str) -> bool:
    """Whether a path is what coverage mode makes for a component of a run, and no other folder of a node."""
    return (
        all(NAME.fullmatch(name) is not None for name in (run, component))
        and posixpath.join(node_directory, run, component) == folder == posixpath.normpath(folder)
        and len(node_directory) > 1
    )


def _refuse(wanted: str, volume: str, init_image: str, allow_root: bool, nodes: t.Sequence[str]) -> None:
    if wanted == ROOT and not allow_root:
        raise InputError(
            "The program would have to run as root to write its counters, but root is not allowed.",
            remedy="Allow it, or choose a way that needs no root.",
            setting="coverage.allow_root",
        )
    if wanted == INIT and not init_image:
        raise InputError(
            "An init container should make the folder for counters writable, but its image is not set.",
            remedy="Name an image on the nodes that has chmod.",
            setting="coverage.init_image",
        )
    if wanted == FS_GROUP and volume == HOST_PATH:
        raise InputError(
            "An fsGroup changes a volume's group, but the kubelet never does that for a hostPath.",
            remedy=f"Choose the volume {CLAIM}.",
            setting="coverage.volume",
        )
    if wanted == NODE and not nodes:
        raise InputError("No node is named to prepare the folder on.", setting="coverage_mode#nodes")
