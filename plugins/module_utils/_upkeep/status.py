# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What runs have on a host, whose it is, how old, and what is left of the host: for people as a table, and as data."""

from __future__ import annotations

import os
import shutil
import time
import typing as t
from dataclasses import asdict
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._leases.leases import Lease
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._upkeep.made import find

GIB = 1024**3
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def status(cache: Path, podman: Podman) -> dict[str, t.Any]:
    """Return C(clusters), C(images), C(leases), C(remains), C(disk), C(memory): bytes, seconds."""
    made = find(cache, podman)
    existing = cache
    while not existing.exists():
        existing = existing.parent
    usage = shutil.disk_usage(existing)
    return {
        "clusters": [{**asdict(item), "users": _owners(item.users)} for item in made.clusters],
        "images": [{**asdict(item), "users": _owners(item.users)} for item in made.images],
        "leases": [lease.fields() for lease in made.leases],
        "remains": made.remains,
        "disk": {"path": str(existing), "free": usage.free, "total": usage.total},
        "memory": _memory(),
    }


def table(facts: t.Mapping[str, t.Any], *, now: t.Optional[float] = None) -> list[str]:
    """Return the status as lines of equal columns: what, how old, size or ports, who uses it."""
    moment = time.time() if now is None else now
    rows = [("what", "age", "size, ports", "used by")]
    for item in facts["clusters"]:
        state = "unfinished" if item["unfinished"] else item["state"]
        owner = "" if item["ours"] else ", not of this collection"
        ports = ", ".join(map(str, item["ports"]))
        rows.append((f"cluster {item['name']} ({state}{owner})", _age(item["age"]), ports, "; ".join(item["users"])))
    for item in facts["images"]:
        rows.append((f"images of {item['service']}", _age(item["age"]), _size(item["bytes"]), "; ".join(item["users"])))
    for lease in facts["leases"]:
        if lease["resource"]["kind"] in ("workload", "folder"):
            does = "waits" if lease["waiter"] else "holds"
            name = f"{lease['resource']['kind']} {lease['resource']['name']}"
            rows.append((name, _age(moment - lease["since"]), "", f"{does}: {_who(lease['owner'])}"))
    rows += [(path, "", "", "left by a killed run") for path in facts["remains"]]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]).rstrip()
        for row in rows
    ]
    disk, memory = facts["disk"], facts["memory"]
    lines.append(f"disk of {disk['path']}: {_size(disk['free'])} free of {_size(disk['total'])}")
    lines.append(f"memory: {_size(memory['available'])} available of {_size(memory['total'])}")
    return lines


def _owners(leases: t.Iterable[Lease]) -> list[str]:
    return list(dict.fromkeys(lease.owner.words() for lease in leases if not lease.waiter))


def _who(owner: t.Mapping[str, t.Any]) -> str:
    return f"run {owner['run']} of {owner['service']} (process {owner['pid']})"


def _memory() -> dict[str, int]:
    page = os.sysconf("SC_PAGE_SIZE")
    total, available = os.sysconf("SC_PHYS_PAGES") * page, os.sysconf("SC_AVPHYS_PAGES") * page
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            available = int(line.split()[1]) * 1024
    return {"total": total, "available": available}


def _age(seconds: float) -> str:
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{max(seconds, 0):.0f} s"


def _size(count: int) -> str:
    return f"{count / GIB:.1f} GiB" if count >= GIB / 10 else f"{count / 1024**2:.0f} MiB"
