# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What the nodes of a cluster know of its pods: their coverage files, and whether their programs are instrumented."""

from __future__ import annotations

import ipaddress
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


def mapped_ports(podman: Podman, nodes: t.Sequence[str]) -> dict[str, list[int]]:
    """Return by port of this host the ports of these nodes that it leads to."""
    found: dict[str, list[int]] = {}
    for item in podman.containers("label=io.x-k8s.kind.cluster"):
        if not set(item.get("Names") or []) & set(nodes):
            continue
        for port in item.get("Ports") or []:
            for number in range(int(port.get("range") or 1)):
                host, inside = int(port.get("host_port") or 0) + number, int(port.get("container_port") or 0) + number
                found.setdefault(str(host), []).append(inside)
    return found


# the tables of the network that the first process of a container is in
SOCKETS = r"""
for file in $(grep -lF -e "$2" "$1"/[0-9]*/cgroup 2>/dev/null); do
  cat "${file%/cgroup}/net/tcp" "${file%/cgroup}/net/tcp6" 2>/dev/null && exit 0
done
exit 0
"""
LISTEN = "0A"  # the state of a socket that listens, as the kernel writes it


def listening(podman: Podman, node: str, container: str) -> list[str]:
    """Return the C(address:port) where the pod of a container listens, as the kernel of its node has them.

    :raises ValueError: it runs no longer.
    """
    answer = podman.exec(
        *[node, "sh", "-c", SOCKETS, "sockets", PROC, container], purpose=f"read where a pod listens on node {node}"
    )
    if not answer.stdout.strip():
        raise ValueError(f"container {container} does not run on node {node}")
    found = set[str]()
    for line in answer.stdout.splitlines():
        words = line.split()
        if len(words) > 3 and words[3] == LISTEN:
            address, _colon, port = words[1].partition(":")
            found.add(f"{_address(address)}:{int(port, 16)}")
    return sorted(found)


def _address(text: str) -> str:
    """An address of the kernel's tables, where each 32 bits are in the order of the host (little endian)."""
    raw = bytes.fromhex(text)
    address = ipaddress.ip_address(b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4)))
    return f"[{address}]" if address.version == 6 else str(address)


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
