# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module makes of an error: one message that tells all, and its parts."""

from __future__ import annotations

import json

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base import errors as lib


class Special(lib.CoverageError):
    cause = "special"


def test_the_message_has_the_remedy_and_the_setting_and_not_the_evidence() -> None:
    error = lib.CoverageError("It broke.", remedy="Mend it.", setting="a_setting", evidence=["line"], cause="broken")
    assert error.result() == {
        "msg": "It broke. Mend it. (setting: a_setting)",
        "verdict": {
            "cause": "broken",
            "sentence": "It broke.",
            "evidence": ["line"],
            "remedy": "Mend it.",
            "setting": "a_setting",
        },
    }
    assert str(error) == "It broke."
    json.dumps(error.result())


@pytest.mark.parametrize(
    ("details", "message"),
    [
        ({}, "It broke."),
        ({"remedy": "Mend it."}, "It broke. Mend it."),
        ({"setting": "x"}, "It broke. (setting: x)"),
    ],
)
def test_what_is_not_known_is_left_out(details: dict[str, str], message: str) -> None:
    assert lib.CoverageError("It broke.", **details).result()["msg"] == message  # type: ignore[arg-type]


def test_a_cause_is_the_classs_unless_it_is_given() -> None:
    assert Special("x").cause == "special"
    assert Special("x", cause="other").cause == "other"
    assert lib.InputError("x").cause == "bad-input"


def test_evidence_is_nobody_elses_list() -> None:
    evidence = ["a"]
    error = lib.CoverageError("x", evidence=evidence)
    error.evidence.append("b")
    assert evidence == ["a"]
    assert lib.CoverageError("x").evidence == []
