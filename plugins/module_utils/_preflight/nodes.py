# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The nodes of an existing cluster: ready, with room, of the right architecture, with the image and the folder."""

from __future__ import annotations

import json
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.architecture import host_architecture
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import CommandError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.waiting import poll
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.existing import clusters_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.node_images import Node, nearest_names
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.table import (
    ERROR,
    NOT_CHECKED,
    OK,
    WARNING,
    Finding,
    finding,
)

PRESSURES = {"DiskPressure": "disk-full", "MemoryPressure": "memory-short", "PIDPressure": "kernel-limits"}
DISK_FULL = 90  # per cent; from 85 on the kubelet begins to remove images, from 90 on it evicts pods
TIMEOUT = 20.0  # seconds, also of a host that is busy with a build
AGAIN = 1.0
KUBECTL = ("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf")


@dataclass(frozen=True)
class Nodes:
    """What is asked of the nodes.

    :ivar reference: image, with its C(id); not looked for where empty. :ivar user: uid or uid:gid of the pod, "" for
        not known. :ivar directory: folder for counters on the node. :ivar made, loaded: whether folder and image
        have to be there by now.
    :ivar mounts: folders of the host that every node has to have mounted.
    """

    podman: Podman
    cluster: str
    reference: str = ""
    id: str = ""
    architecture: str = ""
    user: str = ""
    directory: str = "/coverdata"
    made: bool = False
    loaded: bool = False
    mounts: t.Sequence[str] = ()
    names: tuple[str, ...] = ()


def names_of(asked: Nodes) -> list[str]:
    """Return the nodes that run: those that are named, or all of the cluster."""
    if asked.names:
        return list(asked.names)
    nodes = clusters_of(asked.podman.containers()).get(asked.cluster, [])
    return [node.name for node in nodes if node.running]


def _each(names: t.Sequence[str], look: t.Callable[[str], t.Optional[Finding]]) -> list[Finding]:
    with ThreadPoolExecutor(max_workers=min(8, len(names))) as pool:
        return [finding for finding in pool.map(look, names) if finding is not None]


def _listed(asked: Nodes, control: str) -> list[dict[str, t.Any]]:
    """Return the Node objects of the cluster; a call that fails is made again, because a busy host fails some.

    :raises CoverageError: no call succeeded within the time.
    """
    argv = [control, *KUBECTL, "get", "nodes", "--output", "json"]
    failed: t.Optional[CommandError] = None
    for _waited in poll(AGAIN, timeout=TIMEOUT):
        try:
            answer = asked.podman.exec(*argv, purpose=f"ask {control} for its nodes", timeout=TIMEOUT)
        except CommandError as error:
            failed = error
        else:
            return list(json.loads(answer.stdout)["items"])
    slow = failed is not None and failed.cause == "command-timeout"
    raise CoverageError(
        f"The API server was asked through {control} for the nodes, "
        + (f"and there was no answer within {TIMEOUT:g} s." if slow else f"which failed for {TIMEOUT:g} s."),
        remedy="Check whether the cluster still runs, and whether this host is overloaded.",
        evidence=[failed.message, *failed.evidence] if failed is not None else [],
        cause="cluster-unreachable",
    ) from failed


def check_nodes(asked: Nodes, names: t.Sequence[str]) -> t.Iterator[Finding]:
    """Whether Kubernetes calls them ready, without pressure; and how full their disks are."""
    control = next((name for name in names if name.endswith("-control-plane")), names[0])
    found = list(conditions(_listed(asked, control), names))
    found += _each(names, lambda name: _disk(asked, name))
    yield from found or [finding("nodes", OK, f"{', '.join(names)}: ready, with room")]


def conditions(items: t.Sequence[t.Mapping[str, t.Any]], names: t.Sequence[str]) -> t.Iterator[Finding]:
    """Return what Kubernetes says is wrong with the nodes."""
    known = {item["metadata"]["name"]: item for item in items}
    for name in names:
        if name not in known:
            yield finding(
                "nodes",
                ERROR,
                f"Node {name} never joined its cluster.",
                "Recreate the cluster.",
                "kind_cluster#recreate",
                cause="nodes-not-ready",
            )
            continue
        for condition in known[name]["status"].get("conditions") or ():
            kind, status = condition["type"], condition["status"]
            if kind == "Ready" and status != "True":
                yield finding(
                    "nodes",
                    ERROR,
                    f"Node {name} is not ready: {condition.get('message') or condition.get('reason')}.",
                    "Wait for it, or recreate the cluster.",
                    "kind_cluster#wait",
                    cause="nodes-not-ready",
                )
            elif kind in PRESSURES and status == "True":
                yield finding(
                    "nodes",
                    ERROR,
                    f"Node {name} has {kind}: {condition.get('message') or condition.get('reason')}.",
                    "Free space on this host: pods are being evicted.",
                    "",
                    cause=PRESSURES[kind],
                )
        if known[name]["spec"].get("unschedulable"):
            yield finding(
                "nodes", WARNING, f"Node {name} is cordoned: no pods are scheduled on it.", f"kubectl uncordon {name}"
            )


