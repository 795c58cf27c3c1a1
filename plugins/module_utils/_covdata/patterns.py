# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Package patterns with Go's meaning: C(...) is any string, a trailing C(/...) also matches nothing.

Source of truth: MatchSimplePattern of cmd/internal/pkgpattern, which C(go tool covdata -pkg) uses.
"""

from __future__ import annotations

import re
import typing as t


def compile_pattern(pattern: str) -> t.Pattern[str]:
    """Return the regular expression whose C(fullmatch) is the pattern's match."""
    expression = re.escape(pattern)
    wild = re.escape("...")
    if expression.endswith("/" + wild):
        expression = expression[: -len("/" + wild)] + f"(/{wild})?"
    return re.compile(expression.replace(wild, ".*"), re.DOTALL)


def matches(pattern: str, paths: t.Iterable[str]) -> list[str]:
    """Return the paths that the pattern matches, in their order."""
    expression = compile_pattern(pattern)
    return [path for path in paths if expression.fullmatch(path)]


def nearest(pattern: str, paths: t.Iterable[str]) -> str:
    """Return the path most like the pattern, or an empty string."""
    import difflib  # of use only where something is wrong

    found = difflib.get_close_matches(pattern.replace("/...", ""), list(paths), n=1, cutoff=0.0)
    return found[0] if found else ""
