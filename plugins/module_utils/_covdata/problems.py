# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What can be wrong with coverage data: typed records for what is reported, errors for what stops the work."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import (
    ERROR,
    NOTE,
    WARNING,
    Diagnosis,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError

__all__ = ["ERROR", "LIBRARY", "NOTE", "WARNING", "DataError", "FormatError", "Problem"]

# ERROR: the percentage is withheld, it could not be trusted. WARNING: data were lost or set aside, the percentage is a
# lower bound. NOTE: the numbers are not touched.
LIBRARY = (
    "A Go library in another program (-buildmode=c-shared, c-archive or plugin) never writes counters by itself: "
    "call runtime/coverage.WriteCountersDir in it."
)


RECORD = ("kind", "severity", "sentence", "file", "component", "remedy")  # what as_dict returns


@dataclass(frozen=True, init=False)
class Problem(Diagnosis):
    """A diagnosis of coverage data; C(where) is the file and C(subject) the component, as records of it say."""

    def __init__(
        self, kind: str, severity: str, sentence: str, file: str = "", component: str = "", remedy: str = ""
    ) -> None:
        super().__init__(kind, sentence, remedy=remedy, severity=severity, where=file, subject=component)

    @property
    def kind(self) -> str:
        """The cause, as summary.json calls it."""
        return self.cause

    @property
    def file(self) -> str:
        """The file that it is about."""
        return self.where

    @property
    def component(self) -> str:
        """The component whose data it is about."""
        return self.subject

    def as_dict(self) -> dict[str, str]:
        """Return the record as results and summary.json have it."""
        return {name: getattr(self, name) for name in RECORD}

    @classmethod
    def from_dict(cls, record: t.Mapping[str, str]) -> Problem:
        """Return the problem of a record that L(as_dict) made; further keys are ignored."""
        return cls(**{name: record[name] for name in RECORD})


class DataError(CoverageError):
    """There is nothing left from which a coverage number could be made."""

    cause = "no-coverage-data"


class FormatError(CoverageError):
    """One file is not what its name says. C(kind) is one of the kinds of R(Problem)."""

    cause = "damaged-file"

    def __init__(self, kind: str, sentence: str, remedy: str = "") -> None:
        super().__init__(sentence, cause=kind, remedy=remedy)
        self.kind = kind
