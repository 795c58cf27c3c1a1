# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods as process runs: components keep their names when pods come and go, and no end is overlooked."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.pods import Seen, container_runs, workload_of


def pod(name: str, owner: tuple[str, str] | None = None, **metadata: t.Any) -> dict[str, t.Any]:
    owners = [{"kind": owner[0], "name": owner[1], "controller": True}] if owner else []
    return {
        "metadata": {"name": name, "namespace": "shop", "uid": f"uid-{name}", "ownerReferences": owners, **metadata},
        "spec": {"nodeName": "node", "containers": [{"name": "manager"}, {"name": "proxy"}]},
        "status": {},
    }


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (pod("app-6d4f-x2", ("ReplicaSet", "app-6d4f"), labels={"pod-template-hash": "6d4f"}), "app"),
        (pod("db-0", ("StatefulSet", "db")), "db"),
        (pod("agent-x1", ("DaemonSet", "agent")), "agent"),
        (pod("migrate-x1", ("Job", "migrate")), "migrate"),
        (pod("report-29012345-x1", ("Job", "report-29012345")), "report"),
        (pod("curl"), "curl"),
        (pod("check-abc12", generateName="check-"), "check"),
        (pod("etcd-mine-control-plane", ("Node", "mine-control-plane")), "etcd"),
        (pod("a", ("Cluster", "x:y/z")), "x-y-z"),
    ],
)
def test_a_component_is_a_workload(item: dict[str, t.Any], expected: str) -> None:
    assert workload_of(item) == expected


def test_every_container_run_that_is_still_told_of_is_found() -> None:
    item = pod("app-6d4f-x2", ("ReplicaSet", "app-6d4f"), labels={"pod-template-hash": "6d4f"})
    item["status"] = {
        "initContainerStatuses": [
            {"name": "setup", "state": {"terminated": {"exitCode": 0, "reason": "Completed", "containerID": "c://1"}}}
        ],
        "containerStatuses": [
            {
                "name": "manager",
                "image": "app:1",
                "containerID": "c://3",
                "state": {"running": {}},
                "lastState": {"terminated": {"exitCode": 2, "reason": "Error", "containerID": "c://2"}},
            },
            {"name": "proxy", "state": {"waiting": {"reason": "PodInitializing"}}},
        ],
    }
    found = list(container_runs([item]))
    assert [(run.id, run.component, run.running, run.exit_code, run.reason) for run in found] == [
        ("1", "app-setup", False, 0, "Completed"),
        ("2", "app", False, 2, "Error"),
        ("3", "app", True, None, ""),
    ]
    assert isinstance(found[0], Seen)
