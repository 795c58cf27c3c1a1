# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations as texts: their order, what of them is applied, and what is said of one that fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies import migrations as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies.servers import Migrations

GOOSE = """-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION one() RETURNS int AS $$ BEGIN RETURN 1; END; $$ LANGUAGE plpgsql;
-- +goose StatementEnd
CREATE TABLE audit_events (id bigint);

-- +goose Down
DROP TABLE audit_events;
"""


def folder_of(tmp_path: Path, **files: str) -> Migrations:
    for name, text in files.items():
        (tmp_path / f"{name}.sql").write_text(text, encoding="utf-8")
    return Migrations(str(tmp_path))


def test_files_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    wanted = folder_of(tmp_path, **{"10_c": "SELECT 1", "9_b": "SELECT 1", "001_a": "SELECT 1", "z": "SELECT 1"})
    assert [item.name for item in lib.read_migrations(wanted)] == ["001_a.sql", "9_b.sql", "10_c.sql", "z.sql"]


def test_of_a_goose_file_the_up_part_is_applied_with_the_lines_it_has(tmp_path: Path) -> None:
    (migration,) = lib.read_migrations(folder_of(tmp_path, **{"0042_audit": GOOSE}))
    assert migration.goose == 42
    assert migration.transaction
    assert "DROP TABLE" not in migration.sql
    for number, line in enumerate(migration.sql.splitlines()):
        assert line in ("", GOOSE.splitlines()[number])
    assert migration.sql.splitlines()[4] == "CREATE TABLE audit_events (id bigint);"


def test_no_transaction_is_honoured(tmp_path: Path) -> None:
    text = "-- +goose NO TRANSACTION\n-- +goose Up\nCREATE INDEX CONCURRENTLY i ON t (a);\n"
    (migration,) = lib.read_migrations(folder_of(tmp_path, **{"1_i": text}))
    assert not migration.transaction
    assert not lib.script(migration)[0].startswith("BEGIN")


def test_a_plain_file_is_run_as_psql_runs_it(tmp_path: Path) -> None:
    (migration,) = lib.read_migrations(folder_of(tmp_path, init="CREATE TABLE a (b int)"))
    assert migration.goose is None
    assert not migration.transaction
    text, variables = lib.script(migration)
    # the file does not end its last statement
    assert text.startswith("CREATE TABLE a (b int)\n;\n")
    assert "goose" not in text
    assert variables["kubernaut_name"] == "init.sql"


def test_the_first_line_of_a_file_stays_the_first_line(tmp_path: Path) -> None:
    (migration,) = lib.read_migrations(folder_of(tmp_path, **{"1_a": GOOSE}))
    lines = lib.script(migration)[0].splitlines()
    assert lines[2] == GOOSE.splitlines()[2]
    assert lines[-1] == "COMMIT;"
    assert lib.script(migration)[1]["kubernaut_version"] == "1"


def test_plain_can_be_asked_for_in_spite_of_marks(tmp_path: Path) -> None:
    folder_of(tmp_path, **{"1_a": GOOSE})
    (migration,) = lib.read_migrations(Migrations(str(tmp_path), format="plain"))
    assert "DROP TABLE" in migration.sql


@pytest.mark.parametrize(
    ("files", "words", "cause"),
    [
        ({}, "contains no .sql file", "migrations-missing"),
        ({"init": GOOSE}, "no number at the beginning", "migration-unreadable"),
        ({"1_a": "-- +goose Down\nSELECT 1;"}, "has no '-- \\+goose Up'", "migration-unreadable"),
        ({"1_a": "-- +goose Up\n-- +goose Up\n"}, "has 2 '-- \\+goose Up'", "migration-unreadable"),
        ({"1_a": "-- +goose Up\n-- +goose ENVSUB ON\n"}, "ENVSUB", "migration-unreadable"),
        ({"1_a": GOOSE, "01_b": GOOSE}, "have the same number", "migration-unreadable"),
    ],
)
def test_what_is_wrong_with_a_folder_is_told(tmp_path: Path, files: dict[str, str], words: str, cause: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        lib.read_migrations(folder_of(tmp_path, **files))
    assert caught.value.cause == cause


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none does not exist"):
        lib.read_migrations(Migrations(str(tmp_path / "none")))


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "1_a.sql").write_bytes(b"SELECT '\xff'")
    with pytest.raises(InputError, match="not UTF-8 at byte 8"):
        lib.read_migrations(Migrations(str(tmp_path)))


def test_only_what_is_not_applied_is_pending(tmp_path: Path) -> None:
    first, second = lib.read_migrations(folder_of(tmp_path, **{"1_a": "SELECT 1", "2_b": "SELECT 2"}))
    assert lib.pending([first, second], {}) == [first, second]
    assert lib.pending([first, second], {first.name: first.checksum}) == [second]
    records = lib.parse_records(f"{first.name} {first.checksum}\n{second.name} {second.checksum}\n")
    assert lib.pending([first, second], records) == []


def test_a_migration_changed_after_it_was_applied_is_refused(tmp_path: Path) -> None:
    (only,) = lib.read_migrations(folder_of(tmp_path, **{"1_a": "SELECT 1"}))
    with pytest.raises(lib.MigrationError, match="has changed since it was applied") as caught:
        lib.pending([only], {only.name: "0" * 64})
    assert caught.value.cause == "migration-changed"


def test_a_new_migration_before_an_applied_one_is_refused(tmp_path: Path) -> None:
    first, second = lib.read_migrations(folder_of(tmp_path, **{"1_a": "SELECT 1", "2_b": "SELECT 2"}))
    with pytest.raises(lib.MigrationError, match="later ones are already applied") as caught:
        lib.pending([first, second], {second.name: second.checksum})
    assert str(tmp_path / "1_a.sql") in caught.value.message


def test_a_failure_names_file_and_line(tmp_path: Path) -> None:
    (migration,) = lib.read_migrations(folder_of(tmp_path, **{"1_a": GOOSE}))
    said = 'psql:<stdin>:5: ERROR:  type "bigimt" does not exist\nLINE 1: CREATE TABLE a (b bigimt);\n'
    error = lib.failure(migration, "postgresql", said, applied=3, left=2)
    assert error.message.endswith('1_a.sql, line 5: type "bigimt" does not exist')
    assert error.evidence[-1] == "3 before it are applied, 2 after it are not; it was rolled back"


def test_a_failure_without_a_line_has_what_was_said(tmp_path: Path) -> None:
    (migration,) = lib.read_migrations(folder_of(tmp_path, init="SELECT 1"))
    error = lib.failure(migration, "postgresql", "server closed the connection\n", applied=0, left=0)
    assert error.message.endswith("init.sql: server closed the connection")
    assert "statements before that line were kept" in error.evidence[-1]


def test_a_folder_that_a_command_applies_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text("package main")
    assert lib.read_migrations(Migrations(str(tmp_path), command=("go", "run", "."))) == []
    with pytest.raises(InputError, match="does not exist"):
        lib.read_migrations(Migrations(str(tmp_path / "none"), command=("go", "run", ".")))
