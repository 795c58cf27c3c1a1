# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions as texts, and what is true. Molecule waits for real objects."""

from __future__ import annotations

import typing as t

import jmespath
import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies import conditions as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies import until


@pytest.mark.parametrize("expression", ["data.[", "", "status.nothing(", "lenght(items)", "items[?ready(@)]"])
def test_what_is_no_condition_is_refused_before_anything_starts(expression: str) -> None:
    with pytest.raises(InputError) as caught:
        until.compile_condition(expression, "until (Pod)", "here")
    assert caught.value.cause == "condition-unreadable"
    assert repr(expression) in caught.value.message


@pytest.mark.parametrize(
    ("value", "true"),
    [(None, False), (False, False), ("", False), ([], False), ({}, False), (0, True), (True, True), (["x"], True)],
)
def test_truth_is_that_of_jmespath(value: t.Any, true: bool) -> None:
    assert until.is_true(value) is true
    # JMESPath's own 'or' falls through what is false
    assert (jmespath.search("value || 'else'", {"value": value}) != "else") is true


class Live:
    """A cluster of one object, which is another one at each look."""

    def __init__(self, *states: t.Any) -> None:
        self.states = list(states)

    def path(self, item: t.Any, *, namespace: str = "") -> str:
        return f"/{namespace}/{item['kind']}/{item['metadata']['name']}"

    def get(self, _path: str) -> t.Any:
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]


def wait(live: Live, condition: str, seconds: float) -> None:
    wanted = until.Until("Widget", condition, name="w", api_version="v1")
    lib.wait_until(t.cast("t.Any", live), [wanted], [], "demo", lib.Patience(lib.time.monotonic(), seconds))


def test_a_wait_ends_when_the_condition_holds() -> None:
    # length(null) is an error to JMESPath: the status is still to come
    good = {"status": {"ready": [1]}}
    live = Live(None, {}, {"status": {"ready": []}}, good)
    wait(live, "length(status.ready) > `0`", 10)
    assert live.states == [good], "it ended before the condition held"


def test_when_the_time_is_over_what_was_seen_last_is_told() -> None:
    with pytest.raises(
        lib.DependencyError, match=r"condition was not met within 0 s: Widget w: status\.phase"
    ) as caught:
        wait(Live({"status": {"phase": "Odd"}}), "status.phase == 'Good'", 0)
    assert caught.value.evidence == ["Widget w: status.phase == 'Good': it is false"]
    assert caught.value.setting == lib.TIMEOUT_SETTING
