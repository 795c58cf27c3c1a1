# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""kind clusters on podman, each known by the configuration it was made from.

kind cannot compare a cluster with a configuration. So what a cluster was made from is stored in its control-plane
container (M(record)). Equal record, equal cluster: nothing to do. The source of truth for names, labels and the
configuration's form is kind v0.30 (C(pkg/apis/config/v1alpha4/types.go), C(pkg/cluster/internal/providers/podman)).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
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
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.files import temporary_prefix, write_private
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.config import ClusterConfig, describe_differences
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.existing import (
    KindCluster,
    KindNode,
    clusters_of,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.failures import (
    READY_RUNNER,
    ClusterError,
    explain_failure,
    step_of,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.kubeconfig import (
    digest,
    foreign_entries,
    one_end,
    read_kubeconfig,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.lock import CREATION_LIMIT, CreationLock
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.record import (
    RECORD_FORMAT,
    read_record,
    write_record,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.requirements import (
    refusal,
    require_host,
    require_parts,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.restart import (
    api_answers,
    restart_nodes,
    wait_ready,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._leases.leases import CLUSTER, USE, Leases, Resource
from ansible_collections.kubernaut.coverage.plugins.module_utils._leases.owner import Owner
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman

PATIENCE = 20.0  # seconds for the API server of a cluster whose nodes run
SAVED_RUNS = "run-*.json"  # the saved states of runs (module run_record), next to the kubeconfig


@dataclass
class ClusterOutcome:
    """What was, or in check mode would be, done.

    C(none), C(create), C(replace), C(restart) stopped nodes, C(export) a kubeconfig, C(delete).
    """

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


class KindClusters:
    """kind with podman as its provider.

    :arg executable: name or path of kind.
    :arg podman: kind itself calls C(podman) by that name; where it is given by its path, that folder is searched first.
    :arg leases: by which clusters that other runs work with are respected; none: the caller holds what is needed.
    :arg owner: for whom.
    """

    def __init__(
        self,
        executable: str = "kind",
        podman: t.Optional[Podman] = None,
        leases: t.Optional[Leases] = None,
        owner: t.Optional[Owner] = None,
    ) -> None:
        self.executable = executable
        self.podman = podman or Podman()
        self.leases, self.owner = leases, owner
        self._killed = False

    def _alone(self, *resources: Resource) -> t.ContextManager[None]:
        """Hold resources alone; wait for the runs that use them."""
        if self.leases is None or self.owner is None:
            return contextlib.nullcontext()
        return self.leases.exclusively(self.owner, resources)

    # looking

    def clusters(self, name: str = "") -> list[KindCluster]:
        """Return the clusters of this host, or the one of that name, with what this collection recorded in them."""
        groups = {key: nodes for key, nodes in clusters_of(self.podman.containers()).items() if name in ("", key)}
        if not groups:
            return []
        with ThreadPoolExecutor(max_workers=4) as pool:
            return list(
                pool.map(lambda item: self._with_record(KindCluster(name=item[0], nodes=item[1])), groups.items())
            )

    def _with_record(self, cluster: KindCluster) -> KindCluster:
        record, evidence = read_record(self.podman, f"{cluster.name}-control-plane")
        cluster.record, cluster.evidence = record, evidence
        return cluster

    # making

    def present(
        self,
        config: ClusterConfig,
        *,
        kubeconfig: str,
        recreate: bool = False,
        wait: int = 0,
        check_mode: bool = False,
    ) -> ClusterOutcome:
        """Make sure that the cluster exists as described, answers, and that C(kubeconfig) opens it.

        Nodes that are stopped are started again. A cluster of this collection that was never finished, or that does not
        come back, is replaced.

        :arg kubeconfig: path of a file for this cluster alone.
        :arg recreate: replace a cluster of that name, whatever it is.
        :arg wait: seconds to wait until every node is ready; 0: return as soon as the API server answers.
        :raises CoverageError: naming what hinders. Nothing was deleted before everything was checked.
        """
        require_host(self.podman)
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
            with self._alone(Resource(USE, config.name)) if old is not None else contextlib.nullcontext():
                if old is not None:
                    self._delete(config.name)
                record = self._create(config, file)
        if wait:
            wait_ready(self.podman, config, wait)
        cluster = KindCluster(
            name=config.name,
            nodes=[KindNode(name, _role(name), True, config.node_image, "") for name in config.node_names()],
            record=record,
        )
        return ClusterOutcome(
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
    ) -> t.Optional[ClusterOutcome]:
        """Return the outcome if nothing is to be created, None if everything is ready for it, and raise otherwise.

        :arg lock: None where this process holds it already.
        """
        control_plane = config.node_names()[0]
        # three answers of podman that do not need one another; most of each is its start
        with ThreadPoolExecutor(max_workers=3) as pool:
            asked_record = pool.submit(read_record, self.podman, control_plane)
            asked_image = pool.submit(self.podman.image, config.node_image)
            containers = self.podman.containers()
            record, evidence = asked_record.result()
            image = asked_image.result()
        nodes = clusters_of(containers).get(config.name, [])
        found = KindCluster(name=config.name, nodes=nodes, record=record, evidence=evidence) if nodes else None
        text = read_kubeconfig(file, config.name)
        busy = lock is not None and lock.held_elsewhere()
        difference: list[str] = []
        if found is not None and not busy:
            difference = describe_differences(found.config, config.canonical()) if found.ours else []
            # a run that died while it created the cluster left its lock; this process, which holds it, saw that before
            self._killed = self._killed or (lock is not None and lock.left_behind())
            unfinished = not found.finished if found.ours else self._killed
            if not recreate and not unfinished:
                if not found.ours or difference or found.state == "incomplete":
                    raise refusal(found, difference)
                if not self._is_up(found, text):
                    outcome = self._restart(config, found, file, text, held=lock is None, check_mode=check_mode)
                    if outcome is not None or lock is not None:
                        return outcome
                else:
                    return self._keep(
                        config, found, file, text, wait=wait, image_id=image.id if image else "", check_mode=check_mode
                    )
        if not busy:  # else another run is at it: look again when it is done
            require_parts(config, containers, own={node.name for node in nodes}, image=image)
        if not check_mode:
            return None
        planned = KindCluster(
            name=config.name,
            nodes=[KindNode(name, _role(name), False, config.node_image, "") for name in config.node_names()],
        )
        return ClusterOutcome(
            action="create" if found is None else "replace",
            cluster=_cluster_result(config, planned, str(file)),
            difference=difference,
            before=found.config if found is not None else {},
            after=config.canonical(),
        )

    def _is_up(self, found: KindCluster, kubeconfig: str) -> bool:
        """Whether all nodes run and the API server answers; that cannot be known without a kubeconfig."""
        return found.state == "running" and (not kubeconfig or api_answers(kubeconfig))

    def _restart(
        self, config: ClusterConfig, found: KindCluster, file: Path, text: str, *, held: bool, check_mode: bool
    ) -> t.Optional[ClusterOutcome]:
        """Start a cluster that is stopped or does not answer; None: not yet, or in vain, so that it is replaced.

        :arg held: whether this process holds the lock of the creation.
        """
        if held and not check_mode:
            # a server that is only slow needs no restart, and its node did not get another address
            if not (found.state == "running" and api_answers(text, wait=PATIENCE)):
                try:
                    restart_nodes(self.podman, config.name, config.node_names())
                except CoverageError as error:
                    report_progress(f"cluster {config.name}: {error.message} It is replaced.")
                    return None
        elif not check_mode:
            return None
        outcome = self._keep(config, found, file, text, wait=0, image_id="", check_mode=check_mode)
        outcome.action = "restart"
        outcome.cluster["nodes"] = [{**node, "running": True} for node in outcome.cluster["nodes"]]
        return outcome

    def _keep(
        self,
        config: ClusterConfig,
        found: KindCluster,
        file: Path,
        text: str,
        *,
        wait: int,
        image_id: str,
        check_mode: bool,
    ) -> ClusterOutcome:
        """The cluster is the one described: ensure its kubeconfig and its readiness."""
        recorded = ((found.record or {}).get("kubeconfig") or {}).get("sha256")
        changed = False
        if not text or digest(text) != recorded:
            changed = True
            if not check_mode:
                fresh = one_end(
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
            wait_ready(self.podman, config, wait)
        return ClusterOutcome(
            action="export" if changed else "none",
            cluster=_cluster_result(config, found, str(file)),
            before=config.canonical(),
            after=config.canonical(),
            warnings=warnings,
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
                    write_record(self.podman, control_plane, record)

        with tempfile.TemporaryDirectory(prefix=temporary_prefix()) as folder:
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
            text = one_end(fresh.read_text(encoding="utf-8"))
        record["created_seconds"] = round(time.monotonic() - started, 1)
        record["kubeconfig"]["sha256"] = digest(text)
        record["complete"] = True
        write_record(self.podman, control_plane, record)
        write_private(file, text)
        return record

    def _node_lines(self, node: str) -> list[str]:
        """Return the last words of a node that did not come up: kubelet's, else those of its container."""
        for arguments in (
            ["exec", node, "journalctl", "--unit", "kubelet", "--no-pager", "--output", "cat", "--lines", "12"],
            ["logs", "--tail", "12", node],
        ):
            try:
                answer = self.podman.run(*arguments, purpose=f"inspect node {node}", timeout=20)
            except CommandError:
                continue
            lines = last_lines(answer.stdout + answer.stderr, 12)
            if lines:
                return [f"{node}: {line}" for line in lines]
        return []

    # ending

    def absent(self, name: str, *, kubeconfig: str, force: bool = False, check_mode: bool = False) -> ClusterOutcome:
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
                remedy="Choose another name, or use force.",
                setting="kind_cluster#force",
                evidence=[*(node.name for node in found.nodes), *found.evidence],
                cause="cluster-foreign",
            )
        volumes = self._volumes(name)
        files = self._own_files(name, [kubeconfig, (found.result()["kubeconfig"] if found else "")], lock)
        changed = bool(found or volumes or files)
        outcome = ClusterOutcome(
            action="delete" if changed else "none",
            cluster=_cluster_result(config, KindCluster(name=name, nodes=[]), kubeconfig) | {"node_image": ""},
            before=found.config or {"name": name} if found else {},
        )
        if not changed or check_mode:
            return outcome
        if found or volumes:
            report_progress(f"cluster {name}: deleting")
            with (
                self._alone(Resource(CLUSTER, name), Resource(USE, name)),
                lock(f"cluster {name}: waiting for another run that is creating it"),
            ):
                self._delete(name)
        for file in files:
            file.unlink(missing_ok=True)
        for folder in {file.parent for file in [*files, lock.path]}:
            if folder.name == name:
                with contextlib.suppress(OSError):  # something else is in it, or it does not exist
                    folder.rmdir()
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
            setting="kind_cluster#executable",
            **options,
        )


def _role(node: str) -> str:
    return "control-plane" if node.endswith("-control-plane") else "worker"


def _cluster_result(config: ClusterConfig, cluster: KindCluster, kubeconfig: str) -> dict[str, t.Any]:
    return {
        "name": config.name,
        "context": f"kind-{config.name}",
        "kubeconfig": kubeconfig,
        "nodes": [{"name": node.name, "role": node.role, "running": node.running} for node in cluster.nodes],
        "config_hash": config.hash() if cluster.nodes else "",
        "node_image": config.node_image,
        "created_seconds": (cluster.record or {}).get("created_seconds", 0),
    }
