# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What text of the kernel, of programs and of system files says: pure functions.

So they are tested with text of other hosts.
"""

from __future__ import annotations

import re
import typing as t

# linux/capability.h: bit n of CapEff is the nth of these
CAPABILITIES = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
]


def cgroup_mode(mounts: str) -> str:
    """Return C(unified) (v2 alone), C(hybrid) (v1 and v2), C(legacy) (v1 alone) or C(none).

    :arg mounts: /proc/self/mounts.
    """
    kinds = {
        (fields[2], fields[1])
        for fields in (line.split() for line in mounts.splitlines())
        if len(fields) > 2 and fields[2] in ("cgroup", "cgroup2")
    }
    first = any(kind == "cgroup" for kind, _place in kinds)
    second = any(kind == "cgroup2" for kind, _place in kinds)
    if first:
        return "hybrid" if second else "legacy"
    return "unified" if second else "none"


def effective_capabilities(status: str) -> list[str]:
    """Return the names of the capabilities in force, as C(sys_resource).

    :arg status: /proc/self/status.
    """
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.M)
    bits = int(found.group(1), 16) if found else 0
    return [name for bit, name in enumerate(CAPABILITIES) if bits >> bit & 1]


def subordinate_ids(text: str, user: str, uid: int) -> int:
    """Return how many subordinate ids a user has.

    :arg text: /etc/subuid or /etc/subgid: lines of C(user or uid:first:count).
    """
    fields = [line.split(":") for line in text.splitlines()]
    return sum(
        int(parts[2]) for parts in fields if len(parts) == 3 and parts[0] in (user, str(uid)) and parts[2].isdigit()
    )


def kind_version(text: str) -> str:
    """Return the version in the answer of C(kind version), as C(v0.30.0), or ""."""
    words = text.split()
    return words[1] if len(words) > 1 and words[0] == "kind" else ""


def go_version(text: str) -> str:
    """Return the version in the answer of C(go version), as C(1.26.8), or ""."""
    found = re.match(r"go version go([0-9][\w.]*)", text)
    return found.group(1) if found else ""


def version_key(version: str) -> tuple[int, ...]:
    """Return a version's leading numbers, to compare: C(1.26rc1) is (1, 26)."""
    return tuple(int(number) for number in re.findall(r"\d+", re.match(r"v?[\d.]*", version)[0]))  # type: ignore[index]


def memory(meminfo: str) -> dict[str, int]:
    """Return bytes of memory in total and still available.

    :arg meminfo: /proc/meminfo.
    """
    values = dict(re.findall(r"^(\w+):\s+(\d+) kB$", meminfo, re.M))
    return {"total": int(values.get("MemTotal", 0)) * 1024, "available": int(values.get("MemAvailable", 0)) * 1024}


def missing_packages(status: str, wanted: t.Sequence[str]) -> list[str]:
    """Return the packages that are not installed.

    :arg status: lines of C(dpkg-query --show --showformat '${Package}\\t${db:Status-Status}\\n').
    """
    installed = {
        name for name, _tab, state in (line.partition("\t") for line in status.splitlines()) if state == "installed"
    }
    return [name for name in wanted if name not in installed]


def sysctl_file(current: str, values: t.Mapping[str, int], wanted: t.Mapping[str, int]) -> str:
    """Return the file of kernel settings that this host needs, or "" if it needs none.

    :arg current: the file as it is now: what it raised before stays in it.
    :arg values: the settings as the kernel has them now.
    """
    raised = [
        name
        for name, least in sorted(wanted.items())
        if re.search(rf"^{re.escape(name)}\s*=", current, re.M) or values.get(name, least) < least
    ]
    if not raised:
        return ""
    return "# Written by kubernaut.coverage.coverage_runner: what a kind cluster of several nodes needs\n" + "".join(
        f"{name} = {wanted[name]}\n" for name in raised
    )
