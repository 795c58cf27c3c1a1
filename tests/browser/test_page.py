# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees on the page, in a real browser: the ranges of ``go tool cover -html``, packages and functions."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.listing import Reading
from ansible_collections.kubernaut.coverage.plugins.module_utils._report import page as page_module
from ansible_collections.kubernaut.coverage.plugins.module_utils._report.convert import Request, convert
from go_page import go_ranges
from go_programs import HERE, HTTPBIN, RECORDED, Go, live
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

SECONDS = 20
MODULE = "example.com/program"
DATA = str(RECORDED / "program")
SOURCES = {MODULE: str(HERE / "program")}
# the pieces of a source as they are shown: text, whether it ran (nothing where it is not tracked), what is said of it
PIECES = """
return [...document.querySelector("pre.src").childNodes].map(node =>
  [node.textContent, node.className === "r" ? true : node.className === "m" ? false : null, node.title ?? ""]);
"""
Pieces = list[tuple[str, t.Optional[bool], str]]


@pytest.fixture(autouse=True, params=[None, 1], ids=["together", "apart"])
def batch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages packed together, as so few are, and each by itself, as large ones are."""
    if request.param:
        monkeypatch.setattr(page_module, "BATCH", request.param)


def make(tmp_path: Path, data: str, sources: t.Mapping[str, str], exclude: t.Sequence[str] = ()) -> Path:
    outputs = {"html": str(tmp_path / "page.html"), "profile": str(tmp_path / "profile.txt")}
    convert(Request([data], outputs, Reading(), name="a page", sources=sources, exclude=exclude))
    return tmp_path / "page.html"


class Page:
    """A page that is open. What the browser has to complain of fails the test."""

    def __init__(self, browser: webdriver.Chrome, path: Path) -> None:
        self.browser = browser
        browser.get("about:blank")
        browser.get_log("browser")
        browser.get(path.as_uri())

    def all(self, selector: str) -> list[t.Any]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        """The text of each element; of what is scrolled out of sight, too."""
        return [element.get_attribute("textContent") for element in self.all(selector)]

    def go(self, place: str, wanted: str) -> None:
        """Follow a link of the page, and wait for what it shows."""
        self.browser.execute_script("location.hash = arguments[0]", place)
        WebDriverWait(self.browser, SECONDS).until(lambda _browser: self.all(wanted))
        assert self.browser.get_log("browser") == []

    def places(self, table: int = 0) -> dict[str, str]:
        """Where the links of a table lead, by their text."""
        links = self.all("main:not([hidden]) table")[table].find_elements(By.CSS_SELECTOR, "td.path a")
        return {link.get_attribute("textContent"): link.get_attribute("hash")[1:] for link in links}

    def files(self) -> t.Iterator[tuple[str, str, str]]:
        """Each file's path in the profile, its package's place and its own."""
        self.go("", "#overview:not([hidden])")
        packages = [
            (cell.get_attribute("data-v"), cell.find_element(By.TAG_NAME, "a").get_attribute("hash")[1:])
            for cell in self.all("table.packages td.path")
        ]
        for path, place in packages:
            self.go(place, f"#detail a[href='#{place}.0']")
            for name, where in self.places().items():
                yield f"{path}/{name}", place, where

    def source(self, place: str) -> Pieces:
        """The pieces of the source that lies there."""
        self.go(place, "pre.src")
        return [tuple(piece) for piece in self.browser.execute_script(PIECES)]


def wide(text: str) -> str:
    return text.replace("\t", " " * 8)


def seen(pieces: Pieces) -> tuple[str, list[tuple[int, int, int]]]:
    """The source as Go shows it, and its ranges: begin, end, count."""
    text, ranges = "", []
    for piece, ran, title in pieces:
        begin, text = len(text), text + wide(piece)
        if ran is not None and begin < len(text):
            words = title.split()
            count = {"did": 0, "ran": 1}[words[0]] if words[-1] in ("run", "once") else int(words[1])
            assert (count > 0) == ran
            ranges.append((begin, len(text), count))
    return text, ranges


def same_as_go(browser: webdriver.Chrome, go: Go, path: Path, cwd: Path) -> int:
    """Hold every source of the page against Go's page of the same profile; return how many there were."""
    go.run("tool", "cover", f"-html={path.parent / 'profile.txt'}", f"-o={path.parent / 'go.html'}", cwd=cwd)
    expected = go_ranges((path.parent / "go.html").read_text())
    page = Page(browser, path)
    found = {name: where for name, _package, where in page.files()}
    assert sorted(found) == sorted(expected)
    for name, where in found.items():
        # a fresh view each time: what was shown before must not be taken for it
        page.go("", "#overview:not([hidden])")
        assert seen(page.source(where)) == expected[name], name
    return len(found)


