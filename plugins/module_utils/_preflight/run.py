# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The whole preflight: which checks apply to what was asked, and their answers as one list of findings."""

from __future__ import annotations

import tempfile
import typing as t
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.architecture import host_architecture
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.checkout import containerfile_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.containerfile import parse
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.goflags import DEFAULT_GOFLAGS
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.instrumented import ensure_image
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.request import BuildOutcome, checked
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.request import BuildRequest as ImageRequest
from ansible_collections.kubernaut.coverage.plugins.module_utils._e2e.local import check_command
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.items import Item
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.parse import inline
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight import (
    host,
    host_cluster,
    image,
    lint,
    manifests,
    nodes,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.manifest_set import Manifests
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.manifest_workload import (
    as_non_root,
    own_command,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.table import (
    CHECKS,
    ERROR,
    GROUPS,
    NOT_APPLICABLE,
    NOT_CHECKED,
    OK,
    Check,
    Finding,
    check_names,
    diagnosed,
    finding,
    once,
    run_checks,
)

Look = t.Callable[[], t.Iterable[Finding]]


@dataclass(frozen=True)
class Request:
    """What is going to be done; what is left out is not checked.

    :ivar groups: of C(table.GROUPS). :ivar image: what is built, or None. :ivar built: the image that was built already
        (C(reference), C(archive), C(id)). :ivar workload: C(namespace), C(kind), C(name), C(container), C(objects),
        C(manifests), C(dir). :ivar others: something else puts objects into the namespace before the workload.
    :ivar volume_directory: the folder for counters on the nodes, where it has to be there by now.
    """

    cache_dir: str
    groups: t.Sequence[str] = tuple(GROUPS)
    skip: t.Sequence[str] = ()
    image: t.Optional[ImageRequest] = None
    built: t.Mapping[str, str] = field(default_factory=dict)
    tests: t.Optional[t.Mapping[str, t.Any]] = None
    workload: t.Optional[t.Mapping[str, t.Any]] = None
    others: bool = False
    cluster: t.Mapping[str, t.Any] = field(default_factory=dict)
    nodes: t.Sequence[str] = ()
    volume_directory: str = ""
    user: str = ""
    podman: str = "podman"
    kind: str = "kind"
    disk_gib: float = 3
    memory_gib: float = 0


def preflight(request: Request) -> list[Finding]:
    """Ask everything side by side and return what was found.

    :raises InputError: a group or a check that is to be left out does not exist.
    """
    skip = check_names(request.skip)
    unknown = [name for name in request.groups if name not in GROUPS]
    if unknown:
        raise InputError(
            f"There is no group of checks {unknown[0]!r}.",
            remedy=f"There are {', '.join(GROUPS)}.",
            setting="preflight_info#groups",
        )
    run = _Run(request)
    looks: dict[str, tuple[Look, tuple[str, ...]]] = {
        **run.of_host(),
        **run.of_source(),
        **run.of_containerfile(),
        **run.of_manifests(),
        **run.of_image(),
        **run.of_nodes(),
    }
    wanted = [name for name in CHECKS if CHECKS[name] in request.groups]
    return run_checks([Check(name, *looks[name]) for name in wanted], [name for name in wanted if name in skip])


def _says(name: str, state: str, text: str) -> tuple[Look, tuple[str, ...]]:
    return (lambda: [finding(name, state, text)]), ()


Looks = dict[str, tuple[Look, tuple[str, ...]]]


class _Run:
    """What several checks share, asked once."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.podman = host.AskedOnce(request.podman)
        self.config_error: t.Optional[CoverageError] = None
        try:
            config = host_cluster.cluster_config(request.cluster)
        except CoverageError as error:
            config, self.config_error = None, error
        name = config.name if config else "none"
        self.host = host.Host(
            podman=self.podman,
            kind=request.kind,
            cache_dir=request.cache_dir,
            disk_gib=request.disk_gib,
            memory_gib=request.memory_gib,
            config=config,
            kubeconfig=str(
                request.cluster.get("kubeconfig") or Path(request.cache_dir) / "clusters" / name / "kubeconfig"
            ),
            recreate=bool(request.cluster.get("recreate")),
        )
        self.facts = once(partial(host.facts, self.host, quick="nodes" not in request.groups))
        self.outcome = once(self._outcome)
        self.built = once(self._built)
        self.manifests = once(self._manifests)
        self.lint = once(self._lint)
        self.node_names = once(lambda: nodes.names_of(self.asked_nodes))

    # the host

    def of_host(self) -> Looks:
        cluster = ("cluster", "node-image", "ports", "mounts")
        needs = ("podman",)
        found: Looks = {
            "podman": (lambda: host.check_podman(self.facts()), ()),
            "kind": (lambda: host.check_kind(self.host, self.facts()), ()),
            "user": (lambda: host.check_user(self.facts()), ()),
            "cgroups": (lambda: host.check_cgroups(self.facts()), ()),
            "kernel": (lambda: host.check_kernel(self.host, self.facts()), ()),
            "disk": (lambda: host.check_disk(self.host, self.facts()), ()),
            "memory": (lambda: host.check_memory(self.host, self.facts()), needs),
        }
        config = self.host.config
        if self.config_error is not None:
            error = self.config_error

            def refuse() -> t.Iterable[Finding]:
                raise error

            found["cluster"] = (refuse, ())
            found.update({name: _says(name, NOT_CHECKED, "see cluster") for name in cluster[1:]})
        elif config is None:
            found.update({name: _says(name, NOT_APPLICABLE, "no cluster is described") for name in ("kind", *cluster)})
        else:
            found["cluster"] = (partial(host_cluster.check_cluster, self.host, config), ("podman", "kind", "user"))
            found["node-image"] = (partial(host_cluster.check_node_image, self.host, config), needs)
            found["ports"] = (partial(host_cluster.check_ports, self.host, config), needs)
            found["mounts"] = (partial(host_cluster.check_mounts, config), ())
        return found

    # source and tests

    def _outcome(self) -> BuildOutcome:
        if self.request.image is None:
            raise InputError("No source is described.", setting="source")
        return ensure_image(self.request.image, check=True)

    def of_source(self) -> Looks:
        found = {name: _says(name, NOT_APPLICABLE, "none is described") for name in ("source", "tests")}
        if self.request.image is not None:
            found["source"] = (self._source, ("podman",) if self.request.image.source.dir else ())
        if self.request.tests:
            found["tests"] = (self._tests, ())
        return found

    def _image(self) -> ImageRequest:
        if self.request.image is None:
            raise ValueError("checks of an image need one")
        return self.request.image

    def _source(self) -> t.Iterator[Finding]:
        outcome, source = self.outcome(), checked(self._image()).source
        what = f"{source.module}@{source.version}" if source.module else source.dir
        state = "to be built" if outcome.changed else "built already" if source.module else "there"
        yield finding("source", OK, f"{what}, {state}")

    def _tests(self) -> t.Iterator[Finding]:
        tests = self.request.tests or {}
        environment = {str(name): str(value) for name, value in (tests.get("environment") or {}).items()}
        # tests that come with the playbook have no folder on this host yet: any will do to look for the program
        check_command(tests["command"], tests.get("dir") or tempfile.gettempdir(), environment)
        yield finding("tests", OK, " ".join(tests["command"]))

    # the Containerfile

    def _lint(self) -> lint.Lint:
        source = self._image().source
        _folder, path, context = containerfile_of(source)
        file = parse(path.read_text(encoding="utf-8", errors="replace"))
        known = self.manifests() if self.request.workload else None
        return lint.Lint(
            file=file,
            shown=source.containerfile or path.name,
            context=str(context),
            target=source.target,
            build_args={"GOFLAGS": DEFAULT_GOFLAGS, **self._image().build_args},
            architecture=self._image().goarch or host_architecture(),
            as_non_root=known is not None and as_non_root(known),
            replaced=known is not None and own_command(known),
        )

    def of_containerfile(self) -> Looks:
        names = ["containerfile", *lint.CHECKS]
        if self.request.image is None or not self.request.image.source.dir:
            what = (
                "none is described" if self.request.image is None else "a Go module is built, by this collection itself"
            )
            return {name: _says(name, NOT_APPLICABLE, what) for name in names}
        found: Looks = {"containerfile": (self._containerfile, ("source",))}
        for name, look in lint.CHECKS.items():
            found[name] = (partial(self._linted, look), ("source", "containerfile"))
        return found

    def _linted(self, look: t.Callable[[lint.Lint], t.Iterator[Finding]]) -> t.Iterator[Finding]:
        return look(self.lint())

    def _containerfile(self) -> t.Iterator[Finding]:
        known = self.lint()
        target = known.file.final(known.target)
        if target is None:
            wanted = f"no stage {known.target!r}" if known.target else "no FROM"
            names = [stage.name for stage in known.file.stages if stage.name]
            yield finding(
                "containerfile",
                ERROR,
                f"The Containerfile has {wanted}" + (f"; it has {', '.join(names)}." if names else "."),
                "Name a stage that it has.",
                "source.target",
                cause="containerfile-target",
                where=known.shown,
            )
            return
        count = len(known.file.built(known.target))
        yield finding(
            "containerfile", OK, f"{count} stage{'s' if count > 1 else ''} on {target.base}", where=known.shown
        )

    # the manifests

    def _items(self) -> tuple[list[Item], list[Diagnosis]]:
        workload = self.request.workload or {}
        items, found = inline(workload.get("objects") or ())
        more, problems = manifests.read(workload.get("manifests") or (), workload.get("dir") or "/")
        return [*items, *more], [*found, *problems]

    def _manifests(self) -> Manifests:
        workload = self.request.workload or {}
        mounts = [mount["container_path"] for mount in self.request.cluster.get("extra_mounts") or ()]
        return Manifests(
            items=self._items()[0],
            namespace=workload.get("namespace") or "",
            kind=workload.get("kind") or "Deployment",
            name=workload.get("name") or "",
            container=workload.get("container") or "",
            port_mappings=self.request.cluster.get("port_mappings") or [] if self.request.cluster.get("name") else None,
            mounts=mounts,
            others=self.request.others,
        )

    def _existing(self) -> t.Optional[frozenset[tuple[str, str]]]:
        """Return what the namespace holds; empty where the cluster is still to be made; None where nobody can tell."""
        if self.host.config is None:
            return None
        try:
            names = self.node_names()
        except CoverageError:
            return None  # the check "podman" says so
        if not names:
            return frozenset()
        if "nodes" not in self.request.groups:
            return None  # a question to the API server: not worth its time in each run
        control = next((name for name in names if name.endswith("-control-plane")), names[0])
        return nodes.secrets_and_maps(self.podman, control, (self.request.workload or {}).get("namespace") or "")

    def of_manifests(self) -> Looks:
        names = ["manifests", *manifests.CHECKS]
        if not self.request.workload:
            return {name: _says(name, NOT_APPLICABLE, "no workload is described") for name in names}
        found: Looks = {"manifests": (self._readable, ())}
        for name in manifests.CHECKS:
            found[name] = (partial(self._about_manifests, name), ("manifests",))
        return found

    def _readable(self) -> t.Iterator[Finding]:
        items, problems = self._items()
        yield from (diagnosed("manifests", problem) for problem in problems)
        if not problems:
            manifests.require_items(items)
            yield finding("manifests", OK, f"{len(items)} object{'s' if len(items) > 1 else ''}")

    def _about_manifests(self, name: str) -> t.Iterator[Finding]:
        known = self.manifests()
        if name in ("references", "service-account"):
            known = Manifests(**{**vars(known), "existing": self._existing()})
        if name == "workload-image" and self.request.built:
            known = Manifests(**{**vars(known), "image": self.request.built.get("reference") or ""})
        return iter(manifests.checked(name, known))

    # the image

    def _built(self) -> image.Built:
        given = self.request.built
        if given.get("reference"):
            return image.given(given["reference"], given["archive"])
        asked = self.request.image
        if asked is None:
            return image.Built(reason="none is described")
        if asked.source.dir:
            self.outcome()  # the source's error comes first
            return image.last_built(checked(asked), self.podman)
        found = self.outcome().image
        if found.get("instrumented"):
            return image.Built(found["reference"], found["id"], found["archive"], found)
        return image.Built(reason="it has not been built yet")

    def of_image(self) -> Looks:
        needs = ("source", "podman")
        known = partial(self._about_image)
        return {
            "instrumented": (lambda: known("instrumented", image.check_instrumented), needs),
            "architecture": (lambda: known("architecture", image.check_architecture), needs),
            "process-1": (lambda: known("process-1", partial(image.check_process, replaced=self._replaced())), needs),
            "run-as": (lambda: known("run-as", partial(image.check_run_as, as_non_root=self._as_non_root())), needs),
        }

    def _replaced(self) -> bool:
        return bool(self.request.workload) and own_command(self.manifests())

    def _as_non_root(self) -> bool:
        return bool(self.request.workload) and as_non_root(self.manifests())

    def _about_image(self, name: str, look: t.Callable[[image.Built], t.Iterator[Finding]]) -> t.Iterator[Finding]:
        built = self.built()
        if built.reason:
            yield finding(name, NOT_CHECKED, built.reason)
        elif built.error is not None and name != "instrumented":
            yield finding(name, NOT_CHECKED, "see instrumented")
        else:
            yield from look(built)

    # the nodes

    @property
    def asked_nodes(self) -> nodes.Nodes:
        """What is asked of the nodes, as far as it is known without the image."""
        return nodes.Nodes(
            podman=self.podman,
            cluster=self.host.config.name if self.host.config else str(self.request.cluster.get("name") or ""),
            directory=self.request.volume_directory or "/coverdata",
            made=bool(self.request.volume_directory),
            loaded=bool(self.request.built.get("reference")),
            mounts=[mount["container_path"] for mount in self.request.cluster.get("extra_mounts") or ()],
            names=tuple(self.request.nodes),
            user=self.request.user,
        )

    def of_nodes(self) -> Looks:
        looks = {
            "nodes": nodes.check_nodes,
            "node-architecture": nodes.check_architecture,
            "image-on-nodes": nodes.check_image,
            "coverage-folder": nodes.check_folder,
        }
        return {name: (partial(self._about_nodes, name, look), ("podman",)) for name, look in looks.items()}

    def _about_nodes(
        self, name: str, look: t.Callable[[nodes.Nodes, t.Sequence[str]], t.Iterator[Finding]]
    ) -> t.Iterator[Finding]:
        asked = self.asked_nodes
        if not asked.cluster and not asked.names:
            yield finding(name, NOT_APPLICABLE, "no cluster is described")
            return
        names = self.node_names()
        if not names:
            yield finding(name, NOT_CHECKED, "no cluster")
            return
        built = self._known_image()
        if name == "image-on-nodes" and not built.reference:
            yield finding(name, NOT_CHECKED, built.reason or "no image")
            return
        known = {
            "reference": built.reference,
            "id": built.id,
            "user": asked.user or image.uid_of(built, self._future_user()),
            "architecture": str((built.proof or {}).get("architecture") or ""),
        }
        yield from look(nodes.Nodes(**{**vars(asked), **known}), names)

    def _future_user(self) -> str:
        asked = self.request.image
        return asked.user if asked is not None and asked.source.module else ""

    def _known_image(self) -> image.Built:
        given = self.request.built
        if given.get("reference") and not given.get("archive"):
            return image.Built(given["reference"], given.get("id") or "")  # the name alone can be looked for
        try:
            return self.built()
        except CoverageError:
            return image.Built(reason="see source")
