# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What the nodes of a cluster know of its pods: their coverage files, and whether their programs are instrumented."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Object
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman

INIT_HOOK = "runtime/coverage.initHook"
BUILD_FLAG = "build\t-cover=true"
PROC = "/proc"
# A container's processes are those in whose cgroup its id is. One command, for each costs a third of a second and more.
PROGRAM = r"""
number=0
first=""
flagged=no
for file in $(grep -lF -e "$2" "$1"/[0-9]*/cgroup 2>/dev/null); do
  number=$((number + 1))
  [ "$number" -le 32 ] || break
  program=${file%/cgroup}/exe
  first=${first:-$program}
  if grep -qaF -m1 -e "$3" "$program" 2>/dev/null; then
    printf 'hook %s\n' "$(readlink "$program")"
    exit 0
  fi
  if grep -qaF -m1 -e "$4" "$program" 2>/dev/null; then flagged=flag; fi
done
[ -z "$first" ] || printf '%s %s\n' "$flagged" "$(readlink "$first")"
exit 0
"""


def program(podman: Podman, node: str, container: str) -> Object:
    """Whether the file of a container's process, or of one that it started, is instrumented; asked on the node.

    :raises ValueError: it runs no longer.
    """
    answer = podman.exec(
        *[node, "sh", "-c", PROGRAM, "program", PROC, container, INIT_HOOK, BUILD_FLAG],
        purpose=f"read programs on node {node}",
    )
    what, _space, file = answer.stdout.strip().partition(" ")
    if not what:
        raise ValueError(f"container {container} does not run on node {node}")
    return {"instrumented": what == "hook", "cover": what in ("hook", "flag"), "file": file, "node": node}


def list_coverage(podman: Podman, nodes: t.Sequence[str], directory: str) -> dict[str, list[str]]:
    """Return the names of the files in each pod's folder, over all nodes."""

    def on_node(node: str) -> str:
        # 1: find says so where the folder is not there (yet)
        listing = podman.exec(
            node,
            *("find", directory, "-mindepth", "2", "-maxdepth", "2", "-type", "f", "-printf", "%P\\n"),
            purpose=f"list {directory} on node {node}",
            accept=(0, 1),
        )
        return listing.stdout

    found: dict[str, list[str]] = {}
    with ThreadPoolExecutor() as pool:
        for listing in pool.map(on_node, nodes):
            for line in listing.splitlines():
                pod, _slash, name = line.partition("/")
                found.setdefault(pod, []).append(name)
    return {pod: sorted(names) for pod, names in found.items()}
