# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Where a repository begins and which Go modules it has, read from C(.git), C(go.work) and C(go.mod).

Source of truth: the file formats of U(https://go.dev/ref/mod) (C(go.mod), C(go.work)).
"""

from __future__ import annotations

import itertools
import os
import typing as t

MOST_FOLDERS = 20_000  # of one repository are searched for modules
MOST_BYTES = 1 << 20  # of a go.mod that are read
SKIPPED = frozenset({"node_modules", "testdata", "vendor"})  # the go command finds no modules in these


def directives(text: str) -> t.Iterator[list[str]]:
    """Yield the directives of a C(go.mod) or C(go.work), each with its verb first, blocks taken apart."""
    block = ""
    for line in text.splitlines():
        words = _words(line)
        if not words:
            continue
        if block:
            if words == [")"]:
                block = ""
            else:
                yield [block, *words]
        elif words[-1] == "(":
            block = words[0]
        else:
            yield words


def _words(line: str) -> list[str]:
    """Return the words of a line; a word may be quoted, and C(//) begins a comment."""
    words: list[str] = []
    rest = line.strip()
    while rest and not rest.startswith("//"):
        quote = rest[0]
        if quote in '"`':
            word, _quote, rest = rest[1:].partition(quote)
        else:
            word = rest.split(None, 1)[0]
            rest = rest[len(word) :]
        words.append(word)
        rest = rest.lstrip()
    return words


def _read(path: str) -> str:
    """Return the text of a small file; nothing where it is not at hand."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read(MOST_BYTES)
    except OSError:
        return ""


def _local(folder: str, target: str) -> str:
    """Return the folder that a path in a C(go.mod) names; empty for what is a module path."""
    if not target.startswith(("./", "../", "/")) and target not in (".", ".."):
        return ""
    return os.path.normpath(os.path.join(folder, target))


def module_of(folder: str) -> str:
    """Return the path of the module whose C(go.mod) is in a folder; empty where there is none."""
    for words in directives(_read(os.path.join(folder, "go.mod"))):
        if words[0] == "module" and len(words) > 1:
            return words[1]
    return ""


def replaced(folder: str, name: str = "go.mod") -> dict[str, str]:
    """Return the folders that the C(replace) directives of a file name, by module path."""
    found: dict[str, str] = {}
    for words in directives(_read(os.path.join(folder, name))):
        if words[0] == "replace" and "=>" in words and words[-1] != "=>":
            target = _local(folder, words[words.index("=>") + 1])
            if target:
                found[words[1]] = target
    return found


def used(folder: str) -> list[str]:
    """Return the folders of the modules that the C(go.work) in a folder names."""
    paths = (words[1] for words in directives(_read(os.path.join(folder, "go.work"))) if len(words) > 1)
    return [os.path.normpath(os.path.join(folder, path)) for path in paths if _local(folder, path) or "/" in path]


def repository_root(folder: str) -> str:
    """Return the folder in which the repository of a source folder begins.

    That is the nearest one above that has C(.git), or else the nearest one that has a C(go.work), or else the folder
    of the module, together with those that it is replaced by.
    """
    real = os.path.realpath(folder)
    workspace = module = ""
    current = real
    while True:
        if os.path.lexists(os.path.join(current, ".git")):
            return current
        if not workspace and os.path.isfile(os.path.join(current, "go.work")):
            workspace = current
        if not module and os.path.isfile(os.path.join(current, "go.mod")):
            module = current
        parent = os.path.dirname(current)
        if parent == current:
            break
        current = parent
    if workspace or not module:
        return workspace or real
    beside = [path for path in replaced(module).values() if os.path.isdir(path)]
    common = os.path.commonpath([module, *beside])
    return common if common != os.path.dirname(common) else module


def modules_named(root: str, folders: t.Iterable[str]) -> dict[str, str]:
    """Return the modules that the C(go.work) of a repository and the C(go.mod) files of folders name, by path."""
    found: dict[str, str] = {}
    for folder in dict.fromkeys([root, *used(root), *folders]):
        module = module_of(folder)
        if module:
            found.setdefault(module, folder)
    for folder in list(found.values()):
        for path, target in replaced(folder).items():
            found.setdefault(path, target)
    found.update(replaced(root, "go.work"))
    return found


def modules_below(root: str) -> dict[str, str]:
    """Return all modules of a repository, by path: each folder that has a C(go.mod), and what these replace."""
    found: dict[str, str] = {}
    places: dict[str, str] = {}
    for folder, folders, files in itertools.islice(os.walk(root), MOST_FOLDERS):
        folders[:] = sorted(name for name in folders if name not in SKIPPED and name[0] not in "._")
        if "go.mod" in files:
            module = module_of(folder)
            if module:
                found.setdefault(module, folder)
            for path, target in replaced(folder).items():
                places.setdefault(path, target)
    return {**places, **found}
