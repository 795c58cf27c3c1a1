# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One case: a damaged file, what is done with it, and what must not happen then.

What must not happen: an exception other than the engine's own, more than a second, more memory than ten times the
file (and a constant), a good file beside it that is lost or counts otherwise than alone.
"""

from __future__ import annotations

import base64
import functools
import json
import random as chance
import re
import shutil
import tempfile
import time
import traceback
import tracemalloc
import typing as t
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import counters as covcounters
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import meta as covmeta
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import meta_writer as covmeta_writer
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.accumulate import Accumulator
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.collection import read_collection
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.model import Component, Program
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import FormatError
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import Profile, make_profile
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.text_reader import (
    TextProfile,
    join,
    parse_text_profile,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.text_writer import (
    function_text,
    percent_of,
    percent_text,
    text_profile,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.lines import (
    cobertura,
    count_lines,
    find_functions,
    lcov,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.page import _Contents as Contents
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.page import _Made as Made
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.sources import Sources
from corpus import FIXTURES, KINDS, Good, make_corpus
from mutations import mutate
from our_page import unpack

LARGEST = 2**32 - 1
SECONDS = 1.0  # of this process's own time
TIMES = 10  # memory: so many times the input ...
CONSTANT = 512 * 1024  # ... and what numpy, the interpreter and an error's traceback take anyway
MEASURED = 64  # memory is measured in one of so many cases: measuring is slow
COLLECTIONS = 10  # one of so many cases goes through a whole folder
ACCUMULATED = 3  # one of so many counter files is added to others
COMPARED = 7  # one of so many text profiles is also read line by line
REPORTS = 5  # of the files that are accepted, one of so many is made into reports


class Broken(Exception):
    """Something happened that must not."""


@dataclass(frozen=True)
class Case:
    """All that is needed to do it again. C(target): a kind of file, or C(collection-) and how it lies in a folder."""

    seed: str
    index: int
    kind: str
    target: str
    name: str
    mutations: str
    measured: bool
    data: bytes

    def save(self, folder: Path, failure: str) -> Path:
        """Write the case to a file from which it can be run again."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.seed}-{self.index}.json"
        record = asdict(self) | {"data": base64.b64encode(self.data).decode(), "failure": failure}
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        return path

    @classmethod
    def load(cls, path: Path) -> Case:
        """Read what C(save) wrote."""
        record = json.loads(path.read_text(encoding="utf-8"))
        record.pop("failure")
        return cls(**record | {"data": base64.b64decode(record["data"])})


@functools.cache
def corpus() -> dict[str, list[Good]]:
    """The good files by kind."""
    found: dict[str, list[Good]] = {kind: [] for kind in KINDS}
    for good in make_corpus():
        found[good.kind].append(good)
    return found


PLACES = {
    # another process run of the same pod; a process run of another pod; written by the process of a good one before it,
    # or after it
    "counters": ("same-pod", "other-pod", "earlier", "later"),
    # read before the good copy, or after it
    "meta": ("before", "behind"),
}


def make_case(seed: str, index: int) -> Case:
    """The case of a number: always the same for one state of the corpus and of the mutations."""
    random = chance.Random(f"{seed}:{index}")  # noqa: S311  (it has to be repeatable)
    kind = random.choices(KINDS, (4, 4, 2))[0]
    goods = corpus()[kind]
    good = random.choice(goods)
    target = kind
    if kind in PLACES and index % COLLECTIONS == 0:
        target = f"collection-{random.choice(PLACES[kind])}"
    elif kind == "counters" and index % ACCUMULATED == 0:
        target = "accumulate"
    if kind == "profile" and index % COLLECTIONS == 0:
        target = "profile-join"
    mutations, data = mutate(random, good.data, [other.data for other in goods], text=kind == "profile")
    return Case(seed, index, kind, target, good.name, mutations, index % MEASURED == 0, data)


@dataclass
class Outcome:
    """What became of a file."""

    accepted: bool
    refused: str = ""


