# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said after Ctrl-C, by how far the run had come."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.plugin_utils._journey.interruption import Unfinished, collecting

ARGV = ["/usr/bin/ansible-playbook", "playbooks/httpbin.yml", "-t", "kind_cluster,e2e_tests", "-e", "a=b", "--tags=x"]
CONTRACT = {"run": {"dir": ""}, "contract": {"cluster": {"name": "httpbin-e2e"}}}
COMMAND = "ansible-playbook playbooks/httpbin.yml -e a=b --tags coverage_extraction,coverage_report"
CREATING = ("kubernaut.coverage.kind_cluster", {"ansible_job_id": "j1"})
AWAITED = ("ansible.builtin.async_status", {"finished": 1})
COUNTING = ("kubernaut.coverage.coverage_mode", {"changed": True})
EXTRACTED = ("kubernaut.coverage.coverage_extraction", {"changed": True})


@pytest.mark.parametrize(
    ("results", "says", "collects"),
    [
        ([], "What exists of cluster httpbin-e2e is kept", False),
        ([CREATING], "Cluster httpbin-e2e is still being created in the background", False),
        ([CREATING, AWAITED], "What exists of cluster httpbin-e2e is kept", False),
        ([CREATING, AWAITED, COUNTING], "the counters are still in them.", True),
        ([COUNTING, EXTRACTED], "What exists of cluster httpbin-e2e is kept", False),
    ],
    ids=["begun", "creating", "created", "counting", "extracted"],
)
def test_what_exists_is_said(results: list[tuple[str, dict[str, t.Any]]], says: str, collects: bool) -> None:
    left = Unfinished()
    left.observe("kubernaut.coverage.service_contract_info", CONTRACT)
    for action, data in results:
        left.observe(action, data)
    paragraph = left.paragraph(ARGV)
    assert paragraph.startswith("Interrupted. ")
    assert says in paragraph
    assert (COMMAND in paragraph) is collects
    assert "\n" not in paragraph


def test_the_log_is_named_once_there_is_one(tmp_path: Path) -> None:
    left = Unfinished()
    run = {**CONTRACT, "run": {"dir": str(tmp_path)}}
    left.observe("kubernaut.coverage.service_contract_info", run)
    assert "The files of the run are in " in left.paragraph(ARGV)
    (tmp_path / "e2e-tests.log").touch()
    assert "e2e-tests.log." in left.paragraph(ARGV)


def test_of_other_playbooks_nothing_is_said() -> None:
    left = Unfinished()
    left.observe("ansible.builtin.ping", {"ping": "pong"})
    assert left.paragraph(ARGV) == ""


def test_the_command_has_the_arguments_of_the_run_and_other_tags() -> None:
    assert " ".join(collecting(ARGV)) == COMMAND
