# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The one family of errors that libraries of this collection raise and modules turn into a failed task."""

from __future__ import annotations

import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Diagnosis

_Error = t.TypeVar("_Error", bound="CoverageError")


class CoverageError(Exception):
    """Something is wrong and a person has to act.

    :arg message: one sentence: what is wrong, where, and why.
    :arg remedy: one sentence in the imperative: what to do about it.
    :arg setting: what to set, as in L(Diagnosis).
    :arg evidence: what was observed, quoted line by line.
    :arg cause: short stable identifier (C(image-not-on-node)); the class's own where empty.
    :ivar diagnosis: all of that.
    """

    # of a class what its errors have by default, of an error its own
    cause = "error"

    def __init__(
        self,
        message: str,
        *,
        remedy: str = "",
        setting: str = "",
        evidence: t.Sequence[str] = (),
        cause: str = "",
    ) -> None:
        super().__init__(message)
        self.carry(Diagnosis(cause or type(self).cause, message, evidence, remedy, setting))

    def carry(self, diagnosis: Diagnosis) -> None:
        """Be about this from now on."""
        self.diagnosis, self.cause = diagnosis, diagnosis.cause

    @classmethod
    def of(cls: type[_Error], diagnosis: Diagnosis) -> _Error:
        """Return the error that carries a diagnosis."""
        error = cls(diagnosis.sentence)
        error.carry(diagnosis)
        return error

    def amend(self: _Error, **changes: t.Any) -> _Error:
        """Say more about the same fault: change fields of the diagnosis, and return the error to raise it again."""
        self.carry(self.diagnosis.changed(**changes))
        return self

    @property
    def message(self) -> str:
        """The sentence."""
        return self.diagnosis.sentence

    @property
    def remedy(self) -> str:
        """What to do."""
        return self.diagnosis.remedy

    @property
    def setting(self) -> str:
        """What to set."""
        return self.diagnosis.setting

    @property
    def evidence(self) -> list[str]:
        """What was observed."""
        return list(self.diagnosis.evidence)

    def result(self, module: str = "") -> dict[str, t.Any]:
        """Return the keyword arguments for C(fail_json): C(msg) is the whole in one line, C(verdict) has the parts.

        :arg module: the module that fails; what its user can set is named.
        """
        return {"msg": self.diagnosis.message(module), "verdict": self.diagnosis.verdict(module)}


class InputError(CoverageError):
    """An input is unusable; nothing was changed."""

    cause = "bad-input"