class Runner:
    """Runs cases; has a folder with good data for those that need one. Use it as a context."""

    def __init__(self, folder: Path | None = None) -> None:
        memory = Path("/dev/shm")  # noqa: S108  (a folder of its own is made in it)
        parent = folder or (memory if memory.is_dir() else None)
        self.root = Path(tempfile.mkdtemp(prefix="covdata-fuzz-", dir=parent))
        self.alone: dict[str, np.ndarray] = {}
        self.good: dict[str, tuple[Good, Good]] = {}
        for meta in corpus()["meta"]:
            counters = next(c for c in corpus()["counters"] if c.name.split(".")[1] == meta.name.split(".")[1])
            self.good.setdefault(meta.name, (meta, counters))

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_exception: object) -> None:
        shutil.rmtree(self.root)

    def run(self, case: Case) -> Outcome:
        """Run one case.

        :raises Broken: what must not happen did.
        """
        if case.measured:
            self._attempt(case)  # what is loaded or kept at the first use is no cost of this case
        started = time.process_time()
        outcome, peak = self._measure(case) if case.measured else (self._attempt(case), 0)
        seconds = time.process_time() - started
        if seconds > SECONDS * (5 if case.measured else 1):
            raise Broken(f"took {seconds:.1f} s")
        size = len(case.data) + self.beside(case)
        if peak > TIMES * size + CONSTANT:
            # once in a while a table of the interpreter's own grows meanwhile: what the case takes, it takes again
            peak = min(peak, self._measure(case)[1])
        if peak > TIMES * size + CONSTANT:
            raise Broken(f"took {peak} bytes of memory for {size}")
        return outcome

    def _measure(self, case: Case) -> tuple[Outcome, int]:
        """Run a case; return what became of it, and the most memory that it had at once."""
        tracemalloc.start()
        try:
            return self._attempt(case), tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def _attempt(self, case: Case) -> Outcome:
        try:
            return self._dispatch(case)
        except CoverageError as error:
            return Outcome(accepted=False, refused=error.cause)
        except Broken:
            raise
        except Exception as error:
            raise Broken(f"{type(error).__name__}: {error}\n{traceback.format_exc()}") from error

    def _dispatch(self, case: Case) -> Outcome:
        if case.target == "counters":
            covcounters.read_counters(case.data)
        elif case.target == "accumulate":
            return accumulate(case)
        elif case.target == "meta":
            covmeta.read_head(case.data[: covmeta.HEADER.size], len(case.data))
            look_through(covmeta.read_meta(case.data), case.data if case.index % REPORTS == 0 else b"")
        elif case.target == "profile":
            read_profile(case.data, compared=case.index % COMPARED == 0 and not case.measured)
        elif case.target == "profile-join":
            return join_profile(case.data, compared=not case.measured)
        else:
            try:
                return self._collection(case)
            except CoverageError as error:
                raise Broken(f"a folder was refused as a whole: {error}") from error
        return Outcome(accepted=True)

    # -- a folder with good data beside -------------------------------------------------------------------------------

    def _collection(self, case: Case) -> Outcome:
        place = case.target.removeprefix("collection-")
        digest = case.name.split(".")[1]
        meta, counters = self.good[f"covmeta.{digest}"]
        folder = self.root / digest
        if digest not in self.alone:
            for pod in ("pod-1", "pod-3"):
                (folder / "service" / pod).mkdir(parents=True)
            # two good process runs: one with its covmeta, one that has need of another pod's
            (folder / "service" / "pod-1" / meta.name).write_bytes(meta.data)
            (folder / "service" / "pod-1" / f"covcounters.{digest}.1.1000").write_bytes(counters.data)
            (folder / "service" / "pod-3" / f"covcounters.{digest}.4000.3000").write_bytes(counters.data)
            self.alone[digest] = self._read(folder, digest)[1]
        bad = folder / "service" / self.where(place, digest)
        bad.parent.mkdir(exist_ok=True)
        bad.write_bytes(case.data)
        try:
            component, counts = self._read(folder, digest)
        finally:
            bad.unlink()
            if bad.parent.name in {"pod-0", "pod-2"}:
                bad.parent.rmdir()
        named = [problem.kind for problem in component.problems if problem.file == str(bad)]
        alone = self.alone[digest]
        if case.kind == "counters" and not named:
            self._added(case, component, counts, alone)
        elif not np.array_equal(counts, alone):
            raise Broken(f"the good neighbours do not count as they do alone; said of the bad one: {named}")
        return Outcome(accepted=not named, refused=",".join(named))

    def beside(self, case: Case) -> int:
        """The size of the good files that a case is read with."""
        if not case.target.startswith("collection-"):
            return 0
        meta, counters = self.good[f"covmeta.{case.name.split('.')[1]}"]
        return len(meta.data) + 2 * len(counters.data)

    @staticmethod
    def where(place: str, digest: str) -> str:
        """Where the damaged file lies, below the component's folder."""
        names = {
            "same-pod": f"pod-1/covcounters.{digest}.2.2000",
            "other-pod": f"pod-2/covcounters.{digest}.2.2000",
            "earlier": f"pod-3/covcounters.{digest}.4000.2000",
            "later": f"pod-3/covcounters.{digest}.4000.4000",
            "before": f"pod-0/covmeta.{digest}",
            "behind": f"pod-2/covmeta.{digest}",
        }
        return names[place]

    @staticmethod
    def _added(case: Case, component: Component, counts: np.ndarray, alone: np.ndarray) -> None:
        """What an accepted file has is added to what was there, and nothing else changes."""
        digest = case.name.split(".")[1]
        meta, _other, good = program_of(case.name)
        program = next(program for program in component.programs if program.meta.hash.hex() == digest)
        added = plain_sum(meta, case.data)
        top = 1 if program.meta.mode == "set" else LARGEST
        sums = [alone + added]
        process_runs = {3}
        if case.target in {"collection-earlier", "collection-later"}:
            # of two snapshots of one process the last one counts
            process_runs.add(2)
            sums.append(alone - good + added if case.target == "collection-later" else alone)
        if not any(np.array_equal(counts, np.minimum(total, top)) for total in sums):
            raise Broken("an accepted process run is not what was added")
        if program.process_runs not in process_runs:
            raise Broken(f"{program.process_runs} process runs, {process_runs} are good")
        if np.any((counts == 0) & (alone != 0)):
            raise Broken("what was covered is not any more")

    @staticmethod
    def _read(folder: Path, digest: str) -> tuple[Component, np.ndarray]:
        (component,) = read_collection(str(folder), "service")
        program = next((program for program in component.programs if program.meta.hash.hex() == digest), None)
        if program is None:
            raise Broken("the good program is lost")
        profile = make_profile([program], component.mode or program.meta.mode)
        function_text(profile)
        percent_text(profile)
        text_profile(profile)
        return component, program.counts.astype(np.uint64)


