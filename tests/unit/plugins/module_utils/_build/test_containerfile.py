# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containerfiles as podman reads them: continuations, comments in between, here-documents, stages, lines of all."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._build import containerfile as lib
from hypothesis import given
from hypothesis import strategies as st

TYPICAL = r"""# syntax=docker/dockerfile:1
ARG TAG=1.25
from golang:${TAG} as Builder
ARG GOFLAGS="" GOARCH
RUN dnf update -y && \
    # a comment between
    dnf install -y git && \

    dnf clean all
COPY --chown=1001:0 . .
RUN --mount=type=cache,target=/root/.cache \
    go build -o /svc ./cmd/svc
FROM scratch
COPY --from=builder /svc /svc
ENV A=1 B="two words"
ENV OLD form of it
ENTRYPOINT ["/svc", "--flag"]
"""


def test_instructions_with_their_lines() -> None:
    file = lib.parse(TYPICAL)
    assert [(stage.index, stage.base, stage.name, stage.line) for stage in file.stages] == [
        (0, "golang:1.25", "Builder", 3),
        (1, "scratch", "", 13),
    ]
    assert [(item.name, item.line) for item in file.stages[0].instructions] == [
        ("ARG", 4),
        ("RUN", 5),
        ("COPY", 10),
        ("RUN", 11),
    ]
    assert [item.variables() for item in file.arguments] == [{"TAG": "1.25"}]
    assert file.stages[0].instructions[0].variables() == {"GOFLAGS": "", "GOARCH": None}
    assert file.stages[0].instructions[3].flags == ("--mount=type=cache,target=/root/.cache",)


def test_commands_of_a_run_have_the_lines_that_they_stand_in() -> None:
    file = lib.parse(TYPICAL)
    found = [(part.values[:2], part.line) for part in lib.commands(file.stages[0].instructions[1].text)]
    assert found == [(["dnf", "update"], 5), (["dnf", "install"], 7), (["dnf", "clean"], 9)]
    build = lib.commands(file.stages[0].instructions[3].text)[0]
    assert (build.values, build.line) == (["go", "build", "-o", "/svc", "./cmd/svc"], 12)


def test_values_and_forms() -> None:
    final = lib.parse(TYPICAL).stages[1]
    assert [item.variables() for item in final.named("ENV")] == [{"A": "1", "B": "two words"}, {"OLD": "form of it"}]
    assert final.named("ENTRYPOINT")[0].exec_form() == ["/svc", "--flag"]
    assert lib.parse("FROM x\nCMD /svc --flag\n").stages[0].instructions[0].exec_form() is None
    assert lib.parse("FROM x\nCMD ['/svc']\n").stages[0].instructions[0].exec_form() is None


def test_a_here_document_belongs_to_its_instruction() -> None:
    file = lib.parse(
        "FROM debian\nRUN <<EOF\nFROM is a word here\nGOFLAGS= go build ./x\nEOF\n"
        'COPY <<-"A" <<B /usr/bin/\n\tone\n\tA\ntwo\nB\nUSER 1\n'
    )
    assert len(file.stages) == 1
    run, copy, user = file.stages[0].instructions
    assert [(name, body.value) for name, body in copy.heredocs] == [("A", "one\n"), ("B", "two\n")]
    assert (user.name, user.line) == ("USER", 11)
    build = lib.commands(run.scripts()[0])[1]
    assert (build.values, dict(build.assignments), build.line) == (["go", "build", "./x"], {"GOFLAGS": ""}, 4)


def test_a_here_string_is_no_here_document() -> None:
    file = lib.parse("FROM x\nRUN cat <<< EOF\nUSER 1\n")
    assert [item.name for item in file.stages[0].instructions] == ["RUN", "USER"]


def test_another_escape_character() -> None:
    file = lib.parse("# escape=`\nFROM x\nRUN one `\n two\nUSER a\\\n")
    assert [(item.name, item.value) for item in file.stages[0].instructions] == [("RUN", "one   two"), ("USER", "a\\")]


def test_stages_that_are_built() -> None:
    file = lib.parse(
        "FROM a AS base\nFROM base AS one\nFROM b AS unused\nFROM c AS two\n"
        "RUN --mount=type=bind,from=one,target=/x y\nFROM scratch\nCOPY --from=3 /a /a\n"
    )
    assert [stage.name for stage in file.built()] == ["base", "one", "two", ""]
    assert [stage.name for stage in file.built("one")] == ["base", "one"]
    assert file.built("none") == []
    assert [stage.name for stage in file.ancestry(file.stages[1])] == ["one", "base"]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", []),
        ("\n\n", []),
        ("# only a comment", []),
        ("RUN x", []),
        ("FROM", [("", [])]),
        ("FROM a\nRUN \\", [("a", [("RUN", "")])]),
        ("FROM a\nRUN <<EOF\nx", [("a", [("RUN", "<<EOF")])]),
    ],
)
def test_what_is_no_whole_file_is_read_as_far_as_it_goes(text: str, read: list[t.Any]) -> None:
    file = lib.parse(text)
    assert [(stage.base, [(item.name, item.value) for item in stage.instructions]) for stage in file.stages] == read


def test_branches_of_an_if() -> None:
    script = lib.Text(
        'if [ "$A" = "x" ]; then one; elif two; then three; else four && if five; then six; fi; fi; seven', ((0, 1),)
    )
    found = {part.values[0]: part.branch for part in lib.commands(script)}
    assert found["["] == ((1, "condition"),)
    assert found["one"] == ((1, "then"),)
    assert found["four"] == ((1, "else"),)
    assert found["six"] == ((1, "else"), (2, "then"))
    assert found["seven"] == ()


def test_words_without_their_quotes() -> None:
    script = lib.Text(
        """A="x y" B='$z' go build -ldflags='-w -s -extldflags "-static"' "a \\"b\\"" c\\ d # no more""", ((0, 1),)
    )
    command = lib.commands(script)[0]
    assert command.assignments == (("A", "x y"), ("B", "$z"))
    assert command.values == ["go", "build", '-ldflags=-w -s -extldflags "-static"', 'a "b"', "c d"]


def test_known_variables_are_filled_in() -> None:
    values = {"A": "1", "E": ""}
    assert lib.expand("$A ${A} ${B:-two} ${E:-three} [$E] $C", values) == "1 1 two three [] $C"


@given(st.text(alphabet=st.sampled_from("ab $\"'\\`;|&(){}<#=\n-[]"), max_size=60))
def test_no_text_is_too_odd(text: str) -> None:
    script = lib.Text(text, ((0, 1),))
    offsets = [command.offset for command in lib.commands(script)]
    assert all(0 <= offset < max(1, len(text)) for offset in offsets)
    assert offsets == sorted(offsets)
    for file in (lib.parse(f"FROM a\nRUN {text}\nENV {text}\n"), lib.parse(f"FROM a\nENV {text}")):
        assert file.stages[0].base == "a"
        variables = [item.variables() for stage in file.stages for item in stage.instructions]
        assert len(variables) == sum(len(stage.instructions) for stage in file.stages)
