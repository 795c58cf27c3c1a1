# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""A verdict, and the small readers of an observation that several rules share."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import (
    Object,
    Observation,
    containers,
    moment,
)

SETTLING = 2.0  # seconds in which what is still being made (a token, a mount, covmeta) may be missing
LOG_LINES = 12
# where a workload comes from: its manifest, or the contract's own objects
MANIFEST = "coverage_mode_objects"


@dataclass(frozen=True)
class Verdict:
    """Why a workload will not become ready: cause id, one sentence, what was seen, what to do, what to set.

    :ivar also: what else was seen, each with C(cause) and C(sentence); it may be a fault of its own.
    :ivar subject: what it is about (a container's name, or empty for the pod): one verdict for each is enough.
    :ivar to_confirm: whether it has to be found again a moment later: a program that goes on may be about to end and
        be started again, and of one that just ended the last words may not have come yet.
    """

    cause: str
    sentence: str
    evidence: list[str] = field(default_factory=list)
    remedy: str = ""
    setting: str = ""
    also: list[dict[str, str]] = field(default_factory=list)
    subject: str = ""
    to_confirm: bool = False


Rule = t.Callable[[Observation], t.Iterable[Verdict]]


def name_of(seen: Observation) -> str:
    """C(Kind namespace/name)."""
    return f"{seen.kind} {seen.namespace}/{seen.name}"


def short(message: str) -> str:
    """One line of a message, of 200 characters at the most."""
    # what comes before that is the same for every container that cannot be started
    text = " ".join(message.split()).rpartition("unable to start container process: ")[2]
    # of wrapped errors the end says most
    return text if len(text) <= 200 else f"{text[:99]} … {text[-98:]}"


def waiting(seen: Observation, reasons: t.Container[str]) -> t.Iterator[tuple[Object, Object, Object]]:
    """Yield pod, status and the waiting state of each container that waits for one of these reasons."""
    for pod in seen.current_pods:
        for status in containers(pod):
            state = (status.get("state") or {}).get("waiting") or {}
            if state.get("reason") in reasons:
                yield pod, status, state


def terminated(status: Object) -> t.Optional[Object]:
    """How the container ended last; None where it has not."""
    return (status.get("state") or {}).get("terminated") or (status.get("lastState") or {}).get("terminated")


def started_again(status: Object) -> bool:
    """Whether a container ended and was started again, or is about to be."""
    return "terminated" in (status.get("lastState") or {}) and "terminated" not in (status.get("state") or {})


def specifications(pod_spec: Object) -> list[Object]:
    """The containers of a pod's specification, init containers first."""
    return [*(pod_spec.get("initContainers") or []), *(pod_spec.get("containers") or [])]


def specification(pod: Object, container: str) -> Object:
    """A container as the pod's specification has it, empty where there is none."""
    return next((item for item in specifications(pod["spec"]) if item["name"] == container), {})


def log_lines(seen: Observation, pod: str, container: str) -> list[str]:
    """All that is known of the log of the life that ended last, or of the one that runs."""
    log = seen.logs.get(f"{pod}/{container}/previous") or seen.logs.get(f"{pod}/{container}", "")
    return [line for line in log.splitlines() if line.strip()]


def log_end(seen: Observation, pod: str, container: str) -> list[str]:
    """The last lines of that log."""
    return log_lines(seen, pod, container)[-LOG_LINES:]


def seconds_since(seen: Observation, text: str) -> float:
    """How long ago that was when it was looked at; endless where one of the two is not known."""
    return moment(seen.now) - moment(text) if seen.now and text else float("inf")


def first_seen(event: Object) -> str:
    """When an event was seen first."""
    return str(event.get("firstTimestamp") or event.get("eventTime") or event.get("lastTimestamp") or "")


def plural(number: int, what: str) -> str:
    """C(1 pod), C(2 pods)."""
    return f"{number} {what}{'' if number == 1 else 's'}"
