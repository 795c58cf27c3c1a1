# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests as a Job: what is made, and how a log is put together. That it runs is seen in molecule/e2e_tests."""

from __future__ import annotations

import dataclasses
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._e2e import job as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman

NOBODY: t.Any = None
JOB = lib.InJob(NOBODY, Podman(), "demo", "localhost/tests:1", {"A": "1"}, "/results", nodes=("node",))


def container(job: t.Any) -> dict[str, t.Any]:
    (found,) = job["spec"]["template"]["spec"]["containers"]
    return t.cast("dict[str, t.Any]", found)


def test_the_job_is_run_once_and_ends_even_if_nobody_looks_after_it() -> None:
    spec = JOB.manifest("x", ["/e2e.test"], 900, "")["spec"]
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"], spec["ttlSecondsAfterFinished"]) == (0, 1020, 3600)
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert spec["template"]["metadata"]["labels"] == lib.LABELS


def test_the_command_runs_in_the_image_with_its_variables_and_a_folder_for_results() -> None:
    job = JOB.manifest("x", ["/e2e.test", "-v"], 900, "/on/node")
    assert container(job)["command"] == ["/e2e.test", "-v"]
    assert container(job)["env"] == [
        {"name": "A", "value": "1"},
        {"name": "E2E_RESULTS", "value": "/e2e-results"},
    ]
    assert container(job)["volumeMounts"] == [{"name": "results", "mountPath": "/e2e-results"}]
    assert job["spec"]["template"]["spec"]["volumes"][0]["hostPath"] == {"path": "/on/node", "type": "Directory"}
    assert "workingDir" not in container(job)
    assert "serviceAccountName" not in job["spec"]["template"]["spec"]


def test_without_nodes_no_folder_is_mounted() -> None:
    job = JOB.manifest("x", ["/e2e.test"], 900, "")
    assert "volumeMounts" not in container(job)
    assert [item["name"] for item in container(job)["env"]] == ["A"]


def test_folder_and_rights_are_those_that_were_asked_for() -> None:
    job = dataclasses.replace(JOB, directory="/suite", service_account="e2e").manifest("x", ["/e2e.test"], 900, "")
    assert container(job)["workingDir"] == "/suite"
    assert job["spec"]["template"]["spec"]["serviceAccountName"] == "e2e"


def test_reports_are_looked_for_where_results_come_home_and_nothing_is_added() -> None:
    command = JOB.reporting(["/e2e.test"], "/run", "*.xml")
    assert (command.argv, command.junit) == (["/e2e.test"], "/run/e2e-results/*.xml")
    assert JOB.reporting(["ginkgo"], "/run", "").argv == ["ginkgo"]


@pytest.mark.parametrize(
    ("change", "says"), [({"directory": "test/e2e"}, "not an absolute path"), ({"nodes": ()}, "no nodes are given")]
)
def test_what_a_job_cannot_do_is_refused(change: t.Any, says: str) -> None:
    job = dataclasses.replace(JOB, **change)
    with pytest.raises(InputError, match=says):
        job.reporting(["/e2e.test"], "/run", "x.xml")
        job.check(["/e2e.test"])


class Recorded:
    """A log as the API gives it: whole seconds are its finest beginning."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def timed_log(self, *_where: str, since: str) -> list[tuple[str, str]]:
        return [line for line in self.lines if line[0][:19] >= since[:19]]


def at(seconds: float) -> str:
    return f"2026-11-24T12:00:{seconds:012.9f}Z"


def test_each_line_of_a_log_is_handed_on_once_and_in_order() -> None:
    recorded, kept = Recorded(), list[str]()
    log = lib._Log(dataclasses.replace(JOB, cluster=t.cast("t.Any", recorded)))
    for more in (
        [],
        [(at(1.1), "a"), (at(1.5), "b")],
        [],
        [(at(1.5), "c"), (at(1.5), "d"), (at(1.7), "")],
        [(at(1.7), "e")],
        [(at(9), "f")],
    ):
        recorded.lines += more
        log.hand_on("pod", kept.append)
        log.hand_on("pod", kept.append)
    assert kept == ["a", "b", "c", "d", "", "e", "f"]


@pytest.mark.parametrize(
    ("state", "started"),
    [
        ({}, False),
        ({"waiting": {"reason": "ImagePullBackOff"}}, False),
        ({"terminated": {"reason": "StartError", "exitCode": 128}}, False),
        ({"running": {}}, True),
        ({"terminated": {"reason": "Error", "exitCode": 1}}, True),
    ],
)
def test_what_was_never_started_is_no_outcome(state: t.Any, started: bool) -> None:
    assert lib._has_started({"status": {"containerStatuses": [{"state": state}]}}) is started


def test_what_comes_home_takes_the_place_of_what_came_before(tmp_path: Path) -> None:
    class Node(Podman):
        def copy_out(self, container: str, source: str, destination: str) -> None:
            assert (container, source) == ("node", "/on/node/.")
            Path(destination, "junit.xml").write_text("new")

    (tmp_path / lib.AT_HOME).mkdir()
    (tmp_path / lib.AT_HOME / "old.xml").write_text("old")
    dataclasses.replace(JOB, podman=Node(), results=str(tmp_path))._fetch("/on/node")
    assert [item.name for item in tmp_path.rglob("*")] == [lib.AT_HOME, "junit.xml"]
