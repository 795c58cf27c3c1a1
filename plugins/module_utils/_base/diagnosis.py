# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What is wrong, as one type for the whole collection, and the registry of everything that can be.

Whoever finds a fault makes a L(Diagnosis): rules over an observation, checks before a run, readers of coverage data,
thresholds, and (inside a CoverageError) every library that cannot go on. Every cause is a registered L(Cause);
docs/verdicts.md is generated from the registry.
"""

from __future__ import annotations

import dataclasses
import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.settings import place_of

# How bad it is, worst first. The first two are also what people filter for.
ERROR = "error"  # the run cannot go on, or a number cannot be trusted
WARNING = "warning"  # the run goes on, and something was lost or will probably fail
ADVICE = "advice"  # it works, and could be better
NOTE = "note"  # worth knowing; nothing is affected
SEVERITIES = (ERROR, WARNING, ADVICE, NOTE)

DOCUMENTATION = "https://github.com/kubernaut/coverage/tree/main/docs/verdicts.md"

_Diagnosis = t.TypeVar("_Diagnosis", bound="Diagnosis")


@dataclass(frozen=True)
class Diagnosis:
    """One thing that is wrong.

    :ivar cause: short stable id of a registered cause (C(image-not-on-node)).
    :ivar sentence: what is wrong, where, and why.
    :ivar evidence: what was observed, quoted line by line.
    :ivar remedy: what to do, as one sentence in the imperative.
    :ivar setting: what to set: a key of the contract (C(readiness.timeout)), an option of the module that reports it
        (C(outputs)), or one of another module (C(kind_cluster#recreate)). See C(settings).
    :ivar also: what else is wrong; it may be a fault of its own.
    :ivar subject: what it is about (a container's name, a component); empty for the whole.
    :ivar severity: one of L(SEVERITIES).
    :ivar where: C(file), or C(file:line), where it is in a file.
    """

    cause: str
    sentence: str
    evidence: t.Sequence[str] = ()
    remedy: str = ""
    setting: str = ""
    also: t.Sequence[Diagnosis] = ()
    subject: str = ""
    severity: str = ERROR
    where: str = ""

    def __post_init__(self) -> None:
        # no one else's list: what is frozen stays as it is
        object.__setattr__(self, "evidence", tuple(self.evidence))
        object.__setattr__(self, "also", tuple(self.also))

    def changed(self: _Diagnosis, **changes: t.Any) -> _Diagnosis:
        """Return the same with other values of some fields."""
        return dataclasses.replace(self, **changes)

    def rewritten(self: _Diagnosis, change: t.Callable[[str], str]) -> _Diagnosis:
        """Return the same with sentence and evidence, also of what else is wrong, as C(change) makes them."""
        return self.changed(
            sentence=change(self.sentence),
            evidence=[change(line) for line in self.evidence],
            also=[other.rewritten(change) for other in self.also],
        )

    def located(self) -> str:
        """Return the sentence with the place before it."""
        return f"{self.where}: {self.sentence}" if self.where else self.sentence

    def verdict(self, module: str = "") -> dict[str, t.Any]:
        """Return it as modules do: C(cause), C(sentence), C(evidence), C(remedy), C(setting), C(contract_key),
        C(option), C(also) and C(documentation).

        :arg module: name of the module that returns it; C(setting) is what its user sets.
        """
        place = place_of(self.setting, module)
        return {
            "cause": self.cause,
            "sentence": self.sentence,
            "evidence": list(self.evidence),
            "remedy": self.remedy,
            "setting": place.variable,
            "contract_key": place.key,
            "option": place.option,
            "also": [{"cause": other.cause, "sentence": other.sentence} for other in self.also],
            "documentation": documentation(self.cause),
        }

    def message(self, module: str = "") -> str:
        """Return it in one line, without its evidence: a caller that prints a failure prints both."""
        text = " ".join(filter(None, [self.sentence, self.remedy]))
        place = place_of(self.setting, module)
        if place.variable:
            text += f" ({place.text()})"
        if self.also:
            text += f" Also: {' '.join(other.sentence for other in self.also)}"
        return text


def documentation(cause: str) -> str:
    """Return the address of what is written about a cause; empty for none."""
    return f"{DOCUMENTATION}#{cause}" if cause else ""


@dataclass(frozen=True)
class Cause:
    """One thing that can be wrong: what its documentation says, and what its diagnoses have in common.

    :ivar id: short and stable; scripts and pages refer to it.
    :ivar title: what is wrong, in a few words.
    :ivar why: why it happens, how it is recognised, in one or two sentences.
    :ivar remedy: what to do, in the imperative.
    :ivar settings: what to set, as in C(Diagnosis.setting); the first one is what a diagnosis names by itself.
    :ivar terminal: when it ends a wait; empty where waiting is not what finds it.
    """

    id: str
    title: str
    why: str = ""
    remedy: str = ""
    settings: tuple[str, ...] = ()
    terminal: str = ""

    def __call__(
        self,
        sentence: str,
        evidence: t.Sequence[str] = (),
        *,
        remedy: t.Optional[str] = None,
        setting: t.Optional[str] = None,
        **more: t.Any,
    ) -> Diagnosis:
        """Return a diagnosis of this cause; its remedy and setting are the cause's own unless others are given."""
        return Diagnosis(
            self.id,
            sentence,
            evidence,
            self.remedy if remedy is None else remedy,
            (self.settings[0] if self.settings else "") if setting is None else setting,
            **more,
        )


class Registry:
    """All causes, by stage in the order in which they were registered."""

    def __init__(self) -> None:
        self.stages: dict[str, list[Cause]] = {}

    def add(self, stage: str, *causes: Cause) -> None:
        """Register causes of a stage.

        :raises ValueError: that id is registered already: one cause is described once.
        """
        for cause in causes:
            if cause.id in self.ids:
                raise ValueError(f"cause {cause.id} is registered twice")
            self.stages.setdefault(stage, []).append(cause)

    @property
    def ids(self) -> set[str]:
        """The ids of all causes."""
        return {cause.id for causes in self.stages.values() for cause in causes}


CAUSES = Registry()
