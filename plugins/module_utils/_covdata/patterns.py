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

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import nearest_few


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
    return next(iter(nearest_few(pattern.replace("/...", ""), paths, most=1, cutoff=0.0)), "")
