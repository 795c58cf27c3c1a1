# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What a Containerfile gives to Go: every C(go build) of it, its flags, and what they are compared with.

The shell code of a RUN is read, not run. Of conditions only one kind is understood: an exact comparison of GOFLAGS with
a value. What any other condition, or a variable of the shell, decides is unknown and reported so: the image that is
built is proved afterwards anyway.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
import typing as t
from collections import Counter
from dataclasses import dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._build.containerfile import (
    Case,
    Command,
    Containerfile,
    Stage,
    Word,
    commands,
    expand,
)

COVER_FLAG = re.compile(r"--?cover(=true|mode=\S+|pkg=\S+)?$")
# flags of "go build" that take their value as a word of its own
WITH_VALUE = (
    *("-C", "-o", "-p", "-asmflags", "-buildmode", "-compiler", "-coverpkg", "-covermode", "-gccgoflags", "-gcflags"),
    *("-installsuffix", "-ldflags", "-mod", "-modfile", "-overlay", "-pgo", "-pkgdir", "-tags", "-toolexec"),
)
# which shell sh is in base images; it decides whether a program takes its place, and what [ and [[ understand
SH_OF_BASE = (
    (r"alpine|(^|/)busybox", "busybox"),
    (r"(^|/)(ubi\d*|rhel|fedora|centos|rockylinux|almalinux)(/|:|$)|(^|/)(ubi-|go-toolset)", "bash"),
    (r"(^|/)(debian|ubuntu|golang|buildpack-deps)(:|$)", "dash"),
)
GOFLAGS = re.compile(r"\$(?:\{GOFLAGS\}|GOFLAGS\b)")
NOT_KNOWN = "$?"  # of GOFLAGS: a condition decides


@dataclass(frozen=True)
class Lint:
    """What is known besides the file itself.

    :ivar shown: the Containerfile as it is called in findings. :ivar context: folder of the build.
    :ivar build_args: those given to the build. :ivar architecture: of this host, in Go's words.
    :ivar as_non_root: whether the workload sets runAsNonRoot without runAsUser.
    :ivar replaced: whether the workload has a command of its own in place of the entrypoint.
    """

    file: Containerfile
    shown: str
    context: str = "."
    target: str = ""
    build_args: t.Mapping[str, str] = field(default_factory=dict)
    architecture: str = "amd64"
    as_non_root: bool = False
    replaced: bool = False

    def at(self, line: int) -> str:
        """Return C(file:line)."""
        return f"{self.shown}:{line}"


@dataclass(frozen=True)
class Compared:
    """An exact comparison of GOFLAGS: its line, the value that it is compared with, and what it gives."""

    line: int
    value: str
    equal: bool


@dataclass(frozen=True)
class GoBuild:
    """One C(go build) or C(go install).

    :ivar words: what follows the verb. :ivar goflags: of its environment. :ivar lost: why those are not the given ones.
    :ivar reached: whether it is run; None where a condition decides that is not understood.
    :ivar compared: the exact comparisons of GOFLAGS that it depends on.
    :ivar goarch_written: how the script sets GOARCH.
    """

    stage: Stage
    command: Command
    line: int
    verb: str
    words: tuple[str, ...]
    goflags: str
    lost: str
    reached: t.Optional[bool]
    compared: tuple[Compared, ...] = ()
    goarch: str = ""
    goarch_from: str = ""
    goarch_written: str = ""

    @property
    def arguments(self) -> list[str]:
        """What is built: the words after the flags."""
        rest = list(self.words)
        while rest and rest[0].startswith("-"):
            flag = rest.pop(0)
            if flag.replace("--", "-", 1) in WITH_VALUE and rest:
                rest.pop(0)
        return rest

    @property
    def covered(self) -> t.Optional[bool]:
        """Whether it is instrumented; None where a variable of the shell decides."""
        flags = self.goflags.split()
        if any(COVER_FLAG.match(flag) for flag in [*self.words, *flags]):
            return True
        unknown = any(word.startswith("$") for word in [*self.words, *flags] if "GOFLAGS" not in word)
        return None if unknown else False


def shell_of(lint: Lint, stage: Stage) -> str:
    """Return which shell a stage's RUN is given to, C(bash), C(dash) or C(busybox), "" where that is not known."""
    ancestry = lint.file.ancestry(stage)
    for ancestor in ancestry:
        for item in reversed(ancestor.named("SHELL")):
            name = posixpath.basename((item.exec_form() or [""])[0])
            if name != "sh":
                return name
    return next((shell for pattern, shell in SH_OF_BASE if re.search(pattern, ancestry[-1].base)), "")


