# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""A Containerfile that instruments, computed from one that knows nothing of coverage.

Each stage that runs something gets E(GOFLAGS) as an environment variable. That reaches every C(go build) of the stage,
whichever branch of a shell condition it is in and whichever toolchain runs it, and it wins over an C(ARG) of that name.
Where the stage sets E(GOFLAGS) itself, its own flags are kept and ours are added behind. A stage whose ARG of that name
has C(-cover) is left as it is: that is a switch of its own, and its commands may compare the value.

Not reached: a command that sets GOFLAGS for itself (C(RUN GOFLAGS=-mod=vendor go build)), and flags that a base image
sets, unless they are given as C(inherited).
"""

from __future__ import annotations

import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._build.containerfile import Stage, parse

FLAGS = ("-cover", "-covermode=atomic")
GOFLAGS = "GOFLAGS"


def with_flags(goflags: str) -> str:
    """Return GOFLAGS that instrument: the given ones, and what is missing of ours."""
    words = goflags.split()
    have = {word.lstrip("-").partition("=")[0] for word in words}
    return " ".join([*words, *(flag for flag in FLAGS if flag.lstrip("-").partition("=")[0] not in have)])


def counts(goflags: str) -> bool:
    """Whether GOFLAGS instrument."""
    return any(word.lstrip("-") in ("cover", "cover=true") for word in goflags.split())


def instrumented(
    text: str, inherited: t.Optional[t.Callable[[str], str]] = None, given: t.Mapping[str, str] | None = None
) -> str:
    """Return the text of a Containerfile that instruments every Go program that the given one builds.

    The lines of the given one are all there and unchanged; only ENV lines are added.

    :arg inherited: returns the GOFLAGS that a base image sets, by its reference. :arg given: build arguments.
    """
    containerfile = parse(text)
    added: dict[int, str] = {}  # by the number of the line behind which it is added
    lines = text.lstrip("\ufeff").splitlines()
    for stage in containerfile.stages:
        if not stage.named("RUN"):
            continue
        flags = _argument(stage, given or {})
        if flags is not None and counts(flags):
            continue
        if flags is None:
            flags = "" if containerfile.stage(stage.base) or inherited is None else inherited(stage.base)
        added[_end(lines, stage.line)] = f'ENV GOFLAGS="{with_flags(flags)}"'
        for item in stage.named("ENV"):
            own = item.variables().get(GOFLAGS)
            if own is not None:
                # a reference to a variable is left to the builder to expand
                added[_end(lines, item.line)] = f'ENV GOFLAGS="{with_flags(own)}"'
    found = []
    for number, line in enumerate(lines, 1):
        found.append(line)
        if number in added:
            found.append(added[number])
    return "\n".join(found) + "\n"


def _argument(stage: Stage, given: t.Mapping[str, str]) -> t.Optional[str]:
    """Return the value of a stage's ARG GOFLAGS; None where it declares none."""
    values = [item.variables() for item in stage.named("ARG")]
    declared = next((item for item in values if GOFLAGS in item), None)
    return None if declared is None else given.get(GOFLAGS, declared[GOFLAGS] or "")


def _end(lines: t.Sequence[str], number: int) -> int:
    """Return the number of the last line of the instruction that starts in line C(number)."""
    while lines[number - 1].rstrip().endswith("\\") and number < len(lines):
        number += 1
    return number
