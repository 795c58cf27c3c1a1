# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Migrations that something else applies: a command on the runner, or a Job in the cluster.

Of both it is recorded in the database itself, by a checksum over all that they are made of, that they have run: an
emptied database gets them again, and a changed content runs them again.
"""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
import string
import typing as t
import urllib.parse
from pathlib import Path

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import CommandError, describe_exit, run
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.text import nearest_few
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.migrations import SETTING, MigrationError
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.servers import Migrations
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.items import Item

HIDDEN = "********"
EVIDENCE_LINES = 20
VARIABLES = (
    *("DATABASE_URL", "PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSSLMODE"),
    *("GOOSE_DRIVER", "GOOSE_DBSTRING"),
)
# the record of what was run; run again, it is another one
RECORD = """
INSERT INTO kubernaut_coverage.migrations (name, checksum) VALUES (:'kubernaut_name', :'kubernaut_checksum')
  ON CONFLICT (name) DO UPDATE SET checksum = EXCLUDED.checksum, applied_at = now();
"""


def check_command(server: str, wanted: Migrations) -> None:
    """Refuse a command that cannot be run, before anything is changed.

    :raises InputError: no such program or folder, or a variable that is none.
    """
    folder = Path(folder_of(wanted))
    if not folder.is_dir():
        raise InputError(
            f"The folder {folder}, in which the migrations of {server} run, does not exist.",
            setting=f"{SETTING}.chdir",
            cause="migrations-missing",
        )
    program = wanted.command[0]
    there = (folder / program).is_file() if "/" in program else shutil.which(program) is not None
    if not there:
        raise InputError(
            f"The command {program}, which applies the migrations of {server}, does not exist"
            + (f" (from {folder})." if "/" in program else "."),
            remedy="Install it on the runner, or set its path.",
            setting=f"{SETTING}.command",
            cause="command-not-found",
        )
    environment(server, wanted, dict.fromkeys(VARIABLES, ""))


def folder_of(wanted: Migrations) -> str:
    """Return the folder that a command runs in."""
    return wanted.chdir or wanted.dir or "/"


def connection(secret: t.Mapping[str, str], port: int) -> dict[str, str]:
    """Return the variables that lead to a database at a port of this host, credentials included."""
    user, password, database = (secret[key] for key in ("POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"))
    quoted = [urllib.parse.quote(text, safe="") for text in (user, password, database)]
    url = f"postgres://{quoted[0]}:{quoted[1]}@127.0.0.1:{port}/{quoted[2]}?sslmode=disable"
    values = (url, "127.0.0.1", str(port), user, password, database, "disable", "postgres", url)
    return dict(zip(VARIABLES, values, strict=True))


def environment(server: str, wanted: Migrations, variables: t.Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a command: C(variables), and the user's own with C($NAME) of them filled in.

    :raises InputError: it refers to a variable that there is not.
    """
    made = dict(variables)
    for key, value in wanted.environment.items():
        try:
            made[key] = string.Template(str(value)).substitute(variables)
        except (KeyError, ValueError) as error:
            name = str(error.args[0])
            near = nearest_few(name, VARIABLES, most=1)
            what = f"refers to {name!r}, which is unknown." if isinstance(error, KeyError) else f"is not right: {name}."
            raise InputError(
                f"The variable {key} for the migrations of {server} {what}"
                + (f" Did you mean {near[0]!r}?" if near else f" Known: {', '.join(VARIABLES)}; $$ is a $."),
                setting=f"{SETTING}.environment",
            ) from error
    return made


def checksum(wanted: Migrations, job: t.Sequence[Item] = ()) -> str:
    """Return the checksum of all that migrations are made of: the command, the objects, every file of the folder."""
    digest = hashlib.sha256()
    objects = [item.content for item in job]
    parts = [list(wanted.command), dict(wanted.environment), objects]
    digest.update(json.dumps(parts, sort_keys=True, default=str).encode())
    folder = Path(wanted.dir)
    if wanted.dir:
        for path in sorted(item for item in folder.rglob("*") if item.is_file()):
            digest.update(f"\0{path.relative_to(folder)}\0{hashlib.sha256(path.read_bytes()).hexdigest()}".encode())
    return digest.hexdigest()


def command_name(wanted: Migrations) -> str:
    """Return what a command is called in records and results."""
    return f"command {Path(wanted.command[0]).name}"


def run_command(server: str, wanted: Migrations, secret: t.Mapping[str, str], port: int) -> None:
    """Run a command that migrates.

    :arg port: of this host, which leads to the database.
    :raises MigrationError: it failed; with what it said last, without the credentials.
    """
    variables = connection(secret, port)
    try:
        run(
            list(wanted.command),
            purpose=f"apply the migrations of {server}",
            cwd=folder_of(wanted),
            environment=environment(server, wanted, variables),
            timeout=wanted.timeout,
        )
    except CommandError as error:
        said = error.completed
        hidden = {
            variables["PGPASSWORD"],
            urllib.parse.quote(variables["PGPASSWORD"], safe=""),
            variables["DATABASE_URL"],
        }
        lines = (f"{said.stdout}\n{said.stderr}" if said else "").splitlines()
        shown = [_without(line, hidden) for line in [*error.evidence[:1], *[line for line in lines if line.strip()]]]
        # below an error there may be a mere mark
        last = next((line.strip() for line in reversed(shown[1:]) if any(map(str.isalnum, line))), "")
        slow = error.cause == "command-timeout"
        why = (
            f"was still running after {wanted.timeout:g} s" if slow else describe_exit(said.returncode) if said else ""
        )
        raise MigrationError(
            f"The migrations of {server} failed: {Path(wanted.command[0]).name} {why or 'cannot be started'}"
            + (f": {last}" if last else "."),
            remedy="Fix the reported error and run again; the database is left as it is.",
            setting=f"{SETTING}.timeout" if slow else f"{SETTING}.command",
            evidence=[*shown[:1], *shown[1:][-EVIDENCE_LINES:]],
        ) from None


def _without(line: str, hidden: t.Collection[str]) -> str:
    for word in sorted(hidden, key=len, reverse=True):
        line = line.replace(word, HIDDEN) if word else line
    return line.rstrip()


def job_of(server: str, items: t.Sequence[Item], setting: str) -> Item:
    """Return the one Job of the objects.

    :raises InputError: there is none, or more than one.
    """
    jobs = [item for item in items if item.kind == "Job"]
    if len(jobs) != 1:
        there = f"there are {', '.join(item.name for item in jobs)}" if jobs else "there is none"
        raise InputError(
            f"The migrations of {server} by a Job need exactly one Job; {there}.",
            setting=setting,
            cause="migrations-missing",
        )
    return jobs[0]


def job_items(items: t.Sequence[Item], digest: str) -> list[Item]:
    """Return the objects with the Job named after the content: a Job that is there cannot be changed."""
    made = []
    for item in items:
        content = item.content
        if item.kind == "Job":
            content = copy.deepcopy(dict(content))
            content["metadata"] = {**content["metadata"], "name": f"{item.name[:52].rstrip('-.')}-{digest[:8]}"}
        made.append(Item(content, item.where, item.file))
    return made
