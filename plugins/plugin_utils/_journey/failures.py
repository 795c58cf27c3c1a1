# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a task failed, as lines for the terminal."""

from __future__ import annotations

import typing as t

from ansible_collections.kubernaut.coverage.plugins.plugin_utils._journey.text import as_lines, plain, quoted


def explain(data: t.Mapping[str, t.Any]) -> tuple[str, list[str]]:
    """Return the cause of a task's failure as one sentence, and all lines about it.

    :arg data: the result of the task, with or without a C(verdict) of this collection.
    """
    verdict = data.get("verdict")
    if isinstance(verdict, dict) and verdict.get("sentence"):
        sentence, lines = _verdict(verdict, with_table="findings" in data)
    else:
        sentence, lines = _message(data)
    return plain(sentence), lines


def _verdict(verdict: t.Mapping[str, t.Any], *, with_table: bool) -> tuple[str, list[str]]:
    sentence = str(verdict["sentence"])
    lines = [f"    {line}" for line in sentence.splitlines()]
    evidence = verdict.get("evidence") or []
    if with_table:  # the table of findings has the others
        evidence = [line for line in evidence if not str(line).startswith("also: ")]
    lines += quoted(evidence)
    lines += [
        f"    {title}: {verdict[key]}"
        for title, key in (("Remedy", "remedy"), ("Setting", "setting"), ("Cause", "cause"))
        if verdict.get(key)
    ]
    also = [item.get("sentence") for item in verdict.get("also") or [] if isinstance(item, dict)]
    return sentence, lines + [f"    Also found: {other}" for other in also if other]


def _message(data: t.Mapping[str, t.Any]) -> tuple[str, list[str]]:
    message = as_lines(data.get("msg") or data.get("reason") or data.get("censored") or "no message")
    lines = [f"    {line}" for line in message]
    if data.get("assertion"):
        lines += quoted([f"assertion: {data['assertion']}"])
    said = str(data.get("stderr") or data.get("module_stderr") or data.get("stdout") or "")
    lines += quoted([line for line in said.splitlines() if line.strip()])
    return next((line for line in message if line.strip()), ""), lines
