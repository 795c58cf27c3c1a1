# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module coverage_extraction where nothing has to be stopped; on a cluster, its scenario does the rest."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from run_module import run_module

PROCESS_RUN = {
    "component": "web",
    "pod": "web-1",
    "node": "node",
    "container": "web",
    "process_runs": 2,
    "exit_codes": [137, 0],
    "reason": "Completed",
    "metas": 1,
    "counters": 1,
    "uid": "u-1",
    "cause": "killed",
    "why": "It was killed.",
}


def options(folder: Path, **more: t.Any) -> dict[str, t.Any]:
    return {
        "kubeconfig": str(folder / "kubeconfig"),
        "namespace": "demo",
        "name": "web",
        "container": "web",
        "component": "web",
        "nodes": ["node"],
        "volume_directory": "/coverdata/run/web",
        "destination": str(folder / "coverdata" / "web"),
        "record": str(folder / "processes-web.json"),
        **more,
    }


@pytest.mark.parametrize("uid", ["u-1", ""])
def test_where_all_are_home_nothing_is_done(capsys: pytest.CaptureFixture[str], tmp_path: Path, uid: str) -> None:
    (tmp_path / "processes-web.json").write_text(json.dumps([PROCESS_RUN]), encoding="utf-8")
    pods = [{"pod": "web-1", "uid": uid}] if uid else [{"pod": "web-1"}]
    result = run_module(capsys, "coverage_extraction", **options(tmp_path, pods=pods))
    assert not result["changed"]
    assert result["lost"] == 1
    assert result["process_runs"] == [{**PROCESS_RUN, "lost": 1}]
    assert result["verdict"] == {}


def test_the_next_pod_of_that_name_is_not_home(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "processes-web.json").write_text(json.dumps([PROCESS_RUN]), encoding="utf-8")
    pods = [{"pod": "web-1", "uid": "u-2"}]
    result = run_module(capsys, "coverage_extraction", check=True, **options(tmp_path, pods=pods))
    assert result["changed"]


def test_check_mode_needs_no_cluster(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    result = run_module(capsys, "coverage_extraction", check=True, **options(tmp_path, kind="CronJob"))
    assert result["changed"]
    assert (result["process_runs"], result["lost"], result["set_aside"]) == ([], 0, [])
    assert list(tmp_path.iterdir()) == []


def test_without_a_kubeconfig_that_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    result = run_module(capsys, "coverage_extraction", **options(tmp_path))
    assert result["failed"]
    assert result["verdict"]["cause"] == "no-kubeconfig"


def test_a_record_that_is_none_ends_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "processes-web.json").write_text("{", encoding="utf-8")
    result = run_module(capsys, "coverage_extraction", **options(tmp_path))
    assert result["verdict"]["cause"] == "bad-record"
