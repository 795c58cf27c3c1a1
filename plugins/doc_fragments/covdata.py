# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that read coverage data wherever they lie."""

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
      - What follows where data are bad, foreign, old, doubled or do not go together. In no case do they count, and in
        no case do they keep good data from counting.
      - With V(warn) they are said in RV(problems) and left where they are, and a percentage that could not be trusted
        is withheld. With V(fail) the first that costs data or trust fails the task, with the others as evidence.
    type: str
    choices: [fail, warn]
    default: warn
  not_before:
    description: Seconds since the epoch; counters that were written before are those of an earlier run and set aside.
    type: float
    default: 0.0
  expected:
    description:
      - Package patterns with Go's meaning (C(example.com/app/...)). A program of which neither a main package nor the
        module matches one of them is a foreign one and set aside.
    type: list
    elements: str
    default: []
  snapshots:
    description:
      - What several counter files of one process are. With V(sum) they are added up, with V(last) only the last one
        counts, because each holds all that was counted so far. With V(auto) the files themselves tell.
    type: str
    choices: [auto, sum, last]
    default: auto
"""
