# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What is found in folders of coverage data: files, programs, components; Go's own word "pod" is not used."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import meta as covmeta
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import WARNING, Problem

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder in which data lie, and whose they are."""

    path: str
    component: str
    pod: str


@dataclass(frozen=True, slots=True)
class Found:
    """One file with a name that Go gives to coverage data. There can be many thousands: it holds two references."""

    folder: Folder
    name: str

    @property
    def path(self) -> str:
        """Its path."""
        return os.path.join(self.folder.path, self.name)

    @property
    def hash(self) -> str:
        """The hash of the covmeta, in the name."""
        parts = self.name.split(".", 1)[1]
        return parts if self.name.startswith("covmeta.") else parts.rsplit(".", 2)[0]

    @property
    def process(self) -> int:
        """The id of the process that wrote the counters, as the process itself knew it: 1 in most containers."""
        return int(self.name.rsplit(".", 2)[1])

    @property
    def nanoseconds(self) -> int:
        """When the counters were written, since the epoch."""
        return int(self.name.rsplit(".", 1)[1])


@dataclass(slots=True)
class Pod:
    """What one pod's folder holds: good files only; C(found) counts all files of counters."""

    name: str
    metas: int = 0
    counters: int = 0
    found: int = 0


@dataclass
class Program:
    """One covmeta and the counters of all its process runs, merged.

    :ivar counts: (U) uint32, one for each unit of C(meta).
    :ivar meta_path: where its covmeta was read, or the first of those it was made of.
    :ivar derived: an operation made its covmeta: it is not the file at C(meta_path).
    :ivar nanoseconds: when the last of its process runs wrote its counters, since the epoch, from the file's name.
    :ivar always: (U) bool: whether it ran in each process run that ran its function; only where that was asked for.
    """

    meta: covmeta.Meta
    meta_path: str
    counts: np.ndarray
    process_runs: int = 0
    nanoseconds: int = 0
    arguments: dict[str, str] = field(default_factory=dict)
    always: t.Optional[np.ndarray] = None
    derived: bool = False

    def title(self) -> str:
        """Return the import path of its main package, or how else to call it."""
        return ", ".join(self.meta.main_paths()) or f"a program of {len(self.meta.packages)} packages"


@dataclass
class Component:
    """Everything that was found of one instrumented workload.

    :ivar set_aside: those of the problems that tell of a file that does not count and should not be there.
    :ivar mode: counter mode of the merged data; empty if there is none.
    :ivar withheld: why no percentage can be given; empty if one can.
    """

    name: str
    programs: list[Program] = field(default_factory=list)
    pods: dict[str, Pod] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    set_aside: list[Problem] = field(default_factory=list)
    mode: str = ""
    granularity: str = ""
    withheld: str = ""

    def usable(self) -> bool:
        """Tell whether there are counters at all."""
        return any(program.process_runs for program in self.programs)

    def process_runs(self) -> int:
        """Return how many process runs' counters were merged."""
        return sum(program.process_runs for program in self.programs)

    def say(self, kind: str, severity: str, sentence: str, file: str = "", remedy: str = "") -> Problem:
        """Record a problem."""
        problem = Problem(kind, severity, sentence, file, self.name, remedy)
        self.problems.append(problem)
        return problem

    def put_aside(self, kind: str, sentence: str, file: str, remedy: str) -> None:
        """Record a file that does not count."""
        self.set_aside.append(self.say(kind, WARNING, sentence, file, remedy))
