# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What a host is, what podman needs to be told there, and whether it can run a cluster.

Everything here reads; nothing is changed. Decisions are pure functions of text that the kernel or a program gave, so
that they can be tested with what other hosts gave.
"""

from __future__ import annotations

import glob
import json
import os
import platform
import pwd
import re
import resource
import shutil
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import CommandError, last_lines, run
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import ERROR, NOTE, WARNING, Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.images import RECIPE_LABEL, recipe_hash

DROP_IN = "50-kubernaut-coverage.conf"
SYSCTL_FILE = Path("/etc/sysctl.d/60-kubernaut-coverage.conf")
SYSCTL_FOLDER = Path("/proc/sys")
PID_MAX = Path("/proc/sys/kernel/pid_max")
MODULES_FOLDER = Path("/lib/modules")  # kind mounts it into every node, and podman refuses a mount that is not there
USUAL_PLACES = {"go": "/usr/local/go/bin"}
# what podman asks for containers of root unless told otherwise (libpod/define: RLimitDefaultValue)
PODMAN_LIMIT = 1048576
# what a container's users need at least: one range of ids (subuid(5), newuidmap(1))
SUBORDINATE_IDS = 65536

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


# reading


def cgroup_mode(mounts: str) -> str:
    """Return C(unified) (v2 alone), C(hybrid) (v1 with v2 beside), C(legacy) (v1 alone) or C(none).

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
    """Return bytes of memory in total and still to be had.

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


# podman's settings


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


# kernel settings


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


# the verdict


@dataclass(frozen=True, init=False)
class Check(Diagnosis):
    """One thing that a host has to be able to do (C(subject)): a diagnosis where it cannot, a few words where it can.

    :ivar ok: whether it can. :ivar needed: false for what is only better so: then its severity is a warning.
    """

    ok: bool = True
    needed: bool = True

    def __init__(self, name: str, ok: bool, result: str, remedy: str = "", needed: bool = True) -> None:
        severity = NOTE if ok else ERROR if needed else WARNING
        super().__init__("" if ok else "runner-not-ready", result, remedy=remedy, severity=severity, subject=name)
        object.__setattr__(self, "ok", ok)
        object.__setattr__(self, "needed", needed)

    @property
    def name(self) -> str:
        """What is checked."""
        return self.subject

    @property
    def result(self) -> str:
        """What was found."""
        return self.sentence

    def as_dict(self) -> dict[str, t.Any]:
        """Return the record as C(runner.checks) has it."""
        return {
            "name": self.subject,
            "ok": self.ok,
            "result": self.sentence,
            "remedy": self.remedy,
            "needed": self.needed,
        }


@dataclass(frozen=True)
class Wanted:
    """What is asked of the host. Sizes in bytes; empty strings and zeros ask for nothing."""

    packages: t.Sequence[str] = ()
    kind_version: str = ""
    go_minimum: str = ""
    node_image: str = ""
    recipe: str = ""
    disk: int = 0
    memory: int = 0
    sysctls: t.Optional[t.Mapping[str, int]] = None


GIB = 1 << 30


def _check_user(facts: t.Mapping[str, t.Any]) -> Check:
    if facts["root"]:
        return Check("user", True, "root")
    rootless = facts["rootless"]
    lacks = []
    if min(rootless["subuid"], rootless["subgid"]) < SUBORDINATE_IDS:
        lacks.append(f"{facts['user']} has no {SUBORDINATE_IDS} subordinate ids in /etc/subuid and /etc/subgid")
    if not rootless["newuidmap"]:
        lacks.append("newuidmap is not installed (package uidmap)")
    if facts["cgroup"] != "unified":
        lacks.append(f"kind without root needs cgroup v2 alone, and cgroups are {facts['cgroup']}")
    if lacks:
        return Check(
            "user",
            False,
            f"{facts['user']} is not root, and " + "; ".join(lacks),
            "Run as root (ansible_become=true), or give the user what is missing.",
        )
    return Check("user", True, f"{facts['user']}, rootless with {rootless['subuid']} subordinate ids")


def _check_podman(facts: t.Mapping[str, t.Any]) -> list[Check]:
    podman, conf = facts["podman"], facts["containers_conf"]
    if not podman["version"]:
        return [Check("podman", False, podman["error"] or "not installed", "Install the package podman.")]
    told = f"{podman['version']}, {podman['runtime']}, {podman['cgroup_manager']}, {podman['storage_driver']}"
    checks = [Check("podman", not podman["error"], podman["error"] or told, "Read what podman says: podman info.")]
    if conf["unheeded"]:
        checks.append(
            Check(
                "podman settings",
                False,
                "; ".join(conf["unheeded"]),
                f"Another file or CONTAINERS_CONF overrides {conf['path']}.",
            )
        )
    elif conf["text"] != conf["current"]:
        checks.append(
            Check(
                "podman settings",
                False,
                f"{conf['path']} is not as this host needs it",
                "Run the role coverage_runner.",
            )
        )
    else:
        count = len(settings_in(conf["text"]))
        checks.append(Check("podman settings", True, f"{count} in {conf['path']}" if count else "none needed"))
    if podman["proof"] is not None:
        proved = podman["proof"] == ""
        checks.append(
            Check("container", proved, "one was run" if proved else podman["proof"], "Read what podman says.")
        )
    return checks


def _check_tool(name: str, tool: t.Mapping[str, str], wanted: str, *, exact: bool) -> Check:
    remedy = "Run the role coverage_runner."
    if not tool["path"]:
        return Check(name, False, "not installed", remedy)
    ok = tool["version"] == wanted if exact else version_key(tool["version"]) >= version_key(wanted)
    told = f"{tool['version'] or 'no version'} at {tool['path']}"
    if ok and not tool["on_path"]:
        return Check(name, False, f"{told}, which is not on PATH", f"Put {Path(tool['path']).parent} on PATH.")
    return Check(name, ok, told if ok else f"{told}, {'not' if exact else 'older than'} {wanted}", remedy)


def checks(facts: t.Mapping[str, t.Any], wanted: Wanted) -> list[Check]:
    """Return what the host can do, the most basic first.

    :arg facts: what L(gather) returned.
    """
    found = [_check_user(facts)]
    if wanted.packages:
        missing = facts["packages_missing"]
        found.append(
            Check(
                "packages",
                not missing,
                "missing: " + ", ".join(missing) if missing else f"{len(wanted.packages)} installed",
                "Install them with the host's package manager.",
            )
        )
    found += _check_podman(facts)
    found.append(
        Check("cgroups", facts["cgroup"] in ("unified", "hybrid", "legacy"), facts["cgroup"], "Mount /sys/fs/cgroup.")
    )
    found.append(
        Check(
            str(MODULES_FOLDER),
            facts["modules_folder"],
            "there" if facts["modules_folder"] else "missing",
            "Create the folder.",
        )
    )
    if wanted.go_minimum:
        found.append(_check_tool("go", facts["tools"]["go"], wanted.go_minimum, exact=False))
    if wanted.kind_version:
        found.append(_check_tool("kind", facts["tools"]["kind"], wanted.kind_version, exact=True))
    if wanted.node_image:
        image = facts["node_image"]
        state = (
            "not there"
            if not image["id"]
            else f"{image['id'][:12]} of another recipe"
            if not image["current"]
            else image["id"][:12]
        )
        found.append(
            Check("node image", image["current"], f"{wanted.node_image}: {state}", "Run the role coverage_runner.")
        )
    for name, least in (wanted.sysctls or {}).items():
        value = facts["sysctls"].get(name)
        found.append(
            Check(
                name,
                value is not None and value >= least,
                "unknown" if value is None else f"{value}" if value >= least else f"{value}, better {least}",
                f"On the machine that owns the kernel: sysctl -w {name}={least}."
                " With less, a kubelet may fail once there are several nodes.",
                needed=False,
            )
        )
    if wanted.disk:
        free = facts["disk"]["free"]
        found.append(
            Check(
                "disk",
                free >= wanted.disk,
                f"{free / GIB:.0f} GiB free at {facts['disk']['path']}",
                f"Free {wanted.disk / GIB:.0f} GiB there: podman system prune, or another graphroot in storage.conf.",
            )
        )
    if wanted.memory:
        total = facts["memory"]["total"]
        found.append(
            Check(
                "memory",
                total >= wanted.memory,
                f"{total / GIB:.1f} GiB",
                f"{wanted.memory / GIB:.0f} GiB keep a cluster and a build from being killed.",
                needed=False,
            )
        )
    return found


# gathering


def read_or_empty(path: t.Union[str, Path]) -> str:
    """Return a file's text; none where it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def find_tool(name: str, bin_dir: str = "") -> dict[str, t.Any]:
    """Return where a program is (C(path), "" if nowhere) and whether PATH finds it (C(on_path))."""
    found = shutil.which(name)
    for folder in (bin_dir, USUAL_PLACES.get(name, "")):
        if not found and folder:
            candidate = Path(folder) / name
            if candidate.is_file() and os.access(candidate, os.X_OK):
                return {"path": str(candidate), "on_path": False}
    return {"path": found or "", "on_path": bool(found)}


