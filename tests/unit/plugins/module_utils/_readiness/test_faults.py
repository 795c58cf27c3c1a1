# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules, over what the gate saw of the faults of tests/faults on a real cluster, held against what each expects.

Kept with ``tests/tools/record_observation.py --keep .cache/faults``. A verdict that was wrong on a cluster is put right
here: its observation is kept first, and fails.
"""

from __future__ import annotations

import copy
import json
import typing as t
from pathlib import Path

import pytest
import situations
import yaml
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import Observation
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness import diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness import engine as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness import wait as gate
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.progress import missing
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[5]
LIBRARY = {path.parent.name: yaml.safe_load(path.read_text()) for path in ROOT.glob("tests/faults/*/fault.yml")}
KEPT = {path.stem: path for path in sorted(situations.FAULTS.glob("*.json"))}
HEALTHY = [name for name in KEPT if LIBRARY[name]["stage"] == "healthy"]
NEVER = [name for name in KEPT if name not in HEALTHY]
WORDS = {"{worker}": "dev-worker", "{control_plane}": "dev-control-plane", "{folder}": "/coverdata/rules-"}


def recorded(name: str) -> Observation:
    return Observation.from_dict(json.loads(KEPT[name].read_text(encoding="utf-8")))


def filled(words: t.Iterable[str]) -> list[str]:
    """Words of an expectation with the names of the cluster that it was recorded on."""
    found = []
    for item in words:
        text = str(item)
        for name, word in WORDS.items():
            text = text.replace(name, word)
        found.append(text)
    return found


def test_what_the_gate_can_see_of_the_library_is_kept() -> None:
    # what is healthy is judged by what became of it: on a cluster, not at one moment
    faults = {name for name, fault in LIBRARY.items() if fault["stage"] == "gate"}
    healthy = {name for name, fault in LIBRARY.items() if fault["stage"] == "healthy"}
    assert sorted(faults - set(KEPT)) == [], "not kept"
    assert sorted(set(KEPT) - faults - healthy) == [], "kept, but not in the library"


def test_what_is_kept_is_small() -> None:
    assert {name: size for name, path in KEPT.items() if (size := path.stat().st_size) > 40_000} == {}


@pytest.mark.parametrize("name", NEVER)
def test_the_fault_is_named(name: str) -> None:
    expected = LIBRARY[name]["expect"]
    seen = recorded(name)
    verdict = lib.timeout_verdict(seen, 20)
    assert verdict.cause == expected["cause"], verdict.sentence
    assert [word for word in filled(expected.get("says", [])) if word not in verdict.sentence] == []
    evidence = "\n".join(verdict.evidence)
    assert [word for word in filled(expected.get("quotes", [])) if word not in evidence] == []
    more = " ".join([verdict.sentence, evidence, *(item.sentence for item in verdict.also)])
    assert [word for word in filled(expected.get("also", [])) if word not in more] == []
    assert verdict.remedy.endswith(".")
    assert "\n" not in verdict.sentence


@pytest.mark.parametrize("name", [name for name in NEVER if "why_slow" not in LIBRARY[name]["expect"]])
def test_it_is_named_without_waiting(name: str) -> None:
    verdict = lib.terminal_verdict(situations.later(recorded(name)))
    assert verdict is not None
    assert verdict.cause == LIBRARY[name]["expect"]["cause"]


@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_is_said_against_what_is_healthy(name: str) -> None:
    seen = recorded(name)
    assert lib.terminal_verdict(seen) is None
    assert gate.is_ready(seen)
    assert diagnosis.described(seen)["healthy"]


@pytest.mark.parametrize("name", list(KEPT))
def test_it_can_be_written_and_read_back_with_its_dependencies(name: str) -> None:
    seen = recorded(name)
    again = Observation.from_dict(json.loads(json.dumps(seen.as_dict())))
    assert lib.timeout_verdict(again, 20) == lib.timeout_verdict(seen, 20)
    assert again.dependencies == seen.dependencies


@pytest.mark.parametrize("name", list(KEPT))
def test_the_rules_change_nothing(name: str) -> None:
    seen = recorded(name)
    before = copy.deepcopy(seen)
    lib.timeout_verdict(seen, 1)
    assert seen == before


@settings.get_profile("quick")
@given(data=st.data())
def test_no_rule_breaks_over_an_observation_with_holes(data: st.DataObject) -> None:
    """The API leaves out what is empty, a user may not see all, and an older version has written less."""
    name = data.draw(st.sampled_from(sorted(KEPT)))
    value = json.loads(KEPT[name].read_text(encoding="utf-8"))
    optional = ("conditions", "containerStatuses", "state", "lastState", "labels", "annotations", "status", "message")
    gone = data.draw(st.sets(st.sampled_from([*optional, "ports", "env", "args", "endpoints", "selector"]), max_size=3))
    parts = data.draw(st.sets(st.sampled_from(sorted(set(value) - {"kind", "name", "namespace", "pods"})), max_size=3))

    def without(item: t.Any) -> t.Any:
        if isinstance(item, dict):
            return {key: without(inner) for key, inner in item.items() if key not in gone}
        return [without(inner) for inner in item] if isinstance(item, list) else item

    thin = {"pods", "nodes", "events", "services", "endpoint_slices", "workload"}
    seen = Observation.from_dict(
        {key: without(item) if key in thin else item for key, item in value.items() if key not in parts}
    )
    assert lib.timeout_verdict(seen, 1).sentence
    assert missing(seen)
