# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every variable of every role, set where users set variables, arrives in the real playbooks."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import recorded_journey
from recorded_journey import common, leaves

Option = dict[str, t.Any]

# Read by conditions, templates of paths, or tasks that a test on one host does not run, not by an argument of a module
NOT_ARGUMENTS = {
    "coverage_report_fail_below_threshold": "a condition",
    "coverage_report_fail_untrusted": "a condition",
    "coverage_runner_disk_gib": "a condition",
    "coverage_runner_memory_gib": "given in bytes",
    "coverage_runner_node_image_enabled": "a condition",
    "coverage_runner_node_image_mirror": "in the environment of a task",
    "coverage_runner_node_image_suite": "in the environment of a task",
    "coverage_runner_packages_enabled": "a condition",
    "failure_evidence_fails": "a condition",
    "kind_cluster_background": "a condition",
}
# With these the role does something else, of which less is recorded: they are set in a run of their own
ALONE = {"coverage_runner_state": "absent"}


OPTIONS = recorded_journey.options()
ROLES = list(OPTIONS)
# those that have a playbook of their own
ALONE_ROLES = ("coverage_runner", "coverage_snapshot", "e2e_suite")
JOURNEY = [role for role in ROLES if role not in ALONE_ROLES]


def other_than_default(name: str, option: Option) -> t.Any:
    """A valid value that nobody else gives and that is not the default."""
    kind, choices, default = option.get("type", "str"), option.get("choices"), option.get("default")
    number = 4000 + sum(map(ord, name))
    if kind == "list":
        element = {"type": option["elements"], "options": option.get("options", {}), "choices": choices}
        return [other_than_default(name, element)]
    if choices:
        return next(choice for choice in choices if choice != default)
    if kind == "dict" and option.get("options"):
        suboptions = option["options"].items()
        return {key: other_than_default(f"{name}-{key}", suboption) for key, suboption in suboptions}
    values = {
        "str": f"set-{name}",
        "path": f"/set/{name}",
        "dict": {"name": f"set-{name}", "key": "value"},
        "int": number,
        "float": number + 0.5,
        "bool": not default,
    }
    return values[kind]


def wanted(roles: t.Iterable[str]) -> dict[str, t.Any]:
    """A value for each variable of these roles."""
    special = {
        # only one kind of source is allowed
        "instrumented_image_source": {"module": "set-module", "version": "v1.2.3"},
        "instrumented_image_to_load": {"archive": "/set/archive", "reference": "set-reference", "id": "set-id"},
        "failure_evidence_failure": {"task": "set-task", "msg": "set-msg"},
    }
    return {
        name: special.get(name, other_than_default(name, option))
        for role in roles
        for name, option in OPTIONS[role].items()
        if name not in ALONE
    }


def same(one: t.Any, other: t.Any) -> bool:
    """Whether two values are the same; JSON keeps no order of keys, and a variable may be text."""
    return sorted(leaves(one)) == sorted(leaves(other))


def arrived(calls: t.Sequence[recorded_journey.Call], variables: t.Mapping[str, t.Any]) -> None:
    """Check that each variable has its value in each call of its role, and is an argument of one of them."""
    for role in [role for role in ROLES if OPTIONS[role].keys() & variables.keys()]:
        own = [call for call in calls if call["role"] == role]
        assert own, f"{role} was not called"
        given = "\n".join(leaf for call in own for leaf in leaves(call["args"]))
        for name in OPTIONS[role].keys() & variables.keys():
            values = [call["variables"][name] for call in own if name in call["variables"]]
            assert values and all(same(value, variables[name]) for value in values), f"{name}: {values}"
            if name not in NOT_ARGUMENTS:
                assert all(leaf in given for leaf in leaves(variables[name])), f"{name} is in no argument of {role}"


def places(variables: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """Two shares of the variables, of about the same size and with every role in both."""
    shares: list[dict[str, t.Any]] = [{}, {}]
    for index, name in enumerate(sorted(variables)):
        shares[index % 2][name] = variables[name]
    return shares


def test_each_variable_is_taken_from_the_inventory(tmp_path: Path) -> None:
    variables = wanted(JOURNEY)
    of_group, of_host = places(variables)
    calls, answer = recorded_journey.run(
        tmp_path,
        "service.yml",
        group_vars={**common(tmp_path), **of_group},
        host_vars=of_host,
        fails="e2e_tests_outcome",
    )
    assert "e2e_tests_outcome fails, as the test wants it" in answer.stdout, answer.stdout[-3000:] + answer.stderr
    # failure_evidence_fails is false, so the failure is left to whoever set it
    assert answer.returncode == 0, answer.stdout[-3000:]
    arrived(calls, variables)


def test_each_variable_is_taken_from_vars_and_from_the_command_line(tmp_path: Path) -> None:
    variables = wanted(JOURNEY)
    of_play, of_line = places(variables)
    calls, answer = recorded_journey.run(
        tmp_path,
        "service.yml",
        *("-e", json.dumps(of_line)),
        play_vars={**common(tmp_path), **of_play},
        fails="e2e_tests_outcome",
    )
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr
    arrived(calls, variables)


def test_each_variable_of_the_runner_is_taken_from_the_inventory(tmp_path: Path) -> None:
    # the whole set disables the node image: what is done with it shows in the second run
    variables = wanted(["coverage_runner"])
    calls, answer = recorded_journey.run(tmp_path / "all", "runner.yml", group_vars=variables)
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr
    enabled = {**variables, "coverage_runner_node_image_enabled": True}
    more, answer = recorded_journey.run(tmp_path / "enabled", "runner.yml", host_vars=enabled)
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr
    arrived(more, enabled)
    assert not [call for call in calls if call["module"] == "image"]
    assert [call for call in more if call["module"] == "image"]


def test_each_variable_of_a_snapshot_is_taken_from_the_inventory(tmp_path: Path) -> None:
    variables = wanted(["coverage_snapshot"])
    calls, answer = recorded_journey.run(tmp_path, "snapshot.yml", group_vars=variables)
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr
    arrived(calls, variables)


def test_each_variable_of_a_suite_is_taken_from_the_inventory(tmp_path: Path) -> None:
    variables = wanted(["e2e_suite"])
    calls, answer = recorded_journey.run(tmp_path, "suite.yml", group_vars=variables)
    # recorded reports miss their thresholds, and that ends a run whose suite passed
    assert "Enforce the thresholds" in answer.stdout, answer.stdout[-3000:] + answer.stderr
    arrived(calls, variables)


def test_another_state_of_the_runner_is_taken_from_the_inventory(tmp_path: Path) -> None:
    calls, answer = recorded_journey.run(
        tmp_path, "runner.yml", "--check", group_vars={**ALONE, "coverage_runner_cache_dir": str(tmp_path / "none")}
    )
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr
    assert {call["variables"]["coverage_runner_state"] for call in calls} == {"absent"}
    assert {call["args"]["state"] for call in calls if call["module"] == "runner_tool"} == {"absent"}


def test_what_is_no_argument_is_a_variable() -> None:
    assert NOT_ARGUMENTS.keys() <= {name for role in ROLES for name in OPTIONS[role]}
