# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Preflight: all checks side by side, all that is wrong at once, and one table that fits the screen."""

from __future__ import annotations

import threading
import typing as t

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight import table as lib


def finds(name: str, state: str = lib.OK, text: str = "fine", needs: tuple[str, ...] = (), **rest: t.Any) -> lib.Check:
    """A check with one finding."""
    return lib.Check(name, lambda: [lib.finding(name, state, text, **rest)], needs)


def fails(name: str, message: str, needs: tuple[str, ...] = (), **details: str) -> lib.Check:
    """A check that raises."""

    def look() -> t.Iterable[lib.Finding]:
        raise CoverageError(message, **details)  # type: ignore[arg-type]

    return lib.Check(name, look, needs)


def data(*findings: lib.Finding) -> list[dict[str, t.Any]]:
    """Findings as the module returns them."""
    return [finding.data() for finding in findings]


def lines(found: list[dict[str, t.Any]], width: int = 100) -> list[str]:
    """The table's lines without their states."""
    return [line for line, _state in lib.table(found, width)]


# ---- asking ----


def test_what_was_found_is_in_the_order_of_the_table() -> None:
    found = lib.run_checks([finds("tests"), finds("goflags"), finds("podman")])
    assert [finding.check for finding in found] == ["podman", "tests", "goflags"]
    assert lib.run_checks([]) == []


def test_checks_run_side_by_side() -> None:
    meet = threading.Barrier(8, timeout=20)

    def waits(name: str) -> lib.Check:
        return lib.Check(name, lambda: [lib.finding(name, lib.OK, str(meet.wait()))])

    assert len(lib.run_checks([waits(name) for name in list(lib.CHECKS)[:8]])) == 8


def test_the_first_error_is_the_verdict_with_the_others_in_its_evidence() -> None:
    found = lib.run_checks(
        [
            finds("podman"),
            fails("tests", "No tests.", remedy="Write some.", setting="b"),
            fails("disk", "No disk.", remedy="Make room.", setting="a", cause="disk"),
            finds("goflags", lib.ERROR, "No ARG.", where="Containerfile:3"),
            finds("ports", lib.WARNING, "Odd."),
        ]
    )
    error = lib.verdict(found)
    assert error is not None
    assert (error.message, error.cause, error.setting, error.remedy) == ("No disk.", "disk", "a", "Make room.")
    assert error.evidence == ["also: No tests. Write some. (setting: b)", "also: Containerfile:3: No ARG."]


@pytest.mark.parametrize("state", [state for state in lib.STATES if state != lib.ERROR])
def test_nothing_but_an_error_ends_a_run(state: str) -> None:
    assert lib.verdict(lib.run_checks([finds("podman", state)])) is None


def test_what_is_no_error_of_ours_is_not_hidden() -> None:
    def broken() -> list[lib.Finding]:
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        lib.run_checks([fails("podman", "x"), lib.Check("disk", broken)])


def test_what_only_follows_from_another_error_is_not_told_as_one() -> None:
    found = lib.run_checks(
        [
            fails("podman", "No podman."),
            fails("ports", "Could not list containers.", needs=("podman",), setting="x", cause="y"),
            finds("mounts", needs=("podman",)),
        ]
    )
    assert [(item.check, item.state, item.text, item.cause) for item in found] == [
        ("podman", lib.ERROR, "No podman.", "error"),
        ("ports", lib.NOT_CHECKED, "see podman", ""),
        ("mounts", lib.OK, "fine", ""),
    ]


def test_a_check_can_be_left_out_and_says_so() -> None:
    found = lib.run_checks([fails("disk", "x"), finds("podman")], ["disk"])
    assert [(item.check, item.state) for item in found] == [("podman", lib.OK), ("disk", lib.NOT_CHECKED)]
    assert "preflight_skip" in found[1].text


def test_an_unknown_check_cannot_be_left_out() -> None:
    assert lib.check_names(["disk", "ports"]) == {"disk", "ports"}
    with pytest.raises(InputError, match="Did you mean 'goflags'") as caught:
        lib.check_names(["disk", "goflag"])
    assert caught.value.setting == "preflight_info#skip"
    assert "node-image" in caught.value.evidence[0]