def environment(lint: Lint, stage: Stage, until: int) -> tuple[dict[str, str], dict[str, int]]:
    """Return the environment that RUN sees before the instruction at index C(until), and the line of each variable.

    Build arguments reach the stage that declares them only (podman); ENV also those that build on it, and wins.
    """
    file = lint.file
    arguments: dict[str, str] = {}
    variables: dict[str, str] = {}
    lines: dict[str, int] = {}
    defaults = {name: value or "" for item in file.arguments for name, value in item.variables().items()}
    for ancestor in reversed(file.ancestry(stage)):
        arguments = {}
        for index, item in enumerate(ancestor.instructions):
            if ancestor is stage and index >= until:
                break
            if item.name == "ARG":
                for name, default in item.variables().items():
                    given = lint.build_args.get(name, defaults.get(name) if default is None else default)
                    if given is None and name in ("TARGETARCH", "BUILDARCH"):
                        given = lint.architecture
                    if given is not None:
                        arguments[name] = expand(given, {**arguments, **variables})
                    lines.setdefault(name, item.line)
            elif item.name == "ENV":
                for name, value in item.variables().items():
                    variables[name] = expand(value or "", {**arguments, **variables})
                    lines[name] = item.line
    return {**arguments, **variables}, lines


def go_builds(lint: Lint) -> list[GoBuild]:
    """Return every C(go build) and C(go install) of the stages that the image needs."""
    found = []
    for stage in lint.file.built(lint.target):
        for index, item in enumerate(stage.instructions):
            if item.name == "RUN":
                values, lines = environment(lint, stage, index)
                for script in item.scripts():
                    found += _builds_in(lint, stage, commands(script), values, lines)
    return found


@dataclass(frozen=True)
class _Set:
    """GOFLAGS or GOARCH as a command of the script sets it; C(why) is for who loses the flags by it."""

    command: Command
    name: str
    value: str
    why: str


def _builds_in(
    lint: Lint, stage: Stage, script: t.Sequence[Command], values: t.Mapping[str, str], lines: t.Mapping[str, int]
) -> list[GoBuild]:
    compared = _comparisons(script, lint.build_args.get("GOFLAGS", ""))
    lost = _lost_before(lint, stage, values, lines)
    settings: list[_Set] = []
    found = []
    for command in script:
        settings += _settings(command)
        own, unset, words = _called(command)
        if len(words) < 2 or posixpath.basename(words[0]) != "go" or _verb(words) not in ("build", "install"):
            continue
        local, why = _in_force(command, settings, values, lost)
        if "GOFLAGS" in own:
            before, local["GOFLAGS"] = local.get("GOFLAGS"), expand(own["GOFLAGS"], local)
            if local["GOFLAGS"] != before:
                why = f"line {command.line} sets its own GOFLAGS for go, '{own['GOFLAGS']}'"
        if unset:
            local["GOFLAGS"], why = "", f"line {command.line} removes GOFLAGS from the environment"
        arch = expand(own.get("GOARCH", ""), local) or local.get("GOARCH", "")
        fixed = "GOARCH" in lines and "$" in own.get("GOARCH", "$")
        found.append(
            GoBuild(
                stage=stage,
                command=command,
                line=command.line,
                verb=_verb(words),
                words=tuple(_split(command.words[len(command.words) - len(words) :], words, local)),
                goflags=local.get("GOFLAGS", ""),
                lost=why,
                reached=_reached(command, compared, lint.build_args.get("GOFLAGS", "")),
                compared=(
                    *(compared[number] for number, _side in command.branch if number in compared),
                    *(item for case in command.cases for item in _exact(case, lint.build_args.get("GOFLAGS", ""))),
                ),
                goarch=arch if "$" not in arch else "",
                goarch_from=lint.at(lines["GOARCH"]) if fixed else "",
                goarch_written="" if "GOARCH" in own else _written("GOARCH", settings),
            )
        )
    return found


def _split(words: t.Sequence[Word], texts: t.Sequence[str], values: t.Mapping[str, str]) -> t.Iterator[str]:
    """Yield what follows the verb as a shell passes it on: an unquoted variable can be several words, or none."""
    for word in words[texts.index(_verb(texts)) + 1 :]:
        text = expand(word.value, values)
        if "$" in word.raw and word.raw[0] not in "\"'" and text != word.value:
            yield from text.split()
        else:
            yield text


def _written(name: str, settings: t.Sequence[_Set]) -> str:
    """Return what the script sets a variable to, with the build's own variables as they are written."""
    written: dict[str, str] = {}
    for item in settings:
        written[item.name] = expand(item.value, written)
    return written.get(name, "")


def _settings(command: Command) -> t.Iterator[_Set]:
    """Yield what a command sets for those after it: C(NAME=value), C(export NAME=value), C(unset NAME)."""
    words = command.values
    if not words or words[0] in ("export", "declare", "typeset"):
        pairs = [*command.assignments, *(tuple(word.split("=", 1)) for word in words[1:] if "=" in word)]
        for name, value in pairs:
            yield _Set(command, name, value, f"line {command.line} sets GOFLAGS to '{value}'")
    elif words[0] == "unset":
        for name in words[1:]:
            yield _Set(command, name, "", f"line {command.line} unsets GOFLAGS")


