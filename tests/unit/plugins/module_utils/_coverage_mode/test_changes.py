# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Differences of objects, done and undone; undone beside what somebody else did."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode import changes as lib
from hypothesis import given, settings
from hypothesis import strategies as st

NAMES = st.sampled_from("abcdef")
LEAVES = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["x", "y"])


def _items(key: str) -> st.SearchStrategy[list[dict[str, t.Any]]]:
    return st.lists(st.fixed_dictionaries({key: NAMES}, optional={"value": LEAVES}), max_size=4)


OBJECTS = st.recursive(
    st.dictionaries(NAMES, LEAVES, max_size=3),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "spec": inner,
            "labels": st.dictionaries(NAMES, st.sampled_from(["1", "2"]), max_size=3),
            "containers": st.lists(st.builds(lambda name, more: {**more, "name": name}, NAMES, inner), max_size=3),
            "env": _items("name"),
            "volumeMounts": _items("mountPath"),
            "args": st.lists(LEAVES, max_size=3),
            "livenessProbe": inner,
        },
    ),
    max_leaves=12,
)


def same(one: t.Any, other: t.Any) -> bool:
    """Equal to the last field, and true is not 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@settings.get_profile("quick")
@given(OBJECTS, OBJECTS)
def test_any_change_can_be_done_and_undone(before: t.Any, after: t.Any) -> None:
    found = [lib.change_from_json(json.loads(json.dumps(item.as_json()))) for item in lib.differences(before, after)]
    assert lib.applied(found, before) == after
    undone, kept = lib.undone(found, after)
    assert kept == []
    assert undone == before


@settings.get_profile("quick")
@given(OBJECTS, OBJECTS)
def test_what_was_undone_by_somebody_else_is_nothing_to_keep(before: t.Any, after: t.Any) -> None:
    assert lib.undone(lib.differences(before, after), before) == (before, [])
    assert lib.differences(before, before) == []


def test_equal_but_for_the_type_is_equal_to_the_last_field() -> None:
    before: t.Any
    for before in ({}, {"spec": None}, {"spec": {}}, {"spec": {"env": None}}, {"spec": {"env": []}}):
        after = {"spec": {"env": [{"name": "A"}]}}
        undone, _kept = lib.undone(lib.differences(before, after), after)
        assert same(undone, before)


def test_items_are_known_by_their_name_not_by_their_place() -> None:
    before = {"env": [{"name": "A", "value": "1"}]}
    after = {"env": [{"name": "A", "value": "2"}, {"name": "B"}]}
    found = lib.differences(before, after)
    assert [change.field for change in found] == ["env[A]", "env[B]"]
    theirs = {"env": [{"name": "NEW"}, *after["env"], {"name": "LAST"}]}
    undone, kept = lib.undone(found, theirs)
    assert kept == []
    assert undone == {"env": [{"name": "NEW"}, {"name": "A", "value": "1"}, {"name": "LAST"}]}


def test_what_both_changed_stays_and_is_named() -> None:
    found = lib.differences({"spec": {"image": "a", "grace": 30}}, {"spec": {"image": "b", "grace": 60}})
    undone, kept = lib.undone(found, {"spec": {"image": "c", "grace": 60}})
    assert undone == {"spec": {"image": "c", "grace": 30}}
    assert [(item.field, item.coverage, item.now) for item in kept] == [("spec.image", "b", "c")]
    assert str(kept[0]) == "spec.image is 'c', not 'b' as coverage mode set it: it is kept."
    assert kept[0].values() == {"coverage": "b", "now": "c"}


def test_what_somebody_took_away_stays_away() -> None:
    found = lib.differences({"spec": {"image": "a"}}, {"spec": {"image": "b"}})
    undone, kept = lib.undone(found, {"spec": {}})
    assert undone == {"spec": {}}
    assert kept[0].values() == {"coverage": "b"}
    # but not what was not there before
    found = lib.differences({"spec": {}}, {"spec": {"env": [{"name": "A"}]}})
    assert lib.undone(found, {"spec": {}}) == ({"spec": {}}, [])


def test_a_whole_is_never_half_of_each() -> None:
    before, after = {"livenessProbe": {"port": 1, "period": 1}}, {"livenessProbe": {"port": 1, "period": 9}}
    found = lib.differences(before, after)
    assert [change.field for change in found] == ["livenessProbe"]
    theirs = {"livenessProbe": {"port": 2, "period": 9}}
    undone, kept = lib.undone(found, theirs)
    assert undone == theirs
    assert len(kept) == 1


def test_what_came_to_be_for_the_change_goes_unless_somebody_uses_it() -> None:
    found = lib.differences({}, {"annotations": {"mine": "1"}})
    assert lib.undone(found, {"annotations": {"mine": "1"}}) == ({}, [])
    theirs = {"annotations": {"mine": "1", "theirs": "2"}}
    assert lib.undone(found, theirs) == ({"annotations": {"theirs": "2"}}, [])


def test_what_is_still_needed_stays() -> None:
    found = lib.differences({}, {"volumes": [{"name": "v"}]})
    undone, kept = lib.undone(found, {"volumes": [{"name": "v"}]}, needed=lambda _item, _change: True)
    assert undone == {"volumes": [{"name": "v"}]}
    assert kept[0].field == "volumes[v]"


def test_changes_make_what_they_lie_in() -> None:
    server: t.Any = {"spec": {"containers": [{"name": "app", "securityContext": {}, "env": []}]}}
    wanted = copy.deepcopy(server)
    wanted["spec"]["containers"][0]["env"] = [{"name": "A"}]
    wanted["spec"]["containers"][0]["securityContext"] = {"runAsUser": 0}
    manifest: dict[str, t.Any] = {"spec": {"containers": [{"name": "app", "env": None}]}}
    assert lib.applied(lib.differences(server, wanted), manifest) == {
        "spec": {"containers": [{"name": "app", "env": [{"name": "A"}], "securityContext": {"runAsUser": 0}}]}
    }
    assert manifest == {"spec": {"containers": [{"name": "app", "env": None}]}}


def test_an_item_in_front_comes_in_front() -> None:
    found = lib.differences({"initContainers": [{"name": "a"}]}, {"initContainers": [{"name": "z"}, {"name": "a"}]})
    done = lib.applied(found, {"initContainers": [{"name": "a"}, {"name": "b"}]})
    assert [item["name"] for item in done["initContainers"]] == ["z", "a", "b"]


@pytest.mark.parametrize("value", [None, "x", {}, {"path": 1}, {"path": [1]}, {"path": ["a"], "at": "x"}, []])
def test_what_is_no_change_is_refused(value: t.Any) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        lib.change_from_json(value)


@pytest.mark.parametrize(
    ("part", "whole", "is_covered"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": 1}, {"a": 2}, False),
        ({"a": None}, {}, True),
        ({"a": {}}, {}, True),
        ({"env": [{"name": "B"}]}, {"env": [{"name": "A"}, {"name": "B", "value": "1"}]}, True),
        ({"env": [{"name": "C"}]}, {"env": [{"name": "A"}]}, False),
        ({"args": ["a"]}, {"args": ["a", "b"]}, False),
        ({"args": []}, {}, True),
        ({"cpu": 1}, {"cpu": "1"}, True),
        ({"a": {"b": 1}}, {"a": 1}, False),
    ],
)
def test_a_manifest_is_covered_by_what_says_the_same_and_more(part: t.Any, whole: t.Any, is_covered: bool) -> None:
    assert lib.covers(whole, part) is is_covered