def records(file: covcounters.CounterFile) -> t.Iterator[tuple[int, int, np.ndarray]]:
    """Each function of all segments with its counters."""
    for segment in file.segments:
        end = 0
        for package, function, length in zip(segment.package, segment.function, segment.lengths, strict=True):
            yield int(package), int(function), segment.counters[end : end + int(length)]
            end += int(length)


def plain_sum(meta: covmeta.Meta, data: bytes) -> np.ndarray:
    """What a counter file adds to each unit, function by function.

    :raises FormatError: the file is bad, or not of this program.
    """
    file = covcounters.read_counters(data)
    if file.meta_hash != meta.hash:
        raise FormatError("renamed", "of another program")
    total = np.zeros(meta.units.shape[1], dtype=np.uint64)
    for package, function, values in records(file):
        if package >= len(meta.packages):
            continue  # of a plugin; of a segment with nothing else, see below
        number = int(meta.package_base[package]) + function
        if number >= meta.package_base[package + 1]:
            raise FormatError("foreign", "no such function")
        begin, end = meta.function_base[number : number + 2].tolist()
        if end - begin != len(values):
            raise FormatError("foreign", "another number of counters")
        total[begin:end] += values
    for segment in file.segments:
        if len(segment.package) and int(segment.package.min()) >= len(meta.packages):
            raise FormatError("foreign", "no such package")
    return total


