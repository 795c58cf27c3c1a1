# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Search folders for the files that Go's coverage runtime writes."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.model import Folder

META_NAME = re.compile(r"covmeta\.(\S+)")
COUNTERS_NAME = re.compile(r"covcounters\.(\S+)\.(\d+)\.(\d+)", re.ASCII)
TEMPORARY_NAME = re.compile(r"tmp\.cov(meta|counters)\..*", re.DOTALL)
LEADS_BACK = "the symbolic link leads back to"
QUARANTINE_RECORD = "quarantined.jsonl"  # in a folder: what is in it was put aside, and is not read again


class Scan:
    """The files that Go's coverage runtime could have written, in a fixed order, with their folder and kind.

    The kind is C(meta), C(counters) or C(temporary); for what cannot be read it is the reason.
    """

    def __init__(self, roots: list[str], component: str, *, layered: bool) -> None:
        self.roots = roots
        self.component = component
        self.layered = layered
        self._entered: set[str] = set()  # folders, so that what two roots share is not read twice

    def __iter__(self) -> t.Iterator[tuple[Folder, str, str]]:
        files: dict[str, list[str]] = {}
        for root in self.roots:
            if os.path.isdir(root):
                yield from self._below(root, root)
            else:
                files.setdefault(os.path.dirname(root), []).append(os.path.basename(root))
        for parent, names in files.items():
            read = os.path.realpath(parent) in self._entered
            folder = self._folder(parent, parent)
            wanted: dict[str, str] = {}
            for name in names:
                if not os.path.lexists(os.path.join(parent, name)):
                    wanted[name] = "it is not there"
                    continue
                kind = kind_of(name)
                if not kind:
                    wanted[name] = "it is not named as coverage data are"
                elif not read:
                    wanted[name] = kind
                    match = COUNTERS_NAME.fullmatch(name)
                    if match and os.path.lexists(os.path.join(parent, f"covmeta.{match[1]}")):
                        wanted[f"covmeta.{match[1]}"] = "meta"
            for name, kind in sorted(wanted.items()):
                yield folder, name, kind

    def _folder(self, root: str, path: str) -> Folder:
        relative = os.path.relpath(path, root)
        parts = [] if relative == os.curdir else relative.split(os.sep)
        if self.layered:
            return Folder(path, parts[0] if parts else self.component, "/".join(parts[1:]))
        if len(self.roots) > 1:  # pods of one name below two roots are two
            return Folder(path, self.component, "/".join([root, *parts]))
        return Folder(path, self.component, "/".join(parts))

    def _below(self, root: str, path: str) -> t.Iterator[tuple[Folder, str, str]]:
        folder = self._folder(root, path)
        real = os.path.realpath(path)
        if real in self._entered:
            return
        self._entered.add(real)
        folders: list[str] = []
        links: list[str] = []
        names: list[str] = []
        wrong: list[tuple[str, str]] = []
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.name)
                        continue
                    if entry.name == QUARANTINE_RECORD:
                        return
                    if kind_of(entry.name):
                        names.append(entry.name)
                    elif entry.is_symlink():
                        reason = _wrong_link(entry, real)
                        if reason:
                            wrong.append((entry.name, reason))
                        elif entry.is_dir():
                            links.append(entry.name)
        except OSError as error:
            yield folder, "", str(error.strerror)
            return
        names.sort()
        for name in names:
            yield folder, name, kind_of(name)
        for name, reason in sorted(wrong):
            yield folder, name, reason
        # folders before links: a folder that both lead to is named as what it is
        for name in (*sorted(folders), *sorted(links)):
            yield from self._below(root, os.path.join(path, name))


def _wrong_link(entry: os.DirEntry[str], above: str) -> str:
    """Return why a symbolic link is not followed: it leads nowhere, or to a folder that it is in itself."""
    try:
        os.stat(entry.path)
    except OSError as error:
        return f"the symbolic link leads to {os.readlink(entry.path)}: {error.strerror}"
    target = os.path.join(os.path.realpath(entry.path), "")
    if os.path.isdir(target) and os.path.join(above, "").startswith(target):
        return f"{LEADS_BACK} {target}, which it is in"
    return ""


def kind_of(name: str) -> str:
    """Return the kind of a file by its name; nothing for what is none of Go's."""
    if name.startswith("covcounters."):
        return "counters" if COUNTERS_NAME.fullmatch(name) else ""
    if name.startswith("covmeta."):
        return "meta" if META_NAME.fullmatch(name) else ""
    return "temporary" if TEMPORARY_NAME.fullmatch(name) else ""
