# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence where there is little to be had, its index and its bounds; the scenario failure_evidence has a cluster."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._diagnostics import bundle as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.access import Access
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman

VERDICT = {
    "cause": "crash",
    "sentence": "It ends each time it starts, with --db-password=hunter2.",
    "evidence": ["TOKEN=hunter2"],
    "remedy": "See the log.",
}
FAILURE: dict[str, t.Any] = {"task": "Wait for httpbin", "msg": "It ends. password=hunter2", "verdict": VERDICT}


def collected(directory: Path, **options: t.Any) -> lib.Collected:
    """Collect without a cluster."""
    options.setdefault("failure", FAILURE)
    return lib.collect(lib.Request(str(directory), **options), Podman(options.pop("podman", "podman")))


def everything(directory: Path) -> str:
    """All that is in the folder."""
    return "\n".join(path.read_text(encoding="utf-8") for path in directory.rglob("*") if path.is_file())


# ---- without a cluster ----


def test_before_there_is_a_cluster_what_failed_is_kept(tmp_path: Path) -> None:
    found = collected(tmp_path / "run" / "evidence")
    assert sorted(found.files) == ["README.txt", "verdict.json"]
    assert found.missing == {"the cluster": "it did not exist yet"}
    verdict = json.loads((tmp_path / "run" / "evidence" / "verdict.json").read_text(encoding="utf-8"))
    assert verdict["verdict"]["cause"] == "crash"
    assert verdict["task"] == "Wait for httpbin"
    assert found.bytes == sum(path.stat().st_size for path in (tmp_path / "run" / "evidence").iterdir())


def test_secrets_are_left_out(tmp_path: Path) -> None:
    collected(tmp_path)
    assert "hunter2" not in everything(tmp_path)
    assert "(redacted)" in everything(tmp_path)


def test_the_index_has_a_line_for_each_file_and_what_is_beside(tmp_path: Path) -> None:
    (tmp_path / "e2e-tests.log").write_text("x", encoding="utf-8")
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / "observation.json").write_text("{}", encoding="utf-8")
    beside = (str(tmp_path / "e2e-tests.log"), str(tmp_path / "not-there"))
    found = collected(tmp_path / "evidence", beside=beside)
    lines = (tmp_path / "evidence" / "README.txt").read_text(encoding="utf-8").splitlines()
    for name in set(found.files) - {"README.txt"}:
        assert [line for line in lines if line.startswith(f"  {name} ")], name
    assert "observation.json" in found.files
    assert "  ../e2e-tests.log" in lines
    assert not any("not-there" in line for line in lines)
    assert "Failed: Wait for httpbin" in lines
    assert "Cause: crash" in lines
    assert "  the cluster: it did not exist yet" in lines


def test_without_a_failure_there_is_no_verdict(tmp_path: Path) -> None:
    found = collected(tmp_path, failure={})
    assert sorted(found.files) == ["README.txt"]
    assert "Failed" not in everything(tmp_path)


def test_a_message_serves_where_there_is_no_verdict(tmp_path: Path) -> None:
    collected(tmp_path, failure={"task": "Copy", "msg": "no space left on device"})
    assert "no space left on device" in (tmp_path / "README.txt").read_text(encoding="utf-8")


def test_evidence_of_an_earlier_failure_goes_and_what_was_just_left_stays(tmp_path: Path) -> None:
    collected(tmp_path)
    index = tmp_path / "README.txt"
    (tmp_path / "logs" / "pod").mkdir(parents=True)
    old, new = tmp_path / "logs" / "pod" / "program.log", tmp_path / "ending.json"
    old.touch()
    new.touch()
    before = index.stat().st_mtime
    os.utime(old, (before - 5, before - 5))
    os.utime(new, (before + 5, before + 5))
    found = collected(tmp_path)
    assert not old.exists()
    assert new.exists()
    assert "ending.json" in found.files


def test_a_folder_that_is_not_ours_is_not_emptied(tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.touch()
    collected(tmp_path)
    assert mine.exists()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CoverageError) as caught:
        collected(tmp_path / "file" / "evidence")
    assert str(tmp_path / "file" / "evidence") in caught.value.message
    assert caught.value.setting == "evidence#directory"


@pytest.mark.parametrize("content", ["", "nonsense: [", "apiVersion: v1\nkind: Config\n"])
def test_a_kubeconfig_that_cannot_be_used_is_noted(tmp_path: Path, content: str) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(content, encoding="utf-8")
    found = collected(tmp_path / "evidence", access=Access.of({"kubeconfig": str(kubeconfig)}), namespace="demo")
    assert list(found.missing) == ["the cluster"]
    assert "verdict.json" in found.files


