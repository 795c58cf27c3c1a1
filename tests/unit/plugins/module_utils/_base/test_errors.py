# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module makes of an error: one message that tells all, and its parts."""

from __future__ import annotations

import json

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base import errors as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import DOCUMENTATION, Diagnosis


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
            "contract_key": "",
            "option": "",
            "also": [],
            "documentation": f"{DOCUMENTATION}#broken",
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
    evidence.append("b")
    evidence.pop()
    error.evidence.append("b")
    assert evidence == ["a"]
    assert lib.CoverageError("x").evidence == []


def test_a_module_says_what_its_user_sets() -> None:
    error = lib.CoverageError("It is late.", setting="readiness.timeout")
    found = error.result("readiness_gate")
    parts = {name: found["verdict"][name] for name in ("setting", "contract_key", "option")}
    assert parts == {"setting": "readiness_gate_timeout", "contract_key": "readiness.timeout", "option": "timeout"}
    assert "setting: readiness_gate_timeout; contract key: readiness.timeout; module option: timeout" in found["msg"]


def test_more_can_be_said_of_an_error_on_its_way() -> None:
    error = Special("It broke.", evidence=["line"])
    assert error.amend(cause="other", setting="x", also=[Diagnosis("more", "And that.")]) is error
    assert (error.cause, error.setting, error.message, error.evidence) == ("other", "x", "It broke.", ["line"])
    assert Special("x").cause == "special"
    assert error.result()["verdict"]["also"] == [{"cause": "more", "sentence": "And that."}]
    assert error.result()["msg"].endswith("Also: And that.")


def test_a_diagnosis_becomes_an_error_and_stays_as_it_is() -> None:
    evidence = ["a password=hush"]
    diagnosis = Diagnosis("broken", "It broke.", evidence, also=[Diagnosis("more", "hush")])
    evidence.append("b")
    assert lib.InputError.of(diagnosis).diagnosis is diagnosis
    assert diagnosis.evidence == ("a password=hush",)
    clean = diagnosis.rewritten(lambda text: text.replace("hush", "***"))
    assert "hush" not in str(clean) and clean.cause == "broken"
