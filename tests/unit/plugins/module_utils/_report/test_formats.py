# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Formats by name."""

from __future__ import annotations

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.formats import FORMATS, check_formats


def test_every_format_is_known() -> None:
    check_formats(FORMATS, setting="outputs")
    check_formats([], setting="outputs")
    # near ones are refused below; this is far from all
    with pytest.raises(InputError, match="There is no format zzz"):
        check_formats([*FORMATS, "zzz"], setting="outputs")


@pytest.mark.parametrize(
    ("name", "nearest"), [("htm", "html"), ("prcent", "percent"), ("functions", "func"), ("textprofile", "profile")]
)
def test_an_unknown_format_names_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(InputError) as caught:
        check_formats(["html", name], setting="outputs")
    assert caught.value.cause == "unknown-format"
    assert caught.value.message == f"There is no format {name}; the nearest is {nearest}."
    assert caught.value.setting == "outputs"
