# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build an image with a real PostgreSQL or Redis from Debian packages alone: ``build WORKDIR IMAGE RECIPE_HASH``.

For hosts that reach no registry. The last part of the image's name says which server (``.../postgresql:15``). The
release is that of the host's own Debian archive, and with it the server's version; a label of the image tells it.
Needs root, debootstrap and podman. Prints one line for each step.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

RECIPE_LABEL = "coverage.kubernaut.io/recipe"
VERSION_LABEL = "org.opencontainers.image.version"
SHELL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# folders of which no server reads anything
UNREAD = (
    *("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale"),
    *("var/cache/apt", "var/lib/apt/lists", "var/log"),
)
# the compiler for long queries is a third of the image; where it is not found, PostgreSQL does without
UNUSED = (
    "usr/lib/*/libLLVM*",
    "usr/lib/llvm-*",
    "usr/lib/postgresql/*/lib/bitcode",
    "usr/lib/postgresql/*/lib/llvmjit*",
)


@dataclass(frozen=True)
class Server:
    """What an image is made of.

    :ivar packages: Debian packages. :ivar versioned: pattern of the package whose version is the server's.
    :ivar user: the account that runs it. :ivar folders: made for that account.
    :ivar entrypoint: file of this recipe. :ivar command: what runs by default. :ivar directory: where.
    """

    packages: tuple[str, ...]
    versioned: str
    user: str
    folders: tuple[str, ...]
    entrypoint: str
    command: tuple[str, ...]
    directory: str


SERVERS = {
    "postgresql": Server(
        packages=("postgresql",),
        versioned="postgresql-[0-9]*",
        user="postgres",
        folders=("/var/lib/postgresql/data", "/run/postgresql"),
        entrypoint="postgresql-entrypoint",
        command=("postgres",),
        directory="/",
    ),
    "redis": Server(
        packages=("redis-server", "redis-tools"),
        versioned="redis-server",
        user="redis",
        folders=("/data",),
        entrypoint="redis-entrypoint",
        command=("redis-server",),
        directory="/data",
    ),
}


class StepError(Exception):
    """A step did not succeed; the argument says which, and why."""


def run(argv: list[str], purpose: str, **options) -> str:
    """Run a program and return its output."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-12:]
        raise StepError(f"could not {purpose}: {argv[0]} ended with {done.returncode}\n" + "\n".join(said))
    return done.stdout


def debian_archive() -> tuple[str, str]:
    """Return address and release of the host's own Debian archive, as its apt knows them."""
    sources = run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)", "Created-By: Packages"],
        "ask apt for its archive",
    )
    for line in sources.splitlines():
        address, release, component = line.split()
        # updates and security are suites of the same archive
        if component == "main" and "-" not in release:
            return address, release
    raise StepError("could not find an archive for Debian packages: apt on this host names none with a component main")


def proxies() -> dict[str, str]:
    """Return apt's own proxies for debootstrap, which reads the environment alone."""
    given = {}
    for scheme in ("http", "https"):
        answer = run(["apt-config", "shell", "PROXY", f"Acquire::{scheme}::Proxy"], "read apt's settings")
        for word in shlex.split(answer):
            value = word.removeprefix("PROXY=")
            if value != word and value not in ("", "DIRECT", "false") and not os.environ.get(f"{scheme}_proxy"):
                given[f"{scheme}_proxy"] = value
    return given


def install(root: Path, cache: Path, packages: tuple[str, ...]) -> None:
    """Make a root folder with Debian and the packages."""
    address, release = debian_archive()
    cache.mkdir(parents=True, exist_ok=True)
    run(
        # a mount namespace of its own: whatever happens, nothing stays mounted below the folder
        [
            *("unshare", "--mount", "--propagation", "private", "debootstrap", "--variant=minbase"),
            *(f"--cache-dir={cache}", f"--include={','.join(packages)}", release, str(root), address),
        ],
        f"install Debian packages of {release}",
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", **proxies()},
    )
    for name in UNREAD:
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).mkdir()
    for pattern in UNUSED:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def installed_version(root: Path, pattern: str) -> str:
    """Return the upstream version of a package in the root folder (``15.18``)."""
    answer = run(
        ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "--show", "--showformat", "${Version}\\n", pattern],
        "ask for the server's version",
    )
    return re.sub(r"^\d+:", "", answer.split()[0]).partition("-")[0]


def account(root: Path, user: str) -> tuple[int, int]:
    """Return user and group id of an account in the root folder."""
    for line in (root / "etc/passwd").read_text(encoding="utf-8").splitlines():
        name, _password, uid, gid, *_rest = line.split(":")
        if name == user:
            return int(uid), int(gid)
    raise StepError(f"could not find the account {user} that the server's package should have made")


def finish(root: Path, server: Server, recipe: Path) -> tuple[int, int]:
    """Put in what Debian's packages do not bring, and return the ids that the server runs as."""
    uid, gid = account(root, server.user)
    for folder in server.folders:
        inside = root / folder.lstrip("/")
        inside.mkdir(parents=True, exist_ok=True)
        os.chown(inside, uid, gid)
        inside.chmod(0o700 if folder.startswith("/var/lib") else 0o755)
    # Debian keeps the versions' programs apart
    for program in sorted(root.glob("usr/lib/postgresql/*/bin/*")):
        link = root / "usr/local/bin" / program.name
        if not link.exists():
            link.symlink_to("/" + str(program.relative_to(root)))
    target = root / "usr/local/bin" / server.entrypoint
    shutil.copyfile(recipe / server.entrypoint, target)
    target.chmod(0o755)
    return uid, gid


def import_image(root: Path, image: str, changes: list[str]) -> None:
    """Give the root folder to podman as an image: its name appears when all of it is there."""
    options = [part for change in changes for part in ("--change", change)]
    with subprocess.Popen(
        ["tar", "--directory", str(root), "--sort=name", "--numeric-owner", "--create", "."], stdout=subprocess.PIPE
    ) as packed:
        run(["podman", "import", "--quiet", *options, "-", image], f"import {image}", stdin=packed.stdout)
    if packed.returncode:
        raise StepError(f"could not pack the image's files: tar ended with {packed.returncode}")


def build(work: Path, image: str, recipe_hash: str) -> None:
    """Build one image.

    :raises StepError: with the end of what the failed program said.
    """
    name = image.rpartition("/")[2].partition(":")[0]
    if name not in SERVERS:
        raise StepError(f"could not tell the server from the image's name {image}: it is none of {', '.join(SERVERS)}")
    server, root = SERVERS[name], work / name
    shutil.rmtree(root, ignore_errors=True)
    try:
        print(f"Debian packages: {', '.join(server.packages)}", flush=True)
        install(root, work / f"{name}-packages", server.packages)
        version = installed_version(root, server.versioned)
        uid, gid = finish(root, server, Path(__file__).resolve().parent)
        print(f"import {name} {version}", flush=True)
        changes = [
            f"ENTRYPOINT {_json([f'/usr/local/bin/{server.entrypoint}'])}",
            f"WORKDIR {server.directory}",
            f"CMD {_json(server.command)}",
            f"USER {uid}:{gid}",
            f"ENV PATH={SHELL_PATH}",
            f"LABEL {RECIPE_LABEL}={recipe_hash}",
            f"LABEL {VERSION_LABEL}={version}",
        ]
        import_image(root, image, changes)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _json(words) -> str:
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"


def main() -> int:
    work, image, recipe_hash = sys.argv[1:]
    try:
        build(Path(work), image, recipe_hash)
    except StepError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
