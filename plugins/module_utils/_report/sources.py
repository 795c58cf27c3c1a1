# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Where the source of a file of a profile is on disk, its name in the repository, and which bytes of it are covered.

Source of truth for the ranges: C(Profile.Boundaries) of golang.org/x/tools/cover and C(htmlGen) of cmd/cover.
"""

from __future__ import annotations

import os
import re
import stat
import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import NOTE, Problem
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.profile import (
    Profile,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.blocks import make_blocks, ranges
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.checkout import (
    module_of,
    modules_below,
    modules_named,
    repository_root,
)

READ_SIZE = 1 << 20
SHOWN = 3  # files that are named in a problem
HOSTS = frozenset({"bitbucket.org", "codeberg.org", "gitea.com", "github.com", "gitlab.com", "golang.org"})
TOP = frozenset({"cmd", "internal"})
MAJOR = re.compile(r"v[0-9]+")


class Sources:
    """Folders on disk by the prefix of a profile's file names, and the names that files have in their repository.

    The longest prefix that fits wins. What no folder is given for is searched in the repositories of those that are:
    modules of a C(go.work), of C(replace) directives, of other C(go.mod) files, vendored packages, and main packages
    that were built as files, which have the absolute path of where they were built.

    :ivar paths: folders in the repository by prefix of file names, as the user set them; they decide names before all.
    """

    def __init__(
        self,
        folders: t.Mapping[str, str],
        *,
        paths: t.Optional[t.Mapping[str, str]] = None,
        setting: str = "coverage_report#sources",
        paths_setting: str = "coverage_report#paths",
    ) -> None:
        for prefix, folder in folders.items():
            if not isinstance(folder, str) or not os.path.isdir(os.path.expanduser(folder)):
                raise InputError(
                    f"The source folder of {prefix} is not there: {folder}.",
                    remedy="Name a folder that exists, or leave the entry out.",
                    setting=setting,
                )
        self.folders: dict[str, str] = {}
        for prefix, folder in sorted(folders.items(), key=lambda item: -len(item[0])):
            self.folders.setdefault(prefix.rstrip("/"), os.path.expanduser(folder))
        self.paths = _checked_paths(paths or {}, paths_setting)
        self._given = dict(self.folders)
        self._roots = {folder: repository_root(folder) for folder in self._given.values()}
        self._explored = False
        self._absolute: dict[str, str] = {}  # where files of absolute names are on disk
        self._names: list[tuple[Profile, Names]] = []
        self._real: dict[str, str] = {}  # folders on disk without symbolic links

    def find(self, file: str) -> str:
        """Return where a file of a profile should be on disk; empty if no prefix fits."""
        if "\0" in file:  # of a damaged covmeta: no file on disk can have that name
            return ""
        if file in self._absolute:
            return self._absolute[file]
        cut = file.rfind("/")
        while cut >= 0:
            folder = self.folders.get(file[:cut])
            if folder is not None:
                rest = file[cut + 1 :]
                # the common case, in which nothing is to be resolved
                if "/." not in rest and "//" not in rest and not rest.startswith((".", "/")):
                    return f"{folder}/{rest}"
                path = os.path.normpath(os.path.join(folder, rest))
                return path if path.startswith(os.path.join(os.path.normpath(folder), "")) else ""
            cut = file.rfind("/", 0, cut)
        return ""

    def names(self, profile: Profile) -> Names:
        """Return the names that the files of a profile have in their repository.

        Where no source folder is known the names are those within the module of the main package; other files keep
        the name that they have in the profile. The name of a file does not depend on which other data are there.
        """
        for known, names in self._names:
            if known is profile:
                return names
        self._explore(profile)
        root = self._main_root(profile)
        modules = {package.module for package in profile.packages if package.module}
        mains = {package.module for package in profile.packages if package.name == "main" and package.module}
        alone = mains or modules or guess_modules(profile.files)
        prefix = f"{alone.copy().pop()}/" if len(alone) == 1 else ""
        result: list[str] = []
        for file in profile.files:
            name = self._set_name(file) or (self._inside(root, self.find(file)) if root else "")
            if not name and prefix and not root and file.startswith(prefix):
                name = file[len(prefix) :]
            result.append(name or file)
        made = Names(result, root, [file for file, name in zip(profile.files, result, strict=True) if name[:1] == "/"])
        self._names.append((profile, made))
        return made

    def _set_name(self, file: str) -> str:
        cut = len(file)
        while cut >= 0:
            folder = self.paths.get(file[:cut])
            if folder is not None:
                rest = file[cut + 1 :]
                return os.path.normpath(f"{folder}/{rest}" if folder else rest) if rest else folder
            cut = file.rfind("/", 0, cut)
        return ""

    def _inside(self, root: str, path: str) -> str:
        """Return a path on disk relative to the root; empty for what is not below it."""
        if not path:
            return ""
        folder, name = os.path.split(path)
        real = self._real.get(folder)
        if real is None:
            real = self._real[folder] = os.path.join(os.path.realpath(folder), "")
        above = os.path.join(root, "")
        return f"{real}{name}"[len(above) :] if real.startswith(above) else ""

    def _main_root(self, profile: Profile) -> str:
        """Return the root of the repository that names are relative to: of the main packages, or of most files."""
        roots = set(self._roots.values())
        if len(roots) <= 1:
            return roots.pop() if roots else ""
        mains = [package.path for package in profile.packages if package.name == "main"]
        for files in ([f"{path}/main.go" for path in mains], profile.files):
            votes: dict[str, int] = {}
            for file in files:
                path = self.find(file)
                for root in roots:
                    if path and self._inside(root, path):
                        votes[root] = votes.get(root, 0) + 1
            if votes:
                return min(votes, key=lambda root: (-votes[root], root))
        return min(roots)

    def _explore(self, profile: Profile) -> None:
        """Find the folders of what no folder was given for, in the repositories of those that were."""
        if not self._roots:
            return
        if not self._explored:
            self._explored = True
            for root in sorted(set(self._roots.values())):
                self._add(modules_named(root, [f for f, r in self._roots.items() if r == root]))
        modules = {package.module for package in profile.packages if package.module}
        modules = modules or {file.rpartition("/")[0] for file in profile.files if file[:1] != "/"}
        known = set(self.folders)
        if any(self._is_near(module) for module in modules - known):
            for root in sorted(set(self._roots.values())):
                self._add(modules_below(root))
        self._find_vendored(profile)
        self._find_absolute(profile, [self.folders[module] for module in sorted(modules) if module in self.folders])

    def _add(self, modules: t.Mapping[str, str]) -> None:
        for module, folder in modules.items():
            given = self._given.get(module)
            # a folder that was given for a module and has the code of another one: the repository's root, mostly
            if given is None or (module_of(given) not in ("", module) and module_of(folder) == module):
                self.folders[module] = folder

    def _is_near(self, module: str) -> bool:
        """Tell whether a module may be of the repositories at hand: its path begins as that of one of theirs does."""
        if "." not in module.partition("/")[0]:
            return "/" not in module or any("." not in known.partition("/")[0] for known in self.folders)
        begin = module.split("/")[:2]
        return any(known.split("/")[:2] == begin for known in self.folders)

    def _find_vendored(self, profile: Profile) -> None:
        vendors = [f"{folder}/vendor" for folder in self.folders.values() if os.path.isdir(f"{folder}/vendor")]
        for vendor in dict.fromkeys(vendors):
            for package in profile.packages:
                module = package.module
                if module and module not in self.folders and os.path.isdir(f"{vendor}/{module}"):
                    self.folders[module] = f"{vendor}/{module}"

    def _find_absolute(self, profile: Profile, first: t.Sequence[str]) -> None:
        """Find files that have the absolute path of where they were built: their last parts are the checkout's.

        :arg first: folders of the modules of the profile: where a name would fit several, it is in these.
        """
        absolute = [
            number for number, file in enumerate(profile.files) if file[:1] == "/" and file not in self._absolute
        ]
        bases = list(dict.fromkeys([*first, *self._roots.values(), *self.folders.values()]))
        built: dict[str, str] = {}  # folders of the checkout by those of the build
        for number in sorted(absolute, key=lambda number: (-profile.files[number].count("/"), profile.files[number])):
            file = profile.files[number]
            if "\0" in file or self.find(file):
                continue
            for prefix, base in built.items():
                path = f"{base}/{file[len(prefix) :]}"
                if file.startswith(prefix) and os.path.isfile(path):
                    self._absolute[file] = path
                    break
            else:
                suffix, base = self._match_end(profile, number, bases)
                if suffix:
                    self._absolute[file] = f"{base}/{suffix}"
                    built[file[: -len(suffix)]] = base

    def _match_end(self, profile: Profile, number: int, bases: t.Sequence[str]) -> tuple[str, str]:
        """Return the longest end of an absolute name that is a file below one of some folders, and that folder."""
        file = profile.files[number]
        cut = 0
        while cut >= 0:
            suffix = file[cut + 1 :]
            found = [base for base in bases if suffix and os.path.isfile(f"{base}/{suffix}")]
            fitting = [base for base in found if self._fits(profile, number, f"{base}/{suffix}")]
            if fitting or ("/" in suffix and len(found) == 1):
                return suffix, (fitting or found)[0]
            cut = file.find("/", cut + 1)
        return "", ""

    @staticmethod
    def _fits(profile: Profile, number: int, path: str) -> bool:
        source = _read_source(path)
        chosen = profile.file == number
        blocks = make_blocks(profile.units[:, chosen], profile.counts[chosen], profile.mode)
        return source is not None and ranges(source, blocks)[1]

    def read(self, file: str) -> t.Optional[bytes]:
        """Return the source of a file of a profile; nothing where it is not at hand."""
        path = self.find(file)
        return _read_source(path) if path else None


def _read_source(path: str) -> t.Optional[bytes]:
    try:
        # a source is a regular file: opening a pipe of that name must not wait for a writer
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            return None
        # one more than there should be, so that the end shows in one go
        parts = [os.read(descriptor, state.st_size + 1)]
        while parts[-1] and sum(map(len, parts)) != state.st_size:
            parts.append(os.read(descriptor, READ_SIZE))
        return parts[0] if len(parts) == 1 else b"".join(parts)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _checked_paths(paths: t.Mapping[str, str], setting: str) -> dict[str, str]:
    """Return folders in the repository by prefix of file names, both without what does not matter.

    :raises InputError: a folder is not one in the repository.
    """
    checked: dict[str, str] = {}
    for prefix, folder in paths.items():
        normal = os.path.normpath(folder) if isinstance(folder, str) else ".."
        if normal.startswith(("/", "../")) or normal == "..":
            raise InputError(
                f"The folder of {prefix} in the repository is {folder!r}: it has to be relative to its root.",
                remedy="Write it as services/app; the root itself is a dot.",
                setting=setting,
            )
        checked[prefix.rstrip("/")] = "" if normal == "." else normal
    return checked


def guess_modules(files: t.Sequence[str]) -> set[str]:
    """Return the module of files of which nothing else is known (a text profile names none); empty if none shows.

    An import path begins with its host. The hosts where everybody has repositories tell how long the path of one is;
    elsewhere the folders C(internal) and C(cmd) are at the top of a module, mostly.
    """
    found: set[str] = set()
    for file in files:
        parts = file.split("/")
        if "." not in parts[0] or file[:1] == "/":
            return set()
        size = 3 if parts[0] in HOSTS else next((at for at, part in enumerate(parts[:-1]) if part in TOP), 0)
        if not size:
            continue
        if parts[0] in HOSTS and len(parts) > 4 and MAJOR.fullmatch(parts[3]):
            size = 4
        found.add("/".join(parts[:size]))
    if len(found) != 1 or not all(file.startswith(f"{next(iter(found))}/") for file in files):
        return set()
    return found


@dataclass(frozen=True)
class Names:
    """Names of a profile's files as their repository has them.

    :ivar names: by the number of the file. C(root): folder that they are relative to; empty where it is not known.
    :ivar absolute: files that have the path of where they were built, and were not found in a repository.
    """

    names: list[str]
    root: str
    absolute: list[str]

    def problems(self, component: str) -> list[Problem]:
        """Return what is to be said of files that no tool will find by their names."""
        if not self.absolute:
            return []
        some = ", ".join(self.absolute[:SHOWN]) + (" and others" if len(self.absolute) > SHOWN else "")
        return [
            Problem(
                "file-not-in-repository",
                NOTE,
                f"{component}: {some} has the path of where the program was built, and no source folder has a file "
                "that fits: other tools will not find it by this name.",
                component=component,
                remedy="Set sources to the checkout, or paths to the folder that the build's folder has in the "
                "repository; or build the package (go build ./cmd/app) and not the file (go build cmd/app/main.go).",
            )
        ]
