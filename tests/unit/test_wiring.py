# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of the wiring is what the roles say, and each key of the contract is read where it says."""

from __future__ import annotations

import pytest
import wiring

WIRING = wiring.edges()
# Keys that no default reads, and why
ELSEWHERE = {
    "dependencies": "resolved for each component: coverage_component.dependencies",
    "components": "resolved into coverage_run.components",
}


def reads(path: str, key: str) -> bool:
    """Whether a default that reads C(path) reads C(key): it itself, or a dictionary that it is in."""
    return key == path or key.startswith(f"{path}.")


def test_the_page_is_up_to_date() -> None:
    assert wiring.PAGE.read_text(encoding="utf-8") == wiring.page(WIRING, wiring.specification()), "make docs writes it"


@pytest.mark.parametrize("key", sorted(wiring.keys(wiring.specification())))
def test_each_key_is_read_by_one_variable_of_a_role(key: str) -> None:
    read = {
        role: [edge.variable for edge in edges if any(reads(path, key) for path in edge.keys)]
        for role, edges in WIRING.items()
        # that role checks what the others are given
        if role != "preflight"
    }
    if key in ELSEWHERE:
        assert not any(read.values()), ELSEWHERE[key]
    else:
        assert any(read.values()), f"no default reads {key}"
    assert all(len(variables) <= 1 for variables in read.values()), read


def test_each_key_that_a_default_reads_is_one_of_the_contract() -> None:
    # the folder of the sources, which the contract's paths are resolved with
    known = [*wiring.keys(wiring.specification()), "tests.job.context"]
    read = [(edge.variable, path) for edges in WIRING.values() for edge in edges for path in edge.keys]
    assert read
    assert [(variable, path) for variable, path in read if not any(reads(path, key) for key in known)] == []


def test_each_variable_that_reads_the_contract_reaches_a_module() -> None:
    unused = [edge.variable for edges in WIRING.values() for edge in edges if edge.keys and not edge.options]
    assert unused == []
