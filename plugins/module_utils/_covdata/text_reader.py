# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Text profiles (C(mode: ...) and one line a block) as an input, alone or joined with data of covmeta and covcounters.

Source of truth: C(ParseProfilesFromReader) of golang.org/x/tools/cover. The same file and range is the same block:
its counts are added up, or in mode C(set) or-ed. Where this differs, on purpose:

- counts stop at 2^32-1, as everywhere else in coverage data, where Go's package goes on in 64 bits;
- a mode that is none of set, count and atomic, and a number with a sign, are refused;
- a profile of other sources than those it is joined with is found out: Go's package would count both.
"""

from __future__ import annotations

import itertools
import os
import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.meta import Package
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import (
    NOTE,
    WARNING,
    FormatError,
    Problem,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import (
    END_COLUMN,
    END_LINE,
    LARGEST,
    START_COLUMN,
    START_LINE,
    STATEMENTS,
    Profile,
    order_units,
    sort_key,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.releases import blocks_by_line

try:
    import numpy as np
except ImportError:  # the module says so before anything here is called
    np = None  # type: ignore[assignment]

MODE_LINE = b"mode: "
MODES = ("set", "count", "atomic")
MARKS = ((b"\xef\xbb\xbf", "UTF-8"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))
PACKED = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bzip2"), (b"\xfd7zXZ\x00", "xz"))
SEPARATORS = b":.,.  "  # before each number of a line
FIELDS = (START_LINE, START_COLUMN, END_LINE, END_COLUMN, STATEMENTS)
FIELD_NAMES = ("start line", "start column", "end line", "end column", "number of statements", "count")
PIECE = 1 << 18  # bytes decoded at once: few enough to stay in the processor's cache
LONGEST = 19  # digits of a count: what Go's package reads
SHOWN = 100  # characters of a line that is quoted


@dataclass
class TextProfile:
    """One text profile, its blocks sorted by file and place and equal ones made one.

    :ivar files: N names, sorted by their bytes. C(file): (U) index. C(units): (5, U) uint32 as in R(Meta).
    :ivar nanoseconds: when the file was written, since the epoch.
    :ivar counts: (U) uint32. C(overflow): whether a count was, or became, more than that can hold.
    """

    path: str
    mode: str
    files: list[str]
    file: np.ndarray
    units: np.ndarray
    counts: np.ndarray
    overflow: bool = False
    nanoseconds: int = 0


def looks_like_text(head: bytes) -> bool:
    """Tell of a file's first bytes whether it is a text profile, or was one before it was encoded otherwise."""
    return head.startswith(MODE_LINE) or any(
        head.startswith((mark, mark[:2] + b"m")) and head[len(mark) :].replace(b"\0", b"").startswith(MODE_LINE[:3])
        for mark, _encoding in MARKS
    )


def read_text_profile(path: str) -> TextProfile:
    """Read a text profile.

    :raises FormatError: unreadable, empty-file, wrong-magic (no mode line), damaged, or statements-differ (one block
        with two numbers of statements); the message names the line.
    """
    try:
        with open(path, "rb") as stream:
            data = stream.read()
            nanoseconds = os.fstat(stream.fileno()).st_mtime_ns
    except OSError as error:
        raise FormatError("unreadable", f"the file cannot be read: {error.strerror}") from error
    text = parse_text_profile(data, path)
    text.nanoseconds = nanoseconds
    return text


