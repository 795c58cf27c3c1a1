# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""From folders of coverage data to one, by one of the operations of C(go tool covdata): C(covdata_merge)."""

from __future__ import annotations

import hashlib
import json
import os
import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import operations
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.listing import (
    Loaded,
    Reading,
    expand,
    load,
    share,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.merged import merged_files
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.model import Program
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import DataError
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import package_totals
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.text_reader import common_mode
from ansible_collections.kubernaut.coverage.plugins.module_utils._report import files as place

OPERATIONS = ("merge", "intersect", "subtract")
LIST = "covdata.json"  # in the output folder: which of its files are ours
SCHEMA = 1


@dataclass
class Request:
    """What is asked for; see the options of the module."""

    inputs: t.Sequence[str]
    output: str
    reading: Reading
    operation: str = "merge"
    combine: bool = False
    packages: t.Sequence[str] = ()
    check: bool = False


@dataclass
class Merged:
    """What was made: numbers of all programs together, where they can be trusted."""

    changed: bool
    programs: list[dict[str, t.Any]]
    covered: int
    statements: int
    percent: t.Optional[float]
    withheld: str
    files: list[str]
    problems: list[dict[str, str]]
    before: list[str]


def merge(request: Request) -> Merged:
    """Read, compute and write; in check mode write nothing.

    :raises InputError: an option is unusable, or the output folder is not ours; nothing was changed.
    :raises DataError: there is nothing from which a number could be made; nothing was changed.
    """
    _check_output(request)
    report_progress("reading coverage data")
    if request.operation == "merge":
        inputs = [_load(request, request.inputs)]
    else:
        if len(request.inputs) < 2:
            raise InputError(
                f"To {request.operation}, two inputs are needed at least, and there is {len(request.inputs)}.",
                remedy="Name each of them as an element of inputs.",
                setting="inputs",
            )
        inputs = [_load(request, [given]) for given in request.inputs]
    programs = _compute(request, [loaded.component.programs for loaded in inputs])
    contents = merged_files(programs)
    before = sorted(os.listdir(request.output)) if os.path.isdir(request.output) else []
    report_progress("writing the merged data")
    changed = place.put_folder(
        request.output,
        {**contents, LIST: _list(contents)},
        ours=_listed(request.output, before),
        check=request.check,
        setting="output",
    )
    withheld = next((loaded.component.withheld for loaded in inputs if loaded.component.withheld), "")
    _packages, covered, statements = package_totals(programs, common_mode(entry.meta.mode for entry in programs))
    part, whole = int(covered.sum()), int(statements.sum())
    return Merged(
        changed=changed,
        programs=[
            {
                "hash": program.meta.hash.hex(),
                "main": list(program.meta.main_paths()),
                "mode": program.meta.mode,
                "packages": len(program.meta.packages),
                "process_runs": program.process_runs,
            }
            for program in programs
        ],
        covered=part,
        statements=whole,
        percent=None if withheld else share(part, whole),
        withheld=withheld,
        files=[os.path.join(request.output, name) for name in sorted(contents)],
        problems=[problem.as_dict() for loaded in inputs for problem in loaded.problems],
        before=before,
    )


def _check_output(request: Request) -> None:
    """Refuse an output inside an input, or an input inside the output."""
    output = os.path.join(os.path.realpath(request.output), "")
    if os.path.lexists(request.output) and not os.path.isdir(request.output):
        raise InputError(f"{request.output} is not a folder.", remedy="Use another path.", setting="output")
    for given in [path for paths in expand(request.inputs) for path in paths]:
        path = os.path.join(os.path.realpath(given), "")
        if output.startswith(path) or path.startswith(output):
            raise InputError(
                f"The output folder {request.output} and the input {given} overlap: merged data would be read again, "
                "or data overwritten.",
                remedy="Use another output folder.",
                setting="output",
            )


def _load(request: Request, inputs: t.Sequence[str]) -> Loaded:
    _data, texts = expand(inputs)
    if texts:
        raise InputError(
            f"{texts[0]} is a text profile: it cannot be made into covmeta and covcounters.",
            remedy="Join text profiles with the module covdata_report.",
            setting="inputs",
        )
    loaded = load(inputs, request.reading, each_process_run=request.operation == "intersect")
    loaded.need_counts(inputs)
    return loaded


def _compute(request: Request, inputs: list[list[Program]]) -> list[Program]:
    if request.operation == "merge":
        programs = operations.merge(inputs[0], combine=request.combine)
    elif request.operation == "intersect":
        programs = operations.intersect(inputs, combine=request.combine)
    else:
        rest = [program for programs in inputs[1:] for program in programs]
        programs = operations.subtract(inputs[0], rest, combine=request.combine)
    if request.packages:
        programs = operations.select_packages(programs, request.packages)
    if not programs:
        raise DataError("Nothing is left to be written.", setting="inputs, packages")
    return programs


def _list(contents: t.Mapping[str, bytes]) -> bytes:
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(contents.items())}
    return (json.dumps({"schema": SCHEMA, "sha256": sums}, indent=2) + "\n").encode()


def _listed(folder: str, names: t.Sequence[str]) -> t.Callable[[str], bool]:
    """Return what tells whether a file of the output folder was written by us, and is as it was written."""
    if LIST not in names:
        return lambda name: False
    try:
        sums = json.loads(place.read_or_none(os.path.join(folder, LIST)) or b"")["sha256"]
    except (ValueError, KeyError, TypeError):
        return lambda name: False

    def ours(name: str) -> bool:
        content = place.read_or_none(os.path.join(folder, name))
        return name == LIST or (name in sums and hashlib.sha256(content or b"").hexdigest() == sums[name])

    return ours
