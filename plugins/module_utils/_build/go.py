# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Build an instrumented program out of a published Go module.

C(go install -cover path@version) records C(-cover=true) and instruments nothing, because the program is then no package
of the main module. So a wrapper module of our own requires the module, and C(go build -cover -coverpkg=...) names what
to instrument. Every answer of the go command is read from its JSON.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.architecture import host_architecture
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import (
    CommandError,
    Completed,
    last_lines,
    run,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import likeness, nearest_few
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.packages import (
    check_main_is_covered,
    matches_pattern,
)

COVER_MODES = ("set", "count", "atomic")
WRAPPER_MODULE = "coverage.kubernaut.io/wrapper"
FIRST_GO = (1, 24)  # "go get -tool" came with Go 1.24, "go build -cover" with 1.20
USUAL_PLACE = "/usr/local/go/bin/go"
SHOWN_VERSIONS = 5

# What the go command says when nobody answered; anything with an HTTP status, or a missing file of a file:// proxy, is
# an answer. Only the choice of the sentence hangs on this: the error is quoted in any case.
NOBODY_ANSWERED = re.compile(
    r"dial tcp|dial udp|no such host|connection refused|connection reset|i/o timeout|network is unreachable"
    r"|no route to host|TLS handshake|x509:|proxyconnect|\b50[0234] |EOF$|context deadline exceeded"
    r"|Could not resolve host",
)
LOOKUP_IS_OFF = "lookup disabled by GOPROXY=off"
NEEDS_NEWER_GO = re.compile(r"requires go >= (?P<wanted>[0-9.]+[a-z0-9]*)")


@dataclass(frozen=True)
class GoModule:
    """A module that Go found: C(folder) holds its source files, C(go_version) is its go directive."""

    path: str
    version: str
    folder: str
    go_mod: str
    go_version: str


class Go:
    """One go command.

    :arg executable: name or path of the program.
    :arg environment: variables for it, such as C(GOPROXY) or C(GOPRIVATE).
    :raises InputError: cause C(go-missing).
    """

    def __init__(self, executable: str = "go", environment: t.Optional[t.Mapping[str, str]] = None) -> None:
        found = shutil.which(executable)
        if found is None and executable == "go" and os.access(USUAL_PLACE, os.X_OK):
            found = USUAL_PLACE
        if found is None:
            raise InputError(
                f"Go is needed to build an instrumented program, and {executable} was not found.",
                remedy="Install it with the role kubernaut.coverage.coverage_runner, or set its path.",
                setting="instrumented_image#go",
                evidence=[f"PATH={os.environ.get('PATH', '')}"],
                cause="go-missing",
            )
        self.executable = found
        self.environment = {
            **(environment or {}),
            # a workspace or flags such as -mod=vendor are meant for the user's own module, not for our wrapper
            "GOWORK": "off",
            "GOFLAGS": "-mod=mod",
            "CGO_ENABLED": "0",
        }
        self._settings: dict[str, str] = {}

    def run(self, *arguments: str, purpose: str, **options: t.Any) -> Completed:
        """Run C(go arguments...); see M(_command.run) for the options and the error."""
        environment = {**self.environment, **options.pop("environment", {})}
        return run([self.executable, *arguments], purpose=purpose, environment=environment, **options)

    def settings(self) -> dict[str, str]:
        """Return what C(go env) says of the toolchain: whatever of it changes the program that comes out.

        :raises InputError: cause C(go-too-old): it cannot build instrumented programs.
        """
        if not self._settings:
            names = ["GOVERSION", "GOTOOLCHAIN", "GOARCH", "GOAMD64", "GOARM", "GOARM64", "GOEXPERIMENT", "GOFIPS140"]
            answer = self.run("env", "-json", *names, purpose="ask Go for its settings")
            self._settings = json.loads(answer.stdout)
            if go_version_key(self._settings["GOVERSION"])[:2] < FIRST_GO:
                raise InputError(
                    f"{self.executable} is {self._settings['GOVERSION']}; Go 1.24 or newer is required.",
                    remedy="Install a newer Go with the role kubernaut.coverage.coverage_runner, or set its path.",
                    setting="instrumented_image#go",
                    cause="go-too-old",
                )
        return self._settings

    def objects(self, *arguments: str, purpose: str, **options: t.Any) -> list[dict[str, t.Any]]:
        """Run a go command that prints JSON objects one after the other, and return them."""
        text = self.run(*arguments, purpose=purpose, **options).stdout
        decoder, found, position = json.JSONDecoder(), [], 0
        while text[position:].strip():
            position += len(text[position:]) - len(text[position:].lstrip())
            item, position = decoder.raw_decode(text, position)
            found.append(item)
        return found

    def find_module(self, path: str, version: str, folder: str) -> GoModule:
        """Find and download a module.

        :arg version: a version, or anything that Go takes for one: C(latest), a branch, the hash of a commit.
        :arg folder: a work folder of ours; it gets a C(go.mod), so that no other go.mod around it counts.
        :raises InputError: causes C(module-unknown), C(version-unknown), C(go-too-old), C(module-proxy-unreachable).
        """
        work = Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        if not (work / "go.mod").exists():
            (work / "go.mod").write_text(f"module {WRAPPER_MODULE}\n", encoding="utf-8")
        report_progress(f"looking up Go module {path}@{version}")
        found = self._look_up(path, version, folder)
        if "Error" in found:
            # what versions there are is asked only now: some proxies give a module away and no list of its versions
            versions = self._look_up(path, version, folder, "-versions").get("Versions")
            raise self._module_error(path, version, {**found, "Versions": versions})
        report_progress(f"downloading Go module {path}@{found['Version']}")
        fetched = json.loads(
            self.run(
                *["mod", "download", "-json", f"{path}@{found['Version']}"],
                purpose=f"download Go module {path}@{found['Version']}",
                cwd=folder,
                accept=(0, 1),
            ).stdout
        )
        if fetched.get("Error"):
            raise self._module_error(path, version, {**found, "Error": {"Err": fetched["Error"]}})
        return GoModule(path, found["Version"], fetched["Dir"], fetched["GoMod"], found.get("GoVersion", ""))

    def _look_up(self, path: str, version: str, folder: str, *options: str) -> dict[str, t.Any]:
        return self.objects(
            *["list", "-m", "-e", "-json", *options, f"{path}@{version}"],
            purpose=f"look up Go module {path}@{version}",
            cwd=folder,
        )[0]

    def _module_error(self, path: str, version: str, found: dict[str, t.Any]) -> InputError:
        said = found["Error"]["Err"]
        evidence = last_lines(said)
        newer = NEEDS_NEWER_GO.search(said)
        if newer:
            return too_old(path, version, newer["wanted"], self.settings()["GOVERSION"], evidence)
        if LOOKUP_IS_OFF in said:
            return InputError(
                f"Go module {path}@{version} is not in Go's module cache, and GOPROXY=off forbids looking further.",
                remedy="Name a module proxy, or fill the cache on a machine with network access.",
                setting="instrumented_image#go_environment.GOPROXY",
                evidence=evidence,
                cause="module-proxy-unreachable",
            )
        if NOBODY_ANSWERED.search(said):
            return InputError(
                f"Go module {path}@{version} could not be looked up: its proxy or host gave no usable answer.",
                remedy="Check the network, or name a module proxy that can be reached.",
                setting="instrumented_image#go_environment.GOPROXY",
                evidence=evidence,
                cause="module-proxy-unreachable",
            )
        versions = found.get("Versions") or []
        if versions:
            near = nearest_version(version, versions)
            last = versions[-SHOWN_VERSIONS:]
            text = f"Go module {path} has no version {version}; its latest are {', '.join(last)}"
            if near not in last:
                text += f", and the nearest is {near}"
            return InputError(
                f"{text}.",
                remedy="Name one that exists.",
                setting="source.version",
                evidence=evidence,
                cause="version-unknown",
            )
        remedy = "Check its spelling; a private module also needs GOPRIVATE."
        if re.match(r"v[2-9]|v[1-9][0-9]", version) and not re.search(r"/v[0-9]+$", path):
            major = version.partition(".")[0]
            remedy = f"From version 2 on, the major version is part of a module's path: try {path}/{major}."
        return InputError(
            f"There is no Go module {path}, or its proxy does not serve it.",
            remedy=remedy,
            setting="source.module",
            evidence=evidence,
            cause="module-unknown",
        )


def too_old(path: str, version: str, wanted: str, have: str, evidence: t.Sequence[str] = ()) -> InputError:
    """Return the error of a module that wants a newer Go than there is."""
    return InputError(
        f"Go module {path}@{version} requires Go {wanted} or newer; this host has {have}.",
        remedy="Install a newer Go with the role kubernaut.coverage.coverage_runner, give its path, or allow"
        " GOTOOLCHAIN=auto to fetch one.",
        setting="instrumented_image#go",
        evidence=evidence,
        cause="go-too-old",
    )


def nearest_version(version: str, versions: t.Sequence[str]) -> str:
    """Return the version that begins most like another; of several the most like it, and of those the last."""
    return max(
        reversed(versions),
        key=lambda other: (
            len(os.path.commonprefix([version, other])),  # noqa: RUF071 (character by character is what is meant)
            likeness(version, other),
        ),
    )


def go_version_key(version: str) -> tuple[int, ...]:
    """Turn C(go1.26.8), C(1.21) or C(go1.27rc1) into numbers that compare; anything else is newest."""
    match = re.match(r"(?:go)?([0-9]+)\.([0-9]+)(?:\.([0-9]+))?", version)
    return tuple(int(part or 0) for part in match.groups()) if match else (999, 0, 0)


def program_name(path: str) -> str:
    """Return the name that C(go install) would give the program of that import path."""
    parts = path.split("/")
    if len(parts) > 1 and re.fullmatch(r"v[2-9]|v[1-9][0-9]+", parts[-1]):
        parts.pop()
    return parts[-1]


@dataclass(frozen=True)
class BuiltProgram:
    """A built program, and where the sources of what was instrumented lie: import path prefix to folder."""

    binary: str
    sources: dict[str, str]


class Wrapper:
    """The wrapper module in a folder of its own.

    :arg package: import path of the main package.
    """

    def __init__(self, go: Go, module: GoModule, package: str, folder: str) -> None:
        self.go = go
        self.module = module
        self.package = package
        self.folder = folder
        self.dropped: list[str] = []

    def check(self) -> None:
        """Write the wrapper and check that the package exists.

        The wrapper carries over what Go heeds in a main module only: the go directive, godebug, replace and exclude. So
        the program is the one that the module's own repository builds.

        :raises InputError: causes C(package-unknown), C(not-a-main-package).
        """
        work = Path(self.folder)
        work.mkdir(parents=True, exist_ok=True)
        (work / "go.sum").unlink(missing_ok=True)
        (work / "go.mod").write_text(self._go_mod(), encoding="utf-8")
        self._check_package()

    def complete(self) -> None:
        """Let Go find everything that the package needs.

        :raises CoverageError: causes C(go-too-old), C(module-proxy-unreachable), C(build-failed).
        """
        try:
            self.go.run(
                *["get", "-tool", f"{self.package}@{self.module.version}"],
                purpose=f"get {self.package}@{self.module.version} and its dependencies",
                cwd=self.folder,
                on_line=report_download,
            )
        except CommandError as error:
            raise self._explained(error) from error

    def _go_mod(self) -> str:
        answer = self.go.run(
            *["mod", "edit", "-json", self.module.go_mod],
            purpose=f"read the go.mod of {self.module.path}",
            cwd=self.folder,
        )
        described = json.loads(answer.stdout)
        lines = [f"module {WRAPPER_MODULE}", "", f"go {described.get('Go') or '1.16'}", ""]
        lines += [f"godebug {item['Key']}={item['Value']}" for item in described.get("GoDebug") or []]
        lines.append(f"require {self.module.path} {self.module.version}")
        lines += [f"exclude {item['Path']} {item['Version']}" for item in described.get("Exclude") or []]
        for item in described.get("Replace") or []:
            old = " ".join(filter(None, [item["Old"]["Path"], item["Old"].get("Version")]))
            new = item["New"]
            if new.get("Version"):
                lines.append(f"replace {old} => {new['Path']} {new['Version']}")
            else:
                # a folder of its repository that the module's download does not carry
                self.dropped.append(f"replace {old} => {new['Path']}")
        return "\n".join(lines) + "\n"

    def _check_package(self) -> None:
        folder = Path(self.module.folder) / self.package.removeprefix(self.module.path).strip("/")
        found: dict[str, t.Any] = {}
        if folder.is_dir():
            found = self._list("-find", self.package)[0]
        if found.get("Name") == "main":
            return
        packages = self._list("-find", f"{self.module.path}/...")
        mains = [item["ImportPath"] for item in packages if item.get("Name") == "main"]
        shown = [import_path_inside(self.module.path, item) for item in mains]
        near = nearest_few(import_path_inside(self.module.path, self.package), shown, most=1, cutoff=0.5)
        listed = ", ".join(sorted(shown)[:10]) + (", and more" if len(shown) > 10 else "")
        has = f"the main packages in it are: {listed}" if shown else "it has no main package at all"
        if found.get("Name"):
            text, cause = f"is a library (package {found['Name']}), not a program", "not-a-main-package"
        else:
            text, cause = f"is not a package of module {self.module.path}@{self.module.version}", "package-unknown"
        raise InputError(
            f"{self.package} {text}; {has}.",
            remedy=f"Name {near[0] if near else 'one of them'}." if shown else "Name a module that has a program.",
            setting="source.package",
            evidence=last_lines((found.get("Error") or {}).get("Err", "")),
            cause=cause,
        )

    def _list(self, *arguments: str, **options: t.Any) -> list[dict[str, t.Any]]:
        return self.go.objects(
            *["list", "-e", "-json=ImportPath,Name,Dir,Standard,Module,Error", *arguments],
            purpose=f"list packages of {self.module.path}",
            cwd=self.folder,
            **options,
        )

    def _explained(self, error: CommandError) -> CoverageError:
        said = "\n".join(error.evidence)
        newer = NEEDS_NEWER_GO.search(said)
        if newer:
            have = self.go.settings()["GOVERSION"]
            return too_old(self.module.path, self.module.version, newer["wanted"], have, error.evidence)
        if NOBODY_ANSWERED.search(said):
            return CoverageError(
                error.message,
                remedy="Check the network, or name a module proxy that can be reached.",
                setting="instrumented_image#go_environment.GOPROXY",
                evidence=error.evidence,
                cause="module-proxy-unreachable",
            )
        remedy = "The end of Go's output says why."
        if self.dropped:
            remedy = (
                "Build it from a checkout instead: its go.mod replaces modules by folders that its download lacks"
                f" ({'; '.join(self.dropped)})."
            )
        return CoverageError(error.message, remedy=remedy, evidence=error.evidence, cause="build-failed")

    def build(
        self,
        binary: str,
        *,
        covermode: str,
        coverpkg: t.Sequence[str],
        ldflags: str = "",
        tags: t.Sequence[str] = (),
        goarch: str = "",
    ) -> BuiltProgram:
        """Build the program, instrumented, as a static binary.

        :raises InputError: cause C(coverpkg-matches-nothing) or C(coverpkg-without-main).
        :raises CoverageError: cause C(build-failed), or C(module-proxy-unreachable).
        """
        target = {"GOOS": "linux", "GOARCH": goarch or host_architecture()}
        tag_flags = ["-tags", ",".join(tags)] if tags else []
        try:
            packages = self._list("-deps", *tag_flags, self.package, environment=target, on_line=report_download)
        except CommandError as error:
            raise self._explained(error) from error
        sources = self._sources(packages, coverpkg)
        check_main_is_covered(self.package, coverpkg)
        arguments = ["build", "-trimpath", "-cover", f"-covermode={covermode}", f"-coverpkg={','.join(coverpkg)}"]
        arguments += tag_flags
        if ldflags:
            arguments += ["-ldflags", ldflags]
        report_progress(f"building {self.package} with -cover")
        try:
            self.go.run(
                *arguments,
                *["-o", binary, self.package],
                purpose=f"build {self.package} instrumented",
                cwd=self.folder,
                environment=target,
                on_line=report_download,
            )
        except CommandError as error:
            raise self._explained(error) from error
        return BuiltProgram(binary, sources)

    def _sources(self, packages: t.Sequence[dict[str, t.Any]], coverpkg: t.Sequence[str]) -> dict[str, str]:
        sources: dict[str, str] = {}
        for pattern in coverpkg:
            matched = [item for item in packages if matches_pattern(pattern, item["ImportPath"]) and item.get("Dir")]
            if not matched:
                names = sorted({(item.get("Module") or {}).get("Path", "") for item in packages} - {""})
                raise InputError(
                    f"No package of {self.package} matches the package pattern {pattern}.",
                    remedy=f"Name packages of its modules: {', '.join(names[:10])}.",
                    setting="image.coverpkg",
                    cause="coverpkg-matches-nothing",
                )
            for item in matched:
                module = item.get("Module")
                if module:
                    sources[module["Path"]] = module["Dir"]
                else:
                    sources[item["ImportPath"]] = item["Dir"]
        return dict(sorted(sources.items()))


def import_path_inside(module: str, path: str) -> str:
    """Return an import path as one inside its module; the root is the module's path itself."""
    return path.removeprefix(f"{module}/")


def report_download(line: str) -> None:
    """Show Go's own C(go: downloading ...) lines as progress."""
    if line.startswith("go: downloading "):
        report_progress(line.removeprefix("go: "))
