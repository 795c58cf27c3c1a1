# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""For when the time is over: what a program that runs on and is not ready says of itself."""

from __future__ import annotations

import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import Observation, containers
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.readers import (
    log_end,
    log_lines,
    quoted,
    terminated,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rule import MANIFEST, TIMEOUT, rule
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rules import said


@rule(
    "Programs that run and are not ready",
    gives=(
        *("rbac-forbidden", "crd-missing", "config-file-missing", "config-error", "config-key-missing", "bad-argument"),
        *(
            "file-permission",
            "open-files",
            "token-not-mounted",
            "disk-full",
            "port-in-use",
            "port-not-allowed",
            "crash",
        ),
    ),
    phases=(TIMEOUT,),
)
def says_why(seen: Observation) -> t.Iterator[Diagnosis]:
    """An error of a known kind, of a program that goes on and is not ready."""
    for pod in seen.current_pods:
        if pod in seen.ready_pods:
            continue
        name = pod["metadata"]["name"]
        for status in containers(pod):
            running = "running" in (status.get("state") or {})
            if status.get("ready") or not running or terminated(status) is not None:
                continue
            entry = said.telling(log_lines(seen, name, status["name"]), ended=False)
            if entry is None or entry.kind is None:
                continue
            known = said.known(seen, pod, status["name"], entry.kind, entry.said.text)
            more = f"; {known.more}" if known.more else ""
            yield Diagnosis(
                cause=known.cause,
                sentence=f"Container {status['name']} of pod {name} runs, is not ready, and says:"
                f" {quoted(entry.said.text)}{more}",
                evidence=log_end(seen, name, status["name"]),
                remedy=known.remedy,
                setting=MANIFEST,
                subject=status["name"],
            )
