# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of process runs, what is older than the run, and builds, over files."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import endings as known
import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils import _extraction as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import Diagnosis
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction import extraction
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.ending import File

OLD, NEW = "0" * 31 + "1", "0" * 31 + "2"


def recorded(name: str) -> lib.Ending:
    return lib.Ending.from_dict(json.loads((known.RECORDED / f"{name}.json").read_text(encoding="utf-8")))


def test_what_is_recorded_is_read_back(tmp_path: Path) -> None:
    record = tmp_path / "process_runs.json"
    assert lib.recorded(str(record)) == []
    ending = recorded("one-life-panicked")
    source = lib.Source("Deployment", "demo", "program", "program", "program", ("node",), "/coverdata/run/program")
    found = lib.process_runs_of(source, ending.pods, ending.expected)
    extraction._write_json(record, [dataclasses.asdict(item) for item in found])
    assert lib.recorded(str(record)) == found
    assert [path.name for path in tmp_path.iterdir()] == ["process_runs.json"]


def test_a_record_of_an_older_release_is_read(tmp_path: Path) -> None:
    record = tmp_path / "process_runs.json"
    old = {
        "component": "c",
        "pod": "p",
        "node": "n",
        "container": "c",
        "process_runs": 1,
        "exit_codes": [0],
        "counters": 1,
    }
    record.write_text(json.dumps([old]), encoding="utf-8")
    (item,) = lib.recorded(str(record))
    assert (item.pod, item.uid, item.cause, item.lost) == ("p", "", "", 0)


@pytest.mark.parametrize("text", ["", "{", "[1]", "{}", '[{"pod": "a"}]', '[{"nonsense": 1}]'])
def test_a_record_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    record = tmp_path / "process_runs.json"
    record.write_text(text)
    with pytest.raises(CoverageError) as caught:
        lib.recorded(str(record))
    assert str(record) in caught.value.message
    assert caught.value.remedy


def stale(born: float, **files: float) -> list[str]:
    ending = recorded("returns")
    ending.born = born
    ending.files = {}
    for name, changed in files.items():
        kind, _underscore, digest = name.partition("_")
        digest = OLD if digest == "old" else NEW
        full = f"covmeta.{digest}" if kind == "meta" else f"covcounters.{digest}.1.{round(changed * 1e9)}"
        ending.files[f"pod/{full}"] = File(1, changed)
    return [name.partition("/")[2].partition(".")[0] for name in extraction.stale(ending)]


def test_counters_are_as_old_as_their_name_says() -> None:
    assert stale(100, meta_new=101, counters_new=105) == []
    assert stale(100, meta_new=50, counters_new=99.9) == ["covcounters", "covmeta"]
    assert stale(0, meta_new=50, counters_new=99.9) == [], "where it is not known when the run began, nothing is old"


def test_a_covmeta_that_new_counters_need_is_not_old() -> None:
    # Go does not write it again where it is there already
    assert stale(100, meta_new=50, counters_new=105) == []
    assert stale(100, meta_old=50, counters_old=60, meta_new=101, counters_new=105) == ["covcounters", "covmeta"]
    # of a program that runs, there are no counters yet
    assert stale(100, meta_new=101) == []


def test_a_damaged_covmeta_is_of_no_build(tmp_path: Path) -> None:
    (tmp_path / "pod").mkdir()
    (tmp_path / "pod" / f"covmeta.{OLD}").write_bytes(b"nonsense")
    names = [f"pod/covmeta.{OLD}", "pod/covcounters.1.1.1", f"pod/tmp.covmeta.{NEW}123"]
    assert extraction.builds(str(tmp_path), names) == {}, "one need not be read"
    (tmp_path / "pod" / f"covmeta.{NEW}").write_bytes(b"")
    assert extraction.builds(str(tmp_path), [*names, f"pod/covmeta.{NEW}"]) == {OLD: [], NEW: []}


def test_what_was_seen_besides_is_in_the_result() -> None:
    error = lib.NotExtracted.of(Diagnosis("killed", "All is lost.", also=[Diagnosis("panic", "It panicked.")]))
    assert error.result()["verdict"]["also"] == [{"cause": "panic", "sentence": "It panicked."}]
    assert error.result()["verdict"]["cause"] == "killed"
