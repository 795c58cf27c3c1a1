# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containerfiles that instrument: computed, not forked; every line of the given one is still there."""

from __future__ import annotations

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.containerfile import parse
from ansible_collections.kubernaut.coverage.plugins.module_utils._suite.instrument import instrumented, with_flags

FLAGS = 'ENV GOFLAGS="-cover -covermode=atomic"'


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", "-cover -covermode=atomic"),
        ("-mod=vendor", "-mod=vendor -cover -covermode=atomic"),
        ("-cover", "-cover -covermode=atomic"),
        ("-cover -covermode=set", "-cover -covermode=set"),
        ("-coverpkg=./...", "-coverpkg=./... -cover -covermode=atomic"),
        ("--cover", "--cover -covermode=atomic"),
    ],
)
def test_flags_are_added_and_none_is_changed(given: str, expected: str) -> None:
    assert with_flags(given) == expected


def test_stages_that_run_something_get_the_flags() -> None:
    text = "FROM golang AS build\nRUN go build -o /app .\nFROM scratch\nCOPY --from=build /app /app\n"
    assert instrumented(text).splitlines() == [
        "FROM golang AS build",
        FLAGS,
        "RUN go build -o /app .",
        "FROM scratch",
        "COPY --from=build /app /app",
    ]


def test_flags_of_the_stage_are_kept() -> None:
    text = "FROM golang\nENV CGO_ENABLED=0 \\\n    GOFLAGS=-mod=vendor\nRUN go build\n"
    assert instrumented(text).splitlines()[4] == 'ENV GOFLAGS="-mod=vendor -cover -covermode=atomic"'


def test_flags_of_the_base_image_are_kept() -> None:
    found = instrumented("FROM toolset\nRUN go build\n", {"toolset": "-mod=mod"}.__getitem__)
    assert found.splitlines()[1] == 'ENV GOFLAGS="-mod=mod -cover -covermode=atomic"'


def test_a_stage_that_is_based_on_another_has_its_flags_from_there() -> None:
    def inherited(base: str) -> str:
        assert base == "golang"  # never asked for the name of a stage
        return ""

    text = "FROM golang AS base\nRUN true\nFROM base\nRUN go build\n"
    assert instrumented(text, inherited).count(FLAGS) == 2


def test_a_from_line_that_goes_on_is_not_cut() -> None:
    assert instrumented("FROM golang \\\n  AS build\nRUN true\n").splitlines()[2] == FLAGS


def test_nothing_is_added_inside_a_here_document() -> None:
    text = "FROM golang\nRUN <<EOF\nENV GOFLAGS=-x\nFROM nothing\nEOF\n"
    changed = instrumented(text)
    assert changed.replace(f"{FLAGS}\n", "", 1) == text
    assert len(parse(changed).stages) == 1


SWITCH = 'FROM golang\nARG GOFLAGS={}\nRUN if [ "$GOFLAGS" = -cover ]; then go build; else go build -a; fi\n'


@pytest.mark.parametrize(
    ("default", "given"),
    [('""', {"GOFLAGS": "-cover"}), ("-cover", {}), ("", {"GOFLAGS": "-mod=mod -cover -covermode=set"})],
)
def test_a_stage_that_has_the_switch_of_its_own_on_is_as_it_is(default: str, given: dict[str, str]) -> None:
    text = SWITCH.format(default)
    assert instrumented(text, given=given) == text


@pytest.mark.parametrize(
    ("default", "given", "flags"),
    [
        ('""', {}, ""),
        ("-cover", {"GOFLAGS": ""}, ""),
        ("-trimpath", {}, "-trimpath "),
        ("-trimpath", {"GOFLAGS": "-mod=vendor"}, "-mod=vendor "),
        ("", {"GOFLAGS": "-cover=false"}, "-cover=false "),
    ],
)
def test_flags_of_an_argument_are_kept(default: str, given: dict[str, str], flags: str) -> None:
    expected = f'ENV GOFLAGS="{with_flags(flags)}"'
    assert instrumented(SWITCH.format(default), given=given).splitlines()[1] == expected


def test_an_argument_that_a_stage_does_not_declare_is_not_its_own() -> None:
    text = "FROM golang AS a\nRUN go build\nFROM golang\nARG GOFLAGS\nRUN go build\n"
    assert instrumented(text, given={"GOFLAGS": "-cover"}).count(FLAGS) == 1
