# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Every form in which coverage is written, by its name; what several of them need is computed once."""

from __future__ import annotations

import difflib
import functools
import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import Profile
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.text_writer import (
    function_text,
    package_text,
    percent_text,
    profile_chunks,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.lines import (
    Functions,
    Lines,
    cobertura,
    count_lines,
    find_functions,
    lcov,
)


@dataclass
class Material:
    """A profile, and what the formats that are about lines need of it. C(seconds): when its data were written."""

    profile: Profile
    seconds: int = 0

    @functools.cached_property
    def lines(self) -> Lines:
        """How often each line ran."""
        return count_lines(self.profile)

    @functools.cached_property
    def functions(self) -> Functions:
        """The functions of each file."""
        return find_functions(self.profile)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


# names as Go's tools call them, where they have such a thing
TEXTS: dict[str, t.Callable[[Material], bytes]] = {
    "profile": lambda material: b"".join(profile_chunks(material.profile)),
    "func": lambda material: _encoded(function_text(material.profile)),
    "percent": lambda material: _encoded(percent_text(material.profile)),
    "pkglist": lambda material: _encoded(package_text(package.path for package in material.profile.packages)),
    "cobertura": lambda material: _encoded(
        cobertura(material.profile, material.lines, material.functions, material.seconds)
    ),
    "lcov": lambda material: _encoded(lcov(material.profile, material.lines, material.functions)),
}
FORMATS = (*TEXTS, "html", "json", "markdown")


def check_formats(names: t.Iterable[str], *, setting: str) -> None:
    """Refuse a format that there is not, and name the nearest.

    :raises InputError: unknown-format.
    """
    for name in names:
        if name not in FORMATS:
            near = difflib.get_close_matches(name, FORMATS, n=1, cutoff=0.0)
            raise InputError(
                f"There is no format {name}; the nearest is {near[0]}." if near else f"There is no format {name!r}.",
                remedy=f"There are {', '.join(FORMATS)}.",
                setting=setting,
                cause="unknown-format",
            )
