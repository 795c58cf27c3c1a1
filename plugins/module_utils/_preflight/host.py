# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What this host has for a cluster and an image: podman, kind, limits, disks, memory, ports.

The judgements of the libraries that do the work later are asked, not repeated: M(_host), M(_kind) in check mode,
M(_ports).
"""

from __future__ import annotations

import json
import os
import pwd
import resource
import shutil
import threading
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import CommandError, last_lines
from ansible_collections.kubernaut.coverage.plugins.module_utils._host import facts as _host
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.config import ClusterConfig
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.existing import clusters_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Image, Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.table import (
    ERROR,
    OK,
    WARNING,
    Finding,
    finding,
)

GIB = 1024**3
INODES = 20_000  # files of an unpacked image and a cluster's control plane
READY_RUNNER = "Run playbooks/runner.yml, which prepares this host."
SYSCTLS = {"fs.inotify.max_user_instances": 512, "fs.inotify.max_user_watches": 524288}
# measured on idle nodes of Kubernetes 1.34: control plane, and each worker
INOTIFY = (32, 16)
THREADS = (300, 100)
FILES = (1024, 512)
MEMORY_GIB = (1.0, 0.25)
SERVICE_GIB = 0.5  # the service, its tests, and what builds it


class AskedOnce(Podman):
    """Podman that is asked each question once: several checks need the same answers, and each costs a process."""

    def __init__(self, executable: str = "podman") -> None:
        super().__init__(executable)
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._answers: dict[str, t.Any] = {}

    def _once(self, key: str, ask: t.Callable[[], t.Any]) -> t.Any:
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._answers:
                self._answers[key] = ask()
            return self._answers[key]

    def image(self, reference: str) -> t.Optional[Image]:
        """Return the image of that name or id, or None."""
        ask = super().image
        return t.cast("t.Optional[Image]", self._once(f"image {reference}", lambda: ask(reference)))

    def containers(self, *filters: str) -> list[dict[str, t.Any]]:
        """Return podman's own records of all containers that match."""
        ask = super().containers
        return t.cast("list[dict[str, t.Any]]", self._once(f"containers {filters}", lambda: ask(*filters)))


@dataclass(frozen=True)
class Host:
    """What is asked of the host. C(config) is None where no cluster is described.

    :ivar disk_gib: for the three copies of an image, a third each. :ivar memory_gib: 0 for what the cluster needs.
    """

    podman: AskedOnce
    kind: str = "kind"
    cache_dir: str = "."
    disk_gib: float = 3
    memory_gib: float = 0
    config: t.Optional[ClusterConfig] = None
    kubeconfig: str = ""
    recreate: bool = False

    @property
    def workers(self) -> int:
        """Nodes in addition to the control plane."""
        return self.config.workers if self.config else 0

    def standing(self) -> list[str]:
        """Return the names of the cluster's nodes that are there, running or not."""
        if self.config is None:
            return []
        return [node.name for node in clusters_of(self.podman.containers()).get(self.config.name, [])]

    def needs(self, measured: tuple[float, float]) -> float:
        """Return what the nodes take, from what one control plane and one worker take."""
        return measured[0] + measured[1] * self.workers


Facts = t.Mapping[str, t.Any]


def facts(host: Host, *, quick: bool = False) -> Facts:
    """Return what the host is; podman not answering is in it, not an error.

    :arg quick: without C(podman info), which takes longer than all else together: podman's version and its list of
        containers tell that it works, and its settings are not compared with what this host needs.
    """
    if not quick:
        return _host.gather(_host.Wanted(sysctls=SYSCTLS), executable=host.podman.executable)
    uid = os.geteuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    nofile, nproc = (resource.getrlimit(what)[1] for what in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC))
    gathered: dict[str, t.Any] = {
        "root": uid == 0,
        "user": user,
        "rootless": {
            "subuid": _host.subordinate_ids(_host.read_or_empty("/etc/subuid"), user, uid),
            "subgid": _host.subordinate_ids(_host.read_or_empty("/etc/subgid"), user, uid),
            "newuidmap": bool(shutil.which("newuidmap")),
        },
        "cgroup": _host.cgroup_mode(_host.read_or_empty("/proc/self/mounts")),
        "podman": {
            **_host.podman_facts({}),
            "proof": None,
            "graph_root": graph_root(uid),
            **_podman_answer(host.podman),
        },
        "containers_conf": {"unheeded": [], "text": "", "current": "", "path": ""},
        "modules_folder": _host.MODULES_FOLDER.is_dir(),
        "tools": {"kind": {**_host.find_tool("kind"), "version": ""}},
        "limits": {"nofile": nofile, "nproc": nproc},
        "memory": _host.memory(_host.read_or_empty("/proc/meminfo")),
        "sysctls": {
            name: int(value)
            for name in SYSCTLS
            if (value := _host.read_or_empty(_host.SYSCTL_FOLDER / name.replace(".", "/")).strip()).isdigit()
        },
    }
    gathered["checks"] = [check.as_dict() for check in _host.checks(gathered, _host.Wanted())]
    return gathered


