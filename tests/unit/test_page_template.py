# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report's page: its sources in assets/page, and what the collection has of them."""

from __future__ import annotations

from pathlib import Path

import jinja2
import page_template as lib
import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._report import template


def test_the_collection_has_the_page_that_the_sources_make() -> None:
    assert lib.MODULE.read_text(encoding="utf-8") == lib.expected(), "make docs writes it"


def test_it_is_what_jinja_makes_of_the_sources() -> None:
    """Includes are put in place by text, which is the same as Jinja's own as long as they have no markup of Jinja."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(lib.SOURCES), autoescape=True)
    for name in ("page.css", "page.js"):
        text = (lib.SOURCES / name).read_text(encoding="utf-8")
        assert environment.from_string(text).render() == text.removesuffix("\n")
    assert template.PAGE.count("{% include") == 0
    assert lib.source("page.css") in template.PAGE
    assert lib.source("page.js") in template.PAGE
    assert lib.source("problems.html.j2") == template.PROBLEMS


@pytest.mark.parametrize("text", ['a """\n', "no newline", "a \\\n"])
def test_what_cannot_be_a_python_string_is_refused(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "page.html.j2").write_text('{% include "page.js" %}\n')
    (tmp_path / "page.js").write_text(text)
    monkeypatch.setattr(lib, "SOURCES", tmp_path)
    assert lib.main(["--check"]) == 1
    assert capsys.readouterr().out.startswith("assets/page/page.js: ")


def test_a_page_that_was_edited_in_the_wrong_place_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = tmp_path / "template.py"
    module.write_text(lib.expected() + "# by hand\n")
    monkeypatch.setattr(lib, "MODULE", module)
    monkeypatch.setattr("role_readme.ROOT", tmp_path)
    assert lib.main(["--check"]) == 1
    assert "template.py is not up to date" in capsys.readouterr().out
    assert lib.main([]) == 0
    assert module.read_text() == lib.expected()
