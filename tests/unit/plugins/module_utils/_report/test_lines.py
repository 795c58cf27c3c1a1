# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Coverage by line, and that damaged positions do not make files of any size."""

from __future__ import annotations

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import Profile
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.text_reader import join, parse_text_profile
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.lines import (
    OF_STATEMENT,
    SPARE,
    USUAL,
    cobertura,
    count_lines,
    find_functions,
    lcov,
)


def profile(rows: str) -> Profile:
    return join(None, [parse_text_profile(b"mode: count\n" + rows.encode())])[0]


def test_a_line_ran_as_often_as_the_most_often_run_block_on_it() -> None:
    lines = count_lines(profile("m/a.go:1.1,3.2 1 5\nm/a.go:3.3,4.2 1 7\nm/a.go:4.3,4.9 1 0\nm/a.go:6.1,6.9 0 9\n"))
    assert dict(zip(lines.line.tolist(), lines.hits.tolist(), strict=True)) == {1: 5, 2: 5, 3: 7, 4: 7, 6: 9}


@pytest.mark.parametrize("end", [1 << 17, 1 << 20, 0xFFFFFFFF])
def test_damaged_positions_make_no_millions_of_lines(end: int) -> None:
    """Found by the fuzzer: 200 blocks of 2^20 lines each were several GB."""
    damaged = profile("".join(f"m/a.go:{line}.1,{end}.2 1 1\n" for line in range(1, 201)))
    lines = count_lines(damaged)
    most = SPARE + (USUAL + OF_STATEMENT) * 200
    assert len(lines.line) <= most
    assert lines.line[0] == 1
    (problem,) = lines.problems("m")
    assert (problem.kind, problem.severity) == ("lines-left-out", "warning")
    assert f"-{end}" in problem.sentence
    functions = find_functions(damaged)
    assert len(lcov(damaged, lines, functions)) < 64 * most
    assert "m/a.go" in cobertura(damaged, lines, functions, 0)


def test_a_long_function_counts_on_all_of_its_lines() -> None:
    assert len(count_lines(profile("m/a.go:1.1,5000.2 1 1\n")).line) == 5000