def test_a_shared_question_is_asked_once_by_many() -> None:
    asked = []
    ask = lib.once(lambda: asked.append(1) or len(asked))
    threads = [threading.Thread(target=ask) for _number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (ask(), len(asked)) == (1, 1)


def test_a_shared_question_that_failed_fails_for_all_without_being_asked_again() -> None:
    asked = []

    def look() -> None:
        asked.append(1)
        raise CoverageError("no")

    ask = lib.once(look)
    for _time in range(3):
        with pytest.raises(CoverageError, match="no"):
            ask()
    assert len(asked) == 1


def test_every_check_has_one_group_and_says_what_it_asks() -> None:
    assert len(lib.CHECKS) == sum(len(names) for names in lib.GROUPS.values())
    assert all(text for names in lib.GROUPS.values() for text in names.values())


# ---- showing ----

LONG = "a sentence of many words that has to be broken somewhere because no screen is as wide as that, really"


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_lines_fit_the_screen(width: int) -> None:
    found = data(
        lib.finding("podman", lib.OK, LONG),
        lib.finding("goflags", lib.ERROR, LONG, LONG, "image.build_args", cause="x", where="Containerfile:12"),
        lib.finding("node-architecture", lib.NOT_CHECKED, LONG),
    )
    assert max(map(len, lines(found, width))) <= width


def test_a_path_is_not_broken_even_where_it_does_not_fit() -> None:
    path = "/a/very/long/path/that/somebody/wants/to/copy/from/the/screen/and/not/put/together/again.yaml"
    assert any(path in line for line in lines(data(lib.finding("manifests", lib.ERROR, f"No {path}.")), 80))


def test_the_table_says_what_is_wrong_where_and_what_to_do() -> None:
    found = data(
        lib.finding("podman", lib.OK, "4.3.1"),
        lib.finding(
            "goflags", lib.ERROR, "No ARG.", "Add it.", "source.containerfile", cause="c", where="Containerfile:3"
        ),
        lib.finding("build-time", lib.ADVICE, "Slow.", "Do not.", where="Containerfile:7"),
        lib.finding("tests", lib.NOT_APPLICABLE, "none is described"),
    )
    assert lines(found) == [
        "Preflight: 1 error, 1 advice, 1 ok, 1 not applicable",
        "host",
        "  podman      ok       4.3.1",
        "source",
        "  tests       -        not applicable: none is described",
        "Containerfile",
        "  goflags     error    Containerfile:3: No ARG.",
        "                       -> Add it.",
        "                       -> setting: preflight_source.containerfile",
        "  build-time  advice   Containerfile:7: Slow.",
        "                       -> Do not.",
    ]


def test_what_has_one_reason_takes_one_line() -> None:
    found = data(
        *(lib.finding(name, lib.NOT_CHECKED, "no cluster") for name in lib.GROUPS["nodes"]),
        *(lib.finding(name, lib.OK, "fine") for name in lib.GROUPS["source"]),
    )
    assert [" ".join(line.split()) for line in lines(found)[1:]] == [
        "source",
        "source ok fine",
        "tests ok fine",
        "nodes: not checked: no cluster",
    ]


def test_each_line_of_a_finding_knows_its_state() -> None:
    found = data(lib.finding("podman", lib.WARNING, "Odd.", "Mend it."))
    assert lib.table(found)[1:] == [
        ("host", ""),
        ("  podman  warning  Odd.", lib.WARNING),
        ("                   -> Mend it.", ""),
    ]


def test_counts_in_words() -> None:
    states = [lib.ERROR, lib.ERROR, lib.WARNING, lib.ADVICE, lib.OK, lib.OK, lib.NOT_CHECKED]
    found = data(*(lib.finding("podman", state, str(index)) for index, state in enumerate(states)))
    assert lib.summary(found) == "2 errors, 1 warning, 1 advice, 2 ok, 1 not checked"


def test_a_journey_shows_problems_and_after_an_error_everything() -> None:
    fine, odd = lib.finding("podman", lib.OK, "a"), lib.finding("ports", lib.WARNING, "b")
    hint, wrong = lib.finding("build-time", lib.ADVICE, "c"), lib.finding("disk", lib.ERROR, "d")
    assert [item["check"] for item in lib.shown(data(fine, odd, hint), "problems")] == ["ports"]
    assert lib.shown(data(fine, hint), "problems") == []
    assert len(lib.shown(data(fine, odd, hint, wrong), "problems")) == 4
    assert len(lib.shown(data(fine, odd, hint), "all")) == 3
