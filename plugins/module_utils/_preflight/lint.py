# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What in a Containerfile keeps coverage from working, each with its line and what to do about it.

Only what was proved on real builds is an error. That C(-a), C(-installsuffix), C(-extldflags -static) or C(-s -w)
break coverage is a belief of old: they do not, and are not blamed. An exact comparison with C(-cover) is one only
where the branch that is taken loses the flags: Go reads GOFLAGS from the environment, so a branch "for production"
that leaves it alone is instrumented all the same.
"""

from __future__ import annotations

import posixpath
import re
import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.go_builds import GoBuild, Lint, go_builds
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.goflags import SETTING, check_goflags
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.started import (
    check_image_user,
    check_sigterm,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.table import (
    ADVICE,
    ERROR,
    OK,
    WARNING,
    Finding,
    finding,
)

UPDATES = re.compile(
    r"(?:(?:micro)?dnf|yum)\s+(?:-\S+\s+)*(?:update|upgrade)"
    r"|apt(?:-get)?\s+(?:-\S+\s+)*(?:dist-)?upgrade|apk\s+(?:-\S+\s+)*upgrade"
)


def check_main_package(lint: Lint) -> t.Iterator[Finding]:
    """Whether the main package is built as a package."""
    for item in go_builds(lint):
        files = [word for word in item.arguments if word.endswith(".go")]
        if files and item.reached is not False:
            folder = posixpath.dirname(files[0]) or "."
            folder = folder if folder.startswith(("/", "./", "../", ".", "$")) else f"./{folder}"
            yield finding(
                "main-package",
                WARNING,
                f"go build gets the file {files[0]}: reports will call its package command-line-arguments, by"
                f" its path in the builder.",
                f"Build the folder: go build ... {folder}",
                where=lint.at(item.line),
            )
            return
    yield finding("main-package", OK, "no file of Go is built by itself")


def check_goarch(lint: Lint) -> t.Iterator[Finding]:
    """Whether another architecture than the nodes' is built."""
    for item in go_builds(lint):
        if not item.goarch or item.reached is False:
            continue
        where = item.goarch_from or lint.at(item.line)
        if "GOARCH" in lint.build_args and item.goarch == lint.build_args["GOARCH"]:
            remedy, setting, what = "Leave GOARCH out.", f"{SETTING}.GOARCH", "GOARCH is set to"
        else:
            remedy, setting, what = (
                "Remove GOARCH, or set it to $TARGETARCH (ARG TARGETARCH).",
                "source.containerfile",
                "GOARCH is fixed to",
            )
        if item.goarch != lint.architecture:
            yield finding(
                "goarch",
                ERROR,
                f"{what} {item.goarch}, and the nodes are {lint.architecture}: the program would not start.",
                remedy,
                setting,
                cause="wrong-architecture",
                where=where,
            )
            return
        fixed = not re.search(r"TARGETARCH|BUILDARCH", _written_goarch(lint, item))
        if fixed:
            yield finding(
                "goarch",
                WARNING,
                f"{what} {item.goarch}: right on this machine, a crash on another.",
                remedy,
                where=where,
            )
            return
    for stage in lint.file.built(lint.target):
        platform = stage.platform.split("/")
        if len(platform) > 1 and "$" not in stage.platform and platform[1] != lint.architecture:
            yield finding(
                "goarch",
                ERROR if stage is lint.file.final(lint.target) else WARNING,
                f"The stage is for {stage.platform}; this host is {lint.architecture}.",
                "Leave --platform out.",
                "source.containerfile",
                cause="wrong-architecture",
                where=lint.at(stage.line),
            )
            return
    yield finding("goarch", OK, f"not fixed; {lint.architecture} is built")


def _written_goarch(lint: Lint, item: GoBuild) -> str:
    """Return how GOARCH is written where it comes from."""
    own = dict(item.command.assignments).get("GOARCH", "") or item.goarch_written
    names = re.findall(r"\$\{?(\w+)", own)
    if own and (not names or names[0] != "GOARCH"):
        return own
    written = [
        value or ""
        for stage in lint.file.ancestry(item.stage)
        for other in stage.named("ENV", "ARG")
        for name, value in other.variables().items()
        if name == "GOARCH"
    ]
    return " ".join(written)


def check_build_time(lint: Lint) -> t.Iterator[Finding]:
    """What costs minutes and gives nothing."""
    found = []
    for stage in lint.file.built(lint.target):
        for item in stage.named("RUN"):
            for script in item.scripts():
                for update in UPDATES.finditer(script.value):
                    found.append(
                        finding(
                            "build-time",
                            ADVICE,
                            f"'{' '.join(update[0].split())}' takes minutes whenever this layer is rebuilt,"
                            f" and makes builds differ.",
                            "Use a newer base image instead.",
                            where=lint.at(script.line(update.start())),
                        )
                    )
    for build in go_builds(lint):
        flags = build.words[: len(build.words) - len(build.arguments)]
        if "-a" in flags and build.reached is not False:
            found.append(
                finding(
                    "build-time",
                    ADVICE,
                    "go build -a recompiles the standard library and all modules each time. It does"
                    " not affect coverage.",
                    "Leave -a out.",
                    where=lint.at(build.line),
                )
            )
    yield from found or [finding("build-time", OK, "no updates of packages, no go build -a")]


CHECKS: dict[str, t.Callable[[Lint], t.Iterator[Finding]]] = {
    "goflags": check_goflags,
    "main-package": check_main_package,
    "goarch": check_goarch,
    "sigterm": check_sigterm,
    "image-user": check_image_user,
    "build-time": check_build_time,
}
