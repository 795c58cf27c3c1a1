# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The gate: look, ask the rules, look again, until the workload is ready or something says that it never will be."""

from __future__ import annotations

import re
import time
import typing as t
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.files import write_json
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.waiting import poll
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import (
    Cluster,
    KubernetesError,
    Object,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.collect import observe
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.kinds import kind_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.logs import entries
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import (
    Observation,
    condition,
    containers,
    moment,
    redacted_text,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.readers import (
    pods_without_covmeta,
    specification,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.target import Target, pod_selector
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.engine import (
    terminal_verdict,
    timeout_verdict,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.progress import missing
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rule import SETTLING, Unconfirmed

__all__ = [
    "NotReady",
    "Target",
    "is_ready",
    "observe",
    "pod_process_runs",
    "pod_selector",
    "save_evidence",
    "wait_until_ready",
]

POLL = 0.15  # seconds between two looks; a look is four requests of some milliseconds
FULL_LOOK = 1.0  # seconds between two full looks at what is not ready; a tenth of the wait where that is more
STEADY = 2.0  # seconds that a program without a readiness probe has to run before it counts as ready
GIVES_UP = 20.0  # seconds in which a program that may not read what it watches gives up, or turns out to do without
AGAIN = 2  # ends with an error after which a program has to outlive the process run before
BUSY = 20.0  # seconds for which the API server may be too busy, or away, to answer
WATCHES = re.compile(
    r"failed to (?:list|watch)|Failed to watch|reflector|if kind is a CRD|failed to get informer", re.IGNORECASE
)
UNWATCHED = ("rbac", "kind-missing")
STANDBY = re.compile(
    r"not (?:the )?leader|leader failed|attempting to acquire leader lease|stand-?by|follower", re.IGNORECASE
)
EVIDENCE_FILE = "observation.json"


class NotReady(CoverageError):
    """The workload is not ready; the message is the verdict."""

    def __init__(self, verdict: Diagnosis, seen: Observation) -> None:
        super().__init__(verdict.sentence)
        self.carry(verdict.rewritten(redacted_text))
        self.seen = seen


class _Wait:
    """What has to be remembered from one look to the next."""

    def __init__(self, cluster: Cluster, podman: Podman, target: Target, timeout: float) -> None:
        self.cluster, self.podman, self.target, self.timeout = cluster, podman, target, timeout
        self.started = self.last_full = time.monotonic()
        self.answers: list[Object] = []
        self.process_runs: t.Any = None
        self.process_runs_since = 0.0
        self.busy_since: t.Optional[float] = None
        self.forbidden_since: t.Optional[float] = None
        self.forbidden_runs: t.Any = None
        self.said_since: dict[tuple[str, str], float] = {}

    def look(self, logs: bool = False) -> t.Optional[Observation]:
        """Look once; None where the API server was too busy to answer, and is not for long."""
        waited = time.monotonic() - self.started
        try:
            seen = observe(self.cluster, self.podman, self.target, waited=waited, logs=logs)
        except KubernetesError as error:
            self.busy_since = self.busy_since or time.monotonic()
            if not error.may_pass or time.monotonic() - self.busy_since > BUSY:
                raise
            return None
        self.busy_since, seen.timeout = None, self.timeout
        if logs:
            self.last_full = time.monotonic()
            # a program that is killed again and again answers only in between
            asked = {(item["pod"], item["port"], item["path"]) for item in seen.answers if item["status"]}
            kept = [item for item in self.answers if (item["pod"], item["port"], item["path"]) not in asked]
            seen.answers = [*seen.answers, *kept]
            self.answers = [item for item in seen.answers if item["status"]]
        return seen

    def is_steady(self, seen: Observation) -> bool:
        """Whether programs that no probe watches have run for a moment: started does not mean ready."""
        process_runs = [(pod["metadata"]["uid"], _restarts(pod, "")) for pod in seen.current_pods]
        now = time.monotonic()
        if process_runs != self.process_runs:
            self.process_runs, self.process_runs_since = process_runs, now
        return (
            bool(seen.url) or not any(map(_is_unwatched, seen.current_pods)) or now - self.process_runs_since >= STEADY
        )

    def may_end(self, seen: Observation) -> bool:
        """Whether a program that is ready may be about to end.

        It says that it may not list or watch what it needs, or it has ended again and again at an age that it has not
        reached yet.
        """
        if not has_outlived(seen):
            return True
        process_runs = [(pod["metadata"]["uid"], _restarts(pod, "")) for pod in seen.current_pods]
        if is_forbidden(seen) and self.forbidden_since is None:
            self.forbidden_since, self.forbidden_runs = time.monotonic(), process_runs
        if self.forbidden_since is None:
            return False
        return process_runs != self.forbidden_runs or time.monotonic() - self.forbidden_since < GIVES_UP

    def may_be_more(self, seen: Observation) -> bool:
        """Whether a pod is not ready for reasons that only a full look sees, and there was none lately."""
        since = time.monotonic() - self.last_full
        if self.said_since:
            return since >= SETTLING
        if seen.waited < SETTLING or since < max(FULL_LOOK, seen.waited / 10):
            return False
        silent = bool(seen.url) and seen.rolled_out and not seen.url_ready
        return silent or any(pod not in seen.ready_pods for pod in seen.current_pods)

    def stands(self, verdict: Diagnosis) -> bool:
        """Whether a verdict needs no second look, or was found before too, long enough ago."""
        now, which = time.monotonic(), (verdict.cause, verdict.subject)
        again = isinstance(verdict, Unconfirmed)
        self.said_since = {which: self.said_since.get(which, now)} if again else {}
        return not again or now - self.said_since[which] >= SETTLING


def wait_until_ready(cluster: Cluster, podman: Podman, target: Target, timeout: float) -> Observation:
    """Return the observation in which everything was ready.

    :raises NotReady: a cause that waiting cannot cure, at once; or the likeliest one when the time is over.
    """
    wait, said = _Wait(cluster, podman, target, timeout), ""
    for _waited in poll(POLL):
        seen = wait.look()
        if seen is None:
            continue
        ready, over = is_ready(seen), seen.waited > timeout
        if ready and wait.is_steady(seen) and (over or not wait.may_end(seen)):
            return seen
        if over or (not ready and (terminal_verdict(seen) is not None or wait.may_be_more(seen))):
            # look once more, with all logs; what cured itself meanwhile was not terminal
            full = wait.look(logs=True)
            if full is not None:
                if (is_ready(full) and wait.is_steady(full) and not wait.may_end(full)) or stands_by(full):
                    return full
                verdict = terminal_verdict(full)
                if verdict is None:
                    wait.said_since = {}
                elif not wait.stands(verdict) and not over:
                    verdict = None
                if verdict is None and over:
                    verdict = timeout_verdict(full, timeout)
                if verdict is not None:
                    raise NotReady(verdict, full)
        now_missing = missing(seen) if not ready else "whether it stays up"
        if now_missing != said:
            report_progress(now_missing)
            said = now_missing
    raise AssertionError("a wait without a time limit ends with a verdict")


def is_ready(seen: Observation) -> bool:
    """Whether the rollout is complete, every pod wrote covmeta, and the address answers; nothing is not ready."""
    return (
        seen.rolled_out
        and bool(seen.wanted or seen.ready_pods)
        and (not seen.coverage_watched or not pods_without_covmeta(seen))
        and (not seen.url or seen.url_ready)
    )


def is_forbidden(seen: Observation) -> bool:
    """Whether a program says that it may not list or watch something, or that there is no such kind.

    The words are those of client-go's reflectors, and of controller-runtime's sources.
    """
    return any(
        WATCHES.search(said.text) and (kind := kind_of(said.text)) is not None and kind.name in UNWATCHED
        for key, log in seen.logs.items()
        if not key.endswith("/previous")
        for said in entries(log.splitlines())
        if not said.is_excused
    )


def has_outlived(seen: Observation) -> bool:
    """Whether programs that ended at least twice with an error run for longer than they did before, up to 20 s."""
    now = moment(seen.now)
    for pod in seen.current_pods:
        for status in containers(pod):
            running = (status.get("state") or {}).get("running") or {}
            ended = (status.get("lastState") or {}).get("terminated") or {}
            often = int(status.get("restartCount") or 0) >= AGAIN and ended.get("exitCode")
            if not often or not running.get("startedAt") or not ended.get("startedAt"):
                continue
            lived = moment(ended.get("finishedAt") or "") - moment(ended["startedAt"])
            if now - moment(running["startedAt"]) < min(lived + SETTLING, GIVES_UP):
                return False
    return True


def stands_by(seen: Observation) -> bool:
    """Whether those pods that are not ready say that another one leads: by design they are not ready before they do."""
    waiting = [pod for pod in seen.current_pods if pod not in seen.ready_pods]
    if not waiting or not seen.ready_pods or len(seen.pods) != seen.wanted or len(seen.current_pods) != seen.wanted:
        return False
    leads = any(
        holder.startswith(pod["metadata"]["name"]) for holder in seen.leases.values() for pod in seen.ready_pods
    )
    return leads and all(_says_standby(seen, pod) for pod in waiting)


def _says_standby(seen: Observation, pod: Object) -> bool:
    name = pod["metadata"]["name"]
    if _restarts(pod, "") or condition(pod, "PodScheduled").get("status") != "True":
        return False
    bodies = [str(item.get("body") or "") for item in seen.answers if item["pod"] == name]
    logs = [log for key, log in seen.logs.items() if key.startswith(f"{name}/")]
    return any(STANDBY.search(text) for text in (*bodies, *logs))


def _is_unwatched(pod: Object) -> bool:
    if (pod.get("status") or {}).get("phase") == "Succeeded":
        return False
    return any("readinessProbe" not in item for item in pod["spec"].get("containers") or [])


def save_evidence(seen: Observation, directory: str) -> str:
    """Write the observation, without secrets, into the evidence folder; return the file's path."""
    path = Path(directory) / EVIDENCE_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, seen.as_dict())
    return str(path)


def pod_process_runs(seen: Observation) -> list[dict[str, t.Any]]:
    """Return for each current pod its name, uid, node and how often its instrumented container was started again."""
    return [
        {
            "pod": pod["metadata"]["name"],
            "uid": pod["metadata"]["uid"],
            "node": pod["spec"].get("nodeName", ""),
            "restarts": _restarts(pod, seen.container),
            "ready": condition(pod, "Ready").get("status") == "True",
            "start_seconds": _start_seconds(pod, seen.container),
        }
        for pod in seen.current_pods
    ]


def suggested_startup_probe(seen: Observation) -> Object:
    """Return a startup probe that gives three times the slowest start that was seen; empty: nothing is known."""
    slowest = max((_start_seconds(pod, seen.container) or 0.0 for pod in seen.ready_pods), default=0.0)
    if not slowest:
        return {}
    readiness = next((specification(pod, seen.container).get("readinessProbe") for pod in seen.ready_pods), None) or {}
    asked = {key: value for key, value in readiness.items() if key in ("httpGet", "tcpSocket", "grpc", "exec")}
    return {**asked, "periodSeconds": 1, "failureThreshold": max(30, round(slowest * 3))} if asked else {}


def _start_seconds(pod: Object, container: str) -> t.Optional[float]:
    """Seconds from the container's start to the pod's being ready, as exactly as Kubernetes says: whole ones."""
    ready = condition(pod, "Ready")
    for status in containers(pod):
        running = (status.get("state") or {}).get("running") or {}
        if status["name"] == container and running.get("startedAt") and ready.get("status") == "True":
            return max(0.0, moment(ready.get("lastTransitionTime") or "") - moment(running["startedAt"]))
    return None


def _restarts(pod: Object, container: str) -> int:
    """How often a container was started again; all of them where none is named."""
    counts = [status.get("restartCount", 0) for status in containers(pod) if container in ("", status["name"])]
    return max(counts, default=0)
