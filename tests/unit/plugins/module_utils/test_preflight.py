# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight: all checks side by side, and all that is wrong at once."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils import _preflight as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._errors import CoverageError, InputError


def fails(message: str, **details: str) -> lib.Check:
    def check() -> None:
        raise CoverageError(message, **details)  # type: ignore[arg-type]

    return check


def test_the_names_of_what_passed_are_in_order() -> None:
    assert lib.check_all({"b": lambda: None, "a": lambda: False}) == ["b", "a"]
    assert lib.check_all({}) == []


def test_checks_run_side_by_side() -> None:
    meet = threading.Barrier(8, timeout=20)
    assert len(lib.check_all({str(number): meet.wait for number in range(8)})) == 8


def test_the_first_failure_is_told_with_the_others_in_its_evidence() -> None:
    checks = {
        "good": lambda: None,
        "first": fails("No disk.", remedy="Make room.", setting="a", cause="disk"),
        "second": fails("No tests.", remedy="Write some.", setting="b"),
    }
    with pytest.raises(CoverageError) as caught:
        lib.check_all(checks)
    assert caught.value.message == "No disk."
    assert (caught.value.cause, caught.value.setting) == ("disk", "a")
    assert caught.value.evidence == ["also: No tests. Write some. (setting: b)"]


def test_what_is_no_error_of_ours_is_not_hidden() -> None:
    def broken() -> None:
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        lib.check_all({"first": fails("x"), "broken": broken})


def test_a_disk_with_room_is_good_even_if_the_folder_is_not_there_yet(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free / lib.GIB
    lib.check_disk(str(tmp_path), free / 2)
    lib.check_disk(str(tmp_path / "not" / "there" / "yet"), 0)


def test_a_disk_without_room_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        lib.check_disk(str(tmp_path / "not" / "there"), 1e9)
    assert caught.value.message.startswith(f"The disk of {tmp_path} has ")
    assert caught.value.message.endswith("GiB free, 1e+09 GiB are needed.")
    assert (caught.value.cause, caught.value.setting) == ("disk-full", "preflight_disk_gib")


def test_a_relative_folder_is_one_of_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=str(tmp_path)):
        lib.check_disk("none", 1e9)
