# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users read our text on their worst days: worn-out words and private terms stay out of it.

Checked are every page, every YAML file of roles and playbooks, and the strings and comments of plugins. Names in code
are not; they are decided in review.
"""

from __future__ import annotations

import io
import re
import tokenize
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# pattern, and what to write in its place
WORDS = {
    r"told": "says, reports, prints, is named",
    r"(?:stands|stood)(?! (?:for|out)\b)|(?<!long )standing": "is, exists, remains, saved",
    r"lies": "is in, is at",
    r"(?<!there )(?<!There )is no (?!longer\b|more\b)": "is not a",
    r"anew": "again, new",
    r"(?:bring|brings|brought|come|comes|came|coming|got|get|gets) home": "collect, are collected",
    r"at home": "collected",
    r"[Ss]ee (?:to|that) |See (?:who|what) ": "make sure, ensure",
    # in backticks it is the name of a key, of an older version
    r"(?<![`-])(?:life|lives)(?!`)": "process run, container run",
    r"looked? (?:after|upon)": "check, inspect",
    r"thereof|whoever|whereof": "plain words",
    r"be had": "is available",
    r"mend(?:s|ed)?": "fix",
    r"(?:have|has) to be told": "needs",
    r"what (?:was|is) seen": "observation, observed",
    r"by and by|in sight|for good": "plain words",
    r"let it be": "remove, leave it unchanged",
    r"in good order": "valid",
    r"put back": "restored",
    r"looked at": "checked, inspected, read",
    r"hold(?:s|ing)? no": "contains no",
    r"(?:took|take[ns]?|taking) away": "remove",
}
SENTENCE = re.compile("|".join(rf"(?P<w{index}>\b(?:{pattern})\b)" for index, pattern in enumerate(WORDS)), re.ASCII)


def pages() -> list[Path]:
    """Every file whose text is read by people."""
    patterns = (
        "*.md", "docs/**/*.md", "changelogs/fragments/*.yml", "roles/*/README.md", "roles/*/defaults/*.yml",
        "roles/*/meta/*.yml", "roles/*/tasks/*.yml", "playbooks/**/*.yml", "inventories/**/*.yml", "plugins/**/*.py",
        "extensions/**/*.md", "extensions/**/*.yml", "tests/browser/*.yml", "tests/integration/**/*.yml",
    )  # fmt: skip
    return sorted({path for pattern in patterns for path in ROOT.glob(pattern)})


def words_in(path: Path) -> t.Iterator[tuple[int, str]]:
    """Yield line number and text of what a file says: all of it, of Python its strings and comments."""
    source = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield from enumerate(source.splitlines(), 1)
        return
    spoken = {tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in spoken:
            for offset, line in enumerate(token.string.splitlines()):
                yield token.start[0] + offset, line


def worn_out(path: Path) -> list[str]:
    """Each worn-out word of a file, with its line and what to write in its place."""
    found = []
    for number, line in words_in(path):
        for match in SENTENCE.finditer(line):
            instead = list(WORDS.values())[int(str(match.lastgroup)[1:])]
            found.append(f"{number}: {match.group()!r}; write: {instead}")
    return found


@pytest.mark.parametrize(
    "text",
    [
        "nothing was told",
        "the file lies in a folder",
        "this is no kubeconfig",
        "created anew",
        "2 lives",
        "See to the image",
        "the counters come home",
        "it stands as it is",
    ],
)
def test_a_worn_out_word_is_found(text: str, tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(text)
    (tmp_path / "code.py").write_text(f"lives = 1  # {text}\n")
    assert worn_out(tmp_path / "page.md")
    assert worn_out(tmp_path / "code.py")


@pytest.mark.parametrize(
    "text",
    [
        "there is no Containerfile",
        "it is no longer needed",
        "OCI stands for Open Container Initiative",
        "live counters",
        "the key `lives` of schema 1",
    ],
)
def test_plain_english_is_not(text: str, tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(text)
    assert worn_out(tmp_path / "page.md") == []


def test_names_in_code_are_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("lives = told()\n")
    assert worn_out(tmp_path / "code.py") == []


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_text_has_no_worn_out_words(path: Path) -> None:
    assert worn_out(path) == []
