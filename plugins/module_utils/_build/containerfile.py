# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""A Containerfile read as podman reads it, with the line of everything, and the shell code of its RUN instructions.

Own, because no maintained library fits: C(dockerfile-parse) knows no heredocs (its issue 145) and gives an instruction
as one joined line, so that what is in the middle of a long RUN has no line of its own. Lenient: lines that
are not instructions are skipped; whether the file builds is for podman to decide. Source of truth: the Dockerfile
reference, and where podman differs from it (arguments of a stage that builds on another), what podman 4.3 did.
"""

from __future__ import annotations

import json
import re
import shlex
import typing as t
from dataclasses import dataclass, field

KEYWORDS = frozenset(
    [
        "ADD",
        "ARG",
        "CMD",
        "COPY",
        "ENTRYPOINT",
        "ENV",
        "EXPOSE",
        "FROM",
        "HEALTHCHECK",
        "LABEL",
        "MAINTAINER",
        "ONBUILD",
        "RUN",
        "SHELL",
        "STOPSIGNAL",
        "USER",
        "VOLUME",
        "WORKDIR",
    ]
)
WITH_HEREDOC = ("RUN", "COPY", "ADD")
HEREDOC = re.compile(r"(?<!<)<<(-?)([\"']?)([A-Za-z_][A-Za-z0-9_]*)\2")


@dataclass(frozen=True)
class Text:
    """Text of which each character's line in the file is known. C(starts): (offset, line), ascending."""

    value: str
    starts: tuple[tuple[int, int], ...]

    def line(self, offset: int) -> int:
        """Return the line, from 1, of the character at that offset."""
        return max((line for start, line in self.starts if start <= offset), default=self.starts[0][1])


@dataclass(frozen=True)
class Instruction:
    """One instruction. C(heredocs): its here-documents by name, without the end marks."""

    name: str
    text: Text
    line: int
    flags: tuple[str, ...] = ()
    heredocs: tuple[tuple[str, Text], ...] = ()

    @property
    def value(self) -> str:
        """The arguments, continuation lines joined."""
        return self.text.value.strip()

    def scripts(self) -> list[Text]:
        """Return the shell code of a RUN: its own, or that of its here-documents where they are the script."""
        words = self.exec_form()
        if words is not None:
            return [Text(shlex.join(words), ((0, self.line),))]
        if self.heredocs and re.match(r"(/bin/)?((ba|da|a)?sh\b[\s\w-]*)?<<", self.value):
            return [body for _name, body in self.heredocs]
        return [self.text]

    def exec_form(self) -> t.Optional[list[str]]:
        """Return the words of the JSON form, or None where it is the shell form."""
        try:
            words = json.loads(self.value)
        except ValueError:
            return None
        return words if isinstance(words, list) and all(isinstance(word, str) for word in words) else None

    def variables(self) -> dict[str, t.Optional[str]]:
        """Return what ARG or ENV names: name to value, None for an ARG without one."""
        words = [value for kind, _raw, value, _offset in tokens(self.text.value) if kind == "word"]
        if self.name == "ENV" and words and "=" not in words[0]:
            return {words[0]: " ".join(words[1:])}  # the old form, ENV NAME value
        pairs = (word.partition("=") for word in words)
        return {name: (value if equals else None) for name, equals, value in pairs}


@dataclass
class Stage:
    """One stage. C(base) is an image or the name of an earlier stage."""

    index: int
    base: str
    name: str
    line: int
    instructions: list[Instruction] = field(default_factory=list)
    platform: str = ""

    def named(self, *names: str) -> list[Instruction]:
        """Return its instructions of these names."""
        return [item for item in self.instructions if item.name in names]


@dataclass
class Containerfile:
    """C(arguments): the ARGs before the first FROM, which only FROM lines see."""

    stages: list[Stage]
    arguments: list[Instruction]

    def stage(self, name: str) -> t.Optional[Stage]:
        """Return a stage by name or number."""
        for item in self.stages:
            if name and (item.name.lower() == name.lower() or str(item.index) == name):
                return item
        return None

    def final(self, target: str = "") -> t.Optional[Stage]:
        """Return the stage that becomes the image."""
        return self.stage(target) if target else (self.stages[-1] if self.stages else None)

    def ancestry(self, stage: Stage) -> list[Stage]:
        """Return the stage and those that it builds on, itself first."""
        found = [stage]
        while (parent := self.stage(found[-1].base)) is not None and parent.index < found[-1].index:
            found.append(parent)
        return found

    def built(self, target: str = "") -> list[Stage]:
        """Return the stages that the image needs, in the order of the file."""
        wanted, final = set(), self.final(target)
        todo = [final] if final else []
        while todo:
            stage = todo.pop()
            if stage.index in wanted:
                continue
            wanted.add(stage.index)
            names = [stage.base]
            for item in stage.named("COPY", "RUN", "ADD"):
                names += [flag.partition("=")[2] for flag in item.flags if flag.startswith("--from=")]
                names += re.findall(r"--mount=\S*\bfrom=([^,\s]+)", " ".join(item.flags))
            todo += [other for name in names if (other := self.stage(name)) is not None and other.index < stage.index]
        return [stage for stage in self.stages if stage.index in wanted]


