# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What in a Containerfile keeps coverage from working, each with its line and what to do about it.

Only what was proved on real builds is an error. That C(-a), C(-installsuffix), C(-extldflags -static) or C(-s -w)
break coverage is a belief of old: they do not, and are not blamed. An exact comparison with C(-cover) is one only
where the branch that is taken loses the flags: Go reads GOFLAGS from the environment, so a branch "for production"
that leaves it alone is instrumented all the same.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._build.containerfile import (
    Case,
    Command,
    Containerfile,
    Instruction,
    Stage,
    Word,
    commands,
    expand,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.process import SCRIPT_LIMIT, lost_sigterm
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.table import (
    ADVICE,
    ERROR,
    NOT_APPLICABLE,
    NOT_CHECKED,
    OK,
    WARNING,
    Finding,
)

COVER_FLAG = re.compile(r"--?cover(=true|mode=\S+|pkg=\S+)?$")
# flags of "go build" that take their value as a word of its own
WITH_VALUE = frozenset(
    (
        *(
            "-C",
            "-o",
            "-p",
            "-asmflags",
            "-buildmode",
            "-compiler",
            "-coverpkg",
            "-covermode",
            "-gccgoflags",
            "-gcflags",
        ),
        *("-installsuffix", "-ldflags", "-mod", "-modfile", "-overlay", "-pgo", "-pkgdir", "-tags", "-toolexec"),
    )
)
UPDATES = re.compile(
    r"(?:(?:micro)?dnf|yum)\s+(?:-\S+\s+)*(?:update|upgrade)"
    r"|apt(?:-get)?\s+(?:-\S+\s+)*(?:dist-)?upgrade|apk\s+(?:-\S+\s+)*upgrade"
)
# which shell sh is in base images; it decides whether a program takes its place, and what [ and [[ understand
SH_OF_BASE = (
    (r"alpine|(^|/)busybox", "busybox"),
    (r"(^|/)(ubi\d*|rhel|fedora|centos|rockylinux|almalinux)(/|:|$)|(^|/)(ubi-|go-toolset)", "bash"),
    (r"(^|/)(debian|ubuntu|golang|buildpack-deps)(:|$)", "dash"),
)
SETTING = "image.build_args"


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
class GoBuild:
    """One C(go build): where it stands, what Go is told, and whether it is reached (None: not known)."""

    stage: Stage
    command: Command
    line: int
    verb: str
    words: tuple[str, ...]
    goflags: t.Optional[str]
    lost: str
    reached: t.Optional[bool]
    compared: tuple[tuple[int, str], ...] = ()
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
        flags = (self.goflags or "").split()
        if any(COVER_FLAG.match(flag) for flag in [*self.words, *flags]):
            return True
        unknown = any(word.startswith("$") for word in [*self.words, *flags] if "GOFLAGS" not in word)
        return None if unknown else False


# Reading what is built


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


def _builds_in(
    lint: Lint, stage: Stage, script: t.Sequence[Command], values: t.Mapping[str, str], lines: t.Mapping[str, int]
) -> list[GoBuild]:
    conditions = _conditions(script, values, shell_of(lint, stage))
    local = dict(values)
    written: dict[str, str] = {}  # what the shell sets, with the build's own variables as they are written
    lost = _lost_before(lint, stage, values, lines)
    found = []
    for command in script:
        reached = _reached(command, conditions, values)
        words = command.values
        if not words or words[0] in ("export", "declare", "typeset"):
            pairs = [*command.assignments, *(tuple(word.split("=", 1)) for word in words[1:] if "=" in word)]
            for name, value in pairs:
                if reached is not False:
                    written[name] = expand(value, written)
                    local[name] = expand(value, local) if reached else f"${name}"
                    if name == "GOFLAGS" and reached:
                        lost = f"line {command.line} sets GOFLAGS to '{local[name]}'"
            continue
        if words[0] == "unset" and "GOFLAGS" in words and reached:
            local["GOFLAGS"], lost = "", f"line {command.line} unsets GOFLAGS"
        own = dict(command.assignments)
        unset = False
        if words[0] == "env":
            rest = words[1:]
            while rest and (rest[0].startswith("-") or "=" in rest[0]):
                if rest[0] == "-u" and len(rest) > 1:
                    unset = unset or rest[1] == "GOFLAGS"
                    rest = rest[1:]
                elif rest[0] in ("-i", "-"):
                    unset = True
                elif "=" in rest[0]:
                    own.update([t.cast("tuple[str, str]", tuple(rest[0].split("=", 1)))])
                rest = rest[1:]
            words = rest
        while words and words[0] in ("exec", "time", "nice"):
            words = words[1:]
        if len(words) < 2 or posixpath.basename(words[0]) != "go":
            continue
        rest = words[1:]
        while len(rest) > 1 and rest[0].startswith("-C"):
            rest = rest[2:] if rest[0] == "-C" else rest[1:]
        if rest[0] not in ("build", "install"):
            continue
        goflags, why = local.get("GOFLAGS", ""), lost
        if "GOFLAGS" in own:
            goflags = expand(own["GOFLAGS"], local)
            why = (
                f"line {command.line} gives go its own GOFLAGS, '{own['GOFLAGS']}'"
                if goflags != local.get("GOFLAGS")
                else lost
            )
        if unset:
            goflags, why = "", f"line {command.line} takes GOFLAGS out of the environment"
        arch = expand(own.get("GOARCH", ""), local) or local.get("GOARCH", "")
        line = command.line
        found.append(
            GoBuild(
                stage,
                command,
                line,
                rest[0],
                tuple(_split(command.words[len(command.words) - len(rest) + 1 :], local)),
                goflags,
                why,
                reached,
                (
                    *(item for number, _side in command.branch for item in conditions[number].compared),
                    *(item for case in command.cases for item in _exact(case)),
                ),
                arch if "$" not in arch else "",
                lint.at(lines["GOARCH"]) if "GOARCH" in lines and "$" in own.get("GOARCH", "$") else "",
                "" if "GOARCH" in own else written.get("GOARCH", ""),
            )
        )
    return found


def _split(words: t.Sequence[Word], values: t.Mapping[str, str]) -> t.Iterator[str]:
    """Yield words as a shell passes them on: an unquoted variable can be several words, or none."""
    for word in words:
        text = expand(word.value, values)
        if "$" in word.raw and word.raw[0] not in "\"'" and text != word.value:
            yield from text.split()
        else:
            yield text


@dataclass
class _Condition:
    """One C(if): what its test gives (None: not known), and the exact comparisons of GOFLAGS in it."""

    value: t.Optional[bool] = None
    compared: tuple[tuple[int, str], ...] = ()


def _conditions(script: t.Sequence[Command], values: t.Mapping[str, str], shell: str) -> dict[int, _Condition]:
    tests: dict[int, list[Command]] = {}
    for command in script:
        for depth, (number, side) in enumerate(command.branch):
            tests.setdefault(number, [])
            if side == "condition" and depth == len(command.branch) - 1:
                tests[number].append(command)
    found = {}
    for number, parts in tests.items():
        condition = _Condition(compared=tuple(item for part in parts for item in _compared(part)))
        if len(parts) == 1:
            condition.value = _test(parts[0].values, values, shell)
        found[number] = condition
    return found


def _test(words: t.Sequence[str], values: t.Mapping[str, str], shell: str) -> t.Optional[bool]:
    """Return what C([ a = b ]) gives with these variables; None for what is not understood.

    dash knows neither C([[) nor C(==): what it does not know is false to an C(if).
    """
    if words and (words[0] == "[[" or (words[0] in ("[", "test") and "==" in words)):
        if shell == "dash":
            return False
        if not shell:
            return None
    bare = [word for word in words if word not in ("[", "]", "[[", "]]", "test")]
    bare = [_filled(word, values) for word in bare]
    if any("$" in word or "`" in word for word in bare) or len(bare) == len(words):
        return None
    if len(bare) == 2 and bare[0] in ("-n", "-z"):
        return (bare[1] != "") == (bare[0] == "-n")
    if len(bare) == 3 and bare[1] in ("=", "==", "!="):
        left, right = bare[0], bare[2]
        if words[0] == "[[" and re.search(r"[*?]", right):
            pattern = re.escape(right).replace(r"\*", ".*").replace(r"\?", ".")
            equal = re.fullmatch(pattern, left) is not None
        else:
            equal = left == right
        return equal == (bare[1] != "!=")
    return None


def _compared(command: Command) -> list[tuple[int, str]]:
    """Return (line, value) where a test compares GOFLAGS exactly with a value that has -cover in it."""
    words = command.values
    found = []
    for place, word in enumerate(words[1:-1], start=1):
        if word not in ("=", "==", "!="):
            continue
        sides = (words[place - 1], words[place + 1])
        value = next((side for side in sides if "GOFLAGS" not in side), "")
        if any(re.search(r"\$\{?GOFLAGS", side) for side in sides) and "-cover" in value and "*" not in value:
            found.append((command.line, value))
    return found


def _reached(command: Command, conditions: t.Mapping[int, _Condition], values: t.Mapping[str, str]) -> t.Optional[bool]:
    known: list[t.Optional[bool]] = []
    for number, side in command.branch:
        value = conditions[number].value
        if side == "condition":
            continue
        known.append(None if value is None else value == (side == "then"))
    known += [_chosen(case, values) for case in command.cases]
    if False in known:
        return False
    return None if None in known else True


def _exact(case: Case) -> list[tuple[int, str]]:
    """Return (line, pattern) where a C(case) on GOFLAGS asks for exactly one value with -cover in it."""
    return [
        (case.line, pattern)
        for pattern in (*case.earlier, *case.patterns)
        if re.search(r"\$\{?GOFLAGS", case.subject) and "-cover" in pattern and "*" not in pattern
    ]


def _chosen(case: Case, values: t.Mapping[str, str]) -> t.Optional[bool]:
    """Return whether this branch of a C(case) is the one; None where its subject is not known."""
    subject = _filled(case.subject, values)
    if "$" in subject or "`" in subject:
        return None
    if any(fnmatch.fnmatchcase(subject, pattern) for pattern in case.earlier):
        return False
    return any(fnmatch.fnmatchcase(subject, pattern) for pattern in case.patterns)


def _filled(word: str, values: t.Mapping[str, str]) -> str:
    """Return a word with its variables; one that is not set is empty, as for a shell."""
    return re.sub(r"\$(\{[A-Za-z_]\w*(:-[^}]*)?\}|[A-Za-z_]\w*)", "", expand(word, values)) if "$" in word else word


def _lost_before(lint: Lint, stage: Stage, values: t.Mapping[str, str], lines: t.Mapping[str, int]) -> str:
    """Say why a stage's RUN does not have the GOFLAGS that are given, or ""."""
    given = lint.build_args.get("GOFLAGS", "")
    if values.get("GOFLAGS") == given:
        return ""
    for ancestor in lint.file.ancestry(stage):
        for item in reversed(ancestor.named("ENV")):
            if "GOFLAGS" in item.variables():
                return f"ENV GOFLAGS in line {item.line} takes the place of the argument"
    name = f"stage {stage.name}" if stage.name else f"the stage that begins in line {stage.line}"
    for item in lint.file.arguments:
        if "GOFLAGS" in item.variables():
            return f"ARG GOFLAGS in line {item.line} stands before the first FROM and reaches no stage; {name} has none"
    for other in lint.file.stages:
        for item in other.named("ARG"):
            if "GOFLAGS" in item.variables() and other is not stage:
                return f"ARG GOFLAGS in line {item.line} belongs to another stage; {name} has none"
            if "GOFLAGS" in item.variables():
                return f"ARG GOFLAGS in line {item.line} comes after it"
    return f"{name} has no ARG GOFLAGS"


# The checks


def check_goflags(lint: Lint) -> t.Iterator[Finding]:
    """Whether the coverage flags reach Go."""
    check, given = "goflags", lint.build_args.get("GOFLAGS", "")
    builds = [item for item in go_builds(lint) if item.verb == "build"]
    installs = [item for item in go_builds(lint) if item.verb == "install"]
    local = [item for item in installs if not any("@" in word for word in item.arguments)]
    if not builds and not local:
        if installs:
            first = installs[-1]
            yield Finding(
                check,
                ERROR,
                f"'go install {' '.join(first.words)}' instruments nothing, whatever its flags say.",
                "Build it with 'go build' in a module that requires it.",
                cause="containerfile-goflags",
                where=lint.at(first.line),
            )
            return
        yield from _without_build(lint)
        return
    builds += local
    possible = [item for item in builds if item.reached is not False]
    covered = [item for item in possible if item.covered]
    uncovered = [item for item in possible if item.covered is False]
    unknown = [item for item in possible if item.covered is None]
    skipped = [item for item in builds if item.reached is False]
    compared = next((item for build in builds for item in build.compared), None)
    if covered and uncovered and not any(item.reached for item in covered):
        yield Finding(
            check,
            WARNING,
            f"Line {uncovered[0].line} builds without the coverage flags, and whether it is taken depends on a test"
            " that was not understood.",
            "Use $GOFLAGS without a condition.",
            SETTING,
            where=lint.at(uncovered[0].line),
        )
        return
    if covered:
        item = covered[0]
        if compared and given != compared[1] and any(other.covered for other in skipped):
            yield Finding(
                check,
                WARNING,
                f"GOFLAGS is compared exactly with '{compared[1]}', and is '{given}': the other branch is taken. Line"
                f" {item.line} is instrumented all the same, because Go reads GOFLAGS itself, but built as for"
                f" production.",
                _fix(compared[1]),
                SETTING,
                where=lint.at(compared[0]),
            )
            return
        yield Finding(
            check,
            OK,
            f"'{given}' reaches go build" if not _explicit(item) else "go build is given -cover",
            where=lint.at(item.line),
        )
        if compared:
            yield Finding(
                check,
                ADVICE,
                f"GOFLAGS is compared exactly with '{compared[1]}': with other flags another branch is taken.",
                _fix(compared[1]),
                where=lint.at(compared[0]),
            )
        mode = re.search(r"-covermode=(\w+)", f"{item.goflags} {' '.join(item.words)}")
        if (mode[1] if mode else "set") != "atomic":
            yield Finding(
                check,
                ADVICE,
                "Without -covermode=atomic, counters of a running program cannot be read.",
                "Give GOFLAGS '-cover -covermode=atomic'.",
                SETTING,
                where=lint.at(item.line),
            )
        return
    if unknown or not uncovered:
        where = (unknown or builds)[0].line
        yield Finding(
            check,
            NOT_CHECKED,
            "variables of the shell decide what Go is told; the image's proof will tell",
            where=lint.at(where),
        )
        return
    item = uncovered[0]
    if compared and any(other.covered for other in skipped):
        yield Finding(
            check,
            ERROR,
            f"GOFLAGS is compared exactly with '{compared[1]}', and is '{given}': go build in line {item.line} runs"
            f" instead, without the flags ({item.lost or 'it has other flags'}).",
            _fix(compared[1]),
            SETTING,
            cause="containerfile-goflags",
            where=lint.at(compared[0]),
        )
    elif not re.search(r"(^|\s)--?cover", given):
        yield Finding(
            check,
            ERROR,
            f"GOFLAGS is given as '{given}', without -cover, and go build adds none.",
            "Give GOFLAGS '-cover -covermode=atomic'.",
            SETTING,
            cause="containerfile-goflags",
            where=lint.at(item.line),
        )
    else:
        elsewhere = "belongs to another stage" in item.lost and item.stage.base
        inherited = elsewhere and any(
            "GOFLAGS" in other.variables()
            for parent in lint.file.ancestry(item.stage)[1:]
            for other in parent.named("ARG")
        )
        yield Finding(
            check,
            WARNING if inherited else ERROR,
            f"The build argument GOFLAGS does not reach this go build: {item.lost or 'it is not in its environment'}"
            + (" (podman 4 does not pass it on)." if inherited else "."),
            _remedy(item),
            "source.containerfile",
            cause="" if inherited else "containerfile-goflags",
            where=lint.at(item.line),
        )


def _explicit(item: GoBuild) -> bool:
    return any(COVER_FLAG.match(word) for word in item.words)


def _fix(compared: str) -> str:
    return (
        'Compare with a pattern (case "$GOFLAGS" in *-cover*) ...), or use $GOFLAGS without a condition; or give'
        f" exactly '{compared}'."
    )


def _remedy(item: GoBuild) -> str:
    if item.lost.startswith("ENV"):
        return 'Take it out, or let it keep the argument: ENV GOFLAGS="$GOFLAGS -mod=mod".'
    if re.match(r"line \d+ ", item.lost):
        return 'Let it keep what is given: GOFLAGS="$GOFLAGS -mod=mod".'
    return f"Add 'ARG GOFLAGS' after line {item.stage.line}, in the stage that builds."


def _without_build(lint: Lint) -> t.Iterator[Finding]:
    declared = [
        item for stage in lint.file.built(lint.target) for item in stage.named("ARG") if "GOFLAGS" in item.variables()
    ]
    if declared:
        yield Finding(
            "goflags",
            NOT_CHECKED,
            "no 'go build' stands in it (a script or make calls Go?); the image's proof will tell",
            where=lint.at(declared[0].line),
        )
    elif lint.file.stages:
        yield Finding(
            "goflags",
            WARNING,
            "No stage declares ARG GOFLAGS, and no 'go build' stands in it.",
            "Add 'ARG GOFLAGS' to the stage that builds, or let what calls Go add -cover.",
            "source.containerfile",
            where=lint.at(lint.file.stages[0].line),
        )


def check_main_package(lint: Lint) -> t.Iterator[Finding]:
    """Whether the main package is built as a package."""
    for item in go_builds(lint):
        files = [word for word in item.arguments if word.endswith(".go")]
        if files and item.reached is not False:
            folder = posixpath.dirname(files[0]) or "."
            folder = folder if folder.startswith(("/", "./", "../", ".", "$")) else f"./{folder}"
            yield Finding(
                "main-package",
                WARNING,
                f"go build gets the file {files[0]}: reports will call its package command-line-arguments, by"
                f" its path in the builder.",
                f"Build the folder: go build ... {folder}",
                where=lint.at(item.line),
            )
            return
    yield Finding("main-package", OK, "no file of Go is built by itself")


def check_goarch(lint: Lint) -> t.Iterator[Finding]:
    """Whether another architecture than the nodes' is built."""
    for item in go_builds(lint):
        if not item.goarch or item.reached is False:
            continue
        where = item.goarch_from or lint.at(item.line)
        if "GOARCH" in lint.build_args and item.goarch == lint.build_args["GOARCH"]:
            remedy, setting, what = "Leave GOARCH out.", f"{SETTING}.GOARCH", "GOARCH is given as"
        else:
            remedy, setting, what = (
                "Leave GOARCH out, or set it to $TARGETARCH (ARG TARGETARCH).",
                "source.containerfile",
                "GOARCH is fixed to",
            )
        if item.goarch != lint.architecture:
            yield Finding(
                "goarch",
                ERROR,
                f"{what} {item.goarch}, and the nodes are {lint.architecture}: the program would not start.",
                remedy,
                setting,
                cause="wrong-architecture",
                where=where,
            )
            return
        fixed = not re.search(r"TARGETARCH|BUILDARCH", _written_goarch(lint, item))
        if fixed:
            yield Finding(
                "goarch",
                WARNING,
                f"{what} {item.goarch}: right on this machine, a crash on another.",
                remedy,
                where=where,
            )
            return
    for stage in lint.file.built(lint.target):
        platform = stage.platform.split("/")
        if len(platform) > 1 and "$" not in stage.platform and platform[1] != lint.architecture:
            yield Finding(
                "goarch",
                ERROR if stage is lint.file.final(lint.target) else WARNING,
                f"The stage is for {stage.platform}, and this host is {lint.architecture}.",
                "Leave --platform out.",
                "source.containerfile",
                cause="wrong-architecture",
                where=lint.at(stage.line),
            )
            return
    yield Finding("goarch", OK, f"not fixed; {lint.architecture} is built")


def _written_goarch(lint: Lint, item: GoBuild) -> str:
    """Return how GOARCH is written where it comes from."""
    own = dict(item.command.assignments).get("GOARCH", "") or item.goarch_written
    names = re.findall(r"\$\{?(\w+)", own)
    if own and (not names or names[0] != "GOARCH"):
        return own
    written = [
        value or ""
        for stage in lint.file.ancestry(item.stage)
        for other in stage.named("ENV", "ARG")
        for name, value in other.variables().items()
        if name == "GOARCH"
    ]
    return " ".join(written)


@dataclass
class Started:
    """What the image starts, from its last stage: instructions or None, and which shell C(sh) is."""

    entrypoint: t.Optional[Instruction] = None
    command: t.Optional[Instruction] = None
    user: t.Optional[Instruction] = None
    stop: t.Optional[Instruction] = None
    shell: tuple[str, ...] = ("/bin/sh", "-c")
    sh: str = ""
    base: str = ""

    def words(self) -> list[str]:
        """Return entrypoint and command as one list; a shell form is what the shell gets."""
        found: list[str] = []
        for item in (self.entrypoint, self.command):
            if item is None or (item is self.command and found[:1] == list(self.shell)[:1]):
                continue
            words = item.exec_form()
            found += words if words is not None else [*self.shell, item.value]
        return found


def started(lint: Lint) -> Started:
    """Return what the last stage, with those it builds on, says of the process."""
    result = Started()
    final = lint.file.final(lint.target)
    if final is None:
        return result
    ancestry = lint.file.ancestry(final)
    result.base = ancestry[-1].base
    result.sh = shell_of(lint, final)
    for stage in reversed(ancestry):
        for item in stage.instructions:
            if item.name == "ENTRYPOINT":
                result.entrypoint = item
            elif item.name == "CMD":
                result.command = item
            elif item.name == "USER":
                result.user = item
            elif item.name == "STOPSIGNAL":
                result.stop = item
            elif item.name == "SHELL":
                result.shell = tuple(item.exec_form() or result.shell)
    return result


def check_sigterm(lint: Lint) -> t.Iterator[Finding]:
    """Whether SIGTERM reaches the program."""
    how = started(lint)
    signal = re.sub(r"^SIG", "", how.stop.value.upper()) if how.stop else "TERM"
    if how.stop is not None and signal not in ("TERM", "15"):
        at_once = signal in ("KILL", "9", "QUIT", "3")
        yield Finding(
            "sigterm",
            ERROR if at_once else WARNING,
            f"STOPSIGNAL {how.stop.value} ends the program "
            + ("before it can write its counters." if at_once else "instead of SIGTERM: it has to handle that."),
            "Take it out: Go programs handle SIGTERM.",
            "source.containerfile",
            cause="sigterm-lost" if at_once else "",
            where=lint.at(how.stop.line),
        )
        return
    if lint.replaced:
        yield Finding("sigterm", NOT_APPLICABLE, "the workload has a command of its own (see workload)")
        return
    item = how.entrypoint or how.command
    if item is None:
        yield Finding(
            "sigterm",
            NOT_CHECKED,
            f"what is started comes from the base image {how.base}" if how.base else "there is no stage",
        )
        return
    lost = lost_sigterm(how.words(), lambda path: copied_file(lint, path), how.sh)
    if lost is None:
        yield Finding("sigterm", OK, f"{item.name} {item.value}"[:100], where=lint.at(item.line))
        return
    shell_form = item.exec_form() is None
    said = (
        f"{item.name} stands in shell form: {lost.text}." if shell_form else f"{lost.text[:1].upper()}{lost.text[1:]}."
    )
    yield Finding(
        "sigterm",
        ERROR if lost.certain else WARNING,
        said,
        f'{item.name} ["/path/program", "argument"], or {item.name} exec program ...' if shell_form else lost.remedy,
        "source.containerfile",
        cause="sigterm-lost" if lost.certain else "",
        where=lint.at(item.line),
    )


def copied_file(lint: Lint, path: str) -> t.Optional[str]:
    """Return the text of a file of the image that comes from the build's context or a here-document, or None."""
    final = lint.file.final(lint.target)
    for stage in lint.file.ancestry(final) if final else []:
        folder = _workdir(stage)
        wanted = posixpath.normpath(posixpath.join(folder, path))
        for item in reversed(stage.named("COPY", "ADD")):
            if any(flag.startswith("--from=") for flag in item.flags):
                continue
            words = item.exec_form() or [value for kind, _raw, value, _at in _tokens(item) if kind == "word"]
            if len(words) < 2:
                continue
            *sources, target = words
            target = posixpath.join(folder, target)
            for body in (body for _name, body in item.heredocs):
                if posixpath.normpath(target) == wanted:
                    return body.value
            for source in sources:
                for inside in _places(source, target, wanted):
                    text = _read(Path(lint.context) / inside)
                    if text is not None:
                        return text
    return None


def _tokens(item: Instruction) -> t.Iterator[tuple[str, str, str, int]]:
    from ansible_collections.kubernaut.coverage.plugins.module_utils._build.containerfile import tokens

    return tokens(item.text.value)


def _workdir(stage: Stage) -> str:
    folder = "/"
    for item in stage.named("WORKDIR"):
        folder = posixpath.join(folder, item.value)
    return folder


def _places(source: str, target: str, wanted: str) -> t.Iterator[str]:
    """Yield where in the context a file that ends up as C(wanted) may be."""
    clean = posixpath.normpath(target)
    source = source.lstrip("/")
    if clean == wanted:
        yield source
    if posixpath.join(clean, posixpath.basename(source)) == wanted:
        yield source
    if wanted.startswith(clean.rstrip("/") + "/"):
        yield posixpath.join(source, wanted[len(clean.rstrip("/")) + 1 :])


def _read(path: Path) -> t.Optional[str]:
    try:
        if not path.is_file() or path.stat().st_size > SCRIPT_LIMIT:
            return None
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None  # a program, or not for this user to read


def check_image_user(lint: Lint) -> t.Iterator[Finding]:
    """Whether Kubernetes can tell that the image's user is not root."""
    check, item = "image-user", started(lint).user
    user = item.value.partition(":")[0] if item else ""
    if "$" in user and item is not None:
        user = expand(user, dict(lint.build_args))
    where = lint.at(item.line) if item else ""
    if re.fullmatch(r"\d+", user):
        if int(user) == 0 and lint.as_non_root:
            yield Finding(
                check,
                ERROR,
                "USER is root, and the workload sets runAsNonRoot: Kubernetes will not start it.",
                "Set runAsUser in the manifest, or another USER.",
                "source.containerfile",
                cause="image-user",
                where=where,
            )
        else:
            yield Finding(check, OK, f"uid {user}", where=where)
    elif not user:
        yield Finding(
            check,
            WARNING if lint.as_non_root else OK,
            "No USER is set, and the workload sets runAsNonRoot: if the base image's user is root, it will not start."
            if lint.as_non_root
            else "no USER: that of the base image",
            "Add USER with a number." if lint.as_non_root else "",
        )
    elif lint.as_non_root:
        yield Finding(
            check,
            ERROR,
            f"USER {user} is a name, and the workload sets runAsNonRoot: Kubernetes cannot tell that it is not"
            f" root, and will not start it.",
            "Write the number (USER 1001), or set runAsUser in the manifest.",
            "source.containerfile",
            cause="image-user",
            where=where,
        )
    else:
        yield Finding(
            check,
            ADVICE,
            f"USER {user} is a name: with runAsNonRoot, Kubernetes could not tell that it is not root.",
            "Write the number: USER 1001.",
            where=where,
        )


def check_build_time(lint: Lint) -> t.Iterator[Finding]:
    """What costs minutes and gives nothing."""
    found = []
    for stage in lint.file.built(lint.target):
        for item in stage.named("RUN"):
            for script in item.scripts():
                for update in UPDATES.finditer(script.value):
                    found.append(
                        Finding(
                            "build-time",
                            ADVICE,
                            f"'{' '.join(update[0].split())}' takes minutes whenever this layer is built anew,"
                            f" and makes builds differ.",
                            "Take a newer base image instead.",
                            where=lint.at(script.line(update.start())),
                        )
                    )
    for build in go_builds(lint):
        flags = build.words[: len(build.words) - len(build.arguments)]
        if "-a" in flags and build.reached is not False:
            found.append(
                Finding(
                    "build-time",
                    ADVICE,
                    "go build -a compiles the standard library and all modules anew each time. It does"
                    " coverage no harm.",
                    "Leave -a out.",
                    where=lint.at(build.line),
                )
            )
    yield from found or [Finding("build-time", OK, "no updates of packages, no go build -a")]


CHECKS: dict[str, t.Callable[[Lint], t.Iterator[Finding]]] = {
    "goflags": check_goflags,
    "main-package": check_main_package,
    "goarch": check_goarch,
    "sigterm": check_sigterm,
    "image-user": check_image_user,
    "build-time": check_build_time,
}
