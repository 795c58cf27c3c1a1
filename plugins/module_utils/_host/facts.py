# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What a host is, what podman needs there, and whether it can run a cluster: all of it is read, nothing is changed."""

from __future__ import annotations

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
from ansible_collections.kubernaut.coverage.plugins.module_utils._host.containers_conf import (
    ContainerHost,
    containers_conf,
    containers_conf_paths,
    nproc_of_containers,
    podman_facts,
    settings_in,
    unheeded,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._host.readings import (
    cgroup_mode,
    effective_capabilities,
    go_version,
    kind_version,
    memory,
    missing_packages,
    subordinate_ids,
    sysctl_file,
    version_key,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.images import RECIPE_LABEL, recipe_hash

SYSCTL_FILE = Path("/etc/sysctl.d/60-kubernaut-coverage.conf")
SYSCTL_FOLDER = Path("/proc/sys")
PID_MAX = Path("/proc/sys/kernel/pid_max")
MODULES_FOLDER = Path("/lib/modules")  # kind mounts it into every node, and podman refuses a mount that is not there
USUAL_PLACES = {"go": "/usr/local/go/bin"}
# what a container's users need at least: one range of ids (subuid(5), newuidmap(1))
SUBORDINATE_IDS = 65536


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
        lacks.append(f"kind without root needs cgroup v2 alone; this host has {facts['cgroup']}")
    if lacks:
        return Check(
            "user",
            False,
            f"{facts['user']} is not root, and " + "; ".join(lacks),
            "Run as root (ansible_become=true), or provide what is missing.",
        )
    return Check("user", True, f"{facts['user']}, rootless with {rootless['subuid']} subordinate ids")


def _check_podman(facts: t.Mapping[str, t.Any]) -> list[Check]:
    podman, conf = facts["podman"], facts["containers_conf"]
    if not podman["version"]:
        return [Check("podman", False, podman["error"] or "not installed", "Install the package podman.")]
    found = f"{podman['version']}, {podman['runtime']}, {podman['cgroup_manager']}, {podman['storage_driver']}"
    checks = [Check("podman", not podman["error"], podman["error"] or found, "Read what podman says: podman info.")]
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
                f"{conf['path']} does not match what this host needs",
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
    found = f"{tool['version'] or 'no version'} at {tool['path']}"
    if ok and not tool["on_path"]:
        return Check(name, False, f"{found}, which is not on PATH", f"Put {Path(tool['path']).parent} on PATH.")
    return Check(name, ok, found if ok else f"{found}, {'not' if exact else 'older than'} {wanted}", remedy)


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
            else f"{image['id'][:12]} from another recipe"
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
                f"{wanted.memory / GIB:.0f} GiB are needed, or a cluster or a build may be killed.",
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


def _containers_conf(host: ContainerHost, root: bool) -> dict[str, str]:
    """Return our drop-in: C(path), C(current) text, and C(text) as it has to be."""
    drop_in, others = containers_conf_paths(root)
    current = read_or_empty(drop_in)
    own: dict[tuple[str, str], str] = {}
    for path in others:
        own.update(settings_in(read_or_empty(path)))
    return {"path": str(drop_in), "current": current, "text": containers_conf(host, current=current, own=own)}


def _os_release() -> dict[str, str]:
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', read_or_empty("/etc/os-release"), re.M))
    keys = {"id": "ID", "version": "VERSION_ID", "codename": "VERSION_CODENAME"}
    return {name: release.get(key, "") for name, key in keys.items()}


def _missing_packages(packages: t.Sequence[str]) -> list[str]:
    status = ""
    if packages and shutil.which("dpkg-query"):
        # 1: some are unknown to dpkg, which is an answer
        status = run(
            ["dpkg-query", "--show", "--showformat", "${Package}\\t${db:Status-Status}\\n", *packages],
            purpose="ask dpkg for installed packages",
            accept=(0, 1),
        ).stdout
    return missing_packages(status, packages)


def _sysctls(wanted: t.Mapping[str, int]) -> dict[str, t.Any]:
    """Return the kernel settings as they are, and our file of them: as it is and as it has to be."""
    values = {
        name: int(value)
        for name in wanted
        if (value := read_or_empty(SYSCTL_FOLDER / name.replace(".", "/")).strip()).isdigit()
    }
    current = read_or_empty(SYSCTL_FILE)
    return {
        "sysctls": values,
        "sysctl_file": {
            "path": str(SYSCTL_FILE),
            "current": current,
            "text": sysctl_file(current, values, wanted),
            "low": sorted(name for name, least in wanted.items() if values.get(name, least) < least),
        },
    }


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
    capabilities = effective_capabilities(read_or_empty("/proc/self/status"))
    nofile, nproc = (resource.getrlimit(what)[1] for what in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC))
    mode = cgroup_mode(read_or_empty("/proc/self/mounts"))
    init = read_or_empty("/proc/1/comm").strip()
    host = ContainerHost(
        cgroup=mode,
        init=init,
        sys_resource="sys_resource" in capabilities,
        # on a bare host it comes with the packages
        has_runc="runc" in wanted.packages
        or bool(shutil.which("runc", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")),
        nofile=nofile,
        nproc=nproc_of_containers(nproc, read_or_empty(PID_MAX)),
    )
    conf = _containers_conf(host, root)
    podman_found, podman = _podman(executable, wanted.node_image, prove)
    disk_path = _existing(podman_found["graph_root"] or "/var/lib/containers")
    usage = shutil.disk_usage(disk_path)
    facts: dict[str, t.Any] = {
        "root": root,
        "user": user,
        "rootless": {
            "subuid": subordinate_ids(read_or_empty("/etc/subuid"), user, uid),
            "subgid": subordinate_ids(read_or_empty("/etc/subgid"), user, uid),
            "newuidmap": bool(shutil.which("newuidmap")),
        },
        "os": _os_release(),
        "architecture": platform.machine(),
        "kernel": platform.release(),
        "init": init,
        "cgroup": mode,
        "capabilities": capabilities,
        "limits": {"nofile": nofile, "nproc": nproc},
        "modules_folder": MODULES_FOLDER.is_dir(),
        "packages_missing": _missing_packages(wanted.packages),
        "containers_conf": {
            **conf,
            "unheeded": unheeded(settings_in(conf["current"]), podman_found) if podman is not None else [],
        },
        "podman": podman_found,
        "tools": {name: tool_facts(name, bin_dir) for name in ("go", "kind")},
        **_sysctls(wanted.sysctls or {}),
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
