# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Inputs as a user names them (folders, files, globs), and what is in them."""

from __future__ import annotations

import glob
import os
import typing as t
from dataclasses import dataclass, field

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.collection import read_collection
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.model import Component, Program
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import (
    LIBRARY,
    NOTE,
    WARNING,
    DataError,
    FormatError,
    Problem,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import (
    STATEMENTS,
    Profile,
    make_profile,
    package_totals,
    percentage,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.scan import (
    COUNTERS_NAME,
    META_NAME,
    TEMPORARY_NAME,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.text_reader import (
    TextProfile,
    join,
    looks_like_text,
    parse_text_profile,
    read_text_profile,
)

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]

NAMES = (META_NAME, COUNTERS_NAME, TEMPORARY_NAME)
DECIMALS = 4
HEAD = 32  # bytes that tell whether a file is a text profile


@dataclass(frozen=True)
class Reading:
    """How inputs are read; see the options of the modules."""

    policy: str = "warn"
    not_before: float = 0.0
    expected: t.Sequence[str] = ()
    snapshots: str = "auto"


@dataclass
class Loaded:
    """What was read. C(component): all that covmeta and covcounters tell. C(texts): the text profiles."""

    component: Component
    texts: list[TextProfile] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def usable(self) -> bool:
        """Tell whether there are any counts."""
        return self.component.usable() or bool(self.texts)

    def need_counts(self, inputs: t.Sequence[str]) -> None:
        """Raise where there is nothing from which a number could be made; see R(need_counts)."""
        need_counts([self.component], self.problems, ", ".join(inputs), setting="inputs", texts=self.texts)

    def profile(self, *, strict: bool) -> t.Optional[Profile]:
        """Join everything; nothing where a percentage cannot be trusted. What is found is added to C(problems).

        :arg strict: whether a text profile of other sources is an error; otherwise it is left out and said.
        :raises InputError: source-clash, where that is an error.
        """
        if self.component.withheld or not self.usable():
            return None
        base = None
        if self.component.usable():
            base = make_profile([entry for entry in self.component.programs if entry.process_runs], self.component.mode)
        if not self.texts:
            return base
        joined, problems = join(base, self.texts, policy="fail" if strict else "quarantine")
        self.problems += problems
        return joined


def expand(inputs: t.Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the folders and files of coverage data, and the text profiles, that inputs name; each once, in order.

    :raises InputError: input-missing: an input, or a glob, names nothing. bad-input: a file that is neither.
    """
    data: dict[str, None] = {}
    texts: dict[str, None] = {}
    for given in inputs:
        paths = [given] if os.path.lexists(given) else sorted(glob.glob(given, recursive=True))
        if not paths:
            raise InputError(
                f"There is nothing at {given}.",
                remedy="Name folders, files or globs (**/ for any depth) that are on this host.",
                setting="inputs",
                cause="input-missing",
            )
        for path in paths:
            if os.path.isdir(path) or any(pattern.fullmatch(os.path.basename(path)) for pattern in NAMES):
                data[path] = None
            elif _is_text(path):
                texts[path] = None
            elif path == given:
                raise _not_data(path)
    return list(data), list(texts)


def _is_text(path: str) -> bool:
    return looks_like_text(_head(path))


def _head(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read(HEAD)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}.",
            remedy="Correct its permissions, or run as a user who can read it (become).",
            setting="inputs",
        ) from error


def _not_data(path: str) -> InputError:
    """Return the error for a file that is named as an input but is not coverage data."""
    try:
        parse_text_profile(_head(path), path)
    except FormatError as error:
        if error.kind in ("empty-file", "compressed"):
            remedy = error.remedy or "Run the tests again; go test writes no profile if it fails."
            return InputError(f"{path}: {error.message}.", remedy=remedy, setting="inputs", cause=error.kind)
    return InputError(
        f"{path} is not coverage data: its name is not that of a covmeta or covcounters file, and its first line "
        "does not begin with 'mode: '.",
        remedy="Name the folder with the data, or a text profile.",
        setting="inputs",
    )


def load(
    inputs: t.Sequence[str],
    reading: Reading,
    *,
    name: str = "data",
    each_process_run: bool = False,
    verify: bool = False,
) -> Loaded:
    """Read all inputs together: folders to any depth; data of one program are merged, in whichever folder they are.

    :arg verify: check the contents of large covmeta against their hashes too.
    :raises InputError: an input does not exist or is not coverage data; with the policy C(fail) also damaged data.
    """
    data, texts = expand(inputs)
    component = Component(name)
    if data:
        found = read_collection(
            data,
            name,
            layered=False,
            policy=reading.policy,
            not_before=int(reading.not_before * 1_000_000_000),
            expected=reading.expected,
            snapshots=reading.snapshots,
            each_process_run=each_process_run,
            verify=verify,
        )
        component = next(iter(found), component)
    loaded = Loaded(component, problems=list(component.problems))
    for path in texts:
        try:
            loaded.texts.append(read_text_profile(path))
        except FormatError as error:
            remedy = error.remedy or "Create the profile again, or remove it from the inputs."
            if reading.policy == "fail":
                raise InputError(f"{path}: {error.message}.", remedy=remedy, cause=error.kind) from error
            sentence = f"{os.path.basename(path)} is set aside: {error.message}."
            loaded.problems.append(Problem(error.kind, WARNING, sentence, path, name, remedy))
    return loaded


def need_counts(
    components: t.Sequence[Component],
    problems: t.Sequence[Problem],
    where: str,
    *,
    setting: str,
    texts: t.Sequence[TextProfile] = (),
) -> None:
    """Raise if there are no usable counters.

    :arg where: what was searched, for the sentence.
    :raises DataError: no-coverage-data, no-counters, no-meta or all-set-aside, with what was found as evidence.
    """
    if texts or any(component.usable() for component in components):
        return
    kinds = {problem.kind for problem in problems}
    evidence = [f"{entry.file}: {entry.sentence}" if entry.file else entry.sentence for entry in problems]
    if not kinds:
        raise DataError(
            f"There is no coverage data in {where}: no covmeta and no covcounters.",
            cause="no-coverage-data",
            remedy="Make sure that the program is instrumented (go build -cover), that GOCOVERDIR is set in its "
            "container and is writable, and that the data were collected from the node that the pod ran on.",
            setting=setting,
        )
    only = [entry for entry in problems if entry.severity != NOTE]
    if len(only) == 1 and only[0].file and not any(component.programs or component.pods for component in components):
        raise DataError(only[0].sentence, cause=only[0].kind, remedy=only[0].remedy, setting=setting, evidence=evidence)
    if kinds <= {"meta-without-counters", "leftover"}:
        sentence = f"There is no coverage in {where}: instrumented processes started, but none wrote its counters."
        cause = "no-counters"
        remedy = (
            "A Go program writes its counters when main returns or it calls os.Exit: handle SIGTERM that way, and set "
            "a grace period that is long enough. " + LIBRARY
        )
    elif "counters-without-meta" in kinds and not any(component.programs for component in components):
        sentence = f"There are counters in {where}, but no valid covmeta; counters cannot be read without it."
        cause = "no-meta"
        remedy = "Collect the covmeta files too; they are written when a process starts."
    else:
        sentence = f"No usable data in {where}: every counter file was set aside."
        cause = "all-set-aside"
        remedy = "Check the evidence for what is wrong with each file, and copy the files from the node again."
    raise DataError(sentence, cause=cause, remedy=remedy, setting=setting, evidence=evidence)


def share(covered: int, statements: int) -> t.Optional[float]:
    """Return a percentage as it is returned to a user; nothing where there is no statement."""
    return round(percentage(covered, statements), DECIMALS) if statements else None


def printable(value: t.Any) -> t.Any:
    """Return plain data in which bytes that are not UTF-8 are written as \\xNN: no module can return them."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if isinstance(value, dict):
        return {printable(key): printable(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [printable(entry) for entry in value]
    return value


def describe(loaded: Loaded) -> dict[str, t.Any]:
    """Return what is there as plain data, for C(covdata_info)."""
    component = loaded.component
    return {
        "programs": [_describe_program(program) for program in component.programs],
        "text_profiles": [_describe_text(text) for text in loaded.texts],
        "mode": component.mode,
        "granularity": component.granularity,
        "process_runs": component.process_runs(),
        "withheld": component.withheld,
        "folders": [
            {"path": pod.name, "covmeta": pod.metas, "covcounters": pod.counters}
            for _name, pod in sorted(component.pods.items())
        ],
        "problems": [problem.as_dict() for problem in loaded.problems],
    }


def _describe_program(program: Program) -> dict[str, t.Any]:
    meta = program.meta
    packages, covered, statements = package_totals([program], meta.mode)
    part, whole = int(covered.sum()), int(statements.sum())
    return {
        "hash": meta.hash.hex(),
        "main": list(meta.main_paths()),
        "modules": sorted({package.module for package in packages if package.module}),
        "mode": meta.mode,
        "granularity": meta.granularity,
        "packages": [package.path for package in packages],
        "files": len(meta.files),
        "functions": len(meta.function_package),
        "blocks": int(meta.units.shape[1]),
        "statements": whole,
        "covered": part,
        # without any counters 0 % would be a guess
        "percent": share(part, whole) if program.process_runs else None,
        "process_runs": program.process_runs,
        "last_written": program.nanoseconds / 1_000_000_000 if program.nanoseconds else None,
        "arguments": dict(sorted(program.arguments.items())),
        "covmeta": program.meta_path,
    }


def _describe_text(text: TextProfile) -> dict[str, t.Any]:
    statements = text.units[STATEMENTS].astype(np.int64)
    covered, whole = int(statements[text.counts != 0].sum()), int(statements.sum())
    return {
        "path": text.path,
        "mode": text.mode,
        "files": len(text.files),
        "blocks": len(text.counts),
        "statements": whole,
        "covered": covered,
        "percent": share(covered, whole),
    }


def describe_lines(described: t.Mapping[str, t.Any]) -> list[str]:
    """Return the same in plain text, a line each."""
    lines = []
    for program in described["programs"]:
        title = ", ".join(program["main"]) or program["hash"]
        process_runs = f"{program['process_runs']} {'process run' if program['process_runs'] == 1 else 'process runs'}"
        number = "no counters" if program["percent"] is None else f"{program['percent']:.1f} % of statements"
        counted = f"{len(program['packages'])} packages, {program['statements']} statements"
        lines.append(f"{title}: {number}, {process_runs}, mode {program['mode']}, {counted}")
    for text in described["text_profiles"]:
        number = "no statements" if text["percent"] is None else f"{text['percent']:.1f} % of statements"
        lines.append(f"{text['path']}: {number}, text profile, mode {text['mode']}, {text['files']} files")
    if described["withheld"]:
        lines.append(f"No percentage can be given of all together: {described['withheld']}.")
    lines += [f"{problem['severity']}: {problem['sentence']}" for problem in described["problems"]]
    return lines or ["No coverage data."]