@pytest.mark.parametrize("mode", ["set", "atomic"])
def test_sources_are_coloured_as_on_the_page_of_go(
    browser: webdriver.Chrome, go: Go, tmp_path: Path, mode: str
) -> None:
    for arguments in (["area"], ["text", "many"], ["largest"]):
        live(go.program(mode), tmp_path / "data", *arguments)
    # a //line directive to no file ends Go's tool
    path = make(tmp_path, str(tmp_path / "data"), SOURCES, exclude=[".../generated"])
    assert same_as_go(browser, go, path, HERE / "program") == 5


def test_sources_of_go_httpbin_are_coloured_as_on_the_page_of_go(
    browser: webdriver.Chrome, go: Go, tmp_path: Path
) -> None:
    live(go.httpbin(), tmp_path / "data", "-port", "none", status=2)
    sources = {HTTPBIN: str(go.module_folder(HTTPBIN, go.wrapper()))}
    path = make(tmp_path, str(tmp_path / "data"), sources)
    assert same_as_go(browser, go, path, go.wrapper()) == 10


def test_a_function_leads_to_its_line(browser: webdriver.Chrome, tmp_path: Path) -> None:
    path = make(tmp_path, DATA, SOURCES)
    page = Page(browser, path)
    led = 0
    for name, package, _where in list(page.files()):
        if not name.endswith(("shapes.go", "text.go")):
            continue
        page.go(package, f"#detail a[href='#{package}.0']")
        source = (HERE / "program" / name.removeprefix(f"{MODULE}/")).read_text().splitlines()
        for function, place in page.places(table=1).items():
            where, _colon, line = place.partition(":")
            if not name.endswith(page.texts(f"#detail a[href='#{where}']")[0]):
                continue
            assert function.rpartition(".")[2] in source[int(line) - 1] or "func(" in source[int(line) - 1]
            page.go(place, ".code .at")
            top = page.browser.execute_script("return document.querySelector('.code .at').offsetTop")
            assert top == 8 + 20 * (int(line) - 1)
            page.go(package, f"#detail a[href='#{package}.0']")
            led += 1
    assert led >= 6


def test_without_sources_the_missed_lines_are_listed(browser: webdriver.Chrome, tmp_path: Path) -> None:
    page = Page(browser, make(tmp_path, DATA, {}))
    assert "problem" in page.texts("details.panel summary")[0]
    (place,) = [where for name, _package, where in page.files() if name.endswith("/text/text.go")]
    page.go(place, "#detail p.panel")
    assert "Source not at hand" in page.texts("#detail p.panel")[0]
    assert any(row.startswith("line") for row in page.texts("#detail li"))


def test_the_overview_is_sorted_and_filtered(browser: webdriver.Chrome, tmp_path: Path) -> None:
    page = Page(browser, make(tmp_path, DATA, SOURCES))
    shown = page.texts("table.packages tbody tr:not([hidden]) td.path")
    assert len(shown) == 5
    page.all("input[type=search]")[0].send_keys("int text")
    assert len(page.all("table.packages tbody tr:not([hidden])")) == 1
    assert page.texts(".count") == ["1 of 5"]
    head = page.all("table.packages th[data-sort=number]")[0]
    head.click()
    percents = [float(cell.get_attribute("data-v")) for cell in page.all("table.packages tbody td:nth-child(3)")]
    assert percents == sorted(percents, reverse=True)
    assert page.browser.get_log("browser") == []