def parse(text: str) -> Containerfile:
    """Read a Containerfile."""
    lines = text.lstrip("\ufeff").splitlines()
    escape = "\\"
    for line in lines:
        directive = re.fullmatch(r"#\s*(\w+)\s*=\s*(\S+)\s*", line)
        if not directive:
            break
        if directive[1].lower() == "escape":
            escape = directive[2]
    result = Containerfile([], [])
    number = 0
    while number < len(lines):
        first = re.match(r"\s*([A-Za-z]+)(?=\s|$)", lines[number])
        if not first or first[1].upper() not in KEYWORDS:
            number += 1
            continue
        instruction, number = _instruction(lines, number, first, escape)
        if instruction.name == "FROM":
            result.stages.append(_stage(len(result.stages), instruction, result.arguments))
        elif result.stages:
            result.stages[-1].instructions.append(instruction)
        elif instruction.name == "ARG":
            result.arguments.append(instruction)
    return result


def _instruction(lines: t.Sequence[str], number: int, first: re.Match[str], escape: str) -> tuple[Instruction, int]:
    """Read one instruction that starts at C(number); return it and the number of the line after it."""
    start = number
    value, starts = "", []
    line = lines[number][first.end() :]
    while True:
        bare = line.rstrip()
        goes_on = bare.endswith(escape)
        starts.append((len(value), number + 1))
        value += (bare[:-1] if goes_on else line) + (" " if goes_on else "")
        number += 1
        # comments and empty lines between continued lines do not end them
        while goes_on and number < len(lines) and re.match(r"\s*(#|$)", lines[number]):
            number += 1
        if not goes_on or number >= len(lines):
            break
        line = lines[number]
    name = first[1].upper()
    heredocs = []
    if name in WITH_HEREDOC:
        for mark in HEREDOC.finditer(value):
            body, body_starts = "", []
            while number < len(lines):
                content = lines[number].lstrip("\t") if mark[1] else lines[number]
                number += 1
                if content == mark[3]:
                    break
                body_starts.append((len(body), number))
                body += content + "\n"
            heredocs.append((mark[3], Text(body, tuple(body_starts) or ((0, number),))))
    flags = []
    blanked = value
    while found := re.match(r"\s*(--[a-z][\w-]*(=(\"[^\"]*\"|'[^']*'|\S)*)?)(?=\s|$)", blanked):
        flags.append(found[1])
        blanked = " " * found.end() + blanked[found.end() :]
    return Instruction(name, Text(blanked, tuple(starts)), start + 1, tuple(flags), tuple(heredocs)), number


def _stage(index: int, instruction: Instruction, arguments: t.Sequence[Instruction]) -> Stage:
    known = {name: value or "" for item in arguments for name, value in item.variables().items()}
    words = expand(instruction.value, known).split()
    name = words[2] if len(words) > 2 and words[1].lower() == "as" else ""
    platform = next((flag.partition("=")[2] for flag in instruction.flags if flag.startswith("--platform=")), "")
    return Stage(index, words[0] if words else "", name, instruction.line, platform=expand(platform, known))


def expand(text: str, values: t.Mapping[str, str]) -> str:
    """Return the text with C($NAME), C(${NAME}) and C(${NAME:-default}) replaced where the value is known."""

    def value(match: re.Match[str]) -> str:
        name, default = match[1] or match[3], match[2]
        return values.get(name) or default or ("" if name in values else match[0])

    return re.sub(r"\$(?:\{(\w+)(?::-([^}]*))?\}|(\w+))", value, text)


# Shell code


@dataclass(frozen=True)
class Word:
    """One word: as it is written, and without its quotes."""

    raw: str
    value: str
    offset: int


@dataclass(frozen=True)
class Case:
    """A branch of C(case subject in patterns) ...): C(earlier) are the patterns of the branches before it."""

    subject: str
    patterns: tuple[str, ...]
    earlier: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class Command:
    """One simple command. C(branch): the conditions that it hangs on, outermost first, as C((id, "then"))."""

    words: tuple[Word, ...]
    assignments: tuple[tuple[str, str], ...]
    line: int
    offset: int
    branch: tuple[tuple[int, str], ...] = ()
    cases: tuple[Case, ...] = ()

    @property
    def values(self) -> list[str]:
        """Its words without quotes, assignments before it left out."""
        return [word.value for word in self.words]


