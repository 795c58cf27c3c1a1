# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs the tools that read reports, each of one version, into .cache/consumers; what is there stays."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CACHE = ROOT / ".cache" / "consumers"

PYTHON = ("diff-cover==9.7.1", "pycobertura==4.1.0")
GO = ("github.com/boumenot/gocover-cobertura@v1.5.0", "github.com/jandelgado/gcov2lcov@v1.1.1")
LCOV = "lcov=1.16-1"  # of Debian 12: genhtml and lcov


@dataclass(frozen=True)
class Tools:
    """The folders of the tools' programs."""

    python: Path
    go: Path
    lcov: Path

    def run(self, folder: Path, *argv: str | Path, stdin: bytes | None = None) -> str:
        """Run a program in a folder; it has to succeed."""
        path = os.pathsep.join(map(str, (self.python, self.go, self.lcov, os.environ["PATH"], "/usr/local/go/bin")))
        ran = subprocess.run(
            ["/usr/bin/env", *map(str, argv)],
            cwd=folder,
            env={**os.environ, "PATH": path},
            input=stdin,
            capture_output=True,
            check=False,
        )
        output = ran.stdout.decode(errors="replace")
        assert ran.returncode == 0, output + ran.stderr.decode(errors="replace")
        return output


def once(folder: Path, make: t.Callable[[], object]) -> None:
    """Do what is needed for a folder, if it was not done before."""
    done = folder.with_suffix(".done")
    if not done.exists():
        make()
        done.touch()


def installed() -> Tools:
    """The tools, installed where they are not yet."""
    CACHE.mkdir(parents=True, exist_ok=True)
    environment = CACHE / "python-1"
    binaries = CACHE / "go-1"
    lcov = CACHE / "lcov-1.16"

    def install_python() -> None:
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        subprocess.run([environment / "bin" / "python", "-m", "pip", "install", "--quiet", *PYTHON], check=True)

    def install_go() -> None:
        path = os.pathsep.join([os.environ["PATH"], "/usr/local/go/bin"])
        for program in GO:
            subprocess.run(
                ["go", "install", program], env={**os.environ, "PATH": path, "GOBIN": str(binaries)}, check=True
            )

    def install_lcov() -> None:
        subprocess.run(["apt-get", "download", LCOV], cwd=CACHE, check=True)
        (package,) = CACHE.glob("lcov_*.deb")
        subprocess.run(["dpkg", "-x", package, lcov], check=True)

    once(environment, install_python)
    once(binaries, install_go)
    once(lcov, install_lcov)
    return Tools(environment / "bin", binaries, lcov / "usr" / "bin")
