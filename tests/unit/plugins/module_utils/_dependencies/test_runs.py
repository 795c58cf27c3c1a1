# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations by a command that really runs, and by Jobs as texts. Molecule migrates a real database."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies import runs as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.migrations import MigrationError
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.servers import Migrations
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.items import Item

SECRET = {"POSTGRES_USER": "me", "POSTGRES_PASSWORD": "p@ss/word", "POSTGRES_DB": "shop"}
JOB = Item({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate"}}, "here")


def python(code: str, **more: object) -> Migrations:
    return Migrations(command=(sys.executable, "-c", code), **more)  # type: ignore[arg-type]


def test_the_way_to_the_database_is_in_the_environment(tmp_path: Path) -> None:
    code = "import os; open('said', 'w').write(os.environ['DATABASE_URL'] + ' ' + os.environ['DSN'])"
    wanted = python(code, chdir=str(tmp_path), environment={"DSN": "user=$PGUSER port=${PGPORT}"})
    lib.run_command("db", wanted, SECRET, 4711)
    url, _space, dsn = (tmp_path / "said").read_text().partition(" ")
    assert url == "postgres://me:p%40ss%2Fword@127.0.0.1:4711/shop?sslmode=disable"
    assert dsn == "user=me port=4711"


def test_a_failure_quotes_what_was_said_without_the_password() -> None:
    code = "import os, sys; print(os.environ['DATABASE_URL'], os.environ['PGPASSWORD'], file=sys.stderr); sys.exit(3)"
    with pytest.raises(MigrationError, match="exited with 3") as caught:
        lib.run_command("db", python(code), SECRET, 4711)
    told = repr(caught.value.result())
    assert lib.HIDDEN in told
    assert "p@ss" not in told
    assert "p%40ss" not in told
    assert caught.value.__cause__ is None


def test_a_command_that_does_not_end_is_ended() -> None:
    with pytest.raises(MigrationError, match=r"still running after 0\.2 s") as caught:
        lib.run_command("db", python("import time; time.sleep(60)", timeout=0.2), SECRET, 4711)
    assert caught.value.setting.endswith(".timeout")


def test_what_cannot_be_run_is_refused_first(tmp_path: Path) -> None:
    for wanted, cause in (
        (Migrations(command=("no-such-program-here",)), "command-not-found"),
        (Migrations(command=("./migrate",), chdir=str(tmp_path)), "command-not-found"),
        (python("", chdir=str(tmp_path / "none")), "migrations-missing"),
    ):
        with pytest.raises(InputError) as caught:
            lib.check_command("db", wanted)
        assert caught.value.cause == cause
    with pytest.raises(InputError, match="Did you mean 'PGUSER'"):
        lib.check_command("db", python("", environment={"A": "$PGUSR"}))


def test_another_content_is_another_checksum(tmp_path: Path) -> None:
    (tmp_path / "1.sql").write_text("SELECT 1")
    wanted = python("", dir=str(tmp_path))
    first = lib.checksum(wanted)
    assert lib.checksum(wanted) == first
    (tmp_path / "1.sql").write_text("SELECT 2")
    assert len({first, lib.checksum(wanted), lib.checksum(python("x")), lib.checksum(wanted, [JOB])}) == 4


def test_a_job_is_one_and_named_after_its_content() -> None:
    assert lib.job_of("db", [JOB], "here") is JOB
    assert lib.job_items([JOB], "0123456789")[0].name == "migrate-01234567"
    assert JOB.name == "migrate"
    for items in ([], [JOB, JOB]):
        with pytest.raises(InputError, match="need exactly one Job"):
            lib.job_of("db", items, "here")