def tool_facts(name: str, bin_dir: str = "") -> dict[str, t.Any]:
    """Return L(find_tool) with the program's own word on its version."""
    facts = find_tool(name, bin_dir)
    facts["version"] = ""
    if facts["path"]:
        try:
            said = run([facts["path"], "version"], purpose=f"ask {name} for its version", timeout=30).stdout
        except CommandError:
            return facts
        facts["version"] = (kind_version if name == "kind" else go_version)(said)
    return facts


def containers_conf_paths(root: bool) -> tuple[Path, list[Path]]:
    """Return where our drop-in belongs, and the other files that decide (containers.conf(5)), later ones winning."""
    home = Path("/etc/containers") if root else Path("~/.config/containers").expanduser()
    drop_in = home / "containers.conf.d" / DROP_IN
    others = [home / "containers.conf", *sorted(Path(name) for name in glob.glob(f"{home}/containers.conf.d/*.conf"))]
    return drop_in, [path for path in others if path != drop_in]


def _podman(executable: str, image: str, prove: bool) -> tuple[dict[str, t.Any], t.Optional[Podman]]:
    """Return podman's facts with C(error) and C(proof) (None: not tried; "": a container ran; else what was said)."""
    podman = Podman(executable)
    facts: dict[str, t.Any] = {**podman_facts({}), "error": "", "proof": None}
    try:
        facts.update(
            podman_facts(json.loads(podman.run("info", "--format", "json", purpose="ask podman", timeout=60).stdout))
        )
    except CommandError as error:
        said = last_lines(error.completed.stderr, 1) if error.completed is not None else []
        facts["error"] = "not installed" if error.cause == "command-not-found" else (said or [error.message])[0]
        return facts, None
    if prove and image and podman.image(image) is not None:
        try:
            podman.run(*["run", "--rm", "--entrypoint", "/bin/true", image], purpose="run a container", timeout=120)
            facts["proof"] = ""
        except CommandError as error:
            said = last_lines(error.completed.stderr, 1) if error.completed is not None else []
            facts["proof"] = (said or [error.message])[0]
    return facts, podman


