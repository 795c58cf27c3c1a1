# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs are read, whoever wrote them: errors that real clients made, as the usual loggers write them.

tests/fixtures/logs/program makes texts.json: it brings each error about and runs it through each logger.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe import logs as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.contacts import contact
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.kinds import kind_of
from hypothesis import given
from hypothesis import strategies as st

TEXTS = json.loads((Path(__file__).resolve().parents[4] / "fixtures/logs/texts.json").read_text(encoding="utf-8"))
# what the recorder calls a kind, in the words of contacts and kinds
SAME = {
    "unreachable": {"refused", "silent"},
    "certificate": {"tls", "certificate-file"},
    "protocol": {"plain", "protocol"},
    "file-missing": {"file-missing", "token"},
    "variable-missing": {"variable-missing"},
    "not-found": {"absent"},
    "read-only": {"read-only"},
    "auth": {"auth"},
    "silent": {"silent"},
}
LOGGERS = sorted(TEXTS[0]["lines"])


def squeezed(text: str) -> str:
    return " ".join(text.split())


def found(text: str) -> set[str]:
    """Both readings of a text."""
    kind, item = kind_of(text), contact(text)
    return {kind.name if kind else "", item.form if item else ""} - {""}


@pytest.mark.parametrize("item", TEXTS, ids=lambda item: f"{item['library']}-{item['name']}")
def test_an_error_is_read_whichever_logger_wrote_it(item: dict[str, t.Any]) -> None:
    for logger, lines in item["lines"].items():
        (said, *more) = lib.entries(lines.splitlines())
        assert squeezed(item["error"]) in said.text or item["error"][:60] in said.text, logger
        assert more == [], logger
        assert not said.is_calm, logger


@pytest.mark.parametrize(
    "item", [item for item in TEXTS if item["kind"] != "any"], ids=lambda item: f"{item['library']}-{item['name']}"
)
def test_an_error_has_its_kind_whichever_logger_wrote_it(item: dict[str, t.Any]) -> None:
    wanted = SAME.get(item["kind"], {item["kind"]})
    for logger, lines in item["lines"].items():
        (said, *_more) = lib.entries(lines.splitlines())
        assert found(said.text) & wanted, f"{logger}: {said.text}"


@pytest.mark.parametrize("logger", [name for name in LOGGERS if name not in ("log", "cobra")])
def test_the_level_of_an_error_is_known(logger: str) -> None:
    for item in TEXTS:
        assert lib.entries(item["lines"][logger].splitlines())[0].is_bad, item["name"]


@pytest.mark.parametrize(
    ("entry", "text", "level"),
    [
        ('{"level":50,"time":1767225600000,"err":{"type":"Error","message":"connect ECONNREFUSED 10.0.0.1:80"},'
         '"msg":"cannot start"}',
         "cannot start: connect ECONNREFUSED 10.0.0.1:80", "error"),
        ('{"severity":"ERROR","message":"boom"}', "boom", "error"),
        ("2026-01-01 00:00:00,123 [main] ERROR com.acme - no luck", "[main] ERROR com.acme - no luck", ""),
        ("2026-01-01T00:00:00Z INFO listening on :8080", "listening on :8080", "info"),
        ("[2026-01-01 00:00:00 +0000] [7] [ERROR] no luck", "[7] [ERROR] no luck", ""),
        ("plain words", "plain words", ""),
        ("{not json", "{not json", ""),
        ("", "", ""),
    ],
)  # fmt: skip
def test_other_forms(entry: str, text: str, level: str) -> None:
    said = lib.understood(entry)
    assert (said.text, said.level) == (text, level)


def test_a_stack_is_no_entry() -> None:
    lines = [
        "2026/01/01 00:00:00 fatal: no luck",
        "goroutine 1 [running]:",
        "main.run(0x1)",
        "\t/src/main.go:7 +0x1d",
        "main.main()",
        "\t/src/main.go:3 +0x1d",
    ]
    assert [said.text for said in lib.entries(lines)] == ["fatal: no luck"]


@given(st.lists(st.text()))
def test_any_log_can_be_read(lines: list[str]) -> None:
    for said in lib.entries(lines):
        assert said.text
        assert "\n" not in said.text
