# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Write files that appear whole or not at all: the content goes to a temporary neighbour, which is then renamed."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import typing as t
from pathlib import Path

PRIVATE = 0o600
TEMPORARY = "kubernaut-coverage-"
_numbers = itertools.count(1)


def temporary_prefix() -> str:
    """Return how names of this process's temporary folders begin: the process in it shows which were left by others."""
    return f"{TEMPORARY}{os.getpid()}-"


def maker_of(path: Path) -> int:
    """Return the id of the process that made a temporary folder or neighbour, 0 where the name does not say it."""
    name = path.name
    word = name.removeprefix(TEMPORARY) if name.startswith(TEMPORARY) else name.removesuffix(".part").rpartition(".")[2]
    number = word.partition("-")[0]
    return int(number) if number.isdigit() else 0


@contextlib.contextmanager
def replacing(path: t.Union[str, os.PathLike[str]]) -> t.Iterator[Path]:
    """Give the path of a temporary neighbour of C(path); it takes the place of C(path) when the block ends well.

    Nothing is at the temporary path at first: the block makes a file, a link or a folder there. After an error it is
    removed where it is a file or link, and C(path) is as it was. The folder of C(path) has to exist.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}-{next(_numbers)}.part")
    try:
        yield temporary
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_bytes(
    path: t.Union[str, os.PathLike[str]], content: t.Union[bytes, bytearray, memoryview], mode: t.Optional[int] = None
) -> None:
    """Write a file in one step.

    :arg mode: its permissions from the first byte on; by default what the umask leaves of 0666.
    """
    with replacing(path) as temporary:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode)
        with os.fdopen(descriptor, "wb") as stream:
            if mode is not None:
                os.fchmod(descriptor, mode)
            stream.write(content)


def write_text(path: t.Union[str, os.PathLike[str]], text: str, mode: t.Optional[int] = None) -> None:
    """Write a text file (UTF-8) in one step; see M(write_bytes)."""
    write_bytes(path, text.encode("utf-8"), mode)


def write_json(path: t.Union[str, os.PathLike[str]], value: t.Any, mode: t.Optional[int] = None) -> None:
    """Write a value as JSON for people and programs, keys sorted, in one step; see M(write_bytes)."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True), mode)


def make_private_folder(path: Path) -> None:
    """Make a folder, its last part for this user alone; one that exists stays as it is."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_private(path: Path, text: str) -> None:
    """Write a text file that only this user can read, in a folder that is made where it is missing."""
    make_private_folder(path.parent)
    write_text(path, text, PRIVATE)