def _node_image(podman: t.Optional[Podman], wanted: Wanted) -> dict[str, t.Any]:
    recipe = recipe_hash(wanted.recipe) if wanted.recipe and Path(wanted.recipe).is_dir() else ""
    image = podman.image(wanted.node_image) if podman is not None and wanted.node_image else None
    label = image.labels.get(RECIPE_LABEL, "") if image is not None else ""
    return {
        "name": wanted.node_image,
        "id": image.id if image is not None else "",
        "recipe": label,
        "wanted_recipe": recipe,
        # as the way "present" judges: what has no label came from elsewhere and is taken as it is
        "current": image is not None and (not label or not recipe or label == recipe),
    }


def _existing(path: str) -> str:
    """Return the nearest folder above a path that is there."""
    folder = Path(path)
    while not folder.exists():
        folder = folder.parent
    return str(folder)


def gather(wanted: Wanted, *, bin_dir: str = "", executable: str = "podman", prove: bool = False) -> dict[str, t.Any]:
    """Return what this host is, with C(checks) and C(ready).

    :arg bin_dir: where else kind and Go may lie.
    :arg prove: run one short-lived container of the node image.
    """
    uid = os.geteuid()
    root = uid == 0
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', read_or_empty("/etc/os-release"), re.M))
    capabilities = effective_capabilities(read_or_empty("/proc/self/status"))
    nofile, nproc = (resource.getrlimit(what)[1] for what in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC))
    mode = cgroup_mode(read_or_empty("/proc/self/mounts"))
    init = read_or_empty("/proc/1/comm").strip()
    drop_in, others = containers_conf_paths(root)
    current = read_or_empty(drop_in)
    own: dict[tuple[str, str], str] = {}
    for path in others:
        own.update(settings_in(read_or_empty(path)))
    text = containers_conf(
        ContainerHost(
            cgroup=mode,
            init=init,
            sys_resource="sys_resource" in capabilities,
            # on a bare host it comes with the packages
            has_runc="runc" in wanted.packages
            or bool(shutil.which("runc", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")),
            nofile=nofile,
            nproc=nproc_of_containers(nproc, read_or_empty(PID_MAX)),
        ),
        current=current,
        own=own,
    )
    podman_found, podman = _podman(executable, wanted.node_image, prove)
    disk_path = _existing(podman_found["graph_root"] or "/var/lib/containers")
    usage = shutil.disk_usage(disk_path)
    sysctls = {
        name: int(value)
        for name in (wanted.sysctls or {})
        if (value := read_or_empty(SYSCTL_FOLDER / name.replace(".", "/")).strip()).isdigit()
    }
    status = ""
    if wanted.packages and shutil.which("dpkg-query"):
        # 1: some are unknown to dpkg, which is an answer
        status = run(
            ["dpkg-query", "--show", "--showformat", "${Package}\\t${db:Status-Status}\\n", *wanted.packages],
            purpose="ask dpkg for installed packages",
            accept=(0, 1),
        ).stdout
    facts: dict[str, t.Any] = {
        "root": root,
        "user": user,
        "rootless": {
            "subuid": subordinate_ids(read_or_empty("/etc/subuid"), user, uid),
            "subgid": subordinate_ids(read_or_empty("/etc/subgid"), user, uid),
            "newuidmap": bool(shutil.which("newuidmap")),
        },
        "os": {
            "id": release.get("ID", ""),
            "version": release.get("VERSION_ID", ""),
            "codename": release.get("VERSION_CODENAME", ""),
        },
        "architecture": platform.machine(),
        "kernel": platform.release(),
        "init": init,
        "cgroup": mode,
        "capabilities": capabilities,
        "limits": {"nofile": nofile, "nproc": nproc},
        "modules_folder": MODULES_FOLDER.is_dir(),
        "packages_missing": missing_packages(status, wanted.packages),
        "containers_conf": {
            "path": str(drop_in),
            "current": current,
            "text": text,
            "unheeded": unheeded(settings_in(current), podman_found) if podman is not None else [],
        },
        "podman": podman_found,
        "tools": {name: tool_facts(name, bin_dir) for name in ("go", "kind")},
        "sysctls": sysctls,
        "sysctl_file": {
            "path": str(SYSCTL_FILE),
            "current": read_or_empty(SYSCTL_FILE),
            "text": sysctl_file(read_or_empty(SYSCTL_FILE), sysctls, wanted.sysctls or {}),
            "low": sorted(name for name, least in (wanted.sysctls or {}).items() if sysctls.get(name, least) < least),
        },
        "disk": {"path": disk_path, "total": usage.total, "free": usage.free},
        "memory": memory(read_or_empty("/proc/meminfo")),
        "node_image": _node_image(podman, wanted),
    }
    found = checks(facts, wanted)
    facts["checks"] = [check.as_dict() for check in found]
    facts["ready"] = all(check.ok for check in found if check.needed)
    return facts


def verdict(found: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """Return the sentence that names the first impossible thing, or ""."""
    for check in found:
        if check["needed"] and not check["ok"]:
            return f"This host cannot run a coverage cluster: {check['name']}: {check['result']}. {check['remedy']}"
    return ""


def table(found: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    """Return one line for each check, for a person: a mark, what, the result, and the remedy where one is needed."""
    width = max((len(check["name"]) for check in found), default=0)
    lines = []
    for check in found:
        mark = "ok  " if check["ok"] else "NO  " if check["needed"] else "warn"
        remedy = "" if check["ok"] or not check["remedy"] else f" -> {check['remedy']}"
        lines.append(f"{mark} {check['name']:<{width}}  {check['result']}{remedy}")
    return lines