def _in_force(
    command: Command, settings: t.Sequence[_Set], values: t.Mapping[str, str], lost: str
) -> tuple[dict[str, str], str]:
    """Return the variables that a command has, and why it has not the GOFLAGS that are given, or ""."""
    local = dict(values)
    for item in settings:
        above = item.command
        same = command.branch[: len(above.branch)] == above.branch and command.cases[: len(above.cases)] == above.cases
        local[item.name] = expand(item.value, local) if same else NOT_KNOWN
        if item.name == "GOFLAGS" and same:
            lost = item.why
    return local, lost


def _called(command: Command) -> tuple[dict[str, str], bool, list[str]]:
    """Return the variables that a command has of its own, whether it is called without GOFLAGS, and its words.

    What is called by C(env), C(exec), C(time) or C(nice) is the command.
    """
    own, unset, words = dict(command.assignments), False, command.values
    if words[:1] == ["env"]:
        words = words[1:]
        while words and (words[0].startswith("-") or "=" in words[0]):
            option, *words = words
            if option == "-u" and words:
                unset = unset or words[0] == "GOFLAGS"
                words = words[1:]
            elif option in ("-i", "-"):
                unset = True
            elif "=" in option:
                name, _equals, value = option.partition("=")
                own[name] = value
    while words and words[0] in ("exec", "time", "nice"):
        words = words[1:]
    return own, unset, words


def _verb(words: t.Sequence[str]) -> str:
    """Return what Go is called for; C(-C folder) comes before it."""
    rest = list(words[1:])
    while len(rest) > 1 and rest[0].startswith("-C"):
        rest = rest[2:] if rest[0] == "-C" else rest[1:]
    return rest[0]


def _comparisons(script: t.Sequence[Command], given: str) -> dict[int, Compared]:
    """Return by the number of its C(if) each test that is nothing but one exact comparison of GOFLAGS."""
    found: dict[int, Compared] = {}
    tests = Counter(command.branch[-1][0] for command in script if _is_condition(command))
    for command in filter(_is_condition, script):
        number = command.branch[-1][0]
        words = [word for word in command.values if word not in ("[", "]", "[[", "]]", "test")]
        if tests[number] > 1 or len(words) != 3 or words[1] not in ("=", "==", "!="):
            continue
        here = [word for word in (words[0], words[2]) if GOFLAGS.search(word)]
        value = next((word for word in (words[0], words[2]) if word not in here), "")
        if len(here) == 1 and "-cover" in value and not re.search(r"[*?$`]", value):
            equal = GOFLAGS.sub(lambda _match: given, here[0]) == value
            found[number] = Compared(command.line, value, equal == (words[1] != "!="))
    return found


def _is_condition(command: Command) -> bool:
    return bool(command.branch) and command.branch[-1][1] == "condition"


def _exact(case: Case, given: str) -> t.Iterator[Compared]:
    """Yield where a C(case) on GOFLAGS asks for exactly one value with -cover in it."""
    for pattern in (*case.earlier, *case.patterns):
        if GOFLAGS.search(case.subject) and "-cover" in pattern and "*" not in pattern:
            yield Compared(case.line, pattern, GOFLAGS.sub(lambda _match: given, case.subject) == pattern)


def _reached(command: Command, compared: t.Mapping[int, Compared], given: str) -> t.Optional[bool]:
    known: list[t.Optional[bool]] = []
    for number, side in command.branch:
        if side != "condition":
            known.append(compared[number].equal == (side == "then") if number in compared else None)
    known += [_chosen(case, given) for case in command.cases]
    if False in known:
        return False
    return None if None in known else True


def _chosen(case: Case, given: str) -> t.Optional[bool]:
    """Return whether this branch of a C(case) on GOFLAGS is the one; None where something else is asked."""
    subject = GOFLAGS.sub(lambda _match: given, case.subject)
    if subject == case.subject or "$" in subject or "`" in subject:
        return None
    if any(fnmatch.fnmatchcase(subject, pattern) for pattern in case.earlier):
        return False
    return any(fnmatch.fnmatchcase(subject, pattern) for pattern in case.patterns)


def _lost_before(lint: Lint, stage: Stage, values: t.Mapping[str, str], lines: t.Mapping[str, int]) -> str:
    """Say why a stage's RUN does not have the GOFLAGS that are given, or ""."""
    given = lint.build_args.get("GOFLAGS", "")
    if values.get("GOFLAGS") == given:
        return ""
    for ancestor in lint.file.ancestry(stage):
        for item in reversed(ancestor.named("ENV")):
            if "GOFLAGS" in item.variables():
                return f"ENV GOFLAGS in line {item.line} overrides the argument"
    name = f"stage {stage.name}" if stage.name else f"the stage that begins in line {stage.line}"
    for item in lint.file.arguments:
        if "GOFLAGS" in item.variables():
            return f"ARG GOFLAGS in line {item.line} comes before the first FROM and reaches no stage; {name} has none"
    for other in lint.file.stages:
        for item in other.named("ARG"):
            if "GOFLAGS" in item.variables() and other is not stage:
                return f"ARG GOFLAGS in line {item.line} belongs to another stage; {name} has none"
            if "GOFLAGS" in item.variables():
                return f"ARG GOFLAGS in line {item.line} comes after it"
    return f"{name} has no ARG GOFLAGS"