def parse_text_profile(data: bytes, path: str = "") -> TextProfile:
    """Decode the content of a text profile; see R(read_text_profile)."""
    if not data.strip():
        raise FormatError("empty-file", "the file is empty" if not data else "the file has nothing but blank lines")
    for mark, encoding in MARKS:
        if data.startswith(mark):
            raise FormatError(
                "wrong-encoding",
                f"the file begins with the byte order mark of {encoding}, as > of Windows PowerShell writes it: Go "
                "reads plain UTF-8 only",
                "Write it by -coverprofile itself, or convert it to UTF-8 without a byte order mark.",
            )
    for magic, tool in PACKED:
        if data.startswith(magic):
            raise FormatError("compressed", f"the file is compressed by {tool}", f"Unpack it first ({tool} -d).")
    if b"\r\n" in data:
        data = data.replace(b"\r\n", b"\n")
    first, _newline, _rest = data[:SHOWN].partition(b"\n")
    mode = first[len(MODE_LINE) :].decode("utf-8", "replace")
    if not first.startswith(MODE_LINE) or mode not in MODES:
        raise FormatError("wrong-magic", f"line 1 is {_quoted(first)}, and not 'mode: ' with one of {', '.join(MODES)}")
    if not data.endswith(b"\n"):
        data += b"\n"
    names: dict[bytes, int] = {}
    files: list[np.ndarray] = []
    numbers: list[np.ndarray] = []
    begin, line = len(first) + 1, 2
    while begin < len(data):
        end = data.find(b"\n", min(begin + PIECE, len(data) - 1)) + 1
        piece, rows = _parse_piece(data[begin:end], line, names)
        files.append(piece)
        numbers.append(rows)
        begin, line = end, line + len(piece)
    file = np.concatenate(files) if files else np.zeros(0, dtype=np.int64)
    rows = np.concatenate(numbers, axis=1) if numbers else np.zeros((len(FIELD_NAMES), 0), dtype=np.uint64)
    return _folded(path, mode, names, file, rows)


def _parse_piece(data: bytes, first_line: int, names: dict[bytes, int]) -> tuple[np.ndarray, np.ndarray]:
    """Decode whole lines; return the file of each and its six numbers (6, lines).

    Before the end of a line there are six things that are no digit, each with digits behind it.
    """
    raw = np.frombuffer(data, dtype=np.uint8)
    other = np.flatnonzero((raw - np.uint8(ord("0"))) > 9)
    ends = np.flatnonzero(raw[other] == ord("\n"))
    count = len(SEPARATORS)
    # the first line of the piece may have fewer than six
    where = np.maximum(ends - np.arange(count, 0, -1)[:, None], 0)
    marks = other[where]
    starts = np.concatenate([[0], other[ends[:-1]] + 1])
    good = (raw[marks] == np.frombuffer(SEPARATORS, dtype=np.uint8)[:, None]).all(axis=0)
    lengths = np.diff(np.concatenate([marks, other[ends][None]]), axis=0) - 1
    good &= (lengths > 0).all(axis=0) & (lengths <= LONGEST).all(axis=0) & (marks[0] > starts)
    if not good.all():
        raise _bad_line(data, int(np.argmin(good)), first_line, starts, other[ends])
    numbers = np.empty(lengths.shape, dtype=np.uint64)
    stops = np.concatenate([marks[1:], other[ends][None]])
    for row, (length, stop) in enumerate(zip(lengths, stops, strict=True)):
        numbers[row] = _numbers(raw, stop, length)
    if (numbers[:-1] > LARGEST).any():
        raise _bad_line(data, int(np.argmax((numbers[:-1] > LARGEST).any(axis=0))), first_line, starts, other[ends])
    return _file_numbers(data, raw, starts, marks[0], names), numbers


def _file_numbers(
    data: bytes, raw: np.ndarray, starts: np.ndarray, stops: np.ndarray, names: dict[bytes, int]
) -> np.ndarray:
    """Return the number of each line's file name, and note those that are new.

    Lines of one file mostly follow each other, so whole runs are looked up: lines whose names have one length and end
    in the same eight bytes are a run, where as many lines begin with that name as there are.
    """
    tails = np.zeros(len(starts), dtype=np.uint64)
    for place in range(1, 9):
        tails = (tails << np.uint64(8)) | raw[np.maximum(stops - place, 0)]
    lengths = stops - starts
    changes = (tails[1:] != tails[:-1]) | (lengths[1:] != lengths[:-1])
    bounds = [0, *(np.flatnonzero(changes) + 1).tolist(), len(starts)]
    begins, ends = starts.tolist(), stops.tolist()
    numbers: list[int] = []
    for first, last in itertools.pairwise(bounds):
        name = data[begins[first] : ends[first]]
        size = last - first
        # the end of the line before the first is not in the stretch
        same = size == 1 or data.count(b"\n" + name + b":", begins[first], ends[last - 1] + 1) == size - 1
        if same:
            numbers += [names.setdefault(name, len(names))] * size
        else:
            slices = map(slice, begins[first:last], ends[first:last])
            numbers += [names.setdefault(data[where], len(names)) for where in slices]
    return np.asarray(numbers, dtype=np.int64)


