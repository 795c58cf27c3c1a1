# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Reading a log: what each entry says, whichever logger wrote it.

An entry may be JSON (zap, slog, logr, zerolog, logrus, bunyan, pino), logfmt, klog, the console form of zap or zerolog,
or plain text, over several lines. What is read of it is the message and its error, without time, level, names of
loggers and stack traces.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass

MESSAGE_FIELDS = ("msg", "message", "event", "log", "short_message")
ERROR_FIELDS = ("error", "err", "exception", "cause", "reason", "error.message", "exc", "errors", "desc")
LEVEL_FIELDS = ("level", "severity", "lvl", "levelname", "log.level", "loglevel")
BAD_LEVELS = ("error", "err", "fatal", "ftl", "panic", "pnc", "dpanic", "critical", "crit", "severe", "emerg", "alert")
CALM_LEVELS = (
    *("trace", "trc", "debug", "dbg", "info", "inf", "notice", "warn", "wrn", "warning", "verbose", "fine", "log"),
)
NUMBERED = {10: "trace", 20: "debug", 30: "info", 40: "warn", 50: "error", 60: "fatal"}  # bunyan, pino
KLOG_LEVELS = {"I": "info", "W": "warning", "E": "error", "F": "fatal"}

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
KLOG = re.compile(r"^(?P<level>[IWEF])\d{4} \d\d:\d\d:\d\d\.\d+\s+\d+ [\w.\-/]+:\d+\] (?P<rest>.*)$", re.DOTALL)
STAMP = re.compile(
    r"^[\[(]?(?:\d{4}[-/]\d\d[-/]\d\d[T ,]+)?\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|\s?[+-]\d\d:?\d\d)?[\])]?(?:\s+UTC)?"
    r"[\s:|-]*"
    r"|^\d{4}-\d\d-\d\dT\S+\s+|^\d\.\d{9}e\+09\s+"
)
SOURCE = re.compile(r"^[\w./-]+\.(?:go|py|java|js|rs):\d+:?\s+")
LEVEL = re.compile(
    rf"^[\[<(]?(?P<level>{'|'.join((*BAD_LEVELS, *CALM_LEVELS))})[\]>)]?(?:\[\d+\])?(?::|\s|$)\s*", re.IGNORECASE
)
PAIR = re.compile(r'(?:^|\s)(?P<key>[A-Za-z_][\w.\-]*)=(?P<value>"(?:[^"\\]|\\.)*"|[^\s"]\S*|)(?=\s|$)')
QUOTED_START = re.compile(r'^"(?P<message>(?:[^"\\]|\\.)*)"\s*')
# a frame of Go, Java, Python or JavaScript, and the line before a frame of Go
FRAME = re.compile(r"^\s+(?:/|at |File \"|\.\.\. \d+ more|[\w./@-]+\.go:\d+)")
GO_FUNCTION = re.compile(r"^(?:created by )?[\w.\-/*()\[\]{}]+\.[\w.*()\[\]-]+(?:\(.*\))?(?: in goroutine \d+)?$")
GOROUTINE = re.compile(r"^goroutine \d+ .*\[.*\]:$")
# an error that says itself that the program goes on without
EXCUSED = re.compile(
    r"using (?:the )?default|continu(?:e|ing)\b|\boptional\b|ignor(?:ed|ing)|skipp(?:ed|ing)|falling back|fallback"
    r"|\bexpected\b|self[- ]test|previous run|recovered",
    re.IGNORECASE,
)
SPACE = re.compile(r"\s+")
LONGEST = 4000  # characters of an entry that are read


@dataclass(frozen=True)
class Said:
    """One entry of a log.

    :ivar text: message and error, C(outer: inner), in one line.
    :ivar level: as the logger has it, in lower case; empty where it is not known.
    :ivar line: the entry's first line as it is in the log.
    """

    text: str
    level: str
    line: str

    @property
    def is_bad(self) -> bool:
        """Whether the logger calls it an error."""
        return self.level in BAD_LEVELS

    @property
    def is_calm(self) -> bool:
        """Whether the logger says that it is none."""
        return self.level in CALM_LEVELS

    @property
    def is_excused(self) -> bool:
        """Whether it says itself that the program goes on without."""
        return EXCUSED.search(self.text) is not None


def entries(lines: t.Sequence[str]) -> list[Said]:
    """Return what the lines of a log say, oldest first; stack traces are left out."""
    return [said for entry in _joined(lines) if (said := understood(entry)).text]


def understood(entry: str) -> Said:
    """Return what one entry says."""
    first = entry.splitlines()[0] if entry.strip() else ""
    text = COLOUR.sub("", entry[:LONGEST]).strip()
    level, text = _parts(text)
    return Said(SPACE.sub(" ", text).strip(), level, first.strip())


