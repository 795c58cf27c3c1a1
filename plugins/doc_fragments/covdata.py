# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that read coverage data."""

from __future__ import annotations


class ModuleDocFragment:
    """Which data are read, and how."""

    DOCUMENTATION = r"""
options:
  inputs:
    description:
      - Folders, files and globs (C(**/) for any depth). Folders are searched to any depth for C(covmeta) and
        C(covcounters). Other files have to be text profiles (C(mode) and one line a block, as C(go test -coverprofile)
        writes them).
    type: list
    elements: path
    required: true
  policy:
    description:
      - What to do with data that are damaged, foreign, old, duplicate or incompatible. They never count, and they never
        prevent valid data from counting.
      - With V(warn) they are listed in RV(problems) and left in place, and a percentage that cannot be trusted is
        withheld. With V(fail) the first problem that affects data or trust fails the task, with the others as evidence.
    type: str
    choices: [fail, warn]
    default: warn
  not_before:
    description: Seconds since the epoch; counters written before that time are from an earlier run and are set aside.
    type: float
    default: 0.0
  expected:
    description:
      - Go package patterns (C(example.com/app/...)). A program is foreign if neither a main package nor the module
        matches one of them, and is set aside.
    type: list
    elements: str
    default: []
  snapshots:
    description:
      - How to combine several counter files of one process. With V(sum) they are added up. With V(last) only the last
        one counts, because each contains all that was counted so far. V(auto) decides by the files.
    type: str
    choices: [auto, sum, last]
    default: auto
"""