def _numbers(raw: np.ndarray, stops: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the numbers whose last digits lie before C(stops)."""
    values = (raw[stops - 1] - np.uint8(ord("0"))).astype(np.uint64)
    longer = np.flatnonzero(lengths > 1)
    for place in range(1, int(lengths.max(initial=0))):
        longer = longer[lengths[longer] > place]
        digit = (raw[stops[longer] - 1 - place] - np.uint8(ord("0"))).astype(np.uint64)
        values[longer] += digit * np.uint64(10**place)
    return values


def _bad_line(data: bytes, index: int, first_line: int, starts: np.ndarray, ends: np.ndarray) -> FormatError:
    """Say what is wrong with a line, read from its end as Go's package does."""
    text = data[int(starts[index]) : int(ends[index])]
    line = first_line + index
    if text.startswith(MODE_LINE):
        return FormatError(
            "joined-profiles",
            f"line {line} is a second {_quoted(text)}: several profiles were written into one file one after the other",
            "Name each of them as an input of its own: they are joined then.",
        )
    if not text.strip():
        rest = data[int(ends[index]) :].lstrip()
        second = rest.startswith(MODE_LINE)
        return FormatError(
            "blank-line",
            f"line {line} is blank, which no profile of Go has"
            + (", and another profile follows it" if second else ": profiles were joined, or the file was edited"),
            "Name each profile as an input of its own, or take the blank line out.",
        )
    rest = text
    reason = "its file name is blank"
    for separator, name in zip(SEPARATORS[::-1].decode(), FIELD_NAMES[::-1], strict=True):
        rest, found, number = rest.rpartition(separator.encode())
        if not found:
            reason = f"there is no {separator!r} before its {name}"
            break
        if not (number.isdigit() and number.isascii()):
            reason = f"its {name} is {_quoted(number)}"
            break
        if len(number) > LONGEST or (name != FIELD_NAMES[-1] and int(number) > LARGEST):
            reason = f"its {name} is too large"
            break
    return FormatError(
        "damaged", f"line {line} is not 'file:line.column,line.column statements count', {reason}: {_quoted(text)}"
    )


def _quoted(text: bytes) -> str:
    shown = text[:SHOWN].decode("utf-8", "replace")
    return repr(shown) + ("..." if len(text) > SHOWN else "")


def _folded(path: str, mode: str, names: dict[bytes, int], file: np.ndarray, rows: np.ndarray) -> TextProfile:
    """Sort the blocks and make those of one file and range one."""
    ordered = sorted(names)
    rank = np.asarray([names[name] for name in ordered], dtype=np.int64)
    ranks = np.empty_like(rank)
    ranks[rank] = np.arange(len(rank))
    file = ranks[file] if len(file) else file
    units, counts = rows[: STATEMENTS + 1].astype(np.uint32), rows[-1]
    order, starts = order_units(file, len(ordered), units)
    file, units, counts = file[order], units[:, order], counts[order]
    overflow = bool((counts > LARGEST).any())
    if mode == "set":
        counts = np.minimum(counts, 1)
        overflow = False
    counts = np.minimum(counts, LARGEST)
    if starts is not None:
        last = np.repeat(starts, np.diff(np.append(starts, len(order))))
        differ = units[STATEMENTS] != units[STATEMENTS][last]
        if differ.any():
            index = int(np.argmax(differ))
            raise FormatError(
                "statements-differ",
                f"block {_place(ordered[int(file[index])], units[:, index])} has {int(units[STATEMENTS, index])} "
                f"statements in one line and {int(units[STATEMENTS, last[index]])} in another",
            )
        counts = np.add.reduceat(counts, starts)
        overflow = overflow or bool((counts > LARGEST).any() and mode != "set")
        counts = np.minimum(counts, 1 if mode == "set" else LARGEST)
        file, units = file[starts], units[:, starts]
    files = [name.decode("utf-8", "surrogateescape") for name in ordered]
    return TextProfile(path, mode, files, file, units, counts.astype(np.uint32), overflow)


def _place(name: bytes | str, unit: np.ndarray) -> str:
    text = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
    line, column, end_line, end_column, _statements = unit.tolist()
    return f"{text}:{line}.{column},{end_line}.{end_column}"


def common_mode(modes: t.Iterable[str]) -> str:
    """Return the mode of data of these modes together: C(set) if one is, else the only one, or C(atomic)."""
    different = set(modes)
    if "set" in different:
        return "set"
    return different.pop() if len(different) == 1 else "atomic"


def join(
    base: t.Optional[Profile], texts: t.Sequence[TextProfile], *, policy: str = "quarantine"
) -> tuple[Profile, list[Problem]]:
    """Add text profiles to a profile, or make one of them alone; return it and what was found.

    :arg policy: what follows where a text profile is of other sources than what it is joined with (C(source-clash)):
        C(fail) raises, C(quarantine) leaves that profile out, C(warn) keeps the blocks of both, as Go would.
    :raises InputError: source-clash, with the policy C(fail).
    """
    problems: list[Problem] = []
    profile, modes = base, [base.mode] if base is not None else []
    for text in texts:
        clash = _find_clash(profile, text) if profile is not None else ""
        if clash and policy != "warn":
            remedy = "Make all profiles of a report from one version of the sources."
            if profile is not None and _other_release(profile, text):
                clash, remedy = _RELEASES, "Run all tests and builds of a report with the same release of Go."
            if policy == "fail":
                raise InputError(f"{text.path} does not fit: {clash}.", remedy=remedy, cause="source-clash")
            sentence = f"{text.path} is set aside: {clash}, so its statements would count twice."
            problems.append(Problem("source-clash", WARNING, sentence, text.path, remedy=remedy))
            continue
        if clash:
            sentence = f"{text.path} is joined although {clash}: statements may count twice."
            problems.append(Problem("source-clash", WARNING, sentence, text.path))
        if text.overflow:
            problems.append(Problem("overflow", NOTE, "A count passed 2^32-1 and stays there.", text.path))
        modes.append(text.mode)
        profile = _add(profile if profile is not None else _empty(text.mode), text)
    different = sorted(set(modes))
    if len(different) > 1:
        effect = "every count is reduced to covered or not" if "set" in different else "the counts are added up"
        sentence = f"Data of different counter modes ({', '.join(different)}) are joined: {effect}."
        problems.append(Problem("mode-clash", WARNING, sentence, remedy="Use one mode for all: -covermode=atomic."))
    return profile if profile is not None else _empty(common_mode(())), problems


def _empty(mode: str) -> Profile:
    none = np.zeros(0, dtype=np.int64)
    counts = np.zeros(0, dtype=np.uint32)
    return Profile(
        mode=mode,
        packages=[],
        files=[],
        function_name=[],
        function_literal=np.zeros(0, dtype=bool),
        function_package=none,
        function_file=none,
        package=none,
        file=none,
        function=none,
        units=np.zeros((5, 0), dtype=np.uint32),
        counts=counts,
        entry=np.zeros(0, dtype=bool),
    )


@dataclass
class _Match:
    """Which block of a text profile is which unit: C(group) numbers the ranges, units first, then blocks."""

    files: list[str]
    base_file: np.ndarray
    text_file: np.ndarray
    base_group: np.ndarray
    text_group: np.ndarray
    groups: int


def _match(profile: Profile, text: TextProfile) -> _Match:
    files = sorted({*profile.files, *text.files}, key=sort_key)
    rank = {name: number for number, name in enumerate(files)}
    base_file = np.asarray([rank[name] for name in profile.files], dtype=np.int64)
    text_file = np.asarray([rank[name] for name in text.files], dtype=np.int64)
    file = np.concatenate([base_file[profile.file], text_file[text.file]])
    units = np.concatenate([profile.units, text.units], axis=1)
    order, starts = order_units(file, len(files), units)
    if starts is None:
        starts = np.arange(len(order))
    group = np.empty(len(order), dtype=np.int64)
    group[order] = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(order))))
    size = len(profile.file)
    return _Match(files, base_file, text_file, group[:size], group[size:], len(starts))


