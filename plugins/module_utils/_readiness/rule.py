# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What a rule is, and how it registers itself with the causes that it can find."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, fields

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import CAUSES, Cause, Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import Observation

SETTLING = 2.0  # seconds in which what is still being made (a token, a mount, covmeta) may be missing
# where a workload comes from: the contract's own objects, or its manifests
MANIFEST = "workload.objects"

# When a rule is asked. One rule may be asked in several phases.
TERMINAL = "terminal"  # on every look: what it finds ends the wait at once, because waiting cannot cure it
TIMEOUT = "timeout"  # when the time is over
MENTIONED = "mentioned"  # for what else is wrong; when the time is over, alone only where nothing else was found


class Unconfirmed(Diagnosis):
    """A diagnosis that has to be found again a moment later.

    A program that goes on may be about to end and be started again, and of one that just ended the last words may not
    have come yet.
    """


def unconfirmed(verdict: Diagnosis) -> Unconfirmed:
    """Return the same diagnosis as one that has to be found again."""
    return Unconfirmed(**{item.name: getattr(verdict, item.name) for item in fields(verdict)})


Look = t.Callable[[Observation], t.Iterable[Diagnosis]]


@dataclass(frozen=True)
class Rule:
    """A pure function over an observation, with what it may find.

    :ivar causes: ids of everything that it may give.
    """

    look: Look
    phases: tuple[str, ...]
    causes: frozenset[str]

    @property
    def name(self) -> str:
        """Its name, as the order of the engine has it."""
        return self.look.__name__


RULES: dict[str, Rule] = {}


def rule(
    stage: str,
    *causes: Cause,
    gives: t.Sequence[str] = (),
    like: t.Optional[Look] = None,
    phases: t.Sequence[str] = (TERMINAL,),
) -> t.Callable[[Look], Look]:
    """Register a function as a rule.

    :arg stage: the chapter of the documentation that its causes belong to.
    :arg causes: what it may find. :arg gives: ids of causes that it may find and that are registered elsewhere.
    :arg like: a rule that finds the same in another phase.
    :raises ValueError: there is a rule of that name, or a cause is registered twice.
    """
    CAUSES.add(stage, *causes)

    def register(look: Look) -> Look:
        if look.__name__ in RULES:
            raise ValueError(f"rule {look.__name__} is registered twice")
        ids = {*(cause.id for cause in causes), *gives, *(RULES[like.__name__].causes if like else ())}
        RULES[look.__name__] = Rule(look, tuple(phases), frozenset(ids))
        return look

    return register
