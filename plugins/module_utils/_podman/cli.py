# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Podman's command line as functions: every answer is read from JSON, never from prose."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import CommandError, Completed, run
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.files import replacing

# kind's labels of the containers that are a cluster's nodes: the cluster's name; control-plane, worker ...
# (pkg/cluster/constants and pkg/cluster/internal/providers/common of kind v0.30)
KIND_CLUSTER_LABEL = "io.x-k8s.kind.cluster"
KIND_ROLE_LABEL = "io.x-k8s.kind.role"
MISSING = 125  # podman's own "there is no such object", and any other failure of podman itself


@dataclass(frozen=True)
class Image:
    """An image in podman's store. C(id) is the digest of its configuration, 64 hexadecimal digits without a prefix."""

    id: str
    names: list[str]
    labels: dict[str, str]
    architecture: str
    user: str
    entrypoint: list[str]
    command: list[str]
    size: int


# what podman says while it looks for cached layers, where another process removes an image meanwhile
LAYER_GONE = "layer not known"
BUILD_ATTEMPTS = 3


class Podman:
    """One podman.

    :arg executable: name or path of the program.
    """

    def __init__(self, executable: str = "podman") -> None:
        self.executable = executable

    def run(self, *arguments: str, purpose: str, **options: t.Any) -> Completed:
        """Run C(podman arguments...); see M(_command.run) for the options and the error."""
        return run([self.executable, *arguments], purpose=purpose, **options)

    # images

    def image(self, reference: str) -> t.Optional[Image]:
        """Return the image of that name or id, or None."""
        try:
            answer = self.run("image", "inspect", reference, purpose=f"look up image {reference}")
        except CommandError as error:
            if error.completed is not None and error.completed.returncode == MISSING:
                return None
            raise
        found = json.loads(answer.stdout)[0]
        config = found.get("Config") or {}
        return Image(
            id=found["Id"].removeprefix("sha256:"),
            names=list(found.get("RepoTags") or []),
            labels=dict(config.get("Labels") or found.get("Labels") or {}),
            architecture=found.get("Architecture", ""),
            user=config.get("User", ""),
            entrypoint=list(config.get("Entrypoint") or []),
            command=list(config.get("Cmd") or []),
            size=int(found.get("Size", 0)),
        )

    def images_with_label(self, label: str) -> list[dict[str, t.Any]]:
        """Return podman's own records (C(Id), C(Names), C(Labels)) of the images with C(key) or C(key=value)."""
        answer = self.run(
            "image", "ls", "--filter", f"label={label}", "--format", "json", purpose=f"list images with {label}"
        )
        return t.cast("list[dict[str, t.Any]]", json.loads(answer.stdout or "[]") or [])

    def build_command(
        self,
        context: str,
        *,
        tags: t.Sequence[str],
        containerfile: str = "",
        build_args: t.Optional[t.Mapping[str, str]] = None,
        labels: t.Optional[t.Mapping[str, str]] = None,
        target: str = "",
        options: t.Sequence[str] = (),
    ) -> list[str]:
        """Return the command that builds C(context), with layers cached.

        Docker's format, because the id of an image then stays the same in an archive and on a node.
        """
        arguments = [self.executable, "build", "--format", "docker", "--layers"]
        for tag in tags:
            arguments += ["--tag", tag]
        for key, value in sorted((build_args or {}).items()):
            arguments += ["--build-arg", f"{key}={value}"]
        for key, value in sorted((labels or {}).items()):
            arguments += ["--label", f"{key}={value}"]
        if containerfile:
            arguments += ["--file", containerfile]
        if target:
            arguments += ["--target", target]
        return [*arguments, *options, context]

    def build(
        self,
        context: str,
        *,
        tags: t.Sequence[str],
        on_line: t.Optional[t.Callable[[str], None]] = None,
        **more: t.Any,
    ) -> Image:
        """Run the command of C(build_command), which has the other arguments, and return the image."""
        _program, *arguments = self.build_command(context, tags=tags, **more)
        for attempts_left in reversed(range(BUILD_ATTEMPTS)):
            try:
                self.run(*arguments, purpose=f"build image {tags[0]}", on_line=on_line)
                break
            except CommandError as error:
                if not attempts_left or not any(LAYER_GONE in line for line in error.evidence):
                    raise
        image = self.image(tags[0])
        if image is None:
            raise CommandError(f"Podman reported a successful build of {tags[0]}, but the image does not exist.")
        return image

    def save(self, references: t.Sequence[str], archive: str) -> None:
        """Save images as one docker archive; the file appears whole or not at all."""
        options = ["--multi-image-archive"] if len(references) > 1 else []
        with replacing(archive) as temporary:
            self.run(
                *["save", "--quiet", "--format", "docker-archive", *options, "--output", str(temporary), *references],
                purpose=f"save {', '.join(references)} as {archive}",
            )

    def load(self, archive: str) -> None:
        """Load every image of an archive."""
        self.run("load", "--quiet", "--input", archive, purpose=f"load {archive}")

    def remove_image(self, reference: str) -> None:
        """Untag a name; the image goes with its last one."""
        self.run("image", "rm", reference, purpose=f"remove image {reference}", accept=(0, 1))

    def tag(self, image: str, reference: str) -> None:
        """Give an image one more name; the name leaves the image that had it."""
        self.run("tag", image, reference, purpose=f"name image {image} {reference}")

    def untag(self, reference: str) -> None:
        """Take a name from the image that has it."""
        self.run("untag", reference, reference, purpose=f"take the name {reference} away")

    # containers

    def containers(self, *filters: str) -> list[dict[str, t.Any]]:
        """Return podman's own records of all containers, running or not, that match (C(label=key=value))."""
        arguments = [part for item in filters for part in ("--filter", item)]
        answer = self.run("ps", "--all", *arguments, "--format", "json", purpose="list containers")
        return t.cast("list[dict[str, t.Any]]", json.loads(answer.stdout or "[]") or [])

    def exec(self, container: str, *argv: str, purpose: str, stdin: t.Any = None, **options: t.Any) -> Completed:
        """Run C(argv) inside a running container."""
        interactive = ["--interactive"] if stdin is not None else []
        return self.run("exec", *interactive, container, *argv, purpose=purpose, stdin=stdin, **options)

    def copy_out(self, container: str, source: str, destination: str) -> None:
        """Copy a file, or the contents of a folder (C(source) ends in C(/.)), out of a container, running or not."""
        self.run("cp", f"{container}:{source}", destination, purpose=f"copy {source} from {container}")
