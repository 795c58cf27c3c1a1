# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""What the image of a Containerfile starts: whether SIGTERM reaches the program, and which user it runs as."""

from __future__ import annotations

import posixpath
import re
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._build.containerfile import (
    Instruction,
    Stage,
    expand,
    tokens,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._build.process import SCRIPT_LIMIT, lost_sigterm
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.go_builds import Lint, shell_of
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.table import (
    ADVICE,
    ERROR,
    NOT_APPLICABLE,
    NOT_CHECKED,
    OK,
    WARNING,
    Finding,
    finding,
)


@dataclass
class Started:
    """What the image starts, from its last stage: instructions or None, and which shell C(sh) is."""

    entrypoint: t.Optional[Instruction] = None
    command: t.Optional[Instruction] = None
    user: t.Optional[Instruction] = None
    stop: t.Optional[Instruction] = None
    shell: tuple[str, ...] = ("/bin/sh", "-c")
    sh: str = ""
    base: str = ""

    def words(self) -> list[str]:
        """Return entrypoint and command as one list; a shell form is what the shell gets."""
        found: list[str] = []
        for item in (self.entrypoint, self.command):
            if item is None or (item is self.command and found[:1] == list(self.shell)[:1]):
                continue
            words = item.exec_form()
            found += words if words is not None else [*self.shell, item.value]
        return found


def started(lint: Lint) -> Started:
    """Return what the last stage, with those it builds on, says of the process."""
    result = Started()
    final = lint.file.final(lint.target)
    if final is None:
        return result
    ancestry = lint.file.ancestry(final)
    result.base = ancestry[-1].base
    result.sh = shell_of(lint, final)
    for stage in reversed(ancestry):
        for item in stage.instructions:
            if item.name == "ENTRYPOINT":
                result.entrypoint = item
            elif item.name == "CMD":
                result.command = item
            elif item.name == "USER":
                result.user = item
            elif item.name == "STOPSIGNAL":
                result.stop = item
            elif item.name == "SHELL":
                result.shell = tuple(item.exec_form() or result.shell)
    return result


def check_sigterm(lint: Lint) -> t.Iterator[Finding]:
    """Whether SIGTERM reaches the program."""
    how = started(lint)
    signal = re.sub(r"^SIG", "", how.stop.value.upper()) if how.stop else "TERM"
    if how.stop is not None and signal not in ("TERM", "15"):
        at_once = signal in ("KILL", "9", "QUIT", "3")
        yield finding(
            "sigterm",
            ERROR if at_once else WARNING,
            f"STOPSIGNAL {how.stop.value} ends the program "
            + ("before it can write its counters." if at_once else "instead of SIGTERM: the program must handle it."),
            "Remove it: Go programs handle SIGTERM.",
            "source.containerfile",
            cause="sigterm-lost" if at_once else "",
            where=lint.at(how.stop.line),
        )
        return
    if lint.replaced:
        yield finding("sigterm", NOT_APPLICABLE, "the workload has a command of its own (see workload)")
        return
    item = how.entrypoint or how.command
    if item is None:
        yield finding(
            "sigterm",
            NOT_CHECKED,
            f"the command comes from the base image {how.base}" if how.base else "there is no stage",
        )
        return
    lost = lost_sigterm(how.words(), lambda path: copied_file(lint, path), how.sh)
    if lost is None:
        yield finding("sigterm", OK, f"{item.name} {item.value}"[:100], where=lint.at(item.line))
        return
    shell_form = item.exec_form() is None
    said = f"{item.name} is in shell form: {lost.text}." if shell_form else f"{lost.text[:1].upper()}{lost.text[1:]}."
    yield finding(
        "sigterm",
        ERROR if lost.certain else WARNING,
        said,
        f'{item.name} ["/path/program", "argument"], or {item.name} exec program ...' if shell_form else lost.remedy,
        "source.containerfile",
        cause="sigterm-lost" if lost.certain else "",
        where=lint.at(item.line),
    )


def copied_file(lint: Lint, path: str) -> t.Optional[str]:
    """Return the text of a file of the image that comes from the build's context or a here-document, or None."""
    final = lint.file.final(lint.target)
    for stage in lint.file.ancestry(final) if final else []:
        folder = _workdir(stage)
        wanted = posixpath.normpath(posixpath.join(folder, path))
        for item in reversed(stage.named("COPY", "ADD")):
            if any(flag.startswith("--from=") for flag in item.flags):
                continue
            words = item.exec_form() or [value for kind, _raw, value, _at in tokens(item.text.value) if kind == "word"]
            if len(words) < 2:
                continue
            *sources, target = words
            target = posixpath.join(folder, target)
            for body in (body for _name, body in item.heredocs):
                if posixpath.normpath(target) == wanted:
                    return body.value
            for source in sources:
                for inside in _places(source, target, wanted):
                    text = _read(Path(lint.context) / inside)
                    if text is not None:
                        return text
    return None


def _workdir(stage: Stage) -> str:
    folder = "/"
    for item in stage.named("WORKDIR"):
        folder = posixpath.join(folder, item.value)
    return folder


def _places(source: str, target: str, wanted: str) -> t.Iterator[str]:
    """Yield where in the context a file that ends up as C(wanted) may be."""
    clean = posixpath.normpath(target)
    source = source.lstrip("/")
    if clean == wanted:
        yield source
    if posixpath.join(clean, posixpath.basename(source)) == wanted:
        yield source
    if wanted.startswith(clean.rstrip("/") + "/"):
        yield posixpath.join(source, wanted[len(clean.rstrip("/")) + 1 :])


def _read(path: Path) -> t.Optional[str]:
    try:
        if not path.is_file() or path.stat().st_size > SCRIPT_LIMIT:
            return None
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None  # a program, or not for this user to read


def check_image_user(lint: Lint) -> t.Iterator[Finding]:
    """Whether Kubernetes can tell that the image's user is not root."""
    check, item = "image-user", started(lint).user
    user = item.value.partition(":")[0] if item else ""
    if "$" in user and item is not None:
        user = expand(user, dict(lint.build_args))
    where = lint.at(item.line) if item else ""
    if re.fullmatch(r"\d+", user):
        if int(user) == 0 and lint.as_non_root:
            yield finding(
                check,
                ERROR,
                "USER is root, and the workload sets runAsNonRoot: Kubernetes will not start it.",
                "Set runAsUser in the manifest, or another USER.",
                "source.containerfile",
                cause="image-user",
                where=where,
            )
        else:
            yield finding(check, OK, f"uid {user}", where=where)
    elif not user:
        yield finding(
            check,
            WARNING if lint.as_non_root else OK,
            "No USER is set, and the workload sets runAsNonRoot: if the base image's user is root, it will not start."
            if lint.as_non_root
            else "no USER: that of the base image",
            "Add USER with a number." if lint.as_non_root else "",
        )
    elif lint.as_non_root:
        yield finding(
            check,
            ERROR,
            f"USER {user} is a name, and the workload sets runAsNonRoot: Kubernetes cannot verify that it is not"
            f" root, and will not start it.",
            "Use the number (USER 1001), or set runAsUser in the manifest.",
            "source.containerfile",
            cause="image-user",
            where=where,
        )
    else:
        yield finding(
            check,
            ADVICE,
            f"USER {user} is a name: with runAsNonRoot, Kubernetes could not verify that it is not root.",
            "Use the number: USER 1001.",
            where=where,
        )
