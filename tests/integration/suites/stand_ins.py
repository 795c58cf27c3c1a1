# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that a suite names and that no registry in reach has: made from programs of this host, under the same names.

An image of that name that was not made here is left alone: where the real ones are in reach, they are used.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
RECIPES = ROOT / "tests" / "fixtures" / "suite-images"
LABEL = "coverage.kubernaut.io/stand-in"
NAMES = {
    "golang": "docker.io/library/golang:1.26",
    "static": "gcr.io/distroless/static:nonroot",
    "curl": "docker.io/curlimages/curl:latest",
}
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def output(*argv: str) -> str:
    """Run a program and return what it printed."""
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def there(image: str) -> bool:
    """Whether podman has an image."""
    return subprocess.run(["podman", "image", "exists", image], check=False).returncode == 0


def program(name: str) -> Path:
    """Return the path of a program of this host."""
    found = shutil.which(name)
    assert found, f"{name} is not installed on this host"
    return Path(found)


def contexts(folder: Path, name: str) -> list[str]:
    """Put what an image is made from into folders; return podman's arguments."""
    binaries, certificates, libraries = (folder / part for part in ("bin", "certificates", "libraries"))
    for part in (binaries, certificates, libraries):
        part.mkdir()
    shutil.copy(program("busybox"), binaries / "busybox")
    shutil.copy(CERTIFICATES, certificates)
    found = {"bin": binaries, "certificates": certificates, "libraries": libraries}
    if name == "golang":
        found["go"] = Path(output("go", "env", "GOROOT").strip())
    if name == "curl":
        curl = program("curl")
        shutil.copy(curl, binaries / "curl")
        # the loader and all libraries, where the program looks for them
        for path in re.findall(r"(/\S+) \(0x", output("ldd", str(curl))):
            target = libraries / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    return [part for key, path in found.items() for part in ("--build-context", f"{key}={path}")]


def make() -> list[str]:
    """Make what is missing, and return the names of what was made."""
    made = []
    for name, image in NAMES.items():
        if there(image):
            continue
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            output(
                *(
                    "podman",
                    "build",
                    "--pull=never",
                    "--quiet",
                    "--format=docker",
                    "--layers",
                    f"--label={LABEL}=suite",
                ),
                *(f"--tag={image}", f"--file={RECIPES / f'{name}.Containerfile'}", *contexts(folder, name), scratch),
            )
        made.append(image)
    return made


def remove(images: list[str]) -> None:
    """Take away what was made."""
    for image in images:
        subprocess.run(["podman", "image", "rm", "--force", image], check=False, capture_output=True)
