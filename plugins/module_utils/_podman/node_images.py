# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Bring an image archive to the nodes of a kind cluster, and look it up there by name and by id.

A node is a podman container that runs containerd. Only C(ctr) is asked: every node image has it, C(crictl) not. An
image's id is the digest of its configuration, which its manifest in containerd's content store names.
"""

from __future__ import annotations

import json
import re
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.architecture import (
    GO_ARCHITECTURES,
    host_architecture,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import (
    CommandError,
    Completed,
    last_lines,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import likeness, nearest_few
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.waiting import poll
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.archive import ImageArchive
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.checksums import damage_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import (
    KIND_CLUSTER_LABEL,
    KIND_ROLE_LABEL,
    Podman,
)

LOAD_BALANCER = "external-load-balancer"
POLL_SECONDS = 0.1
COMING = ("created", "configured", "initialized")  # podman's states of a container that has not started yet
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
# containerd 1 and containerd 2
SNAPSHOTTER_SECTION = re.compile(r"""io\.containerd\.(grpc\.v1\.cri["']\.containerd|cri\.v1\.images["'])$""")
DEFAULT_SNAPSHOTTER = "overlayfs"
SHOWN_NAMES = 5


@dataclass(frozen=True)
class LoadRequest:
    """What must be where: an image by name and id, on all nodes of C(cluster) or on C(nodes).

    :arg image_id: 64 hexadecimal digits; empty: the archive's.
    :arg node_count: how many nodes the cluster is going to have, while it is still being made; 0: those that are there.
    :arg timeout: seconds to wait for nodes and for containerd on each.
    """

    archive: str
    reference: str
    image_id: str = ""
    cluster: str = ""
    nodes: tuple[str, ...] = ()
    node_count: int = 0
    timeout: float = 120.0
    podman: str = "podman"


@dataclass(frozen=True)
class NodeResult:
    """One node: C(id) is what the name means there now."""

    name: str
    present_before: bool
    loaded: bool
    id: str


@dataclass(frozen=True)
class LoadOutcome:
    """C(changed) tells whether any node was, or in check mode would be, given the image."""

    changed: bool
    reference: str
    image_id: str
    nodes: list[NodeResult] = field(default_factory=list)


def load_on_nodes(request: LoadRequest, *, check: bool = False) -> LoadOutcome:
    """Load the archive into each node that lacks the image under that name and id; look it up there afterwards.

    :raises InputError: causes C(bad-input), C(bad-archive), C(cluster-missing), C(node-missing): nothing was changed.
    :raises CoverageError: causes C(node-not-running), C(containerd-not-answering), C(wrong-architecture),
        C(image-import-failed), C(image-not-on-node).
    """
    if bool(request.cluster) == bool(request.nodes):
        raise InputError(
            "An image is loaded on the nodes of a cluster or on a list of nodes, not both.",
            remedy="Set either cluster or nodes.",
            setting="node_image#cluster",
        )
    with ImageArchive(request.archive, request.reference) as archive:
        identity, architecture = archive.image.id, archive.architecture
    if request.image_id and request.image_id.removeprefix("sha256:") != identity:
        raise InputError(
            f"Image archive {request.archive} does not contain the image expected as {request.reference}:"
            f" {identity[:12]} instead of {request.image_id.removeprefix('sha256:')[:12]}.",
            remedy="Save the image again.",
            setting="archive",
            cause="bad-archive",
        )
    podman = Podman(request.podman)
    deadline = time.monotonic() + request.timeout
    try:
        names = _nodes(podman, request, deadline)
    except InputError as error:
        if check and error.cause == "cluster-missing":
            return LoadOutcome(True, request.reference, identity)  # the cluster itself would be made before
        raise
    size = Path(request.archive).stat().st_size
    report_progress(f"looking for {request.reference} on {len(names)} node(s)")

    def one(name: str) -> NodeResult:
        node = Node(podman, name)
        before = node.image_id(request.reference, node.first_images(deadline, request.timeout))
        if before == identity:
            return NodeResult(name, True, False, identity)
        node.check_architecture(request.reference, architecture)
        if check:
            return NodeResult(name, False, True, before)
        damage = damage_of(request.archive, request.reference)
        if damage:
            raise bad_archive(request.archive, damage)
        report_progress(f"loading {request.reference} ({size / 1e6:.0f} MB) on {name}")
        node.load(request.archive, request.reference)
        return NodeResult(name, False, True, node.verify(request.reference, identity))

    with ThreadPoolExecutor(max_workers=min(len(names), 8)) as pool:
        # a node's error is raised here, after the other nodes have finished: no import is cut off half way
        results = list(pool.map(one, names))
    return LoadOutcome(any(item.loaded for item in results), request.reference, identity, results)


def bad_archive(archive: str, damage: str) -> InputError:
    """Return the error for an archive whose checksums are wrong."""
    return InputError(
        f"Image archive {archive} is damaged: {damage}.",
        remedy="Run the stage instrumented_image or service_dependencies, which saves it again; or delete the archive.",
        setting="node_image#archive",
        cause="bad-archive",
    )


def _nodes(podman: Podman, request: LoadRequest, deadline: float) -> list[str]:
    """Return the names of the nodes, all of them running."""
    states: dict[str, str] = {}
    for _waited in poll(POLL_SECONDS, deadline - time.monotonic()):
        filters = [f"label={KIND_CLUSTER_LABEL}={request.cluster}"] if request.cluster else []
        states = {
            name: record["State"]
            for record in podman.containers(*filters)
            if (record.get("Labels") or {}).get(KIND_ROLE_LABEL) != LOAD_BALANCER
            for name in record["Names"]
            if request.cluster or name in request.nodes
        }
        missing = [name for name in request.nodes if name not in states]
        if missing:
            raise InputError(
                f"There is no node {missing[0]} on this host.",
                remedy="A node has the name of its container: <cluster>-control-plane, <cluster>-worker.",
                setting="node_image#nodes",
                evidence=[f"podman has no container {name}" for name in missing],
                cause="node-missing",
            )
        ended = [name for name, state in states.items() if state not in ("running", *COMING)]
        if ended:
            raise CoverageError(
                f"Node {ended[0]} is not running: its container is {states[ended[0]]}.",
                remedy="Start it, or recreate the cluster.",
                setting="kind_cluster#state",
                evidence=[f"{name}: {state}" for name, state in sorted(states.items())],
                cause="node-not-running",
            )
        enough = len(states) >= max(request.node_count, 1)
        if enough and all(state == "running" for state in states.values()):
            return sorted(states)
        if not states and not request.node_count:
            raise InputError(
                f"There is no kind cluster {request.cluster} on this host.",
                remedy="Create it with the role kubernaut.coverage.kind_cluster, or name one that exists.",
                setting="node_image#cluster",
                evidence=[f"clusters here: {', '.join(_clusters(podman)) or 'none'}"],
                cause="cluster-missing",
            )
    raise CoverageError(
        f"Cluster {request.cluster} has {len(states)} running nodes of {request.node_count or len(states)}"
        f" after {request.timeout:g} s.",
        remedy="Check why the cluster does not start, or allow more time.",
        setting="node_image#timeout",
        evidence=[f"{name}: {state}" for name, state in sorted(states.items())],
        cause="node-not-running",
    )


def _clusters(podman: Podman) -> list[str]:
    return sorted({record["Labels"][KIND_CLUSTER_LABEL] for record in podman.containers(f"label={KIND_CLUSTER_LABEL}")})


class Node:
    """One node of a kind cluster, by the name of its container."""

    def __init__(self, podman: Podman, name: str) -> None:
        self.podman = podman
        self.name = name

    def ctr(self, *arguments: str, purpose: str, **options: t.Any) -> Completed:
        """Run C(ctr) on the node, in the namespace that Kubernetes uses."""
        return self.podman.exec(self.name, "ctr", "--namespace", "k8s.io", *arguments, purpose=purpose, **options)

    def first_images(self, deadline: float, allowed: float) -> dict[str, str]:
        """Return the images on the node as soon as its containerd answers."""
        evidence: list[str] = []
        for _waited in poll(POLL_SECONDS, deadline - time.monotonic()):
            try:
                return self.images()
            except CommandError as error:
                evidence = error.evidence
        raise CoverageError(
            f"Containerd on node {self.name} did not answer within {allowed:g} s.",
            remedy="Check its journal on the node, or allow more time.",
            setting="node_image#timeout",
            evidence=evidence,
            cause="containerd-not-answering",
        )

    def images(self) -> dict[str, str]:
        """Return every image on the node: name to the digest of its manifest."""
        table = self.ctr("images", "ls", purpose=f"list the images on node {self.name}", timeout=20).stdout
        found = {}
        for line in table.splitlines():
            digest = DIGEST.search(line.partition(" ")[2])
            if digest:
                found[line.split(maxsplit=1)[0]] = digest[0]
        return found

    def image_id(self, reference: str, images: t.Mapping[str, str]) -> str:
        """Return the id of the image of that name, 64 hexadecimal digits, or empty when the name is not there."""
        digest = images.get(reference, "")
        if not digest:
            return ""
        # Kubernetes' side of containerd gives each image its id as a second name, a moment after the import
        known = [name for name, other in images.items() if other == digest and DIGEST.fullmatch(name)]
        if len(known) == 1:
            return known[0].removeprefix("sha256:")
        return self._config_digest(digest)

    def _config_digest(self, digest: str) -> str:
        try:
            content = json.loads(
                self.ctr("content", "get", digest, purpose=f"read manifest {digest} on node {self.name}").stdout
            )
        except CommandError as error:
            if error.completed is not None and error.completed.returncode == 1:
                return ""  # a name without its content is an image that is not there
            raise
        if content.get("mediaType") in INDEX_TYPES or "manifests" in content:
            architecture = self.architecture()
            for item in content["manifests"]:
                platform = item.get("platform") or {}
                if platform.get("os") == "linux" and platform.get("architecture") == architecture:
                    return self._config_digest(item["digest"])
            return ""
        return t.cast(str, content["config"]["digest"]).removeprefix("sha256:")

    def architecture(self) -> str:
        """Return the node's processor in Go's words."""
        machine = self.podman.exec(
            self.name, "uname", "-m", purpose=f"ask node {self.name} for its architecture"
        ).stdout
        return GO_ARCHITECTURES.get(machine.strip(), machine.strip())

    def check_architecture(self, reference: str, architecture: str) -> None:
        """Refuse an image that cannot run here before it is loaded."""
        if architecture == host_architecture():
            return  # a node is a container on this host: the question is worth its time only for a foreign image
        here = self.architecture()
        if architecture != here:
            raise CoverageError(
                f"Image {reference} is for {architecture}; node {self.name} is {here}.",
                remedy="Build it for the node's architecture.",
                setting="instrumented_image#goarch",
                cause="wrong-architecture",
            )

    def snapshotter(self) -> str:
        """Return the snapshotter that Kubernetes uses on the node, so that the image is unpacked once and for it."""
        dump = self.podman.exec(
            *[self.name, "containerd", "config", "dump"], purpose=f"read containerd's configuration on node {self.name}"
        ).stdout
        section = ""
        for line in dump.splitlines():
            header = re.fullmatch(r"\s*\[(.+)\]\s*", line)
            if header:
                section = header[1]
            value = re.fullmatch(r"""\s*snapshotter\s*=\s*["']([^"']+)["']\s*""", line)
            if value and SNAPSHOTTER_SECTION.search(section):
                return value[1]
        return DEFAULT_SNAPSHOTTER

    def load(self, archive: str, reference: str) -> None:
        """Import an archive; what a first attempt leaves half done is removed, and imported again.

        :raises CoverageError: causes C(bad-archive), C(image-import-failed). The name is not on the node then: the next
            run does not take half an image for a whole one.
        """
        try:
            self._import(archive, reference)
        except CommandError:
            self.remove(reference)
            damage = damage_of(archive, reference)
            if damage:
                raise bad_archive(archive, damage) from None
            try:
                self._import(archive, reference)
            except CommandError as error:
                self.remove(reference)
                raise CoverageError(
                    f"Node {self.name} could not import {reference}.",
                    remedy="Check the free space on the node and its containerd, then run it again.",
                    evidence=[*error.evidence, *self._free_space()],
                    cause="image-import-failed",
                ) from error

    def _import(self, archive: str, reference: str) -> None:
        with Path(archive).open("rb") as stream:
            self.ctr(
                # no --digests: it would give the image a second name, and pods an image id that is not an id
                *["images", "import", "--all-platforms", "--snapshotter", self.snapshotter(), "-"],
                purpose=f"import {reference} on node {self.name}",
                stdin=stream,
            )

    def remove(self, reference: str) -> None:
        """Remove an image and what only it needs; one that is not there is no error."""
        self.ctr(
            *["images", "rm", "--sync", reference],
            purpose=f"remove {reference} from node {self.name}",
            accept=range(-64, 256),
        )

    def _free_space(self) -> list[str]:
        answer = self.podman.exec(
            *[self.name, "df", "-h", "/var/lib/containerd"],
            purpose=f"ask node {self.name} for its free space",
            accept=range(-64, 256),
        )
        return last_lines(answer.stdout)

    def verify(self, reference: str, identity: str) -> str:
        """Return the image's id as the node knows it; raise unless it is there under that name and id."""
        images = self.images()
        found = self.image_id(reference, images)
        if found == identity:
            return found
        if found:
            why = f"the name means image {found[:12]} there instead of {identity[:12]}"
        else:
            near = nearest_names(reference, images)
            why = f"the name is not there; the nearest names are {', '.join(near)}" if near else "the name is not there"
        raise CoverageError(
            f"Image {reference} is not on node {self.name} after it was loaded: {why}.",
            remedy="Take the name from the result of the role instrumented_image; do not build it again.",
            setting="instrumented_image#reference",
            evidence=[f"{name} {images[name]}" for name in nearest_names(reference, images)],
            cause="image-not-on-node",
        )


def nearest_names(reference: str, names: t.Iterable[str]) -> list[str]:
    """Return the names that come nearest to one that is missing, best first.

    First the same repository and tag with and without a host or folder before it (C(localhost/)), then other tags of
    the repository, then what is spelt alike.
    """
    candidates = [name for name in names if not name.startswith("sha256:")]
    last = reference.rpartition("/")[2]
    repository = last.partition(":")[0]
    same = [name for name in candidates if name.rpartition("/")[2] == last]
    tags = [name for name in candidates if name.rpartition("/")[2].partition(":")[0] == repository]
    tags.sort(key=lambda name: likeness(reference, name), reverse=True)
    alike = nearest_few(reference, candidates)
    return list(dict.fromkeys([*same, *tags, *alike]))[:SHOWN_NAMES]
