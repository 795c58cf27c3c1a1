# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Libraries that are there, and such that are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.libraries import missing_libraries


def test_what_is_there_is_not_missing() -> None:
    assert missing_libraries("numpy", "jinja2") == {}


def test_what_is_not_there_is_named_with_its_traceback() -> None:
    missing = missing_libraries("numpy", "no_such_library")
    assert list(missing) == ["no_such_library"]
    assert "No module named 'no_such_library'" in missing["no_such_library"]


def test_what_is_there_and_lacks_something_itself_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_a_library.py").write_text("import its_other_half\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "its_other_half" in missing_libraries("half_a_library")["half_a_library"]
