# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left when a run is interrupted, and how its counters are collected."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.plugin_utils._journey.text import short_path

MODULES = "kubernaut.coverage."
COLLECT = "coverage_extraction,coverage_report"
TAGS = ("--tags", "-t", "--skip-tags")


@dataclass
class Unfinished:
    """What a run of one service has done so far, from the results of its tasks."""

    folder: str = ""
    cluster: str = ""
    creating: bool = False
    counting: bool = False
    tested: bool = False
    seen: bool = field(default=False)

    def observe(self, action: str, data: t.Mapping[str, t.Any]) -> None:
        """Take in the result of a task."""
        module = action.removeprefix(MODULES)
        if module == "service_contract_info" and isinstance(data.get("run"), dict):
            self.seen, self.folder = True, str(data["run"].get("dir", ""))
            self.cluster = str(data["contract"]["cluster"]["name"])
        elif module == "run_record" and isinstance(data.get("record"), dict) and data["record"].get("dir"):
            self.folder = str(data["record"]["dir"])
        elif module == "kind_cluster" and data.get("ansible_job_id"):
            self.creating = True
        elif module in ("async_status", "ansible.builtin.async_status"):
            self.creating = False
        elif module == "coverage_mode":
            self.counting = True
        elif module == "e2e_tests":
            self.tested = True
        elif module == "coverage_extraction":
            self.counting = False

    def paragraph(self, argv: t.Sequence[str]) -> str:
        """Return what to say, in one paragraph; empty if the playbook was not one of a service."""
        if not self.seen:
            return ""
        said = ["Interrupted."]
        if self.creating:
            said.append(f"Cluster {self.cluster} is still being created in the background; the next run uses it.")
        elif self.counting:
            said.append(f"Cluster {self.cluster} and its workloads keep running, and the counters are still in them.")
        else:
            said.append(f"What exists of cluster {self.cluster} is kept; the next run uses it.")
        if self.folder and Path(self.folder).is_dir():
            log = f"{self.folder}/e2e-tests.log"
            what = f"The log of the tests is {short_path(log)}." if Path(log).is_file() else ""
            said.append(what or f"The files of the run are in {short_path(self.folder)}.")
        if self.counting:
            said.append(f"Collect the counters: {' '.join(collecting(argv))}")
        return " ".join(said)


def collecting(argv: t.Sequence[str]) -> list[str]:
    """Return the command of a run with the tags of the stages that collect and report, in the place of its own."""
    kept: list[str] = []
    words = iter(argv[1:])
    for word in words:
        if word in TAGS:
            next(words, "")
        elif not word.startswith(tuple(f"{tag}=" for tag in TAGS)):
            kept.append(word)
    return [Path(argv[0]).name, *kept, "--tags", COLLECT]
