# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The one family of errors that libraries of this collection raise and modules turn into a failed task."""

from __future__ import annotations

import typing as t


class CoverageError(Exception):
    """Something is wrong and a person has to act.

    :arg message: one sentence: what is wrong, where, and why.
    :arg remedy: one sentence in the imperative: what to do about it.
    :arg setting: the variable or option that cures it.
    :arg evidence: what was seen, quoted line by line.
    :arg cause: short stable identifier (C(image-not-on-node)), for documentation and tests.
    """

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
        self.message = message
        self.remedy = remedy
        self.setting = setting
        self.evidence = list(evidence)
        self.cause = cause or type(self).cause

    def result(self) -> dict[str, t.Any]:
        """Return the keyword arguments for C(fail_json): C(msg) tells all, C(verdict) has the parts.

        The evidence stays out of C(msg): whoever prints a failure prints both.
        """
        message = self.message
        if self.remedy:
            message += f" {self.remedy}"
        if self.setting:
            message += f" (setting: {self.setting})"
        return {
            "msg": message,
            "verdict": {
                "cause": self.cause,
                "sentence": self.message,
                "evidence": self.evidence,
                "remedy": self.remedy,
                "setting": self.setting,
            },
        }


class InputError(CoverageError):
    """An input is unusable; nothing was changed."""

    cause = "bad-input"