@functools.cache
def program_of(name: str) -> tuple[covmeta.Meta, bytes, np.ndarray]:
    """The program of a counter file, another good file of it, and what that one adds."""
    digest = name.split(".")[1]
    meta = next(covmeta.read_meta(good.data) for good in corpus()["meta"] if good.name.split(".")[1] == digest)
    other = next(good.data for good in corpus()["counters"] if good.name.split(".")[1] == digest)
    return meta, other, plain_sum(meta, other)


def accumulate(case: Case) -> Outcome:
    """Add the file twice, alone and behind a good one: the quick ways must give what the plain one gives."""
    meta, other, before = program_of(case.name)
    kind = ""
    try:
        added = plain_sum(meta, case.data)
    except FormatError as error:
        kind, added = error.kind, np.zeros_like(before)
    for good in (b"", other):
        accumulator = Accumulator(meta, each_process_run=bool(case.index & 1))
        if good:
            accumulator.add(good)
        for number in (1, 2):
            accumulator.add(case.data, number)
        accumulator.finish()
        for number in (1, 2):
            found = accumulator.bad.get(number, ("", ""))[0]
            if found != kind:
                raise Broken(f"refused as {found or 'nothing'} where the plain way says {kind or 'nothing'}")
        if not np.array_equal(accumulator.total, 2 * added + (before if good else 0)):
            raise Broken("the quick way adds other numbers than the plain one")
    return Outcome(accepted=not kind, refused=kind)


def look_through(meta: covmeta.Meta, data: bytes) -> None:
    """Use all of a covmeta that was accepted: what is wrong with it had to be said before.

    :arg data: what it was read from, to be made into reports too.
    """
    try:
        for name in (entry.name for entry in fields(meta)):
            getattr(meta, name)
        if data:
            again = covmeta.read_meta(data)
            same_names(meta, again)
            make_reports(meta, again)
            covmeta_writer.trust(meta)
    except CoverageError as error:
        raise Broken(f"accepted first, and refused later: {error}") from error


def same_names(meta: covmeta.Meta, again: covmeta.Meta) -> None:
    """Numbers tell names apart as their letters do, and files are the same with names and without."""
    packages = meta.function_package.tolist()
    names = set(zip(packages, meta.function_name, strict=True))
    if len(names) != len(set(zip(packages, meta.function_name_id.tolist(), strict=True))):
        raise Broken("names of functions have other numbers than their letters tell")
    files = [[meta.files[index] for index in meta.function_file] for meta in (meta, again)]
    if files[0] != files[1]:
        raise Broken("without names of functions the files are others")


def make_reports(meta: covmeta.Meta, again: covmeta.Meta) -> None:
    """Make every text of a covmeta that was accepted, each second unit counted."""
    counts = (np.arange(meta.units.shape[1]) % 2).astype(np.uint32)
    profile = make_profile([Program(meta, "", counts, process_runs=1)], meta.mode)
    function_text(profile)
    if percent_of([Program(again, "", counts, process_runs=1)], meta.mode) != percent_text(profile):
        raise Broken("the short way to the percentages gives others")
    text_profile(profile)
    lines, functions = count_lines(profile), find_functions(profile)
    lcov(profile, lines, functions)
    cobertura(profile, lines, functions, 0)
    make_pages(profile)


@functools.cache
def _sources() -> Sources:
    return Sources({f"example.com/{name}": str(FIXTURES / name) for name in ("program", "variants")})


