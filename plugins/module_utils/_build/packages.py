# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Import paths of Go packages, and the patterns that name them."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError


def import_path(module: str, package: str) -> str:
    """Return the import path of a package given as one, as a path inside its module, or empty: the module's root."""
    package = package.strip("/").removeprefix("./").rstrip("/")
    if package in ("", "."):
        return module
    if package == module or package.startswith(f"{module}/"):
        return package
    return f"{module}/{package}"


def matches_pattern(pattern: str, path: str) -> bool:
    """Tell whether Go's package pattern (C(example.com/x/...)) matches an import path; C(go help packages)."""
    if pattern in ("all", "..."):
        return True
    expression = re.escape(pattern).replace(re.escape("..."), ".*")
    if expression.endswith("/.*"):
        expression = f"{expression[:-3]}(/.*)?"
    return re.fullmatch(expression, path) is not None


def covers_main(package: str, coverpkg: t.Sequence[str]) -> bool:
    """Tell whether C(-coverpkg) instruments the main package, too; without any pattern it does."""
    patterns = [pattern for entry in coverpkg for pattern in entry.split(",") if pattern]
    return not patterns or any(matches_pattern(pattern, package) for pattern in patterns)


def without_main(package: str, coverpkg: t.Sequence[str]) -> str:
    """Return the sentence for patterns that leave the main package out."""
    return (
        f"{', '.join(coverpkg)} leaves out the main package {package}: only that has the code that writes what was "
        "counted, so the program would write nothing and say nothing"
    )


def check_main_is_covered(package: str, coverpkg: t.Sequence[str]) -> None:
    """Refuse patterns that leave the main package out.

    :raises InputError: cause C(coverpkg-without-main).
    """
    if not covers_main(package, coverpkg):
        raise InputError(
            f"The package pattern {without_main(package, coverpkg)}.",
            remedy=f"Add {package} to the patterns.",
            setting="image.coverpkg",
            cause="coverpkg-without-main",
        )
