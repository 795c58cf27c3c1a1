# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of the fault library: built once, kept as archives, brought to the nodes, taken away again."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.architecture import host_architecture
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.archive import ImageArchive
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.images import ImageRequest, obtain
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.new_image import (
    NewImage,
    write_image,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.node_images import Node

HERE = Path(__file__).resolve().parent
# shared by all checkouts, see docs/testing.md
FOLDER = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "kubernaut-coverage-tests" / "fault-images"
REPOSITORY = "localhost/faults"
DATABASE = "localhost/kubernaut-coverage/postgresql:15"
DATABASE_RECIPE = HERE.parents[1] / "roles" / "service_dependencies" / "files" / "database_servers"
HTTPBIN = "github.com/mccutchen/go-httpbin/v2/cmd/go-httpbin@v2.26.0"
COVER = ("-cover", "-covermode=atomic")
# an architecture that is not this one's
FOREIGN = "s390x" if host_architecture() == "arm64" else "arm64"


class CannotBuild(RuntimeError):
    """An image of the library cannot be made here."""


@dataclass(frozen=True)
class Program:
    """One image of the fixture program: flags of C(go build), the environment of that, what else is in the image."""

    flags: tuple[str, ...] = COVER
    architecture: str = ""
    with_shell: bool = False
    nodes: str = ""


PROGRAMS = {
    "instrumented": Program(),
    "plain": Program(flags=()),
    "second": Program(flags=(*COVER, "-tags=second")),
    # the image says that it is of the node's architecture, as with a GOARCH fixed in a Containerfile
    "foreign": Program(architecture=FOREIGN),
    "shell": Program(with_shell=True),
    "elsewhere": Program(nodes="control-plane"),
}
# go install -cover of a module: it says -cover in its build information, and has nothing of it
INSTALLED = "installed"
# a text file where a program should be
SCRIPT = "script"
# a real server, by the collection's own recipe
POSTGRESQL = "postgresql"
NAMES = (*PROGRAMS, INSTALLED, SCRIPT, POSTGRESQL)


def reference(name: str) -> str:
    """The image's reference; what is no image of the library is taken as it is."""
    if name == POSTGRESQL:
        return DATABASE
    return f"{REPOSITORY}:{name}" if name in NAMES else name


class Images:
    """Archives of images below C(folder), made where they are not there yet."""

    def __init__(self, podman: Podman, folder: Path) -> None:
        self.podman, self.folder = podman, folder
        self.loaded: dict[str, list[str]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def bring(self, names: t.Iterable[str], nodes: t.Sequence[str]) -> None:
        """Build what is missing and load it into the nodes."""
        wanted = sorted(name for name in set(names) if name in NAMES)
        with (self.folder / "lock").open("w") as lock:
            # another checkout may be building the same images into the same folder
            fcntl.flock(lock, fcntl.LOCK_EX)
            archives = {name: self.archive(name) for name in wanted}
        present = {node: Node(self.podman, node).images() for node in nodes}

        def load(node: str) -> None:
            on_node = Node(self.podman, node)
            for name, (archive, identity) in archives.items():
                if self.goes_to(name, node) and on_node.image_id(reference(name), present[node]) != identity:
                    on_node.load(str(archive), reference(name))
                    on_node.verify(reference(name), identity)
                    self.loaded.setdefault(node, []).append(reference(name))

        with ThreadPoolExecutor() as pool:
            list(pool.map(load, nodes))

    @staticmethod
    def goes_to(name: str, node: str) -> bool:
        """Whether an image belongs on a node."""
        return name not in PROGRAMS or PROGRAMS[name].nodes in node

    def remove(self, nodes: t.Sequence[str]) -> None:
        """Take the library's images off the nodes."""
        for node in nodes:
            there = Node(self.podman, node).images()
            ours = {name for name in there if name.startswith(f"{REPOSITORY}:") or name in self.loaded.get(node, [])}
            # Kubernetes' side of containerd gives each image its id as a second name
            digests = {there[name] for name in ours}
            names = sorted(name for name, digest in there.items() if digest in digests)
            if names:
                Node(self.podman, node).ctr("images", "rm", *names, purpose=f"remove the library's images from {node}")

    def left_behind(self, nodes: t.Sequence[str]) -> list[str]:
        """The library's images that are still on the nodes."""
        return [
            f"image {name} on {node}"
            for node in nodes
            for name in Node(self.podman, node).images()
            if name.startswith(f"{REPOSITORY}:") or name in self.loaded.get(node, [])
        ]

    def archive(self, name: str) -> tuple[Path, str]:
        """Return an image's archive and its id; built only where its recipe has changed."""
        if name == POSTGRESQL:
            return self.database()
        key = hashlib.sha256(self.recipe(name).encode()).hexdigest()[:12]
        path, note = self.folder / f"{name}-{key}.tar", self.folder / f"{name}-{key}.id"
        if not (path.exists() and note.exists()):
            for old in self.folder.glob(f"{name}-*"):
                shutil.rmtree(old) if old.is_dir() else old.unlink()
            note.write_text(self.make(name, path))
        return path, note.read_text()

    def recipe(self, name: str) -> str:
        """All that an image is made from."""
        sources = {path.name: path.read_text() for path in sorted((HERE / "program").iterdir())}
        version = go("version", cwd=HERE)
        return json.dumps([name, repr(PROGRAMS.get(name)), HTTPBIN, sources, version])

    def make(self, name: str, path: Path) -> str:
        """Build one image into an archive and return its id."""
        work = self.folder / f"{name}.work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        try:
            if name == SCRIPT:
                (work / "faulty").write_text("echo hello\n")
                return write_image(
                    str(path), NewImage(reference(name), str(work / "faulty"), "faulty", host_architecture())
                )
            if name == INSTALLED:
                go("install", *COVER, HTTPBIN, cwd=work, GOBIN=str(work))
                binary = work / "go-httpbin"
                return write_image(str(path), NewImage(reference(name), str(binary), "faulty", host_architecture()))
            program, binary = PROGRAMS[name], work / "faulty"
            go(
                *["build", *program.flags, "-trimpath", "-ldflags=-s -w", "-o", str(binary), "."],
                cwd=HERE / "program",
                GOARCH=program.architecture or host_architecture(),
            )
            base = None
            if program.with_shell:
                write_image(str(work / "base.tar"), NewImage("localhost/base:1", shell(), "sh", host_architecture()))
                base = ImageArchive(str(work / "base.tar"))
            return write_image(str(path), NewImage(reference(name), str(binary), "faulty", host_architecture()), base)
        finally:
            shutil.rmtree(work)

    def database(self) -> tuple[Path, str]:
        """A real PostgreSQL as podman has it, or as the collection builds it."""
        wanted = ImageRequest(
            DATABASE,
            ways=("present", "build"),
            recipe=str(DATABASE_RECIPE),
            work_dir=str(self.folder / "database.work"),
        )
        identity = obtain(self.podman, wanted).id
        path = self.folder / f"{POSTGRESQL}-{identity[:12]}.tar"
        if not path.exists():
            for old in self.folder.glob(f"{POSTGRESQL}-*"):
                old.unlink()
            self.podman.save([DATABASE], str(path))
        return path, identity


def go(*arguments: str, cwd: Path, **environment: str) -> str:
    """Run the go command."""
    done = subprocess.run(
        ["go", *arguments],
        cwd=cwd,
        env={**os.environ, "GOFLAGS": "-buildvcs=false", "GOWORK": "off", "CGO_ENABLED": "0", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CannotBuild(f"go {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout


def shell() -> str:
    """A shell that needs no library: the runner playbook brings it for the node image."""
    found = shutil.which("busybox")
    if found is None or subprocess.run(["ldd", found], capture_output=True, check=False).returncode == 0:
        raise CannotBuild("a static busybox is needed (Debian: busybox-static); playbooks/runner.yml brings it")
    return found
