# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""A run of a suite that brings its own cluster, from its first process to the last counter.

Whatever ends the suite (itself, its own time limit, ours, a verdict, an interrupt), the same things follow: counters
and diagnostics are collected, clusters that it left are deleted, and no process of it is left.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import threading
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import CommandError, run
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.files import write_json, write_private
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.waiting import poll
from ansible_collections.kubernaut.coverage.plugins.module_utils._diagnostics import bundle
from ansible_collections.kubernaut.coverage.plugins.module_utils._e2e.local import (
    JUNIT,
    Ended,
    SuiteOutcome,
    check_command,
    run_tests,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._e2e.results import Command, reporting_command
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.existing import clusters_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.lock import CREATION_LIMIT
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.access import Access
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.node_images import LoadRequest, load_on_nodes
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.diagnosis import as_result
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite import on_nodes
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.builds import (
    GoBuilds,
    ImageBuilds,
    Images,
    check_given,
    normal_name,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.calls import Call, Switchboard
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.clusters import (
    PROVIDER,
    KindCalls,
    NodeContainers,
    container_of,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.pods import Seen
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.process import SuiteProcess
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.record import (
    STOP,
    ClusterRecord,
    Journal,
    Record,
    Request,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.registry import HOSTS_FOLDER, Registry
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.watch import (
    Hopeless,
    Watched,
    Watcher,
    evidence_folder,
)

COVERDATA, HOST = "coverdata", "host"
MARK = "KUBERNAUT_COVERAGE_SUITE"  # variable of all processes of a suite
ENDING = ("delete", "scale", "rollout", "drain", "replace", "uninstall")


@dataclass
class Outcome:
    """How a suite went. C(tests): as for tests of a service. C(verdict): for which it was ended; None for none."""

    tests: SuiteOutcome
    record: Record
    verdict: t.Optional[Diagnosis] = None


class Session:
    """One run of a suite; see R(run_suite)."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.podman = Podman(request.podman)
        self.record = Record()
        Path(request.results).mkdir(parents=True, exist_ok=True)
        self.journal = Journal(request.results)
        self.path = os.environ.get("PATH", os.defpath)
        self.scratch = Path(tempfile.mkdtemp(prefix="kubernaut-coverage-suite-"))
        self.images = Images(self.podman, self.scratch / "images", self.record, self.journal, request.images)
        self.watchers: dict[str, Watcher] = {}
        self.registry: t.Optional[Registry] = None
        self.verdict: t.Optional[Diagnosis] = None
        self.process: t.Optional[SuiteProcess] = None
        self._lock = threading.RLock()
        self._left = _left_clusters(request.state)
        self.nodes = NodeContainers(self.podman, self)
        builds = ImageBuilds(
            self.images, self.scratch, self.path, instrument=request.instrument, other=self._podman_call
        )
        self.switchboard = Switchboard(
            {
                "kind": KindCalls(self.podman, request, self.images, self, self.path),
                "podman": builds,
                "docker": builds,
                "go": GoBuilds(instrument=request.instrument),
                "kubectl": self._kubectl,
                "helm": self._kubectl,
            },
            self.path,
        )

    # the suite

    def check(self, command: t.Sequence[str]) -> None:
        """Refuse what cannot be started."""
        check_command(command, self.request.directory, self.environment())
        check_given(self.podman, self.request.images)

    def reporting(self, command: t.Sequence[str], results: str, junit: str) -> Command:
        """Return the command so that it reports, where it is one of Ginkgo or go test; others are unchanged."""
        return reporting_command(command, self.request.directory, results, junit, JUNIT)

    def environment(self) -> dict[str, str]:
        """Return the variables of the suite's processes."""
        own = {
            **PROVIDER,
            "PATH": f"{self.switchboard.folder}{os.pathsep}{self.path}",
            # the user's own kubeconfig is neither changed nor used by accident
            "KUBECONFIG": str(Path(self.request.results) / "kubeconfig"),
            "GINKGO_NO_COLOR": "TRUE",
            MARK: self.request.results,
        }
        if "GOCOVERDIR" not in os.environ and "GOCOVERDIR" not in self.request.environment:
            own["GOCOVERDIR"] = str(Path(self.request.results) / COVERDATA / HOST)
        return {**os.environ, **own, **self.request.environment}

    def run(self, argv: t.Sequence[str], timeout: float, keep: t.Callable[[str], None]) -> Ended:
        """Run the suite (R(Place))."""
        environment = self.environment()
        folder = Path(environment["GOCOVERDIR"])
        folder.mkdir(parents=True, exist_ok=True)
        self.journal.echo = keep
        mark = f"{MARK}={self.request.results}"
        self.process = SuiteProcess(self.request.directory, environment, self.request.grace, mark)
        if self.verdict is not None:
            self.process.stop(self.verdict.sentence)
        try:
            ended = self.process.run(argv, timeout, keep)
            for left in self.process.left:
                self.journal.note(f"killed what the suite left running: {left[:120]}")
            return ended
        finally:
            self.journal.echo = None
            with contextlib.suppress(OSError):  # something is in it
                folder.rmdir()

    def interrupt(self, why: str) -> None:
        """End the suite from outside; what follows is as always."""
        if self.process is not None:
            self.process.stop(why)

    def close(self, *, passed: bool) -> None:
        """Collect what is left, and remove all that is not a result."""
        try:
            for cluster in self.record.clusters:
                if not cluster.ended:
                    self._end_cluster(cluster, passed=passed)
        finally:
            self.switchboard.close()
            if self.registry is not None:
                self.registry.close()
            shutil.rmtree(self.scratch, ignore_errors=True)
            if passed:
                shutil.rmtree(Path(self.request.results) / "evidence", ignore_errors=True)
            self._save_left()
            self.record.save(self.request.results)

    # clusters (R(Owner))

    def owns(self, name: str, container: str) -> bool:
        """Whether this suite created a cluster, now or in an earlier run that left it."""
        for cluster in self.record.clusters:
            if cluster.name == name and not cluster.ended:
                return cluster.container in ("", container)
        return bool(container) and self._left.get(name) == container

    def creating(self, name: str, node_image: str) -> None:
        """Note a cluster before anything of it is there."""
        with self._lock:
            self.record.clusters.append(ClusterRecord(name, node_image, "", time.time()))

    def not_created(self, name: str) -> None:
        """Forget a cluster that never was."""
        with self._lock:
            self.record.clusters = [item for item in self.record.clusters if item.name != name or item.ended]

    def created(self, name: str, call: Call) -> None:
        """Begin to look after a cluster."""
        with self._lock:
            cluster = next(item for item in self.record.clusters if item.name == name and not item.ended)
            self._left[name] = cluster.container = container_of(self.podman, name)
            self._save_left()
        self._watch(name)
        self._prepare_nodes(name)
        for reference in self.request.images:
            archive, identity = self.images.archive(reference)
            load_on_nodes(
                LoadRequest(
                    archive, normal_name(reference), image_id=identity, cluster=name, podman=self.podman.executable
                )
            )
            call.say(f"{reference} is on the nodes of {name}")

    def _watch(self, name: str) -> None:
        watcher = Watcher(
            Watched(
                name,
                self._kubeconfig(name),
                str(Path(self.request.results) / COVERDATA),
                self.record,
                self.journal,
                self.podman,
                self._hopeless,
            )
        )
        self.watchers[name] = watcher
        watcher.start()
        self.journal.say(f"cluster {name} is watched")

    def _podman_call(self, call: Call, argv: list[str], environment: dict[str, str]) -> None:
        """Answer a call of podman that builds nothing: it may create or remove nodes of clusters."""
        name, image = self.nodes.created(argv[1:])
        gone = self.nodes.removed(argv[1:])
        foreign = [item for item in gone if not self.nodes.owns(item)]
        if foreign:
            call.say(f'nodes of cluster "{foreign[0]}" are not removed, because these tests did not create it')
            call.exit(1)
        elif name:
            self.creating(name, image)
            status = call.run(argv, environment)
            threading.Thread(target=self._watch_when_it_answers, args=(name,), daemon=True).start()
            call.exit(status)
        elif gone:
            for item in gone:
                self.before_deletion(item, call)
            status = call.run(argv, environment)
            for item in gone:
                self.deleted(item)
            call.exit(status)
        else:
            call.become(argv, environment)

    def _watch_when_it_answers(self, name: str) -> None:
        """Watch a cluster whose API server is yet to start."""
        for _waited in poll(1.0, timeout=CREATION_LIMIT):
            try:
                self._watch(name)
            except CoverageError:
                continue
            self._prepare_nodes(name)
            return

    def _prepare_nodes(self, name: str) -> None:
        """Let the containers of a cluster write their counters to its nodes, and the nodes pull from podman's store."""
        for node in clusters_of(self.podman.containers()).get(name, []):
            try:
                on_nodes.install(self.podman, node.name)
            except CommandError as error:
                self.record.note(f"Counters are read from memory only: {error.message}")
        self._open_registry(name)

    def _fetch(self, name: str) -> None:
        """Bring home what the containers of a cluster wrote to its nodes."""
        for node in clusters_of(self.podman.containers()).get(name, []):
            try:
                found = on_nodes.fetch(self.podman, node.name, self.scratch)
            except CommandError as error:
                self.record.note(f"What programs wrote on {node.name} is lost: {error.message}")
                continue
            for left in found:
                run = self.record.runs.get(left.id)
                if run is None:
                    whose = (left.namespace, left.pod, "", node.name, left.workload, left.container)
                    seen = Seen(*whose, main=False, image="", id=left.id, running=False)
                    run = self.record.add(seen, name, str(Path(self.request.results) / COVERDATA))
                run.written = on_nodes.bring(left, Path(run.folder)) or run.written

    def _open_registry(self, name: str) -> None:
        """Let the nodes of a cluster pull what is in podman's store."""
        with self._lock:
            if self.registry is None:
                address = _gateway(self.podman, name)
                if not address:
                    self.record.note("The nodes cannot pull from podman's store: their network has no gateway here.")
                    return
                self.registry = Registry(lambda wanted: self.images.archive(wanted)[0], address)
        hosts = self.scratch / "hosts.toml"
        hosts.write_text(self.registry.hosts_toml, encoding="utf-8")
        for node in clusters_of(self.podman.containers()).get(name, []):
            self.podman.exec(node.name, "mkdir", "-p", HOSTS_FOLDER, purpose=f"make {HOSTS_FOLDER} on {node.name}")
            self.podman.run(
                *["cp", str(hosts), f"{node.name}:{HOSTS_FOLDER}/hosts.toml"],
                purpose=f"name the registry of podman's store on {node.name}",
            )

    def before_deletion(self, name: str, call: t.Optional[Call] = None) -> None:
        """Read all counters once more, and collect diagnostics."""
        watcher = self.watchers.pop(name, None)
        if watcher is not None:
            watcher.stop()
            try:
                watcher.read()
            except CoverageError as error:
                self.record.note(f"The counters of cluster {name} could not be read before its end: {error.message}")
        self._fetch(name)
        self._collect(name)
        home = [item for item in self.record.runs.values() if item.cluster == name and item.home]
        said = f"cluster {name}: counters of {len(home)} process runs were collected"
        self.journal.say(said)
        if call is not None:
            call.say(said)

    def deleted(self, name: str) -> None:
        """Note that the suite deleted a cluster."""
        self._forget(name, "deleted by the suite")

    def _forget(self, name: str, how: str) -> None:
        with self._lock:
            for cluster in self.record.clusters:
                if cluster.name == name and not cluster.ended:
                    cluster.ended = how
            self._left.pop(name, None)
            self._save_left()
        self.journal.note(f"cluster {name} is {how}")

    def _end_cluster(self, cluster: ClusterRecord, *, passed: bool) -> None:
        """Bring home what is in a cluster that the suite left, and delete it."""
        now = container_of(self.podman, cluster.name)
        if not now or cluster.container not in ("", now):
            self._forget(cluster.name, "gone without kind")
            return
        self.before_deletion(cluster.name)
        if self.request.keep_clusters:
            self.journal.say(f"cluster {cluster.name} is kept")
            return
        nodes = [node.name for node in clusters_of(self.podman.containers()).get(cluster.name, [])]
        self.podman.run(
            *["rm", "--force", "--volumes", "--time", "0", *nodes],
            purpose=f"delete cluster {cluster.name}",
            timeout=120,
        )
        self._forget(cluster.name, "deleted after the suite, which left it")

    def _kubeconfig(self, name: str) -> str:
        """Return the path of a kubeconfig of our own: where the suite has its one does not matter."""
        answer = run(
            [self.switchboard.behind("kind"), "get", "kubeconfig", "--name", name],
            purpose=f"get the kubeconfig of cluster {name}",
            environment={**PROVIDER, "PATH": self.path},
        )
        path = self.scratch / f"{name}.kubeconfig"
        write_private(path, answer.stdout)
        return str(path)

    # what the watchers find

    def _hopeless(self, found: Hopeless, stands: bool) -> None:
        with self._lock:
            if not stands:
                self.record.verdicts.append(
                    {
                        **{"cluster": found.cluster, "kind": found.kind, "namespace": found.namespace},
                        **{"name": found.name, **as_result(found.diagnosis)},
                    }
                )
                self.journal.say(f"{found.diagnosis.cause}: {found.diagnosis.sentence}")
                if len(self.record.verdicts) == 1:
                    self._collect(found.cluster, found)
            elif self.request.on_hopeless == STOP and self.verdict is None:
                self.verdict = found.diagnosis
                self.interrupt(found.diagnosis.sentence)

    def _collect(self, name: str, found: t.Optional[Hopeless] = None) -> None:
        """Collect diagnostics: of the workload of a verdict, or of the namespaces in which the suite's programs ran."""
        kubeconfig = str(self.scratch / f"{name}.kubeconfig")
        nodes = tuple(node.name for node in clusters_of(self.podman.containers()).get(name, []))
        spaces = {item.namespace for item in self.record.runs.values() if item.cluster == name}
        spaces |= {item["namespace"] for item in self.record.verdicts if item["cluster"] == name}
        for namespace in [found.namespace] if found else sorted(spaces):
            folder = evidence_folder(self.request.results, name) / namespace
            verdict = {"msg": found.diagnosis.sentence, "verdict": as_result(found.diagnosis)} if found else {}
            if not found and (folder / bundle.INDEX).exists():
                continue  # what was there when the fault was found says more
            with contextlib.suppress(CoverageError):
                bundle.collect(
                    bundle.Request(
                        str(folder),
                        failure=verdict,
                        access=Access({"kubeconfig": kubeconfig}),
                        namespace=namespace,
                        kind=found.kind if found else "Deployment",
                        name=found.name if found else "",
                        nodes=nodes,
                    ),
                    self.podman,
                )

    def _kubectl(self, call: Call) -> None:
        """Read all counters before something is deleted, then pass on."""
        if any(word in ENDING for word in call.argv):
            for watcher in list(self.watchers.values()):
                with contextlib.suppress(CoverageError):
                    watcher.read()
        if not call.behind:
            call.say("is not installed on this host")
            call.exit(127)
            return
        call.become([call.behind, *call.argv])

    # clusters that were left

    def _save_left(self) -> None:
        path = Path(self.request.state)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, self._left)


def _gateway(podman: Podman, name: str) -> str:
    """Return the address at which the nodes of a cluster reach this host; empty where they have none."""
    answer = podman.run(
        *["container", "inspect", "--format", "{{json .NetworkSettings.Networks}}", f"{name}-control-plane"],
        purpose=f"look up the network of cluster {name}",
    )
    networks = json.loads(answer.stdout) or {}
    return next((str(item["Gateway"]) for item in networks.values() if item.get("Gateway")), "")


def _left_clusters(state: str) -> dict[str, str]:
    """Return the clusters that earlier runs of the suite created and did not delete, with their containers' ids."""
    try:
        content = json.loads(Path(state).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in content.items()} if isinstance(content, dict) else {}


def run_suite(
    request: Request, *, junit: str = "", watch: t.Callable[[Session], t.Any] = lambda _session: None
) -> Outcome:
    """Run a suite and bring all of it home.

    :arg watch: gets the session before the suite starts: who handles signals can interrupt it.
    :raises CoverageError: the suite cannot be started. A failing suite is an outcome, not an error.
    """
    session = Session(request)
    passed = False
    try:
        watch(session)
        outcome = run_tests(request.command, session, timeout=request.timeout, results=request.results, junit=junit)
        passed = outcome.passed
    finally:
        session.close(passed=passed)
    return Outcome(outcome, session.record, session.verdict)