OPERATOR = re.compile(r"\s+|&&|\|\||;;|[;|&()]|\n")
# one piece of a word: quoted, escaped, substituted, or plain
PIECE = re.compile(
    r"'(?P<single>[^']*)'|\"(?P<double>(?:\\.|[^\"\\])*)\"|\\(?P<escaped>.)|(?P<variable>\$\{[^}]*\}|\$\((?:[^()]|\([^()]*\))*\)|`[^`]*`)"
    r"|(?P<plain>[^\s;|&()'\"\\$`]+|[$\"'`\\])",
    re.DOTALL,
)
BEFORE = frozenset(["then", "else", "elif", "if", "do", "while", "until", "!", "{", "time", "fi", "done"])


def tokens(script: str) -> t.Iterator[tuple[str, str, str, int]]:
    """Yield (C(word) or C(operator), raw, value, offset) of shell code; comments are left out."""
    position = 0
    while position < len(script):
        if script[position] == "#":
            end = script.find("\n", position)
            position = len(script) if end < 0 else end
            continue
        operator = OPERATOR.match(script, position)
        if operator:
            if operator[0].strip():
                yield "operator", operator[0], operator[0], position
            elif "\n" in operator[0]:
                yield "operator", "\n", "\n", position
            position = operator.end()
            continue
        start, value = position, ""
        while position < len(script) and (piece := PIECE.match(script, position)):
            kind = str(piece.lastgroup)
            text = piece[kind]
            value += re.sub(r"\\([\"\\$`])", r"\1", text) if kind == "double" else text
            position = piece.end()
        if position == start:  # cannot be: every character is some piece or operator
            position += 1
        yield "word", script[start:position], value, start


def commands(script: Text) -> list[Command]:
    """Return the simple commands of shell code with their lines and the branches of C(if) and C(case) they stand in.

    :arg script: code of a RUN instruction. Loops are not followed: their commands count as commands.
    """
    return _Commands(script).read()


class _Commands:
    """Shell code, read word by word."""

    def __init__(self, script: Text) -> None:
        self.script = script
        self.found: list[Command] = []
        self.branch: list[tuple[int, str]] = []
        self.cases: list[Case] = []
        self.patterns: t.Optional[list[str]] = None  # of the next branch of a case, while they are read
        self.words: list[Word] = []
        self.assignments: list[tuple[str, str]] = []
        self.offset = 0
        self.conditions = 0

    def read(self) -> list[Command]:
        """Return the commands."""
        for kind, raw, value, offset in tokens(self.script.value):
            if self.patterns is not None and raw != "esac":
                self._pattern(kind, raw, value)
            elif kind == "operator":
                self._end()
                if raw == ";;" and self.cases:
                    self.patterns = []
            else:
                self._word(raw, value, offset)
        self._end()
        return self.found

    def _pattern(self, kind: str, raw: str, value: str) -> None:
        patterns = self.patterns if self.patterns is not None else []
        if kind == "word":
            patterns.append(value)
        elif raw == ")" and patterns:
            self.cases[-1] = Case(
                self.cases[-1].subject,
                tuple(patterns),
                (*self.cases[-1].earlier, *self.cases[-1].patterns),
                self.cases[-1].line,
            )
            self.patterns = None

    def _word(self, raw: str, value: str, offset: int) -> None:
        if raw == "esac":
            self._end()
            self.patterns = None
            self.cases = self.cases[:-1]
            return
        if not self.words and not self.assignments:
            self.offset = offset
            if raw in BEFORE or raw == "}":
                self._keyword(raw)
                return
        assignment = re.match(r"([A-Za-z_]\w*)=", raw) if not self.words else None
        if assignment:
            self.assignments.append((assignment[1], value[assignment.end() :]))
            return
        self.words.append(Word(raw, value, offset))
        if len(self.words) == 3 and self.words[0].raw == "case" and raw == "in":
            self.cases.append(Case(self.words[1].value, (), (), self.script.line(self.offset)))
            self.words, self.patterns = [], []

    def _keyword(self, raw: str) -> None:
        if raw == "if":
            self.conditions += 1
            self.branch.append((self.conditions, "condition"))
        elif self.branch and raw in ("then", "else", "elif"):
            self.branch[-1] = (self.branch[-1][0], "condition" if raw == "elif" else raw)
        elif self.branch and raw == "fi":
            self.branch.pop()

    def _end(self) -> None:
        if self.words or self.assignments:
            offset = self.words[0].offset if self.words else self.offset
            self.found.append(
                Command(
                    tuple(self.words),
                    tuple(self.assignments),
                    self.script.line(offset),
                    offset,
                    tuple(self.branch),
                    tuple(self.cases),
                )
            )
        self.words, self.assignments = [], []
