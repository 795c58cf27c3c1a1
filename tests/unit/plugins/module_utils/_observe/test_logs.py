# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs are read, whichever logger wrote them."""

from __future__ import annotations

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe import logs as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.contacts import contact
from hypothesis import given
from hypothesis import strategies as st

REFUSED = "start orders: dial tcp 10.0.0.1:80: connect: connection refused"


@pytest.mark.parametrize(
    "lines",
    [
        f"2026/01/01 00:00:00 {REFUSED}",
        f'{{"time":"2026-01-01T00:00:00Z","level":"ERROR","msg":"start failed","error":"{REFUSED}"}}',
        f'time=2026-01-01T00:00:00.000Z level=ERROR msg="start failed" err="{REFUSED}" attempt=3',
        f'2026-01-01T00:00:00.000Z\tERROR\tsetup\tstart failed\t{{"error": "{REFUSED}"}}\nmain.main\n\t/src/main.go:7',
        f'E0101 00:00:00.000000       1 main.go:7] "Unable to start" err="{REFUSED}" controller="Order"',
        f'\x1b[90m2026-01-01T00:00:00Z\x1b[0m \x1b[31mERR\x1b[0m start failed error="{REFUSED}"',
    ],
)
def test_an_error_is_read_whichever_logger_wrote_it(lines: str) -> None:
    (said,) = lib.entries(lines.splitlines())
    assert REFUSED in said.text
    item = contact(said.text)
    assert item is not None and (item.form, item.host, item.port) == ("refused", "10.0.0.1", 80)


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
        "2026/01/01 00:00:00 no luck at all",
        "goroutine 1 [running]:",
        "main.run(0x1)",
        "\t/src/main.go:7 +0x1d",
        "main.main()",
        "\t/src/main.go:3 +0x1d",
    ]
    assert [said.text for said in lib.entries(lines)] == ["no luck at all"]


@given(st.lists(st.text()))
def test_any_log_can_be_read(lines: list[str]) -> None:
    said = [entry.text for entry in lib.entries(lines)]
    assert [text for text in said if not text or "\n" in text] == []