def _joined(lines: t.Sequence[str]) -> list[str]:
    """Entries of several lines as one: what is indented belongs to the line before; frames of stacks go."""
    found: list[str] = []
    for number, line in enumerate(lines):
        plain = COLOUR.sub("", line).rstrip()
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if not plain.strip() or FRAME.match(plain) or GOROUTINE.match(plain):
            continue
        if GO_FUNCTION.match(plain) and following.startswith(("\t/", "\t\\", "        /")):
            continue
        # the tab of zap's console and of pgx's second line
        if line[:1] in " \t" and found:
            found[-1] += f"\n{plain}"
        else:
            found.append(plain)
    return found


def _parts(text: str) -> tuple[str, str]:
    """Return level and message of an entry."""
    start = text.find("{")
    if start == 0:
        whole = _object(text)
        if whole is not None:
            return _of_fields(whole)
    klog = KLOG.match(text)
    if klog:
        return KLOG_LEVELS[klog["level"]], _of_pairs(klog["rest"])[1]
    if "\t" in text:
        level, message = _of_console(text)
        if level:
            return level, message
    pairs = dict(_pairs(text))
    if {*pairs} & {"msg", "message"} or ({*pairs} & {*LEVEL_FIELDS} and {*pairs} & {*ERROR_FIELDS}):
        return _of_fields(pairs)
    text = STAMP.sub("", text, count=1)
    text = SOURCE.sub("", text, count=1)
    level = ""
    found = LEVEL.match(text)
    if found and (found["level"].isupper() or text[found.end() - 2 : found.end()].strip() in (":", "]")):
        level, text = found["level"].lower(), text[found.end() :]
    text = SOURCE.sub("", STAMP.sub("", text, count=1), count=1)
    return level, _of_pairs(text)[1]


def _object(text: str) -> t.Optional[dict[str, t.Any]]:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _of_fields(fields: t.Mapping[str, t.Any]) -> tuple[str, str]:
    level = next((fields[name] for name in LEVEL_FIELDS if fields.get(name) not in (None, "")), "")
    if isinstance(level, int):
        level = NUMBERED.get(level, "")
    message = next((str(fields[name]) for name in MESSAGE_FIELDS if fields.get(name)), "")
    for name in ERROR_FIELDS:
        error = _error(fields.get(name))
        if error and error not in message:
            message = f"{message}: {error}" if message else error
            break
    return str(level).lower(), message


def _error(value: t.Any) -> str:
    """The text of an error: bunyan has an object, others a list."""
    if isinstance(value, dict):
        return str(value.get("message") or value.get("msg") or value.get("error") or "")
    if isinstance(value, list):
        return "; ".join(filter(None, map(_error, value)))
    return "" if value is None else str(value)


def _of_console(text: str) -> tuple[str, str]:
    """C(time, level, logger, file, message, fields), with tabs between; some may be missing."""
    parts = [part.strip() for part in text.split("\t")]
    at = next((number for number, part in enumerate(parts[:3]) if part.lower() in (*BAD_LEVELS, *CALM_LEVELS)), None)
    if at is None:
        return "", text
    rest = parts[at + 1 :]
    fields = _object(rest[-1].splitlines()[0]) if rest and rest[-1].startswith("{") else None
    if fields is not None:
        rest = rest[:-1]
    # a logger's name and a place come before the message
    words = [part for part in rest if not re.fullmatch(r"[\w./-]+\.go:\d+", part)]
    message = ": ".join(words[1:] if len(words) > 1 and re.fullmatch(r"[\w.\-/]+", words[0]) else words)
    return parts[at].lower(), _of_fields({**(fields or {}), "msg": message})[1]


def _pairs(text: str) -> t.Iterator[tuple[str, str]]:
    for found in PAIR.finditer(text):
        yield found["key"], _unquoted(found["value"])


def _of_pairs(text: str) -> tuple[str, str]:
    """A message that has fields behind it: C("Unable to start" err="..."), or C(start failed error="...")."""
    quoted = QUOTED_START.match(text)
    fields = dict(_pairs(text[quoted.end() :] if quoted else text))
    error = next((fields[name] for name in ERROR_FIELDS if fields.get(name)), "")
    if quoted:
        message = _unquoted(f'"{quoted["message"]}"')
    elif error:
        first = next(item for item in PAIR.finditer(text) if item["key"] in ERROR_FIELDS)
        message = text[: first.start()].strip()
    else:
        return "", text
    return "", f"{message}: {error}" if error and error not in message and message else message or error


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == '"':
        try:
            return str(json.loads(value))
        except ValueError:
            return value[1:-1].replace('\\"', '"')
    return value
