# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""C(kind) of the tests: clusters get a node image that is there, and are read before they are deleted.

Clusters that the suite did not create cannot be deleted through it. Commands and options are those of kind v0.30 to
v0.33 (C(pkg/cmd/kind)).
"""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import CommandError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.existing import clusters_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import (
    KIND_CLUSTER_LABEL,
    KIND_ROLE_LABEL,
    Podman,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.images import read_archive
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.node_images import LoadRequest, load_on_nodes
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.arguments import Arguments, read
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.builds import Images, normal_name
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.calls import Call
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.record import Request

DEFAULT_NAME = "kind"
PROVIDER = {"KIND_EXPERIMENTAL_PROVIDER": "podman"}
SWITCHES = frozenset(["-q", "--quiet", "--retain", "-h", "--help", "-A", "--all", "--internal", "--version"])
IMAGE_OF_A_NODE = re.compile(r"""^\s*(?:-\s*)?image:\s*["']?([^"'\s#]+)""", re.MULTILINE)
NAME_OF_A_CLUSTER = re.compile(r"""^name:\s*["']?([^"'\s#]+)""", re.MULTILINE)


class Owner(t.Protocol):
    """Who knows the clusters of the suite, and looks after them."""

    def owns(self, name: str, container: str) -> bool:
        """Whether the suite created a cluster, by the id of its control plane's container."""

    def creating(self, name: str, node_image: str) -> None:
        """Note that a cluster of a name that was free is being created: what is left of it is the suite's."""

    def created(self, name: str, call: Call) -> None:
        """Begin to look after a cluster that was created just now, or is about to answer."""

    def not_created(self, name: str) -> None:
        """Forget a cluster that could not be created, and of which nothing is left."""

    def before_deletion(self, name: str, call: Call) -> None:
        """Bring all of a cluster home that would go with it."""

    def deleted(self, name: str) -> None:
        """Forget a cluster that is gone."""


class KindCalls:
    """Answers the calls of kind. :arg path: PATH without our programs: kind calls podman itself."""

    def __init__(self, podman: Podman, request: Request, images: Images, owner: Owner, path: str) -> None:
        self.podman, self.request, self.images, self.owner = podman, request, images, owner
        self.environment = {**PROVIDER, "PATH": path}

    def __call__(self, call: Call) -> None:
        arguments = read(call.argv, SWITCHES)
        words = arguments.words
        if arguments.given("-h", "--help"):
            self._pass_on(call)
        elif words[:2] == ["create", "cluster"]:
            self._create(call, arguments)
        elif words[:2] in (["delete", "cluster"], ["delete", "clusters"]):
            self._delete(call, arguments)
        elif words[:2] == ["load", "docker-image"]:
            self._load_images(call, arguments)
        elif words[:2] == ["load", "image-archive"]:
            self._load_archives(call, arguments)
        else:
            self._pass_on(call)

    def _pass_on(self, call: Call) -> None:
        call.become([call.behind, *call.argv], self.environment)

    # create

    def _create(self, call: Call, arguments: Arguments) -> None:
        config, stdin = self._config(call, arguments)
        name = _name(arguments, call, config)
        there = clusters_of(self.podman.containers()).get(name)
        argv, image = self._with_node_image(call, arguments, config)
        if there is not None:
            # kind refuses, and says so
            call.become([call.behind, *call.argv], self.environment)
            return
        self.owner.creating(name, image)
        status = call.run([call.behind, *argv], self.environment, stdin)
        # one that could not be created is gone again, unless it is retained
        if clusters_of(self.podman.containers()).get(name):
            try:
                self.owner.created(name, call)
            except CoverageError as error:
                call.say(error.message)
        else:
            self.owner.not_created(name)
        call.exit(status)

    def _config(self, call: Call, arguments: Arguments) -> tuple[str, t.Optional[str]]:
        """Return the configuration that the call names, and what is piped in."""
        named = arguments.last("--config")
        if named == "-":
            text = call.stdin()
            return text, text
        if not named:
            return "", None
        try:
            return Path(call.cwd, named).read_text(encoding="utf-8"), None
        except (OSError, UnicodeDecodeError):
            return "", None  # kind says what is wrong with it

    def _with_node_image(self, call: Call, arguments: Arguments, config: str) -> tuple[list[str], str]:
        """Return the arguments with a node image that is in podman's store, and that image."""
        given = arguments.last("--image")
        wanted = [given] if given else IMAGE_OF_A_NODE.findall(config)
        missing = [image for image in wanted if not self._has(image)]
        ours = self.request.node_image
        if (wanted and not missing) or not ours or not self._has(ours):
            return list(call.argv), (wanted or [""])[0]
        if missing:
            call.say(f"node image {missing[0]} is not in podman's store; {ours} is used instead")
        else:
            call.say(f"node image {ours} is used")
        argv, skip = [], False
        for word in call.argv:
            if skip:
                skip = False
            elif word == "--image":
                skip = True
            elif not word.startswith("--image="):
                argv.append(word)
        return [*argv, "--image", ours], ours

    def _has(self, image: str) -> bool:
        return self.podman.image(image) is not None

    # delete

    def _delete(self, call: Call, arguments: Arguments) -> None:
        there = clusters_of(self.podman.containers())
        if arguments.words[1] == "cluster":
            names = [_name(arguments, call, "")]
        elif arguments.given("-A", "--all"):
            names = [name for name in there if self._owns(name)]
            foreign = [name for name in there if name not in names]
            if foreign:
                call.say(f"not deleted, because these tests did not create them: {', '.join(foreign)}")
        else:
            names = arguments.words[2:]
        for name in names:
            if name in there and not self._owns(name):
                call.say(f'cluster "{name}" is not deleted, because these tests did not create it')
                call.exit(1)
                return
        for name in names:
            if name in there:
                self.owner.before_deletion(name, call)
        status = 0
        for name in names:
            kubeconfig = [f"--kubeconfig={value}" for value in arguments.options.get("--kubeconfig", [])]
            status = (
                call.run([call.behind, "delete", "cluster", "--name", name, *kubeconfig], self.environment) or status
            )
        after = clusters_of(self.podman.containers())
        for name in names:
            if name in there and name not in after:
                self.owner.deleted(name)
        call.exit(status)

    def _owns(self, name: str) -> bool:
        return self.owner.owns(name, container_of(self.podman, name))

    # load

    def _load_images(self, call: Call, arguments: Arguments) -> None:
        name = _name(arguments, call, "")
        for reference in arguments.words[2:]:
            archive, identity = self.images.archive(reference)
            self._on_nodes(archive, normal_name(reference), identity, name, arguments)
            call.say(f"{reference} is on the nodes of {name} as {normal_name(reference)} ({identity[:12]})")
        call.exit(0)

    def _on_nodes(self, archive: str, reference: str, identity: str, name: str, arguments: Arguments) -> None:
        nodes = tuple(node for value in arguments.options.get("--nodes", []) for node in value.split(","))
        where: dict[str, t.Any] = {"nodes": nodes} if nodes else {"cluster": name}
        load_on_nodes(LoadRequest(archive, reference, image_id=identity, podman=self.podman.executable, **where))

    def _load_archives(self, call: Call, arguments: Arguments) -> None:
        for archive in arguments.words[2:]:
            path = str(Path(call.cwd, archive))
            try:
                for image in read_archive(path) or []:
                    for reference in image.names[:1]:
                        self.images.prove(path, reference, image.id)
            except CoverageError as error:
                call.say(error.message)
        self._pass_on(call)


class NodeContainers:
    """Nodes that something else than the program kind creates and deletes with podman: kind as a library, in a test.

    kind's own calls of podman do not come here, because it has a PATH without our programs.
    """

    def __init__(self, podman: Podman, owner: Owner) -> None:
        self.podman, self.owner = podman, owner

    def created(self, argv: t.Sequence[str]) -> tuple[str, str]:
        """Return the name of a cluster whose first control plane C(podman run) creates, and its node image."""
        if argv[:1] != ["run"] or f"{KIND_ROLE_LABEL}=control-plane" not in argv:
            return "", ""
        name = next((word.partition("=")[2] for word in argv if word.startswith(f"{KIND_CLUSTER_LABEL}=")), "")
        return (name, argv[-1]) if f"{name}-control-plane" in argv else ("", "")

    def removed(self, argv: t.Sequence[str]) -> list[str]:
        """Return the names of the clusters whose nodes C(podman rm) removes."""
        if argv[:1] != ["rm"] and list(argv[:2]) != ["container", "rm"]:
            return []
        names = set(argv)
        clusters = clusters_of(self.podman.containers())
        return [name for name, nodes in clusters.items() if names & {node.name for node in nodes}]

    def owns(self, name: str) -> bool:
        """Whether a cluster is the suite's."""
        return self.owner.owns(name, container_of(self.podman, name))


def _name(arguments: Arguments, call: Call, config: str) -> str:
    """Return the name of the cluster that a call is about; as kind finds it."""
    in_config = NAME_OF_A_CLUSTER.findall(config)
    return (
        arguments.last("--name", "-n")
        or (in_config[0] if in_config else "")
        or call.environment.get("KIND_CLUSTER_NAME", "")
        or DEFAULT_NAME
    )


def container_of(podman: Podman, name: str) -> str:
    """Return the id of the container that is the first control plane of a cluster; empty where there is none."""
    try:
        answer = podman.run(
            *["container", "inspect", "--format", "{{.Id}}", f"{name}-control-plane"],
            purpose=f"look up the control plane of cluster {name}",
        )
    except CommandError:
        return ""
    return answer.stdout.strip()
