# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module readiness_gate, without a cluster: conditions are checked before anything is asked."""

from __future__ import annotations

import typing as t

import pytest
from run_module import run_module


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({"kind": "Service", "condition": "status"}, "either name or selector"),
        ({"kind": "Service", "name": "a", "selector": "b=c", "condition": "status"}, "either name or selector"),
        ({"kind": "Service", "name": "a", "condition": "status["}, "is not valid JMESPath"),
        ({"kind": "Service", "name": "a", "condition": "sized(status)"}, "sized()"),
    ],
)
def test_a_condition_that_can_never_hold_fails_at_once(
    capsys: pytest.CaptureFixture[str], condition: dict[str, t.Any], words: str
) -> None:
    # a host that would be waited for, were it asked
    access = {"host": "http://127.0.0.1:1", "api_key": "x"}
    result = run_module(capsys, "readiness_gate", namespace="demo", name="web", until=[condition], **access)
    assert result["failed"]
    assert words in result["msg"]
    assert result["verdict"]["setting"] == "readiness_gate_until"


def test_without_any_cluster_the_missing_kubeconfig_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    result = run_module(capsys, "readiness_gate", namespace="demo", name="web", kubeconfig="/no/such/file")
    assert result["verdict"]["cause"] == "no-kubeconfig"
    assert "/no/such/file" in result["msg"]
