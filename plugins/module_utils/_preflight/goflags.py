# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Whether the coverage flags reach Go in a Containerfile: found, compared, lost or unknown."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.go_builds import (
    COVER_FLAG,
    Compared,
    GoBuild,
    Lint,
    go_builds,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.table import (
    ADVICE,
    ERROR,
    NOT_CHECKED,
    OK,
    WARNING,
    Finding,
    finding,
)

CHECK, SETTING, CAUSE = "goflags", "image.build_args", "containerfile-goflags"


@dataclass(frozen=True)
class _Builds:
    """All builds of the image, sorted by whether they may be run and whether they are instrumented.

    :ivar skipped: those in a branch that is not taken. :ivar compared: the first exact comparison of GOFLAGS, if any.
    """

    lint: Lint
    given: str
    covered: t.Sequence[GoBuild]
    uncovered: t.Sequence[GoBuild]
    unknown: t.Sequence[GoBuild]
    skipped: t.Sequence[GoBuild]
    compared: t.Optional[Compared]

    @property
    def other_branch(self) -> t.Optional[Compared]:
        """The comparison that keeps an instrumented build from being run, if there is one."""
        return self.compared if any(item.covered for item in self.skipped) else None


def check_goflags(lint: Lint) -> t.Iterator[Finding]:
    """Whether the coverage flags reach Go."""
    every = go_builds(lint)
    installs = [item for item in every if item.verb == "install"]
    builds = [item for item in every if item.verb == "build"]
    builds += [item for item in installs if not any("@" in word for word in item.arguments)]
    if not builds:
        yield from _only_installs(lint, installs[-1]) if installs else _without_build(lint)
        return
    possible = [item for item in builds if item.reached is not False]
    known = _Builds(
        lint,
        lint.build_args.get("GOFLAGS", ""),
        covered=[item for item in possible if item.covered],
        uncovered=[item for item in possible if item.covered is False],
        unknown=[item for item in possible if item.covered is None],
        skipped=[item for item in builds if item.reached is False],
        compared=next((item for build in builds for item in build.compared), None),
    )
    yield from next(filter(None, (list(case(known)) for case in CASES)), [])


# the cases, in the order in which they are asked; the last one fits always


def _condition_decides(known: _Builds) -> t.Iterator[Finding]:
    """One build is instrumented, another one is not, and a condition that was not understood chooses."""
    if known.covered and known.uncovered and not any(item.reached for item in known.covered):
        yield finding(
            CHECK,
            NOT_CHECKED,
            f"line {known.uncovered[0].line} builds without the coverage flags; whether it runs depends on a condition"
            " that preflight cannot evaluate. The proof of the image decides",
            where=known.lint.at(known.uncovered[0].line),
        )


def _production_branch(known: _Builds) -> t.Iterator[Finding]:
    """The branch for coverage is not taken, and the other one is instrumented all the same."""
    other = known.other_branch
    if known.covered and other and not other.equal:
        yield finding(
            CHECK,
            WARNING,
            f"GOFLAGS is compared exactly with '{other.value}', and is '{known.given}': the other branch runs. Line"
            f" {known.covered[0].line} is instrumented all the same, because Go reads GOFLAGS itself, but built as for"
            " production.",
            _fix(other),
            SETTING,
            where=known.lint.at(other.line),
        )


def _found(known: _Builds) -> t.Iterator[Finding]:
    """The flags reach the build."""
    if not known.covered:
        return
    item, where = known.covered[0], known.lint.at(known.covered[0].line)
    explicit = any(COVER_FLAG.match(word) for word in item.words)
    reached = "go build is called with -cover" if explicit else f"'{known.given}' reaches go build"
    yield finding(CHECK, OK, reached, where=where)
    if known.compared:
        yield finding(
            CHECK,
            ADVICE,
            f"GOFLAGS is compared exactly with '{known.compared.value}': with other flags, another branch runs.",
            _fix(known.compared),
            where=known.lint.at(known.compared.line),
        )
    mode = re.search(r"-covermode=(\w+)", f"{item.goflags} {' '.join(item.words)}")
    if (mode[1] if mode else "set") != "atomic":
        yield finding(
            CHECK,
            ADVICE,
            "Without -covermode=atomic, counters of a running program cannot be read.",
            "Set GOFLAGS to '-cover -covermode=atomic'.",
            SETTING,
            where=where,
        )