def _find_clash(profile: Profile, text: TextProfile) -> str:
    """Return how a text profile shows to be of other sources; empty if it does not.

    Coverage data tell all blocks of a file. So a block of a file that is in both has to be in both.
    """
    if not len(profile.file) or not len(text.file):
        return ""
    match = _match(profile, text)
    statements = np.full(match.groups, -1, dtype=np.int64)
    statements[match.base_group] = profile.units[STATEMENTS]
    shared = np.isin(match.text_file[text.file], match.base_file[np.unique(profile.file)])
    known = statements[match.text_group]
    other = shared & (known != text.units[STATEMENTS])
    if not other.any():
        return ""
    index = int(np.argmax(other))
    files = len(np.unique(text.file[other]))
    where = _place(text.files[int(text.file[index])], text.units[:, index])
    number = int(text.units[STATEMENTS, index])
    what = (
        f"block {where} is in it only"
        if known[index] < 0
        else f"block {where} has {number} statements in it and {int(known[index])} elsewhere"
    )
    return f"it is of other sources than the rest in {files} {'file' if files == 1 else 'files'} ({what})"


_RELEASES = (
    "it was made by another release of Go than the rest: since Go 1.27 blocks have other places, even where the "
    "sources are the same"
)


def _other_release(profile: Profile, text: TextProfile) -> bool:
    """Tell whether of the files in both the blocks are those of Go 1.27 in one and of an earlier one in the other."""
    files = set(profile.files) & set(text.files)
    ours = np.asarray([name in files for name in profile.files], dtype=bool)[profile.file]
    theirs = np.asarray([name in files for name in text.files], dtype=bool)[text.file]
    return blocks_by_line(profile.units[:, ours]) != blocks_by_line(text.units[:, theirs])


