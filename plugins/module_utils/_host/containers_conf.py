# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The settings that podman needs on a host and does not find by itself (containers.conf(5))."""

from __future__ import annotations

import glob
import re
import typing as t
from dataclasses import dataclass
from pathlib import Path

DROP_IN = "50-kubernaut-coverage.conf"
# what podman asks for containers of root by default (libpod/define: RLimitDefaultValue)
PODMAN_LIMIT = 1048576


def settings_in(text: str) -> dict[tuple[str, str], str]:
    """Return what a containers.conf sets: (table, key) to the value as it is written.

    Only enough of TOML to know what somebody decided: values over several lines are joined.
    """
    found: dict[tuple[str, str], str] = {}
    table, key, value = "", "", ""
    for line in text.splitlines():
        bare = line.strip()
        if key:
            value += f" {bare}"
        elif not bare or bare.startswith("#"):
            continue
        elif header := re.fullmatch(r"\[([\w.-]+)\]\s*(#.*)?", bare):
            table = header.group(1)
            continue
        elif setting := re.match(r"([\w-]+)\s*=\s*(.*)", bare):
            key, value = setting.group(1), setting.group(2)
        if key and value.count("[") <= value.count("]"):
            found[table, key] = value.strip()
            key = ""
    return found


@dataclass(frozen=True)
class ContainerHost:
    """What decides which settings podman needs. C(nofile) and C(nproc) are hard limits, -1 without a limit."""

    cgroup: str
    init: str
    sys_resource: bool
    has_runc: bool
    nofile: int
    nproc: int


def nproc_of_containers(hard: int, pid_max: str) -> int:
    """Return the hard limit of processes that podman can still give: it lowers its own to C(kernel.pid_max) first.

    :arg hard: this process's own, -1 without a limit. :arg pid_max: the text of that kernel setting.
    """
    if not pid_max.strip().isdigit():
        return hard
    return int(pid_max) if hard < 0 else min(hard, int(pid_max))


def _limits_within(value: str, host: ContainerHost) -> bool:
    """Tell whether a value of C(default_ulimits) asks for both limits and no more than the host gives."""
    asked = {name: int(hard) for name, hard in re.findall(r"(nofile|nproc)=\d+:(\d+)", value)}
    given = {"nofile": host.nofile, "nproc": host.nproc}
    return set(asked) == set(given) and all(given[name] < 0 or asked[name] <= given[name] for name in given)


def containers_conf(
    host: ContainerHost, *, current: str = "", own: t.Optional[t.Mapping[tuple[str, str], str]] = None
) -> str:
    """Return the drop-in that podman needs on this host, or "" if it needs none.

    :arg current: the drop-in as it is now: limits in it that still fit are kept, because a session's may differ.
    :arg own: what the host's other files set (L(settings_in)): that is somebody's decision and stays out.
    """
    own = own or {}
    lines: list[tuple[str, str, str, str]] = []
    ulimits = ("containers", "default_ulimits")
    if not host.sys_resource and (0 <= host.nofile < PODMAN_LIMIT or 0 <= host.nproc < PODMAN_LIMIT):
        value = settings_in(current).get(ulimits, "")
        if not _limits_within(value, host):
            nofile, nproc = (
                PODMAN_LIMIT if limit < 0 else min(limit, PODMAN_LIMIT) for limit in (host.nofile, host.nproc)
            )
            value = f'["nofile={nofile}:{nofile}", "nproc={nproc}:{nproc}"]'
        lines.append((*ulimits, value, "No CAP_SYS_RESOURCE here: limits cannot be raised, as podman does by itself."))
    if host.init != "systemd":
        lines.append(
            ("engine", "cgroup_manager", '"cgroupfs"', "systemd is not process 1 here: it cannot be asked for cgroups.")
        )
        lines.append(("engine", "events_logger", '"file"', "No systemd, no journal."))
    if host.cgroup == "hybrid" and host.has_runc:
        lines.append(("engine", "runtime", '"runc"', "cgroups v1 and v2 side by side here: crun refuses them."))
    lines = [line for line in lines if line[:2] not in own]
    if not lines:
        return ""
    text = (
        "# Written by the role kubernaut.coverage.coverage_runner: what podman needs on this host and does not see.\n"
    )
    for table in dict.fromkeys(line[0] for line in lines):
        text += f"\n[{table}]\n"
        text += "".join(f"# {why}\n{key} = {value}\n" for place, key, value, why in lines if place == table)
    return text


def podman_facts(info: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return what matters of C(podman info --format json)."""
    host, store = info.get("host") or {}, info.get("store") or {}
    return {
        "version": (info.get("version") or {}).get("Version", ""),
        "runtime": (host.get("ociRuntime") or {}).get("name", ""),
        "cgroup_manager": host.get("cgroupManager", ""),
        "events_logger": host.get("eventLogger", ""),
        "network_backend": host.get("networkBackend", ""),
        "rootless": bool((host.get("security") or {}).get("rootless", False)),
        "storage_driver": store.get("graphDriverName", ""),
        "graph_root": store.get("graphRoot", ""),
    }


def unheeded(settings: t.Mapping[tuple[str, str], str], facts: t.Mapping[str, t.Any]) -> list[str]:
    """Return the settings of a drop-in that podman does not follow, as C(runtime = "runc", but podman uses crun)."""
    seen = {
        ("engine", "runtime"): facts["runtime"],
        ("engine", "cgroup_manager"): facts["cgroup_manager"],
        ("engine", "events_logger"): facts["events_logger"],
    }
    return [
        f"{key[1]} = {settings[key]}, but podman uses {value}"
        for key, value in seen.items()
        if key in settings and settings[key].strip('"') != value
    ]


def containers_conf_paths(root: bool) -> tuple[Path, list[Path]]:
    """Return where our drop-in belongs, and the other files that decide (containers.conf(5)), later ones winning."""
    home = Path("/etc/containers") if root else Path("~/.config/containers").expanduser()
    drop_in = home / "containers.conf.d" / DROP_IN
    others = [home / "containers.conf", *sorted(Path(name) for name in glob.glob(f"{home}/containers.conf.d/*.conf"))]
    return drop_in, [path for path in others if path != drop_in]
