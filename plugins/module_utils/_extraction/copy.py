# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""List the coverage folders of the nodes, and copy them to the runner."""

from __future__ import annotations

import os
import posixpath
import shutil
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import CommandError
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.ending import Disk, File, Source
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman

TIMEOUT = 15.0
# find reports what does not exist (yet), which is not a fault here; the free space is that of the folder's file system
SURVEY = r"""
find "$1" -mindepth 2 -type f -printf 'file %s %T@ %P\n' 2>/dev/null
stat -f -c 'disk %a %b %S %d %c' "$1" 2>/dev/null
exit 0
"""


class Survey(t.NamedTuple):
    """What is on one node."""

    files: dict[str, File]
    disk: t.Optional[Disk]


def survey(podman: Podman, nodes: t.Iterable[str], directory: str) -> tuple[dict[str, Survey], dict[str, str]]:
    """Return the contents of the folder on each node, and the nodes that did not answer, with why."""
    found: dict[str, Survey] = {}
    unreachable: dict[str, str] = {}

    def on_node(node: str) -> str:
        answer = podman.exec(
            node, "sh", "-c", SURVEY, "survey", directory, purpose=f"list {directory} on node {node}", timeout=TIMEOUT
        )
        return answer.stdout

    with ThreadPoolExecutor() as pool:
        for node, done in [(node, pool.submit(on_node, node)) for node in sorted(set(nodes))]:
            try:
                found[node] = parsed(done.result())
            except CommandError as error:
                unreachable[node] = error.message
    return found, unreachable


def parsed(text: str) -> Survey:
    """Return what SURVEY prints."""
    files: dict[str, File] = {}
    disk = None
    for line in text.splitlines():
        what, _space, rest = line.partition(" ")
        if what == "file":
            size, changed, name = rest.split(" ", 2)
            files[name] = File(int(size), float(changed))
        elif what == "disk":
            free, blocks, size_of_block, free_files, all_files = map(int, rest.split())
            disk = Disk(free * size_of_block, blocks * size_of_block, free_files, all_files)
    return Survey(files, disk)


def bring_home(
    podman: Podman,
    source: Source,
    destination: str,
    *,
    nodes: t.Optional[t.Sequence[str]] = None,
    set_aside: t.Container[str] = (),
) -> dict[str, int]:
    """Copy every pod's folder from every node; return the size of each file by C(pod/name).

    A collected folder appears whole or not at all; files are only ever added to one of an earlier copy.

    :arg nodes: those to copy from; all of the source where not given.
    :arg set_aside: files that belong to no process run of this run: they go to a separate folder, C(set-aside).
    """
    target = Path(destination)
    target.mkdir(parents=True, exist_ok=True)
    aside = target.parent.parent / "set-aside" / target.name
    sizes: dict[str, int] = {}

    def from_node(node: str) -> dict[str, int]:
        beside = target.parent / f".{target.name}.{node}.{os.getpid()}.part"
        beside.mkdir()
        try:
            podman.copy_out(node, f"{source.volume_directory}/.", str(beside))
            found = {str(path.relative_to(beside)): path.stat().st_size for path in beside.rglob("*") if path.is_file()}
            for name in found:
                there = (aside if name in set_aside else target) / name
                there.parent.mkdir(parents=True, exist_ok=True)
                (beside / name).replace(there)
        finally:
            shutil.rmtree(beside)
        return found

    with ThreadPoolExecutor() as pool:
        for found in pool.map(from_node, source.nodes if nodes is None else nodes):
            sizes.update(found)
    return {name: size for name, size in sizes.items() if name not in set_aside}


def remove_copied(podman: Podman, source: Source, names: t.Iterable[str], nodes: t.Sequence[str] = ()) -> None:
    """Remove the collected counters from the nodes, file by file: a pod that runs again keeps its own."""
    paths = [
        posixpath.join(source.volume_directory, name)
        for name in names
        if posixpath.basename(name).startswith("covcounters.")
    ]
    if not paths:
        return
    with ThreadPoolExecutor() as pool:
        done = [
            pool.submit(podman.exec, node, "rm", "-f", "--", *paths, purpose=f"clear the counters on node {node}")
            for node in nodes or source.nodes
        ]
        for future in done:
            future.result()