def make_pages(profile: Profile) -> None:
    """Make what the page has of all packages: every file and function, and no range behind the end of its source."""
    contents = Contents(profile, _sources())
    files, functions = 0, 0
    for begin, end in contents.batches():
        for package in unpack(contents.make(begin, end, Made(0, begin, end - begin))):
            files += len(package["f"])
            functions += len(package["u"])
            for file in package["f"]:
                size = len(file.get("t", "").encode("utf-16-le")) // 2
                if sum(gap + length for gap, length, _count in file["r"]) > size:
                    raise Broken(f"ranges of {file['n']} go beyond its {size} characters")
    if files != len(contents.order) or functions != len(contents.functions):
        raise Broken(f"the page has {files} files and {functions} functions")


LINE = re.compile(rb"(.+):([0-9]+)\.([0-9]+),([0-9]+)\.([0-9]+) ([0-9]+) ([0-9]+)", re.DOTALL)
Blocks = dict[tuple[str, int, int, int, int], tuple[int, int]]


def plainly(data: bytes) -> Blocks | None:
    """A text profile read line by line: statements and count of each range of a file. Nothing if a line is wrong."""
    blocks: Blocks = {}
    first, *lines = data.replace(b"\r\n", b"\n").removesuffix(b"\n").split(b"\n")
    if first not in (b"mode: set", b"mode: count", b"mode: atomic"):
        return None
    for line in lines:
        match = LINE.fullmatch(line)
        if not match or max(map(len, match.groups()[1:])) > 19:
            return None
        name = match[1].decode("utf-8", "surrogateescape")
        begin, column, end, end_column, statements, count = (int(number) for number in match.groups()[1:])
        if max(begin, column, end, end_column, statements) >= 1 << 32:
            return None
        key = (name, begin, column, end, end_column)
        known, before = blocks.get(key, (statements, 0))
        if known != statements:
            return None
        count = max(before, min(count, 1)) if first == b"mode: set" else before + min(count, LARGEST)
        blocks[key] = (statements, min(count, LARGEST))
    return blocks


def blocks_of(profile: Profile | TextProfile) -> Blocks:
    """The same of what was read."""
    rows = zip(profile.file.tolist(), profile.units.T.tolist(), profile.counts.tolist(), strict=True)
    return {(profile.files[file], *unit[:4]): (unit[4], count) for file, unit, count in rows}


def read_profile(data: bytes, *, compared: bool = True) -> TextProfile:
    """Read a text profile, and line by line too where it is compared (not where its memory is measured)."""
    if not compared:
        return parse_text_profile(data)
    expected = plainly(data)
    try:
        profile = parse_text_profile(data)
    except CoverageError:
        if expected is not None:
            raise Broken("a good text profile was refused") from None
        raise
    if expected is None or blocks_of(profile) != expected:
        raise Broken("a text profile has other blocks than its lines say")
    return profile


@functools.cache
def _base() -> Profile:
    """A good profile, in mode atomic."""
    good = corpus()["meta"][0]
    meta = covmeta.read_meta(good.data)
    counts = (np.arange(meta.units.shape[1]) % 3).astype(np.uint32)
    return make_profile([Program(meta, "", counts, process_runs=1)], "atomic")


def join_profile(data: bytes, *, compared: bool) -> Outcome:
    """Join a text profile with good data: set aside it changes nothing, joined it only adds."""
    text = read_profile(data, compared=compared)
    base = _base()
    if not compared:
        join(base, [text])
        return Outcome(accepted=True)
    before = text_profile(base)
    joined, problems = join(base, [text])
    if text_profile(base) != before:
        raise Broken("joining changed the good profile itself")
    kinds = {problem.kind for problem in problems}
    if "source-clash" in kinds:
        if text_profile(joined) != before:
            raise Broken("a text profile that was set aside changed the good one")
        return Outcome(accepted=False, refused="source-clash")
    blocks = blocks_of(joined)
    added = blocks_of(text)
    top = 1 if joined.mode == "set" else LARGEST
    for place, (statements, count) in blocks_of(base).items():
        expected = (statements, min(count + added.get(place, (0, 0))[1], top))
        if blocks.get(place) != expected:
            raise Broken(f"block {place} is {blocks.get(place)}, and not {expected}")
    return Outcome(accepted=True)
