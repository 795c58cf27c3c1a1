# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Whether SIGTERM reaches a program, derived from what a container starts: counters are written only on a clean exit.

What shells do with C(sh -c 'program') was measured: bash 5.2 and busybox 1.35 give their place to the last command,
dash 0.5.12 (the C(sh) of Debian and Ubuntu) stays in front of it, and all of them stay in a script without C(exec).
Process 1 gets no default action for SIGTERM, so a shell there only waits until the grace period is over.
"""

from __future__ import annotations

import posixpath
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.kubernaut.coverage.plugins.module_utils._build.containerfile import Text, commands

INITS = frozenset(("tini", "tini-static", "dumb-init", "catatonit", "docker-init"))
SHELLS = frozenset(("sh", "bash", "ash", "dash", "ksh", "zsh", "busybox"))
REPLACING = frozenset(("bash", "ash", "busybox"))  # shells that give their place to a single command
SCRIPT_LIMIT = 1 << 20


@dataclass(frozen=True)
class Start:
    """How a container starts. C(certain): SIGTERM is lost for sure; else it depends on C(text)'s condition."""

    text: str
    certain: bool
    remedy: str = "Start the program as process 1: the JSON form, or 'exec' before it."


def program(words: t.Sequence[str]) -> list[str]:
    """Return the words without a small init (tini, dumb-init) in front: those pass SIGTERM on to their child."""
    rest = list(words)
    while rest and posixpath.basename(rest[0]) in INITS:
        rest = rest[1:]
        while rest and rest[0].startswith("-"):
            if rest.pop(0) == "--":
                break
    return rest


def lost_sigterm(words: t.Sequence[str], read: t.Callable[[str], t.Optional[str]], sh: str = "") -> t.Optional[Start]:
    """Tell what keeps SIGTERM from the program, or None where nothing does (or nothing is known).

    :arg words: entrypoint and command. :arg read: gives the text of a file of the image, None where it is not known.
    :arg sh: which shell C(sh) is in that image, where that is known.
    """
    rest = program(words)
    if not rest:
        return None
    name = posixpath.basename(rest[0])
    if name == "busybox" and len(rest) > 1:
        rest = rest[1:]
        name = "busybox" if rest[0] in SHELLS else rest[0]
    if name in SHELLS:
        shell = sh if name == "sh" and sh else name
        options = [word for word in rest[1:] if word.startswith("-")]
        if any(re.fullmatch(r"-[a-z]*c[a-z]*", option) for option in options):
            script = next((word for word in rest[1:] if not word.startswith("-")), "")
            return _inline(script, shell)
        path = next((word for word in rest[1:] if not word.startswith("-")), "")
        text = read(path) if path else None
        return _script(path, text) if text is not None else None
    text = read(rest[0])
    if text is None or not re.match(r"#!\s*\S*?(env\s+(-S\s+)?)?(\S*/)?(sh|bash|ash|dash|ksh|zsh)\b", text):
        return None
    return _script(rest[0], text)


def _inline(script: str, shell: str) -> t.Optional[Start]:
    parts = commands(Text(script, ((0, 1),)))
    if not parts or _replaces(parts[-1].values):
        return None
    shown = f"'{script if len(script) < 60 else script[:57] + '...'}'"
    if len(parts) == 1 and shell in REPLACING:
        return Start(f"{shell} starts {shown} and replaces itself with the program; other shells do not", False)
    if len(parts) == 1 and shell != "dash":
        return Start(
            f"a shell is process 1 and starts {shown}; unless it is bash or busybox, it does not forward SIGTERM", True
        )
    return Start(
        f"a shell is process 1 and starts {shown}: it does not forward SIGTERM, and no counters are written", True
    )


def _replaces(words: t.Sequence[str]) -> bool:
    """Whether a command is C(exec PROGRAM) (not only C(exec 2>&1))."""
    return len(words) > 1 and words[0] == "exec" and not re.match(r"\d*[<>]", words[1])


def _script(path: str, text: str) -> t.Optional[Start]:
    parts = commands(Text(text, ((0, 1),)))
    if any(_replaces(part.values) for part in parts):
        return None
    if any(part.values[:1] == ["trap"] and "TERM" in " ".join(part.values) for part in parts):
        return Start(
            f"the script {path} is process 1 and has a trap for TERM instead of 'exec'",
            False,
            "Make sure the trap forwards SIGTERM and the script waits for the program.",
        )
    return Start(
        f"the script {path} is process 1 and starts the program without 'exec': the shell does not forward SIGTERM",
        True,
        'Make its last command: exec PROGRAM "$@"',
    )