def _disk(asked: Nodes, name: str) -> t.Optional[Finding]:
    answer = asked.podman.exec(
        *[name, "df", "--output=pcent", "/var/lib/containerd"],
        purpose=f"ask node {name} for its free space",
        timeout=TIMEOUT,
    )
    used = answer.stdout.split()[-1].rstrip("%")
    if used.isdigit() and int(used) >= DISK_FULL:
        return finding(
            "nodes",
            WARNING,
            f"The disk of node {name} is full to {used} %: the kubelet evicts pods.",
            "Free space on this host.",
        )
    return None


def check_architecture(asked: Nodes, names: t.Sequence[str]) -> t.Iterator[Finding]:
    """Whether the nodes can run the image."""
    wanted = asked.architecture or host_architecture()
    found = {name: Node(asked.podman, name).architecture() for name in names}
    for name, architecture in found.items():
        if architecture != wanted:
            yield finding(
                "node-architecture",
                ERROR,
                f"The image is for {wanted}; node {name} is {architecture}.",
                "Build it for the nodes' architecture.",
                "instrumented_image#goarch",
                cause="wrong-architecture",
            )
    if set(found.values()) == {wanted}:
        yield finding("node-architecture", OK, wanted)


def check_image(asked: Nodes, names: t.Sequence[str]) -> t.Iterator[Finding]:
    """Whether the image is on each node under its name and id."""

    def look(name: str) -> t.Optional[Finding]:
        node = Node(asked.podman, name)
        images = node.images()
        there = node.image_id(asked.reference, images)
        if there and there == (asked.id or there):
            return None
        near = nearest_names(asked.reference, images)
        why = (
            f"that name means image {there[:12]} there instead of {asked.id[:12]}"
            if there
            else "it is not there" + (f"; the nearest is {near[0]}" if near else "")
        )
        if not asked.loaded:
            return finding("image-on-nodes", OK, f"{asked.reference} will be loaded on {name}")
        return finding(
            "image-on-nodes",
            ERROR,
            f"Image {asked.reference} is not on node {name}: {why}.",
            "Load it (role instrumented_image, tasks_from: load).",
            "coverage_mode#image",
            cause="image-not-on-node",
            evidence=tuple(f"on {name}: {other}" for other in near),
        )

    found = _each(names, look)
    yield from found or [finding("image-on-nodes", OK, f"{asked.reference} ({asked.id[:12]}) on all {len(names)}")]


def check_folder(asked: Nodes, names: t.Sequence[str]) -> t.Iterator[Finding]:
    """Whether the folder for counters is there and the pod's user can write in it, and what is to be mounted is."""
    records = {record["Names"][0]: record for record in asked.podman.containers()}
    found = []
    for name in names:
        mounted = [str(path).rstrip("/") for path in (records.get(name) or {}).get("Mounts") or ()]
        for path in asked.mounts:
            if mounted and path.rstrip("/") not in mounted:
                found.append(
                    finding(
                        "coverage-folder",
                        ERROR,
                        f"Node {name} does not mount {path}, which the contract requires.",
                        "Recreate the cluster: mounts of a node cannot be changed.",
                        "kind_cluster#recreate",
                        cause="mount-source-missing",
                    )
                )
    if asked.made:
        found += _each(names, lambda name: _writable(asked, name))
    elif not found:
        yield finding("coverage-folder", NOT_CHECKED, f"coverage mode creates it in {asked.directory}")
        return
    who = f", writable for uid {asked.user}" if asked.user else ""
    yield from found or [finding("coverage-folder", OK, f"{asked.directory}{who}")]


def _writable(asked: Nodes, name: str) -> t.Optional[Finding]:
    def test(flag: str, *user: str) -> bool:
        answer = asked.podman.run(
            *["exec", *user, name, "test", flag, asked.directory],
            purpose=f"inspect {asked.directory} on node {name}",
            timeout=TIMEOUT,
            accept=(0, 1),
        )
        return answer.returncode == 0

    if not test("-d"):
        return finding(
            "coverage-folder",
            ERROR,
            f"{asked.directory} is not on node {name}: the pod cannot start, or its counters are lost.",
            "The role coverage_mode creates it.",
            "preflight_info#volume_directory",
            cause="coverage-not-writable",
        )
    if asked.user and not test("-w", "--user", asked.user):
        return finding(
            "coverage-folder",
            ERROR,
            f"Uid {asked.user} cannot write in {asked.directory} on node {name}.",
            "Set its mode to 1777, as the role coverage_mode does.",
            "preflight_info#volume_directory",
            cause="coverage-not-writable",
        )
    return None


def secrets_and_maps(podman: Podman, control: str, namespace: str) -> t.Optional[frozenset[tuple[str, str]]]:
    """Return what pods of a namespace can refer to, as (kind, name); empty where there is no such namespace.

    None where the API server did not answer: then nothing is known.
    """
    kinds = "configmaps,secrets,serviceaccounts,persistentvolumeclaims"
    try:
        answer = podman.exec(
            # names only: no secret is read
            *[control, *KUBECTL, "get", kinds, "--namespace", namespace, "--output", "name"],
            purpose=f"list what is in namespace {namespace}",
            timeout=TIMEOUT,
        )
    except CommandError:
        return None
    words = {
        "configmap": "ConfigMap",
        "secret": "Secret",
        "serviceaccount": "ServiceAccount",
        "persistentvolumeclaim": "PersistentVolumeClaim",
    }
    pairs = (line.partition("/") for line in answer.stdout.split())
    return frozenset((words[kind], name) for kind, _slash, name in pairs if kind in words)
