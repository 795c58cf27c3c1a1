# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What runs in a pod's container and where it writes, seen from the node while it runs: one command for each node."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import CommandError
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.ending import Process
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Object
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import (
    containers,
    redacted_text,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman

SIGTERM = 15
MARKER = "runtime/coverage.initHook"  # in each binary that can write counters, stripped or not
TIMEOUT = 10.0

# The ids of containers are the arguments; a container's processes are those in whose cgroup its id is.
LOOK = r"""
marker=$1
shift
known=""
for id; do
  number=0
  for file in $(grep -lF -e "$id" /proc/[0-9]*/cgroup 2>/dev/null); do
    number=$((number + 1))
    [ "$number" -le 16 ] || break
    process=${file%/cgroup}
    printf 'container %s\n' "$id"
    grep -E '^(Name|Uid|Gid|Groups|Pid|PPid|SigCgt|SigIgn):' "$process/status" 2>/dev/null
    printf 'executable %s\n' "$(readlink "$process/exe" 2>/dev/null)"
    printf 'command %s\n' "$(tr '\0\n' '  ' 2>/dev/null <"$process/cmdline")"
    key=$(stat -Lc '%s.%Y' "$process/exe" 2>/dev/null)
    case "$known" in
      *"|$key=yes|"*) instrumented=yes ;;
      *"|$key=no|"*) instrumented=no ;;
      *)
        if grep -qaF -m1 -e "$marker" "$process/exe" 2>/dev/null; then instrumented=yes; else instrumented=no; fi
        known="$known|$key=$instrumented|"
        ;;
    esac
    printf 'instrumented %s\n' "$instrumented"
    folder=$(tr '\0' '\n' 2>/dev/null <"$process/environ" | sed -n 's/^GOCOVERDIR=//p' | tail -n 1)
    printf 'folder %s\n' "$folder"
    [ -n "$folder" ] || continue
    printf 'mode %s\n' "$(stat -Lc '%a %u %g' "$process/root$folder" 2>/dev/null)"
    printf 'mount %s\n' "$(awk -v path="$folder" '
      $5 == "/" || $5 == path || index(path, $5 "/") == 1 {
        if (length($5) >= length(point)) { point = $5; options = $6; from = $4 }
      }
      END { print options, point, from }' "$process/mountinfo" 2>/dev/null)"
    find "$process/root$folder/" -maxdepth 1 -type f -name '*cov*' -printf 'file %f\n' 2>/dev/null
  done
done
exit 0
"""


def look(podman: Podman, pods: t.Sequence[Object], container: str) -> tuple[dict[str, list[Process]], dict[str, str]]:
    """Return the processes of each pod's instrumented container, and the nodes that did not answer, with why.

    Each node is a podman container of the node's name, as kind has it.
    """
    ids: dict[str, dict[str, str]] = {}
    for pod in pods:
        for status in containers(pod):
            identity = status.get("containerID", "").partition("://")[2]
            if status["name"] == container and identity and "running" in (status.get("state") or {}):
                ids.setdefault(pod["spec"].get("nodeName", ""), {})[identity] = pod["metadata"]["name"]
    found: dict[str, list[Process]] = {}
    unreachable: dict[str, str] = {}

    def on_node(node: str) -> str:
        answer = podman.exec(
            node, "sh", "-c", LOOK, "look", MARKER, *ids[node], purpose=f"look at node {node}", timeout=TIMEOUT
        )
        return answer.stdout

    with ThreadPoolExecutor() as pool:
        for node, done in [(node, pool.submit(on_node, node)) for node in ids]:
            try:
                for identity, processes in parsed(done.result()).items():
                    found[ids[node][identity]] = processes
            except CommandError as error:
                unreachable[node] = error.message
    return found, unreachable


def parsed(text: str) -> dict[str, list[Process]]:
    """Return the processes by container id from what LOOK prints."""
    records: list[dict[str, list[str]]] = []
    for line in text.splitlines():
        key, _space, value = line.partition(" ")
        if key.endswith(":") or ":\t" in line:
            key, _colon, value = line.partition(":")
        if key == "container":
            records.append({})
        if records:
            records[-1].setdefault(key, []).append(value.strip())
    by_container: dict[str, list[Process]] = {}
    pids: dict[str, set[str]] = {}
    for record in records:
        pids.setdefault(record["container"][0], set()).add(_one(record, "Pid"))
    for record in records:
        identity = record["container"][0]
        if not _one(record, "Pid"):
            continue  # it ended while we looked
        by_container.setdefault(identity, []).append(
            Process(
                name=_one(record, "Name"),
                command=redacted_text(_one(record, "command")),
                executable=_one(record, "executable"),
                # its parent is the container's shim
                first=_one(record, "PPid") not in pids[identity],
                user=int((_one(record, "Uid").split() or ["0", "0"])[1]),
                groups=sorted({int(_one(record, "Gid").split()[1]), *map(int, _one(record, "Groups").split())}),
                handles=_has_signal(_one(record, "SigCgt")),
                ignores=_has_signal(_one(record, "SigIgn")),
                instrumented=_one(record, "instrumented") == "yes",
                folder=_one(record, "folder"),
                mode=_one(record, "mode"),
                mount=_one(record, "mount"),
                files=sorted(record.get("file", [])),
            )
        )
    return by_container


def _one(record: t.Mapping[str, t.Sequence[str]], key: str) -> str:
    return record.get(key, [""])[0]


def _has_signal(mask: str) -> bool:
    return bool(int(mask or "0", 16) >> (SIGTERM - 1) & 1)
