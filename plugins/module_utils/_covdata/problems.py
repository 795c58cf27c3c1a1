# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What can be wrong with coverage data: typed records for what is reported, errors for what stops the work."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError

ERROR = "error"  # the percentage is withheld: it could not be trusted
WARNING = "warning"  # data were lost or set aside: the percentage stands, as a lower bound
LIBRARY = (
    "A Go library in another program (-buildmode=c-shared, c-archive or plugin) never writes counters by itself: "
    "call runtime/coverage.WriteCountersDir in it."
)
NOTE = "note"  # worth knowing; the numbers are not touched


@dataclass(frozen=True)
class Problem:
    """One thing that was found: a stable kind, how bad, where, and one sentence for a person."""

    kind: str
    severity: str
    sentence: str
    file: str = ""
    component: str = ""
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the record as plain data, keys as the fields."""
        return asdict(self)


class DataError(CoverageError):
    """There is nothing left from which a coverage number could be made."""

    cause = "no-coverage-data"


class FormatError(CoverageError):
    """One file is not what its name says. C(kind) is one of the kinds of R(Problem)."""

    cause = "damaged-file"

    def __init__(self, kind: str, sentence: str, remedy: str = "") -> None:
        super().__init__(sentence, cause=kind, remedy=remedy)
        self.kind = kind