def _podman_answer(podman: AskedOnce) -> dict[str, str]:
    """Return podman's C(version), and C(error) where it or its store does not answer."""
    try:
        said = json.loads(podman.run("version", "--format", "json", purpose="ask podman for its version").stdout)
        podman.containers()
    except CommandError as error:
        lines = last_lines(error.completed.stderr, 1) if error.completed is not None else []
        missing = error.cause == "command-not-found"
        return {
            "version": "" if missing else "unknown",
            "error": "not installed" if missing else (lines or [error.message])[0],
        }
    return {"version": str((said.get("Client") or {}).get("Version") or "there"), "error": ""}


def graph_root(uid: int) -> str:
    """Return where podman keeps images as its configuration says it (containers-storage.conf(5))."""
    home = Path("~").expanduser()
    files = [Path("/usr/share/containers/storage.conf"), Path("/etc/containers/storage.conf")]
    found = "/var/lib/containers/storage"
    if uid:
        files, found = [home / ".config/containers/storage.conf"], str(home / ".local/share/containers/storage")
    for file in files:
        value = _host.settings_in(_host.read_or_empty(file)).get(("storage", "graphroot"), "").strip("\"'")
        found = value or found
    return found


def _named(gathered: Facts, *names: str) -> list[_host.Check]:
    return [_host.Check(**item) for item in gathered["checks"] if item["name"] in names]


def check_podman(gathered: Facts) -> t.Iterator[Finding]:
    """Whether podman is installed and works, as it was set up for this host."""
    basic, *others = _named(gathered, "podman", "podman settings")
    if not basic.ok:
        missing = basic.result == "not installed"
        yield finding(
            "podman",
            ERROR,
            f"Podman is {basic.result}." if missing else f"Podman does not work: {basic.result}.",
            READY_RUNNER,
            cause="command-not-found" if missing else "podman-fails",
        )
        return
    # what a quick look does not know is empty
    yield finding("podman", OK, ", ".join(filter(None, basic.result.split(", "))))
    for other in others:
        if not other.ok:
            yield finding("podman", WARNING, f"{other.result[:1].upper()}{other.result[1:]}.", READY_RUNNER)


def check_kind(host: Host, gathered: Facts) -> t.Iterator[Finding]:
    """Whether kind is there."""
    tool = gathered["tools"]["kind"]
    if host.kind != "kind":
        tool = {"path": shutil.which(host.kind) or "", "version": ""}
    if not tool["path"]:
        yield finding(
            "kind",
            ERROR,
            f"{host.kind} does not exist on this host.",
            READY_RUNNER,
            "kind_cluster#executable",
            cause="command-not-found",
        )
        return
    yield finding("kind", OK, f"{tool['version']} at {tool['path']}".strip())


def check_user(gathered: Facts) -> t.Iterator[Finding]:
    """Whether this user can run a cluster."""
    for item in _named(gathered, "user"):
        if item.ok:
            yield finding("user", OK, item.result)
        else:
            yield finding("user", ERROR, f"{item.result}.", item.remedy, cause="no-root")


CGROUPS = {"unified": "version 2", "hybrid": "versions 1 and 2", "legacy": "version 1"}


def check_cgroups(gathered: Facts) -> t.Iterator[Finding]:
    """Whether there are control groups, and which."""
    mode = gathered["cgroup"]
    if mode not in CGROUPS:
        yield finding("cgroups", ERROR, "No control groups are mounted.", "Mount /sys/fs/cgroup.", cause="no-cgroups")
        return
    yield finding("cgroups", OK, ", ".join(filter(None, [CGROUPS[mode], gathered["podman"]["cgroup_manager"]])))


