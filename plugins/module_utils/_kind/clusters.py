# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""kind clusters on podman, each known by the configuration it was made from.

kind has no "is it as I want it". So what a cluster was made from is stored in its control-plane container
(C(RECORD_PATH)): it lives and dies with the cluster and is readable while the cluster is stopped. Equal record, equal
cluster: nothing to do. The source of truth for names, labels and the configuration's form is kind v0.30
(C(pkg/apis/config/v1alpha4/types.go), C(pkg/cluster/internal/providers/podman)).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import os
import re
import tarfile
import tempfile
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import (
    CommandError,
    Completed,
    last_lines,
    run,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._host.port_mappings import mapping_problems
from ansible_collections.kubernaut.coverage.plugins.module_utils._host.ports import (
    KIND_CLUSTER_LABEL,
    HostPort,
    container_ports,
    require_free,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Image, Podman

RECORD_PATH = "/kind/kubernaut-coverage.json"
RECORD_FORMAT = 1
ROLE_LABEL = "io.x-k8s.kind.role"
# a node's host name is <name>-control-plane and may have 63 characters
NAME_LIMIT = 63 - len("-control-plane")
NAME_PART = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
# what kind itself mounts into a node
RESERVED_PATHS = frozenset({"/", "/var", "/tmp", "/run", "/lib/modules"})  # noqa: S108
# kubeadm's own limit is 4 minutes for the control plane and 5 for each worker that joins
CREATION_LIMIT = 900
LOCK_INTERVAL = 0.2
SAVED_RUNS = "run-*.json"  # the saved states of runs (module run_record), next to the kubeconfig
READY_RUNNER = "Run playbooks/runner.yml, which readies this host."


class ClusterError(CoverageError):
    """A cluster cannot be made, used or deleted as asked."""

    cause = "cluster"


# What is wanted


@dataclass(frozen=True)
class ClusterConfig:
    """What a cluster is made from. Build it with M(from_options): two of them are equal if kind would build the same.

    C(port_mappings) and C(extra_mounts) hold dictionaries in the form of the module's options, sorted.
    """

    name: str
    node_image: str
    workers: int = 0
    port_mappings: tuple[dict[str, t.Any], ...] = ()
    extra_mounts: tuple[dict[str, t.Any], ...] = ()
    kubeadm_patches: tuple[str, ...] = ()

    @classmethod
    def from_options(
        cls,
        *,
        name: str,
        node_image: str,
        workers: int = 0,
        port_mappings: t.Iterable[t.Mapping[str, t.Any]] = (),
        extra_mounts: t.Iterable[t.Mapping[str, t.Any]] = (),
        kubeadm_patches: t.Iterable[str] = (),
    ) -> ClusterConfig:
        """Fill in defaults, sort what has no order, and check everything that needs no look at the host.

        :raises InputError: naming the option and the value.
        """
        if len(name) > NAME_LIMIT or not re.fullmatch(rf"{NAME_PART}(\.{NAME_PART})*", name):
            raise InputError(
                f'"{name}" cannot be the name of a cluster: at most {NAME_LIMIT} lower-case letters, digits, "-" '
                'and ".", a letter or digit first and last.',
                setting="kind_cluster_name",
            )
        if not node_image or any(character.isspace() for character in node_image):
            raise InputError(f'"{node_image}" is no image reference.', setting="kind_cluster_node_image")
        if workers < 0:
            raise InputError(f"A cluster cannot have {workers} workers.", setting="kind_cluster_workers")
        return cls(
            name=name,
            node_image=node_image,
            workers=workers,
            port_mappings=_canonical_ports(port_mappings),
            extra_mounts=_canonical_mounts(extra_mounts),
            kubeadm_patches=_canonical_patches(kubeadm_patches),
        )

    def canonical(self) -> dict[str, t.Any]:
        """Return plain data: what is recorded, compared and hashed."""
        return {
            "name": self.name,
            "node_image": self.node_image,
            "workers": self.workers,
            "port_mappings": list(self.port_mappings),
            "extra_mounts": list(self.extra_mounts),
            "kubeadm_patches": list(self.kubeadm_patches),
        }

    def hash(self) -> str:
        """Return 64 hexadecimal digits that are the same for the same canonical configuration."""
        text = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def node_names(self) -> list[str]:
        """Return the names that kind gives the nodes' containers, the control plane first."""
        workers = [f"{self.name}-worker{number if number > 1 else ''}" for number in range(1, self.workers + 1)]
        return [f"{self.name}-control-plane", *workers]

    def host_ports(self) -> list[HostPort]:
        """Return the host ports that the cluster will take."""
        return [HostPort(item["listen_address"], item["host_port"], item["protocol"]) for item in self.port_mappings]

    def kind_config(self) -> dict[str, t.Any]:
        """Return kind's own configuration (v1alpha4).

        Ports are mapped on the control plane alone, for a NodePort answers on each node. Mounts are on every node: a
        pod may run on any of them.
        """
        mounts = [
            {"hostPath": item["host_path"], "containerPath": item["container_path"], "readOnly": item["read_only"]}
            for item in self.extra_mounts
        ]
        ports = [
            {
                "containerPort": item["container_port"],
                "hostPort": item["host_port"],
                "listenAddress": item["listen_address"],
                "protocol": item["protocol"].upper(),
            }
            for item in self.port_mappings
        ]
        nodes: list[dict[str, t.Any]] = [{"role": "control-plane", "image": self.node_image}]
        nodes += [{"role": "worker", "image": self.node_image} for _number in range(self.workers)]
        for node in nodes:
            if mounts:
                node["extraMounts"] = mounts
        if ports:
            nodes[0]["extraPortMappings"] = ports
        config: dict[str, t.Any] = {
            "kind": "Cluster",
            "apiVersion": "kind.x-k8s.io/v1alpha4",
            "name": self.name,
            "nodes": nodes,
        }
        if self.kubeadm_patches:
            config["kubeadmConfigPatches"] = list(self.kubeadm_patches)
        return config


def _canonical_ports(mappings: t.Iterable[t.Mapping[str, t.Any]]) -> tuple[dict[str, t.Any], ...]:
    setting = "kind_cluster_port_mappings"
    found: list[dict[str, t.Any]] = [
        {
            "container_port": int(mapping["container_port"]),
            "host_port": int(mapping["host_port"]),
            "protocol": str(mapping.get("protocol") or "tcp").lower(),
            "listen_address": str(mapping.get("listen_address") or "127.0.0.1"),
        }
        for mapping in mappings
    ]
    problem = next(mapping_problems(found), "")
    if problem:
        raise InputError(f"{setting}{problem}", setting=setting)
    return tuple(sorted(found, key=lambda item: (item["host_port"], item["protocol"], item["listen_address"])))


def _canonical_mounts(mounts: t.Iterable[t.Mapping[str, t.Any]]) -> tuple[dict[str, t.Any], ...]:
    setting = "kind_cluster_extra_mounts"
    found: dict[str, dict[str, t.Any]] = {}
    for mount in mounts:
        item = {"read_only": bool(mount.get("read_only"))}
        for key in ("host_path", "container_path"):
            if not os.path.isabs(mount[key]):
                raise InputError(f'{key} "{mount[key]}" of a mount is not absolute.', setting=setting)
            item[key] = os.path.normpath(mount[key])
        target = str(item["container_path"])
        if target in RESERVED_PATHS:
            raise InputError(f"A node's {target} is kind's own: nothing can be mounted there.", setting=setting)
        if target in found:
            raise InputError(f"Two mounts have the container_path {target}.", setting=setting)
        found[target] = item
    return tuple(found[target] for target in sorted(found))


def _canonical_patches(patches: t.Iterable[str]) -> tuple[str, ...]:
    found = []
    for patch in patches:
        if not re.search(r"^\s*[\"']?kind[\"']?\s*:", patch, re.MULTILINE):
            raise InputError(
                f"A kubeadm patch has no kind: {patch.strip()[:60]!r}.",
                remedy='Say which object it changes, for example "kind: ClusterConfiguration".',
                setting="kind_cluster_kubeadm_patches",
            )
        found.append("\n".join(line.rstrip() for line in patch.strip().splitlines()))
    return tuple(found)


def describe_differences(there: t.Mapping[str, t.Any], wanted: t.Mapping[str, t.Any]) -> list[str]:
    """Say in words where two canonical configurations differ; an empty list says that they are the same."""
    defaults = ClusterConfig(name="", node_image="").canonical()
    found = []
    for key in sorted({*there, *wanted}):
        old = there.get(key, defaults.get(key))
        new = wanted.get(key, defaults.get(key))
        if old == new:
            continue
        if not (isinstance(old, list) and isinstance(new, list)):
            found.append(f"{key} is {old} there, wanted is {new}")
            continue
        gone = [_describe_item(key, item) for item in old if item not in new]
        added = [_describe_item(key, item) for item in new if item not in old]
        if not gone and not added:
            found.append(f"{key} has the same entries in another order")
            continue
        parts = [f"{', '.join(gone)} is there and not wanted"] if gone else []
        parts += [f"{', '.join(added)} is wanted and not there"] if added else []
        found.append(f"{key}: {'; '.join(parts)}")
    return found


def _describe_item(key: str, item: t.Any) -> str:
    if key == "port_mappings":
        return f"{HostPort(item['listen_address'], item['host_port'], item['protocol'])} to {item['container_port']}"
    if key == "extra_mounts":
        return f"{item['host_path']} at {item['container_path']}{' (read-only)' if item['read_only'] else ''}"
    return " ".join(str(item).split())


# What is there


@dataclass(frozen=True)
class Node:
    """A node's container: C(role) is C(control-plane) or C(worker)."""

    name: str
    role: str
    running: bool
    image: str
    image_id: str


@dataclass
class Cluster:
    """A cluster of this host as found. C(record) is what this collection left in it, None in a foreign one."""

    name: str
    nodes: list[Node]
    record: t.Optional[dict[str, t.Any]] = None
    evidence: list[str] = field(default_factory=list)

    @property
    def ours(self) -> bool:
        """Whether this collection made it."""
        return self.record is not None

    @property
    def config(self) -> dict[str, t.Any]:
        """The canonical configuration it was made from; empty in a foreign cluster."""
        return dict((self.record or {}).get("config") or {})

    @property
    def state(self) -> str:
        """C(running), C(stopped) (a node is not running), or C(incomplete) (a node is missing, or never finished)."""
        expected = _config_of(self.config).node_names() if self.config else [f"{self.name}-control-plane"]
        if not {*expected} <= {node.name for node in self.nodes} or (self.ours and not (self.record or {})["complete"]):
            return "incomplete"
        return "running" if all(node.running for node in self.nodes) else "stopped"

    def result(self) -> dict[str, t.Any]:
        """Return the facts that M(kubernaut.coverage.kind_cluster_info) gives for it."""
        record = self.record or {}
        return {
            "name": self.name,
            "ours": self.ours,
            "state": self.state,
            "nodes": [{"name": node.name, "role": node.role, "running": node.running} for node in self.nodes],
            "node_image": self.nodes[0].image if self.nodes else "",
            "config": self.config,
            "config_hash": record.get("config_hash", ""),
            "kubeconfig": (record.get("kubeconfig") or {}).get("path", ""),
            "created_seconds": record.get("created_seconds", 0),
        }


def _config_of(canonical: t.Mapping[str, t.Any]) -> ClusterConfig:
    """Read a canonical configuration back; unknown keys of a newer collection are left out."""
    return ClusterConfig(
        name=canonical["name"], node_image=canonical["node_image"], workers=int(canonical.get("workers", 0))
    )


def clusters_of(containers: t.Iterable[t.Mapping[str, t.Any]]) -> dict[str, list[Node]]:
    """Group podman's container records into clusters: name to nodes, the control plane first, then by number."""
    found: dict[str, list[Node]] = {}
    for container in containers:
        labels = container.get("Labels") or {}
        if KIND_CLUSTER_LABEL not in labels:
            continue
        found.setdefault(labels[KIND_CLUSTER_LABEL], []).append(
            Node(
                name=container["Names"][0],
                role=labels.get(ROLE_LABEL, ""),
                running=container.get("State") == "running",
                image=container.get("Image", ""),
                image_id=container.get("ImageID", ""),
            )
        )
    for nodes in found.values():
        nodes.sort(key=_node_order)
    return dict(sorted(found.items()))


def _node_order(node: Node) -> tuple[bool, str, int]:
    number = re.search(r"\d*$", node.name)
    return node.role != "control-plane", node.role, int((number and number.group()) or 1)


def foreign_entries(kubeconfig: str, name: str) -> list[str]:
    """Return the names in a kubeconfig's text that do not belong to kind cluster C(name)."""
    names = re.findall(r"^\s*(?:-\s+)?[\"']?name[\"']?:\s*[\"']?([^\"',\s]+)", kubeconfig, re.MULTILINE)
    return sorted({found for found in names if found != f"kind-{name}"})


# What kind says


def step_of(line: str) -> str:
    """Return the step that a line of kind's output begins ("Starting control-plane"), or an empty string."""
    match = re.match(r"\s*•\s+(.*?)\s*\.\.\.\s*$", line)
    if not match:
        return ""
    # kind decorates its steps with pictures
    return " ".join("".join(character for character in match[1] if character.isascii()).split())


# pattern in kind's output, cause, what it means, what to do about it, setting
KNOWN_FAILURES = (
    (
        r"statfs ([^:\n]+): no such file",
        "mount-source-missing",
        "{0}, which a node mounts, does not exist on this host",
        "Create it, or take the mount away.",
        "kind_cluster_extra_mounts",
    ),
    (
        r"(?:address already in use|port is already allocated)",
        "port-taken",
        "a host port was taken while the cluster was being created",
        "Free it, or choose another host_port.",
        "kind_cluster_port_mappings",
    ),
    (r"no space left on device", "disk-full", "the disk is full", "Make room where podman keeps its containers.", ""),
    (
        r"(?:too many open files|inotify_init|inotify watches)",
        "kernel-limits",
        "the kernel's limit of open files or inotify watches is too low",
        READY_RUNNER,
        "",
    ),
    (
        r"(?:rootless provider requires|Delegate=yes)",
        "no-root",
        "podman runs without root here and this host does not delegate it the cgroups that kind needs",
        "Run as root, or set up rootless kind: cgroup v2 and Delegate=yes.",
        "",
    ),
    (
        r"could not find a (?:log )?line that matches",
        "node-boot",
        "systemd did not come up inside a node's container",
        READY_RUNNER,
        "kind_cluster_node_image",
    ),
    (
        r"(?:kubelet is not healthy|wait-control-plane|timed out waiting for the condition|context deadline exceeded)",
        "control-plane",
        "the control plane did not come up inside its node",
        "Read the kubelet's lines; most often memory or disk is short, or the node image does not suit this host.",
        "kind_cluster_node_image",
    ),
)


def explain_failure(config: ClusterConfig, output: str, node_lines: t.Sequence[str]) -> ClusterError:
    """Turn the output of a failed C(kind create cluster) into one sentence with its evidence.

    :arg node_lines: what the control-plane container said, where it was still there to be asked.
    """
    evidence = [*last_lines(output), *node_lines]
    for pattern, cause, sentence, remedy, setting in KNOWN_FAILURES:
        match = re.search(pattern, output)
        if match:
            return ClusterError(
                f'Cluster "{config.name}" could not be created: {sentence.format(*match.groups())}.',
                remedy=remedy,
                setting=setting,
                evidence=evidence,
                cause=cause,
            )
    return ClusterError(
        f'Cluster "{config.name}" could not be created: kind gave up. Its last words are the evidence.',
        evidence=evidence,
        cause="kind-failed",
    )


# Files of ours


def make_private_folder(path: Path) -> None:
    """Make a folder, its last part for this user alone; one that exists stays as it is."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user reads; it appears whole or not at all."""
    make_private_folder(path.parent)
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def read_kubeconfig(path: Path, name: str) -> str:
    """Return the text of the kubeconfig at C(path), empty if there is none.

    :raises InputError: the file gives access to something else too, so it is not ours to write.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no kubeconfig: {error}.", setting="kind_cluster_kubeconfig") from error
    others = foreign_entries(text, name)
    if others:
        raise InputError(
            f'{path} also holds access to {", ".join(others)}: the file of cluster "{name}" has to be one of its own.',
            remedy="Choose a path where no file is.",
            setting="kind_cluster_kubeconfig",
        )
    return text


class CreationLock:
    """Keeps two runs from creating or deleting one cluster at once. A lock file that is left tells of a dead run."""

    def __init__(self, kubeconfig: Path) -> None:
        self.path = kubeconfig.with_name(f".{kubeconfig.name}.creating")

    def held_elsewhere(self) -> bool:
        """Whether another process is creating the cluster right now."""
        try:
            with self.path.open("rb") as stream:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def left_behind(self) -> bool:
        """Whether a run died while it was creating the cluster."""
        return self.path.exists() and not self.held_elsewhere()

    @contextlib.contextmanager
    def __call__(self, waiting: str) -> t.Iterator[None]:
        """Hold the lock; the file goes when the block ends well or with an error, and stays when the process dies.

        :raises ClusterError: another process held it for longer than a creation can last.
        """
        make_private_folder(self.path.parent)
        give_up = time.monotonic() + CREATION_LIMIT
        told = False
        while True:
            with self.path.open("ab") as stream:
                try:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if time.monotonic() > give_up:
                        raise ClusterError(
                            f"Another process has held {self.path} for {CREATION_LIMIT} s.", cause="creation-blocked"
                        ) from None
                    if not told:
                        report_progress(waiting)
                        told = True
                    time.sleep(LOCK_INTERVAL)
                    continue
                try:
                    # whoever held it before has removed the file that is open here
                    same = os.fstat(stream.fileno()).st_ino == self.path.stat().st_ino
                except FileNotFoundError:
                    same = False
                if not same:
                    continue
                try:
                    yield
                finally:
                    self.path.unlink(missing_ok=True)
                return


# Doing it


@dataclass
class Outcome:
    """What was, or in check mode would be, done: C(none), C(create), C(replace), C(export) a kubeconfig, C(delete)."""

    action: str
    cluster: dict[str, t.Any]
    difference: list[str] = field(default_factory=list)
    before: dict[str, t.Any] = field(default_factory=dict)
    after: dict[str, t.Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether anything was, or would be, changed."""
        return self.action != "none"


class Kind:
    """kind with podman as its provider.

    :arg executable: name or path of kind.
    :arg podman: kind itself calls C(podman) by that name; where it is given by its path, that folder is searched first.
    """

    def __init__(self, executable: str = "kind", podman: t.Optional[Podman] = None) -> None:
        self.executable = executable
        self.podman = podman or Podman()

    # looking

    def clusters(self, name: str = "") -> list[Cluster]:
        """Return the clusters of this host, or the one of that name, with what this collection recorded in them."""
        groups = {key: nodes for key, nodes in clusters_of(self.podman.containers()).items() if name in ("", key)}
        if not groups:
            return []
        with ThreadPoolExecutor(max_workers=4) as pool:
            return list(pool.map(lambda item: self._with_record(Cluster(name=item[0], nodes=item[1])), groups.items()))

    def _with_record(self, cluster: Cluster) -> Cluster:
        record, evidence = self._read_record(f"{cluster.name}-control-plane")
        cluster.record, cluster.evidence = record, evidence
        return cluster

    def _read_record(self, node: str) -> tuple[t.Optional[dict[str, t.Any]], list[str]]:
        """Return the record in a node's container, running or not, or None and what podman said instead."""
        try:
            # "-": an archive on standard output
            answer = self.podman.run("cp", f"{node}:{RECORD_PATH}", "-", purpose=f"read {RECORD_PATH} of {node}")
            with tarfile.open(fileobj=io.BytesIO(answer.stdout.encode())) as archive:
                member = archive.extractfile(archive.next() or tarfile.TarInfo())
                record = json.loads(member.read()) if member else {}
        except CommandError as error:
            return None, error.evidence
        except (tarfile.TarError, ValueError) as error:
            return None, [f"{RECORD_PATH} of {node} is unreadable: {error}"]
        if not isinstance(record, dict) or record.get("format") != RECORD_FORMAT:
            return None, [f"{RECORD_PATH} of {node} is not in format {RECORD_FORMAT}"]
        return record, []

    # making

    def present(
        self,
        config: ClusterConfig,
        *,
        kubeconfig: str,
        recreate: bool = False,
        wait: int = 0,
        check_mode: bool = False,
    ) -> Outcome:
        """Make sure that the cluster stands as described and that C(kubeconfig) opens it.

        :arg kubeconfig: path of a file for this cluster alone.
        :arg recreate: replace a cluster of that name that is not the one described, or not whole.
        :arg wait: seconds to wait until every node is ready; 0: return as soon as the API server answers.
        :raises CoverageError: naming what hinders. Nothing was deleted before everything was checked.
        """
        self._require_host()
        file = Path(kubeconfig)
        lock = CreationLock(file)
        outcome = self._keep_or_none(config, file, lock, recreate=recreate, wait=wait, check_mode=check_mode)
        if outcome is not None:
            return outcome
        with lock(f"cluster {config.name}: waiting for another run that is creating it"):
            outcome = self._keep_or_none(config, file, None, recreate=recreate, wait=wait, check_mode=False)
            if outcome is not None:
                return outcome
            old = next(iter(self.clusters(config.name)), None)
            if old is not None:
                self._delete(config.name)
            record = self._create(config, file)
        if wait:
            self._wait_ready(config, wait)
        cluster = Cluster(
            name=config.name,
            nodes=[Node(name, _role(name), True, config.node_image, "") for name in config.node_names()],
            record=record,
        )
        return Outcome(
            action="create" if old is None else "replace",
            cluster=_cluster_result(config, cluster, kubeconfig),
            difference=describe_differences(old.config, config.canonical()) if old is not None and old.ours else [],
            before=old.config if old is not None else {},
            after=config.canonical(),
        )

    def _keep_or_none(
        self,
        config: ClusterConfig,
        file: Path,
        lock: t.Optional[CreationLock],
        *,
        recreate: bool,
        wait: int,
        check_mode: bool,
    ) -> t.Optional[Outcome]:
        """Return the outcome if nothing is to be created, None if everything is ready for it, and raise otherwise.

        :arg lock: None where this process holds it already.
        """
        control_plane = config.node_names()[0]
        # three answers of podman that do not need one another; most of each is its start
        with ThreadPoolExecutor(max_workers=3) as pool:
            asked_record = pool.submit(self._read_record, control_plane)
            asked_image = pool.submit(self.podman.image, config.node_image)
            containers = self.podman.containers()
            record, evidence = asked_record.result()
            image = asked_image.result()
        nodes = clusters_of(containers).get(config.name, [])
        found = Cluster(name=config.name, nodes=nodes, record=record, evidence=evidence) if nodes else None
        text = read_kubeconfig(file, config.name)
        busy = lock is not None and lock.held_elsewhere()
        difference: list[str] = []
        if found is not None and not busy:
            difference = describe_differences(found.config, config.canonical()) if found.ours else []
            if found.ours and found.state == "running" and not difference:
                return self._keep(
                    config, found, file, text, wait=wait, image_id=image.id if image else "", check_mode=check_mode
                )
            if not recreate:
                raise self._refusal(found, difference, interrupted=lock is not None and lock.left_behind())
        if not busy:  # else another run is at it: look again when it is done
            self._require_parts(config, containers, own={node.name for node in nodes}, image=image)
        if not check_mode:
            return None
        planned = Cluster(
            name=config.name,
            nodes=[Node(name, _role(name), False, config.node_image, "") for name in config.node_names()],
        )
        return Outcome(
            action="create" if found is None else "replace",
            cluster=_cluster_result(config, planned, str(file)),
            difference=difference,
            before=found.config if found is not None else {},
            after=config.canonical(),
        )

    def _require_parts(
        self,
        config: ClusterConfig,
        containers: t.Sequence[t.Mapping[str, t.Any]],
        *,
        own: t.Container[str],
        image: t.Optional[Image],
    ) -> None:
        """Raise if something that the cluster is to be made from is missing or taken.

        :arg own: containers of the cluster that is to be replaced: what they hold comes free with them.
        """
        if image is None:
            raise ClusterError(
                f"Node image {config.node_image} is not in podman's store.",
                remedy="Run playbooks/runner.yml, which loads or builds it.",
                setting="kind_cluster_node_image",
                cause="node-image-missing",
            )
        for mount in config.extra_mounts:
            if not Path(mount["host_path"]).exists():
                raise ClusterError(
                    f"{mount['host_path']}, to be mounted at {mount['container_path']} of each node, does not exist "
                    "on this host.",
                    remedy="Create it first: podman mounts only what is there.",
                    setting="kind_cluster_extra_mounts",
                    cause="mount-source-missing",
                )
        freed = [
            port
            for container in containers
            if container["Names"][0] in own and container.get("State") == "running"
            for port in container_ports(container)
        ]
        require_free(
            [port for port in config.host_ports() if not any(port.overlaps(other) for other in freed)],
            containers,
            remedy="choose another host_port",
            setting="kind_cluster_port_mappings",
        )

    def _keep(
        self,
        config: ClusterConfig,
        found: Cluster,
        file: Path,
        text: str,
        *,
        wait: int,
        image_id: str,
        check_mode: bool,
    ) -> Outcome:
        """The cluster is the one described: see to its kubeconfig and its readiness."""
        recorded = ((found.record or {}).get("kubeconfig") or {}).get("sha256")
        changed = False
        if not text or _digest(text) != recorded:
            changed = True
            if not check_mode:
                fresh = _one_end(
                    self._kind("get", "kubeconfig", "--name", config.name, purpose="export a kubeconfig").stdout
                )
                changed = fresh != text
                if changed:
                    write_private(file, fresh)
        warnings = []
        if image_id and any(node.image_id and node.image_id != image_id for node in found.nodes):
            warnings.append(
                f'Cluster "{config.name}" runs an older build of {config.node_image}; delete it, and the next run '
                "creates it from the new one."
            )
        if wait and not check_mode:
            self._wait_ready(config, wait)
        return Outcome(
            action="export" if changed else "none",
            cluster=_cluster_result(config, found, str(file)),
            before=config.canonical(),
            after=config.canonical(),
            warnings=warnings,
        )

    def _refusal(self, found: Cluster, difference: t.Sequence[str], *, interrupted: bool) -> ClusterError:
        """Say why the cluster that is there cannot be taken for the one described."""
        states = [f"{node.name}: {'running' if node.running else 'not running'}" for node in found.nodes]
        if not found.ours and not interrupted:
            return ClusterError(
                f'A cluster named "{found.name}" exists that this collection did not create.',
                remedy="Choose another name; or, if it may be deleted, set kind_cluster_recreate: true.",
                setting="kind_cluster_name",
                evidence=[*states, *found.evidence],
                cause="cluster-foreign",
            )
        if difference:
            return ClusterError(
                f'Cluster "{found.name}" exists with another configuration: {"; ".join(difference)}.',
                remedy="Choose another name to have both; or set kind_cluster_recreate: true to replace the one there.",
                setting="kind_cluster_name, kind_cluster_recreate",
                evidence=list(difference),
                cause="cluster-different",
            )
        if found.state == "stopped" and not interrupted:
            stopped = ", ".join(node.name for node in found.nodes if not node.running)
            return ClusterError(
                f'Cluster "{found.name}" exists, but not all of its nodes run: {stopped}.',
                remedy=f"Start them (podman start {stopped.replace(',', '')}), or set kind_cluster_recreate: true.",
                setting="kind_cluster_recreate",
                evidence=states,
                cause="cluster-stopped",
            )
        return ClusterError(
            f'Cluster "{found.name}" is incomplete: its creation was interrupted, or a node was removed.',
            remedy="Set kind_cluster_recreate: true to replace it.",
            setting="kind_cluster_recreate",
            evidence=states,
            cause="cluster-incomplete",
        )

    def _create(self, config: ClusterConfig, file: Path) -> dict[str, t.Any]:
        """Create the cluster, record in it what it was made from, and write its kubeconfig; return the record."""
        control_plane = config.node_names()[0]
        record: dict[str, t.Any] = {
            "format": RECORD_FORMAT,
            "complete": False,
            "config": config.canonical(),
            "config_hash": config.hash(),
            "kubeconfig": {"path": str(file)},
        }
        started = time.monotonic()

        def follow(line: str) -> None:
            step = step_of(line)
            if not step:
                return
            report_progress(f"cluster {config.name}: {step}")
            if step.startswith("Writing configuration"):
                # The containers exist now. Whoever finds them after this run was killed shall know whose they are.
                with contextlib.suppress(CommandError):
                    self._write_record(control_plane, record)

        with tempfile.TemporaryDirectory(prefix="kubernaut-coverage-") as folder:
            # kind adds to the file that it is given; ours gets its content in one piece and only after success
            fresh = Path(folder, "kubeconfig")
            try:
                self._kind(
                    *["create", "cluster", "--name", config.name, "--config", "-", "--kubeconfig", str(fresh)],
                    *["--retain", "--wait", "0s"],
                    purpose=f'create cluster "{config.name}"',
                    stdin=json.dumps(config.kind_config()).encode(),
                    timeout=CREATION_LIMIT,
                    on_line=follow,
                )
            except CommandError as error:
                if error.completed is None:
                    raise
                lines = self._node_lines(control_plane)
                self._delete(config.name)
                raise explain_failure(config, error.completed.stderr, lines) from error
            text = _one_end(fresh.read_text(encoding="utf-8"))
        record["created_seconds"] = round(time.monotonic() - started, 1)
        record["kubeconfig"]["sha256"] = _digest(text)
        record["complete"] = True
        self._write_record(control_plane, record)
        write_private(file, text)
        return record

    def _write_record(self, node: str, record: t.Mapping[str, t.Any]) -> None:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".json") as stream:
            json.dump(record, stream)
            stream.flush()
            self.podman.run("cp", stream.name, f"{node}:{RECORD_PATH}", purpose=f"record the configuration in {node}")

    def _node_lines(self, node: str) -> list[str]:
        """Return the last words of a node that did not come up: kubelet's, else those of its container."""
        for arguments in (
            ["exec", node, "journalctl", "--unit", "kubelet", "--no-pager", "--output", "cat", "--lines", "12"],
            ["logs", "--tail", "12", node],
        ):
            try:
                answer = self.podman.run(*arguments, purpose=f"ask node {node} what happened", timeout=20)
            except CommandError:
                continue
            lines = last_lines(answer.stdout + answer.stderr, 12)
            if lines:
                return [f"{node}: {line}" for line in lines]
        return []

    def _wait_ready(self, config: ClusterConfig, seconds: int) -> None:
        """Wait until every node is ready: kind's own wait looks at control planes only and ends well in any case."""
        node = config.node_names()[0]
        kubectl = ["kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf"]
        report_progress(f"cluster {config.name}: waiting for its nodes to be ready")
        try:
            self.podman.exec(
                *[node, *kubectl, "wait", "nodes", "--all", "--for=condition=Ready", f"--timeout={seconds}s"],
                purpose=f'wait for the nodes of cluster "{config.name}"',
                timeout=seconds + 30,
            )
        except CommandError as error:
            seen = self.podman.exec(
                *[node, *kubectl, "get", "nodes", "--output", "json"], purpose="see the nodes' conditions", timeout=30
            )
            conditions = [
                f"{item['metadata']['name']}: {condition.get('reason')}: {condition.get('message')}"
                for item in json.loads(seen.stdout)["items"]
                for condition in item["status"].get("conditions", [])
                if condition["type"] == "Ready" and condition["status"] != "True"
            ]
            raise ClusterError(
                f'Not every node of cluster "{config.name}" was ready after {seconds} s.',
                remedy="The cluster stands; look at the evidence, or give it longer.",
                setting="kind_cluster_wait",
                evidence=conditions or error.evidence,
                cause="nodes-not-ready",
            ) from error

    # ending

    def absent(self, name: str, *, kubeconfig: str, force: bool = False, check_mode: bool = False) -> Outcome:
        """Make sure that no cluster of that name, none of its volumes and no kubeconfig of it is left.

        :arg force: delete also a cluster that this collection did not create.
        :raises ClusterError: it did not, and C(force) is not given.
        """
        config = ClusterConfig.from_options(name=name, node_image="none")
        lock = CreationLock(Path(kubeconfig))
        found = next(iter(self.clusters(name)), None)
        # a run that died before it could record anything left its lock: that cluster is ours too
        if found is not None and not found.ours and not force and not lock.path.exists():
            raise ClusterError(
                f'Cluster "{name}" was not created by this collection and is not deleted.',
                remedy="Choose another name, or insist with force.",
                setting="kind_cluster_force",
                evidence=[*(node.name for node in found.nodes), *found.evidence],
                cause="cluster-foreign",
            )
        volumes = self._volumes(name)
        files = self._own_files(name, [kubeconfig, (found.result()["kubeconfig"] if found else "")], lock)
        changed = bool(found or volumes or files)
        outcome = Outcome(
            action="delete" if changed else "none",
            cluster=_cluster_result(config, Cluster(name=name, nodes=[]), kubeconfig) | {"node_image": ""},
            before=found.config or {"name": name} if found else {},
        )
        if not changed or check_mode:
            return outcome
        if found or volumes:
            report_progress(f"cluster {name}: deleting")
            with lock(f"cluster {name}: waiting for another run that is creating it"):
                self._delete(name)
        for file in files:
            file.unlink(missing_ok=True)
            if file.parent.name == name:
                with contextlib.suppress(OSError):  # something else is in it
                    file.parent.rmdir()
        return outcome

    def _own_files(self, name: str, kubeconfigs: t.Iterable[str], lock: CreationLock) -> list[Path]:
        """Return the files to delete with a cluster. A kubeconfig that opens anything else too is not among them."""
        found = []
        for path in sorted({Path(kubeconfig) for kubeconfig in kubeconfigs if kubeconfig}):
            try:
                if path.exists() and not foreign_entries(path.read_text(encoding="utf-8"), name):
                    found.append(path)
            except (OSError, UnicodeDecodeError):
                continue
            if path.parent.name == name:
                found += sorted(path.parent.glob(SAVED_RUNS))
        if lock.left_behind():
            found.append(lock.path)
        return found

    def _volumes(self, name: str) -> list[str]:
        """Return kind's volumes of the cluster's nodes: each is labelled with the name of its node."""
        answer = self.podman.run("volume", "ls", "--format", "json", purpose="list volumes")
        pattern = re.compile(rf"{re.escape(name)}-(control-plane|worker)\d*")
        return [
            volume["Name"]
            for volume in json.loads(answer.stdout or "[]") or []
            if any(pattern.fullmatch(label) for label in volume.get("Labels") or {})
        ]

    def _delete(self, name: str) -> None:
        """Delete the containers and volumes of a cluster. Its files are left."""
        nodes = [node.name for node in clusters_of(self.podman.containers()).get(name, [])]
        if nodes:
            # at once: nobody needs an orderly shutdown of what is thrown away
            self.podman.run(
                *["rm", "--force", "--volumes", "--time", "0", *nodes], purpose=f'delete cluster "{name}"', timeout=120
            )
        volumes = self._volumes(name)
        if volumes:
            self.podman.run("volume", "rm", "--force", *volumes, purpose=f'delete the volumes of cluster "{name}"')

    # helpers

    def _kind(self, *arguments: str, purpose: str, **options: t.Any) -> Completed:
        environment = {"KIND_EXPERIMENTAL_PROVIDER": "podman"}
        folder = os.path.dirname(self.podman.executable)
        if folder:
            environment["PATH"] = f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return run(
            [self.executable, *arguments],
            purpose=purpose,
            environment=environment,
            remedy=READY_RUNNER,
            setting="kind_cluster_executable",
            **options,
        )

    def _require_host(self) -> None:
        """Raise if kind cannot work for this user on this host, as far as that is known without trying."""
        if not Path("/lib/modules").is_dir():
            raise ClusterError(
                "/lib/modules does not exist on this host, and kind mounts it into every node.",
                remedy=READY_RUNNER,
                cause="mount-source-missing",
            )
        if os.geteuid() == 0:
            return
        info = json.loads(self.podman.run("info", "--format", "json", purpose="ask podman about this host").stdout)
        host = info.get("host") or {}
        missing = sorted({"cpu", "memory", "pids"} - set(host.get("cgroupControllers") or []))
        if host.get("cgroupVersion") != "v2" or missing:
            what = f"cgroup controllers {', '.join(missing)} not delegated" if missing else "no cgroup v2"
            raise ClusterError(
                f"kind needs root here, or a host that supports it without: {what}.",
                remedy="Run as root (become: true), or set up rootless kind: cgroup v2 and Delegate=yes.",
                evidence=[f"cgroupVersion {host.get('cgroupVersion')}, controllers {host.get('cgroupControllers')}"],
                cause="no-root",
            )


def _role(node: str) -> str:
    return "control-plane" if node.endswith("-control-plane") else "worker"


def _one_end(text: str) -> str:
    """End a text in one newline: kind's two ways to the same kubeconfig differ in that."""
    return text.rstrip("\n") + "\n"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _cluster_result(config: ClusterConfig, cluster: Cluster, kubeconfig: str) -> dict[str, t.Any]:
    return {
        "name": config.name,
        "context": f"kind-{config.name}",
        "kubeconfig": kubeconfig,
        "nodes": [{"name": node.name, "role": node.role, "running": node.running} for node in cluster.nodes],
        "config_hash": config.hash() if cluster.nodes else "",
        "node_image": config.node_image,
        "created_seconds": (cluster.record or {}).get("created_seconds", 0),
    }
