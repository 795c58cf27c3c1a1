# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Write temporary files and move them into place, only if the content changes."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.files import replacing, write_bytes

MODE = 0o644
FOLDER_MODE = 0o755
SETTING = "coverage_report#output"


class WriteError(CoverageError):
    """A result could not be written."""

    cause = "cannot-write"


@contextlib.contextmanager
def _writing(path: str, setting: str = SETTING) -> t.Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WriteError(
            f"{path} cannot be written: {error.strerror}.",
            remedy="Make sure that the folder is writable and that its disk is not full.",
            setting=setting,
        ) from error


def read_or_none(path: str) -> t.Optional[bytes]:
    """Return a file's content, or nothing where there is no such file."""
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise WriteError(f"{path} cannot be read: {error.strerror}.") from error


def put_file(path: str, content: bytes, *, check: bool, setting: str = SETTING) -> bool:
    """Make C(path) hold C(content); return whether it did not before. The old file is whole until the new one is."""
    if read_or_none(path) == content:
        return False
    if check:
        return True
    with _writing(path, setting):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_bytes(path, content, MODE)
    return True


def drop_file(path: str, *, check: bool) -> bool:
    """Take away a file that an earlier report wrote and that would no longer be true; return whether it was there."""
    if not os.path.isfile(path):
        return False
    if not check:
        with _writing(path):
            os.unlink(path)
    return True


def put_folder(
    path: str,
    files: t.Mapping[str, bytes],
    *,
    ours: t.Callable[[str], bool],
    check: bool,
    setting: str = SETTING,
) -> bool:
    """Make C(path) a folder with exactly these files; return whether it was not before.

    :arg ours: tells of a file's name whether an earlier report wrote it. A folder with others is left alone.
    :raises InputError: the folder has files that are not ours.
    """
    names = sorted(os.listdir(path)) if os.path.isdir(path) else None
    if names is not None:
        strangers = [name for name in names if not ours(name)]
        if strangers:
            raise InputError(
                f"{path} has files that no report wrote ({', '.join(strangers[:3])}): it is left alone.",
                remedy="Name another results folder, or take those files away.",
                setting=setting,
                cause="folder-not-ours",
            )
        if names == sorted(files) and all(read_or_none(os.path.join(path, name)) == files[name] for name in names):
            return False
    if check:
        return True
    with _writing(path, setting):
        parent = os.path.dirname(path)
        os.makedirs(parent, exist_ok=True)
        beside = tempfile.mkdtemp(prefix=f".{os.path.basename(path)}.", dir=parent)
        try:
            new = os.path.join(beside, "new")
            os.mkdir(new)
            os.chmod(new, FOLDER_MODE)
            for name, content in files.items():
                put_file(os.path.join(new, name), content, check=False)
            if names is not None:
                os.rename(path, os.path.join(beside, "old"))
            os.rename(new, path)
        finally:
            shutil.rmtree(beside)
    return True


def put_link(path: str, target: str, *, check: bool) -> bool:
    """Make C(path) a relative symbolic link to C(target); return whether it was not before.

    :raises InputError: there is something else than a link.
    """
    relative = os.path.relpath(target, os.path.dirname(path))
    if os.path.lexists(path) and not os.path.islink(path):
        raise InputError(
            f"{path} is not a symbolic link: it is left alone.",
            remedy="Use another path for the link to the newest run, or remove what is there.",
            setting="coverage_report#latest",
        )
    if os.path.islink(path) and os.readlink(path) == relative:
        return False
    if check:
        return True
    with _writing(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with replacing(path) as link:
            link.symlink_to(relative)
    return True


def put_history(path: str, entry: t.Mapping[str, t.Any], *, check: bool) -> bool:
    """Write the line of C(entry["run_id"]) to a file with one JSON object per line; return whether the file changed.

    Runs that end at the same time wait for each other. The lines of other runs stay as they are, whatever their
    schema is, and so do damaged lines.
    """
    line = json.dumps(entry, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    if check:
        return _with_line((read_or_none(path) or b"").decode("utf-8", "surrogateescape"), line, entry) is not None
    with _writing(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        lock_path = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.lock")
        with open(lock_path, "a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            text = _with_line((read_or_none(path) or b"").decode("utf-8", "surrogateescape"), line, entry)
            if text is None:
                return False
            return put_file(path, text.encode("utf-8", "surrogateescape"), check=False)


def _with_line(text: str, line: str, entry: t.Mapping[str, t.Any]) -> t.Optional[str]:
    """Return the history with this run's line in it, or nothing where it is there already."""
    lines = text.splitlines()
    for number, old in enumerate(lines):
        if old == line:
            return None
        if _run_id(old) == entry["run_id"]:
            lines[number] = line
            break
    else:
        lines.append(line)
    return "".join(f"{text}\n" for text in lines)


def _run_id(line: str) -> t.Optional[str]:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry.get("run_id") if isinstance(entry, dict) else None
