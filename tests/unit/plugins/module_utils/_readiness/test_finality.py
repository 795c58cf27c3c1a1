# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ends a wait is what no passing of time cures: the question is asked of every cause that ends one."""

from __future__ import annotations

import copy
import dataclasses
import json

import pytest
import situations
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import Observation
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness import engine, finality
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.rule import RULES, TERMINAL

AT_ONCE = sorted({cause for rule in RULES.values() if TERMINAL in rule.phases for cause in rule.causes})
WAITS = {name: answer for name, answer in finality.CURES.items() if answer.__name__ != "_never"}


def fault(name: str) -> Observation:
    return Observation.from_dict(json.loads((situations.FAULTS / f"{name}.json").read_text(encoding="utf-8")))


def situation(name: str) -> Observation:
    path = situations.RECORDED / f"{name}.1.json"
    return Observation.from_dict(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("cause", AT_ONCE)
def test_every_cause_that_ends_a_wait_was_asked(cause: str) -> None:
    assert cause in finality.CURES


def test_no_other_cause_was() -> None:
    assert set(finality.CURES) - set(AT_ONCE) == set()


@pytest.mark.parametrize(
    "name", ["probe-port-wrong", "probe-path-wrong", "probe-timeout-too-short", "dependency-not-ready"]
)
def test_a_program_that_lives_is_waited_for_however_long(name: str) -> None:
    seen = situations.later(fault(name), 3600)
    assert engine.terminal_verdict(seen) is None
    assert engine.timeout_verdict(seen, 20).cause != "not-ready"


@pytest.mark.parametrize("name", ["dependency-down", "dependency-name-unknown", "config-file-missing"])
def test_what_an_end_says_is_final_at_the_second_and_only_while_nobody_comes(name: str) -> None:
    seen = situations.later(fault(name), 60)
    for pod in seen.pods:
        for status in pod["status"]["containerStatuses"]:
            status["restartCount"] = max(2, status.get("restartCount", 0))
            status["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
    assert engine.terminal_verdict(seen) is not None
    # a Job that migrates, a database that starts
    assert engine.terminal_verdict(dataclasses.replace(seen, moving=["migrate: it is of a Job that runs"])) is None


@pytest.mark.parametrize("name", ["secret-missing", "configmap-missing", "service-account-missing"])
def test_what_a_controller_makes_is_given_a_moment(name: str) -> None:
    young, old = situation(name), situations.later(situation(name))
    assert engine.terminal_verdict(young) is None
    assert engine.terminal_verdict(old) is not None
    assert engine.terminal_verdict(dataclasses.replace(old, makers=["Certificate key"])) is None
    assert engine.terminal_verdict(dataclasses.replace(old, moving=["issue: it is of a Job that runs"])) is None


@pytest.mark.parametrize("name", ["configmap-key-missing", "command-missing", "image-name-invalid", "root-not-allowed"])
def test_what_only_a_change_cures_is_final_at_once(name: str) -> None:
    assert engine.terminal_verdict(dataclasses.replace(situation(name), moving=["x: it is not ready yet"])) is not None


def test_a_quota_is_not_final_while_something_ends() -> None:
    seen = situations.later(fault("quota-exhausted"))
    assert engine.terminal_verdict(seen) is not None
    assert engine.terminal_verdict(dataclasses.replace(seen, moving=["old: it ends"])) is None


def test_a_queued_job_is_suspended_by_its_queue() -> None:
    seen = copy.deepcopy(situations.later(fault("healthy-job")))
    assert seen.workload is not None
    seen.workload["spec"]["suspend"] = True
    assert engine.terminal_verdict(seen) is not None
    seen.workload["metadata"].setdefault("labels", {})[finality.QUEUE] = "team"
    assert engine.terminal_verdict(seen) is None


@pytest.mark.parametrize("cause", sorted(WAITS))
def test_who_waits_says_what_for(cause: str) -> None:
    """Every reason to wait is a clause that fits behind because."""
    seen = Observation("Deployment", "a", "b", now="2026-01-01T00:00:00Z", moving=["x: it ends"])
    verdict = engine.NOT_READY("x", [])
    reason = WAITS[cause](seen, verdict)
    assert reason == "" or (reason[0].islower() and not reason.endswith("."))