def check_kernel(host: Host, gathered: Facts) -> t.Iterator[Finding]:
    """Whether inotify, threads and open files are enough for the nodes."""
    found = []
    values = gathered["sysctls"]
    instances = values.get("fs.inotify.max_user_instances")
    if instances is not None and instances < SYSCTLS["fs.inotify.max_user_instances"]:
        used, need = inotify_used(Path("/proc"), os.geteuid()), host.needs(INOTIFY)
        text = (
            f"fs.inotify.max_user_instances is {instances}, of which {used} are in use; the nodes need about {need:g}"
        )
        enough = instances - used >= need
        found.append(
            (
                f"{text}; {SYSCTLS['fs.inotify.max_user_instances']}." if enough else f"{text}.",
                READY_RUNNER,
            )
        )
    watches = values.get("fs.inotify.max_user_watches")
    if watches is not None and watches < SYSCTLS["fs.inotify.max_user_watches"]:
        found.append(
            (
                f"fs.inotify.max_user_watches is {watches}; {SYSCTLS['fs.inotify.max_user_watches']}.",
                READY_RUNNER,
            )
        )
    limits, threads, files = gathered["limits"], host.needs(THREADS), host.needs(FILES)
    if 0 <= limits["nproc"] < threads:
        found.append(
            (
                f"The limit of processes (ulimit -u) is {limits['nproc']}; the nodes need about {threads:g}.",
                "Raise it.",
            )
        )
    if 0 <= limits["nofile"] < files:
        found.append(
            (
                f"The limit of open files (ulimit -n) is {limits['nofile']}; a node needs about {files:g}.",
                "Raise it.",
            )
        )
    for text, remedy in found:
        yield finding("kernel", WARNING, text, remedy)
    if not found:
        yield finding(
            "kernel",
            OK,
            f"inotify {instances or 'unknown'} instances, {_shown(limits['nofile'])} files,"
            f" {_shown(limits['nproc'])} processes",
        )


def _shown(limit: int) -> str:
    return "unlimited" if limit < 0 else str(limit)


def inotify_used(proc: Path, uid: int) -> int:
    """Count the inotify instances of a user, as far as this one may look."""
    count = 0
    for process in proc.iterdir():
        if not process.name.isdigit():
            continue
        try:
            if process.stat().st_uid != uid:
                continue
            for descriptor in (process / "fd").iterdir():
                count += os.readlink(descriptor) == "anon_inode:inotify"
        except OSError:
            continue  # it ended meanwhile, or belongs to somebody else
    return count


@dataclass
class _Disk:
    """One file system: what is to lie on it, and for what."""

    path: str
    shares: int
    names: list[str]


def budget(places: t.Sequence[tuple[str, str, int]]) -> list[_Disk]:
    """Add up what is on the same file system.

    :arg places: (name, folder, shares); of a folder that is not there yet, its nearest parent counts.
    """
    disks: dict[int, _Disk] = {}
    for name, folder, shares in places:
        path = Path(folder).absolute()
        while not path.exists():
            path = path.parent
        disk = disks.setdefault(path.stat().st_dev, _Disk(str(path), 0, []))
        disk.shares += shares
        disk.names.append(name)
    return list(disks.values())


def check_disk(host: Host, gathered: Facts) -> t.Iterator[Finding]:
    """Whether the three copies of an image fit: podman's store, the archive in the cache, each node."""
    root = gathered["podman"]["graph_root"] or "/var/lib/containers/storage"
    nodes = 1 + host.workers
    places = [("podman's store", root, 1), ("the archive", host.cache_dir, 1)]
    # podman keeps a node's disk with its own
    places.append((f"{nodes} nodes" if nodes > 1 else "the node", root, nodes))
    share, found = host.disk_gib / 3, []
    for disk in budget(places):
        usage, status = shutil.disk_usage(disk.path), os.statvfs(disk.path)
        free, need = usage.free / GIB, share * disk.shares
        what = f"{', '.join(disk.names)}: an image is held in each"
        if free < need:
            yield finding(
                "disk",
                ERROR,
                f"The disk of {disk.path} has {free:.1f} GiB free; {need:.1f} GiB are needed ({what}).",
                "Free space (podman system prune), or use another disk.",
                "preflight_info#disk_gib",
                cause="disk-full",
            )
        elif host.disk_gib and status.f_files and status.f_favail < INODES:
            yield finding(
                "disk",
                ERROR,
                f"The disk of {disk.path} has room for {status.f_favail} more files (inodes); {INODES} are needed.",
                "Remove small files: old containers, caches.",
                "preflight_info#disk_gib",
                cause="disk-full",
            )
        else:
            found.append(f"{free:.0f} GiB free at {disk.path}, {need:.1f} needed")
    if found:
        yield finding("disk", OK, "; ".join(found))


def check_memory(host: Host, gathered: Facts) -> t.Iterator[Finding]:
    """Whether enough memory is available: an error only where the need was given, else it is an estimate."""
    available = gathered["memory"]["available"] / GIB
    standing = host.standing()
    need = host.memory_gib or SERVICE_GIB + (0 if standing else host.needs(MEMORY_GIB))
    what = "the service" if standing else f"a cluster of {1 + host.workers} and the service"
    if available >= need:
        yield finding("memory", OK, f"{available:.1f} GiB available, {need:g} needed")
        return
    yield finding(
        "memory",
        ERROR if host.memory_gib else WARNING,
        f"{available:.1f} GiB of memory are available; {what} need about {need:g}.",
        "Free memory: stop other programs or clusters (playbooks/teardown.yml).",
        "preflight_info#memory_gib" if host.memory_gib else "",
        cause="memory-short" if host.memory_gib else "",
    )
