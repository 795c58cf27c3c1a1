# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""End-to-end tests as a Job in the cluster: created, its log followed, its reports collected, and removed."""

from __future__ import annotations

import contextlib
import shutil
import time
import typing as t
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.waiting import poll
from ansible_collections.kubernaut.coverage.plugins.module_utils._e2e.local import Ended
from ansible_collections.kubernaut.coverage.plugins.module_utils._e2e.results import Command
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import (
    Cluster,
    KubernetesError,
    Object,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.wait import (
    BUSY,
    NotReady,
    Target,
    wait_until_ready,
)

NAME, CONTAINER = "e2e-tests", "tests"
SETTING = "tests.job.image"
# whose it is; Services select by other labels, so no pod of tests is taken for one of the service
LABELS = {"app.kubernetes.io/managed-by": "kubernaut.coverage", "app.kubernetes.io/name": NAME}
SELECTOR = ",".join(f"{key}={value}" for key, value in LABELS.items())
# the folder of results: in the container, the variable that names it, on the node, and on this host
FOLDER, VARIABLE, ON_NODE, AT_HOME = "/e2e-results", "E2E_RESULTS", "/var/lib/kubernaut-coverage", "e2e-results"
POLL = 0.5  # seconds between two looks at the log
FORMER = 40.0  # seconds that what an interrupted run left has to end
GRACE = 10  # seconds that the tests have to end when their time is over
SPARE = 120  # seconds after the time limit when Kubernetes itself ends a Job that nobody looks after any more
KEPT = 3600  # seconds after which Kubernetes removes such a Job
# no process run of the program: it was never started
NOT_STARTED = ("StartError", "ContainerCannotRun")


@dataclass(frozen=True)
class InJob:
    """A Job of one pod in a namespace.

    :ivar image: as the nodes know it. :ivar directory: folder of the image to run in; empty: the image's own.
    :ivar nodes: containers of the nodes, from which the results are fetched; empty: nothing can be fetched.
    :ivar results: folder of the run on this host.
    """

    cluster: Cluster
    podman: Podman
    namespace: str
    image: str
    environment: t.Mapping[str, str]
    results: str
    directory: str = ""
    service_account: str = ""
    nodes: tuple[str, ...] = ()

    def check(self, command: t.Sequence[str]) -> None:
        """Refuse a namespace that is not there, and a folder that no container can have."""
        if not command:
            raise InputError("The tests' command is empty.", setting="tests.command")
        if self.directory and not self.directory.startswith("/"):
            raise InputError(
                f"The folder of the tests in the image, {self.directory}, is not an absolute path.", setting="tests.dir"
            )
        if self.cluster.get(f"/api/v1/namespaces/{self.namespace}") is None:
            raise InputError(
                f"There is no namespace {self.namespace} for the Job of the tests.",
                remedy="Deploy the service first, or correct the name.",
                setting="workload.namespace",
                cause="namespace-missing",
            )

    def reporting(self, command: t.Sequence[str], results: str, junit: str) -> Command:
        """What is in the image cannot be read: it writes a report where it is asked to, or none."""
        if junit and not self.nodes:
            raise InputError(
                "The reports of a Job are copied from its node, but no nodes are given.",
                remedy="Name the nodes, or omit junit: the exit code then decides whether the tests passed.",
                setting="node_image#nodes",
            )
        return Command(list(command), junit=str(Path(results, AT_HOME, junit)) if junit else "")

    def run(self, argv: t.Sequence[str], timeout: float, keep: t.Callable[[str], None]) -> Ended:
        """Make the Job, follow its log to the end or to the time limit, fetch the results and remove it.

        A Job that could not be started stays, to be inspected, until the next run.

        :raises NotReady: it never started; with the cause.
        """
        self._remove_former()
        started = time.monotonic()
        name = f"{NAME}-{uuid.uuid4().hex[:8]}"
        folder = f"{ON_NODE}/{name}" if self.nodes else ""
        with self._folder(folder):
            self.cluster.create(self.manifest(name, argv, timeout, folder))
            self._wait_for_start(name, timeout)
            ended = self._follow(name, started, timeout, keep)
            if ended.returncode is None:
                self._delete(name)
                self._wait_until_gone(name)
            self._fetch(folder)
        self._delete(name)
        return ended

    def manifest(self, name: str, argv: t.Sequence[str], timeout: float, folder: str) -> Object:
        """Return the Job. :arg folder: on the node, for the results; empty: none is mounted."""
        environment = {**self.environment, **({VARIABLE: FOLDER} if folder else {})}
        container: Object = {
            "name": CONTAINER,
            "image": self.image,
            "imagePullPolicy": "IfNotPresent",
            "command": list(argv),
            "env": [{"name": key, "value": value} for key, value in environment.items()],
        }
        pod: Object = {"restartPolicy": "Never", "terminationGracePeriodSeconds": GRACE, "containers": [container]}
        if self.directory:
            container["workingDir"] = self.directory
        if self.service_account:
            pod["serviceAccountName"] = self.service_account
        if folder:
            container["volumeMounts"] = [{"name": "results", "mountPath": FOLDER}]
            pod["volumes"] = [{"name": "results", "hostPath": {"path": folder, "type": "Directory"}}]
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name, "namespace": self.namespace, "labels": LABELS},
            "spec": {
                "backoffLimit": 0,
                "activeDeadlineSeconds": int(timeout) + SPARE,
                "ttlSecondsAfterFinished": KEPT,
                "template": {"metadata": {"labels": LABELS}, "spec": pod},
            },
        }

    # its run

    def _wait_for_start(self, name: str, timeout: float) -> None:
        try:
            wait_until_ready(self.cluster, self.podman, Target("Job", self.namespace, name), timeout)
        except NotReady as error:
            # tests that began and end soon, or say what the rules know as a fault, are no workload that fails
            if not any(map(_has_started, self._pods(name))):
                error.amend(setting=SETTING)
                raise

    def _follow(self, name: str, started: float, timeout: float, keep: t.Callable[[str], None]) -> Ended:
        log = _Log(self)
        busy_since = 0.0
        for _waited in poll(POLL, timeout - (time.monotonic() - started)):
            try:
                pod = next(iter(self._pods(name)), None)
                if pod is not None:
                    log.hand_on(pod["metadata"]["name"], keep)
                busy_since = 0.0
            except KubernetesError as error:
                busy_since = busy_since or time.monotonic()
                if not error.may_pass or time.monotonic() - busy_since > BUSY:
                    raise
            else:
                lived = time.monotonic() - started
                if pod is None:
                    return Ended(None, lived, "the pod of the tests was deleted while they ran")
                end = _state(pod).get("terminated")
                if end is not None:
                    if end.get("reason") not in ("Completed", "Error"):
                        keep(f"Kubernetes' reason: {end.get('reason')}")
                    return Ended(int(end["exitCode"]), lived)
                if (pod.get("status") or {}).get("phase") == "Failed":
                    status = pod["status"]
                    why = ": ".join(filter(None, (status.get("reason"), status.get("message")))) or "no reason is given"
                    return Ended(None, lived, f"Kubernetes ended the pod of the tests: {why}")
        return Ended(None, timeout)

    def _pods(self, name: str) -> list[Object]:
        return self.cluster.list(f"/api/v1/namespaces/{self.namespace}/pods", label_selector=f"job-name={name}")

    def _wait_until_gone(self, name: str) -> None:
        for _waited in poll(POLL, FORMER):
            if not self._pods(name):
                return

    def _delete(self, name: str) -> None:
        path = f"/apis/batch/v1/namespaces/{self.namespace}/jobs/{name}"
        self.cluster.delete(path, propagation="Background")

    def _remove_former(self) -> None:
        """Two suites at once would disturb each other: what an interrupted run left has to be gone."""
        path = f"/apis/batch/v1/namespaces/{self.namespace}/jobs"
        for job in self.cluster.list(path, label_selector=SELECTOR):
            self._delete(job["metadata"]["name"])
            self._wait_until_gone(job["metadata"]["name"])

    # its results

    @contextlib.contextmanager
    def _folder(self, folder: str) -> t.Iterator[None]:
        """A folder on each node that any user may write to, as long as it is needed."""
        if not folder:
            yield
            return
        self._on_nodes("mkdir", "--parents", "--mode=1777", folder, purpose="create the folder for the tests' results")
        try:
            yield
        finally:
            self._on_nodes("rm", "--recursive", "--force", folder, purpose="remove the folder of the tests' results")

    def _on_nodes(self, *argv: str, purpose: str) -> None:
        with ThreadPoolExecutor() as pool:
            done = [pool.submit(self.podman.exec, node, *argv, purpose=f"{purpose} on {node}") for node in self.nodes]
            for future in done:
                future.result()

    def _fetch(self, folder: str) -> None:
        """Put what the tests wrote, on whichever node, in the place of what an earlier run of them left."""
        home = Path(self.results, AT_HOME)
        beside = home.with_suffix(".part")
        shutil.rmtree(beside, ignore_errors=True)
        if not folder:
            return
        beside.mkdir(parents=True)
        for node in self.nodes:
            self.podman.copy_out(node, f"{folder}/.", str(beside))
        if home.exists():
            shutil.rmtree(home)
        if any(beside.iterdir()):
            beside.replace(home)
        else:
            beside.rmdir()


class _Log:
    """What of a log was handed on already."""

    def __init__(self, job: InJob) -> None:
        self.job = job
        self.last, self.same = "", 0

    def hand_on(self, pod: str, keep: t.Callable[[str], None]) -> None:
        """Hand on the lines that are new. Lines may have the same time, and the API begins at a whole second."""
        lines = self.job.cluster.timed_log(self.job.namespace, pod, CONTAINER, since=self.last)
        skip = self.same
        for moment, line in lines:
            if moment < self.last:
                continue
            if moment == self.last:
                if skip:
                    skip -= 1
                    continue
                self.same += 1
            else:
                self.last, self.same = moment, 1
            keep(line)


def _state(pod: Object) -> Object:
    statuses = (pod.get("status") or {}).get("containerStatuses") or [{}]
    return t.cast(Object, statuses[0].get("state") or {})


def _has_started(pod: Object) -> bool:
    state = _state(pod)
    return "running" in state or ("terminated" in state and state["terminated"].get("reason") not in NOT_STARTED)