def _unknown(known: _Builds) -> t.Iterator[Finding]:
    """Variables of the shell decide."""
    if known.unknown or not known.uncovered:
        where = (known.unknown or known.skipped)[0].line
        text = "variables of the shell decide which flags Go gets; the proof of the image decides"
        yield finding(CHECK, NOT_CHECKED, text, where=known.lint.at(where))


def _lost_by_comparison(known: _Builds) -> t.Iterator[Finding]:
    """The branch that is taken loses the flags."""
    item, other = known.uncovered[0], known.other_branch
    if other:
        yield finding(
            CHECK,
            ERROR,
            f"GOFLAGS is compared exactly with '{other.value}', and is '{known.given}': go build in line {item.line}"
            f" runs instead, without the flags ({item.lost or 'it has other flags'}).",
            _fix(other),
            SETTING,
            cause=CAUSE,
            where=known.lint.at(other.line),
        )


def _not_given(known: _Builds) -> t.Iterator[Finding]:
    """Nobody gave -cover."""
    if not re.search(r"(^|\s)--?cover", known.given):
        yield finding(
            CHECK,
            ERROR,
            f"GOFLAGS is given as '{known.given}', without -cover, and go build does not add it.",
            "Set GOFLAGS to '-cover -covermode=atomic'.",
            SETTING,
            cause=CAUSE,
            where=known.lint.at(known.uncovered[0].line),
        )


def _lost(known: _Builds) -> t.Iterator[Finding]:
    """The argument does not reach the build."""
    item = known.uncovered[0]
    parents = known.lint.file.ancestry(item.stage)[1:] if "belongs to another stage" in item.lost else []
    inherited = any("GOFLAGS" in other.variables() for parent in parents for other in parent.named("ARG"))
    yield finding(
        CHECK,
        WARNING if inherited else ERROR,
        f"The build argument GOFLAGS does not reach this go build: {item.lost or 'it is not in its environment'}"
        + (" (podman 4 does not pass it on)." if inherited else "."),
        _remedy(item),
        "source.containerfile",
        cause="" if inherited else CAUSE,
        where=known.lint.at(item.line),
    )


CASES: tuple[t.Callable[[_Builds], t.Iterator[Finding]], ...] = (
    _condition_decides,
    _production_branch,
    _found,
    _unknown,
    _lost_by_comparison,
    _not_given,
    _lost,
)


def _only_installs(lint: Lint, last: GoBuild) -> t.Iterator[Finding]:
    yield finding(
        CHECK,
        ERROR,
        f"'go install {' '.join(last.words)}' instruments nothing, whatever its flags.",
        "Build it with 'go build' in a module that requires it.",
        cause=CAUSE,
        where=lint.at(last.line),
    )


def _without_build(lint: Lint) -> t.Iterator[Finding]:
    declared = [
        item for stage in lint.file.built(lint.target) for item in stage.named("ARG") if "GOFLAGS" in item.variables()
    ]
    if declared:
        yield finding(
            "goflags",
            NOT_CHECKED,
            "it has no 'go build' (does a script or make call Go?); the proof of the image decides",
            where=lint.at(declared[0].line),
        )
    elif lint.file.stages:
        yield finding(
            "goflags",
            WARNING,
            "No stage declares ARG GOFLAGS, and there is no 'go build'.",
            "Add 'ARG GOFLAGS' to the stage that builds, or add -cover where Go is called.",
            "source.containerfile",
            where=lint.at(lint.file.stages[0].line),
        )


def _fix(compared: Compared) -> str:
    return (
        'Compare with a pattern (case "$GOFLAGS" in *-cover*) ...), or use $GOFLAGS without a condition; or give'
        f" exactly '{compared.value}'."
    )


def _remedy(item: GoBuild) -> str:
    if item.lost.startswith("ENV"):
        return 'Remove it, or keep the argument: ENV GOFLAGS="$GOFLAGS -mod=mod".'
    if re.match(r"line \d+ ", item.lost):
        return 'Keep the value that is passed in: GOFLAGS="$GOFLAGS -mod=mod".'
    return f"Add 'ARG GOFLAGS' after line {item.stage.line}, in the stage that builds."