def test_an_api_server_that_is_gone_is_noted_once_and_at_once(tmp_path: Path) -> None:
    cluster = {"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [cluster],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(config), encoding="utf-8")
    found = collected(
        tmp_path / "evidence", access=Access.of({"kubeconfig": str(kubeconfig)}), namespace="demo", name="x"
    )
    assert list(found.missing) == ["the cluster"]
    assert "does not answer" in found.missing["the cluster"]


def test_a_node_that_is_gone_is_noted_and_keeps_nothing_else_from_coming(tmp_path: Path) -> None:
    found = collected(tmp_path, nodes=("nobody-knows-this-node",))
    assert set(found.missing) == {"the cluster", "node nobody-knows-this-node"}
    assert "verdict.json" in found.files


def test_without_podman_that_is_noted(tmp_path: Path) -> None:
    request = lib.Request(str(tmp_path), FAILURE, nodes=("node",))
    found = lib.collect(request, Podman(str(tmp_path / "no-podman")))
    assert "cannot be started" in found.missing["node node"]


# ---- the parts ----


def test_a_file_keeps_its_end_where_it_is_too_long(tmp_path: Path) -> None:
    folder = lib.Folder(str(tmp_path))
    folder.write("log", "a log", "x" * lib.FILE_BYTES + "the end")
    text = (tmp_path / "log").read_text(encoding="utf-8")
    assert text.startswith("[... 7 bytes before this are left out]\n")
    assert text.endswith("the end")
    folder.write("a/b", "one", "short")
    assert (tmp_path / "a" / "b").read_text(encoding="utf-8") == "short"
    assert [path.name for path in tmp_path.rglob("*.part")] == []


def test_events_are_a_table_oldest_first() -> None:
    def event(when: str, reason: str, message: str, **more: t.Any) -> dict[str, t.Any]:
        about = {"kind": "Pod", "name": "web-1"}
        return {
            "metadata": {},
            "lastTimestamp": when,
            "reason": reason,
            "message": message,
            "involvedObject": about,
            **more,
        }

    table = lib.events_table(
        [
            event("2026-11-23T10:00:02Z", "BackOff", "again\nand  again", type="Warning", count=7),
            event("2026-11-23T10:00:01Z", "Pulled", "password=hunter2", type="Normal"),
            {"metadata": {"creationTimestamp": "2026-11-23T10:00:03Z"}, "eventTime": None},
        ]
    )
    lines = table.splitlines()
    assert lines[0].startswith("2026-11-23T10:00:01Z  Normal   Pulled   Pod/web-1  x1  password=(redacted)")
    assert lines[1] == "2026-11-23T10:00:02Z  Warning  BackOff  Pod/web-1  x7  again and again"
    assert lines[2].startswith("2026-11-23T10:00:03Z")
    assert "?/?" in lines[2]
    assert lib.events_table([]) == ""


def test_yaml_is_yaml() -> None:
    value = {"kind": "List", "items": [{"a": "ü", "b": [1, 2], "c": None, "text": "two\nlines"}]}
    assert yaml.safe_load(lib.as_yaml(value)) == value
    assert lib.as_yaml(value).startswith("kind: List\n")


def test_what_a_node_is_asked_it_answers_in_sections(tmp_path: Path) -> None:
    (tmp_path / "covmeta.1").write_bytes(b"12345")
    answer = subprocess.run(
        ["sh", "-c", lib.NODE_SCRIPT, "look", str(tmp_path)], capture_output=True, text=True, check=True
    )
    sections = {
        name: text for name, _newline, text in (part.partition("\n") for part in answer.stdout.split(lib.SECTION)[1:])
    }
    assert list(sections) == list(lib.ON_A_NODE)
    (line,) = [line for line in sections["coverage.txt"].splitlines() if line.endswith("covmeta.1")]
    kind, mode, owner, size, _when, _path = line.split()
    assert (kind, mode, owner, size) == (
        "f",
        f"{(tmp_path / 'covmeta.1').stat().st_mode & 0o7777:o}",
        f"{os.getuid()}:{os.getgid()}",
        "5",
    )
    assert " / " in sections["mounts.txt"]
    assert "MemTotal:" in sections["memory.txt"]
    assert "%" in sections["disk.txt"]