def _add(profile: Profile, text: TextProfile) -> Profile:
    """Return the profile with the counts of a text profile, and its blocks that are new in nameless functions."""
    match = _match(profile, text)
    mode = common_mode([profile.mode, text.mode])
    added = np.zeros(match.groups, dtype=np.uint64)
    added[match.text_group] = text.counts
    largest = 1 if mode == "set" else LARGEST
    counts = np.minimum(profile.counts + added[match.base_group], largest)
    there = np.zeros(match.groups, dtype=bool)
    there[match.base_group] = True
    new = ~there[match.text_group]
    new_file = match.text_file[text.file[new]]

    # the package of a file is that of its folder, where nothing else is known
    paths = {package.path: package for package in profile.packages}
    modules = sorted({package.module for package in profile.packages if package.module}, key=len, reverse=True)
    used = np.unique(new_file).tolist()
    owner = dict(
        zip(
            match.base_file[profile.function_file].tolist(),
            (profile.packages[index].path for index in profile.function_package.tolist()),
            strict=True,
        )
    )
    for file in used:
        path = owner.setdefault(file, match.files[file].rpartition("/")[0] or ".")
        module = next((module for module in modules if f"{path}/".startswith(f"{module}/")), "")
        paths.setdefault(path, Package(path, "", module, b""))
    ordered = sorted(paths, key=sort_key)
    rank = {path: number for number, path in enumerate(ordered)}
    moved = np.asarray([rank[package.path] for package in profile.packages], dtype=np.int64)
    function_package = np.concatenate(
        [moved[profile.function_package], np.asarray([rank[owner[file]] for file in used], dtype=np.int64)]
    )
    function_file = np.concatenate([match.base_file[profile.function_file], np.asarray(used, dtype=np.int64)])
    first = len(profile.function_name)
    function = np.concatenate([profile.function, first + np.searchsorted(used, new_file)]).astype(np.int64)
    units = np.concatenate([profile.units, text.units[:, new]], axis=1)
    counts = np.concatenate([counts, np.minimum(text.counts[new], largest)]).astype(np.uint32)
    place = function_package * len(match.files) + function_file
    order, _starts = order_units(place[function], len(ordered) * len(match.files), units, function)
    function = function[order]
    return Profile(
        mode=mode,
        packages=[paths[path] for path in ordered],
        files=match.files,
        function_name=[*profile.function_name, *([""] * len(used))],
        function_literal=np.concatenate([profile.function_literal, np.ones(len(used), dtype=bool)]),
        function_package=function_package,
        function_file=function_file,
        package=function_package[function],
        file=function_file[function],
        function=function,
        units=units[:, order],
        counts=counts[order],
        entry=np.concatenate([profile.entry, np.zeros(len(new_file), dtype=bool)])[order],
    )
