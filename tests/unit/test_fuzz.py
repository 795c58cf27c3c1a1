# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fuzzer: what it is made of, that it finds what it is for, and its first 20,000 cases."""

from __future__ import annotations

import collections
import random
import sys
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import counters as covcounters
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata import meta as covmeta
from ansible_collections.kubernaut.coverage.plugins.module_utils._covdata.problems import FormatError

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fuzz"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fixtures" / "covdata"))

import cases
import corpus
import fuzz
import mutations

# the first of the 100,000 cases that make test-all runs
CHUNKS, CHUNK = 2, 2500


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_the_first_cases(chunk: int) -> None:
    totals = fuzz.run_cases("1", chunk * CHUNK, (chunk + 1) * CHUNK)
    said = [f"{case.seed}:{case.index} {case.target} {case.mutations}: {why}" for case, why in totals.failures]
    for case, why in totals.failures:
        case.save(fuzz.FAILURES, why)
    assert said == []
    assert totals.cases == CHUNK
    # it is of no use if all is refused at the door, or nothing is
    assert totals.accepted > CHUNK // 10
    assert {"damaged", "truncated", "wrong-magic", "future-version"} < set(totals.refused)
    assert min(totals.targets.values()) >= 10


def test_a_case_is_the_same_each_time() -> None:
    for index in range(200):
        assert cases.make_case("again", index) == cases.make_case("again", index)
    assert cases.make_case("again", 1) != cases.make_case("other", 1)


def test_the_corpus_is_good_and_has_every_form() -> None:
    goods = corpus.make_corpus()
    assert {good.kind for good in goods} == set(corpus.KINDS)
    forms, modes = set(), set()
    for good in goods:
        if good.kind == "counters":
            file = covcounters.read_counters(good.data)
            forms.add((file.flavour, file.big_endian))
        elif good.kind == "meta":
            meta = covmeta.read_meta(good.data)
            modes.add((meta.mode, meta.granularity))
        else:
            assert cases.plainly(good.data)
    assert len(forms) == 4
    assert modes == {("atomic", "perblock"), ("set", "perblock"), ("count", "perfunc")}


WAYS: dict[str, mutations.Mutation] = {way.__name__: way for way in (*mutations.BINARY, *mutations.TEXT)}


@pytest.mark.parametrize("mutation", WAYS.values(), ids=WAYS)
def test_every_mutation_changes_any_file(mutation: mutations.Mutation) -> None:
    goods = [good.data for good in corpus.make_corpus()]
    changed = 0
    for number, good in enumerate([*goods, b"", b"\0", b"mode: set\n"]):
        for attempt in range(3):
            data = bytearray(good)
            mutation(random.Random(f"{number}.{attempt}"), data, goods)  # noqa: S311  (it has to be repeatable)
            changed += bytes(data) != good
    assert changed > len(goods)


def test_repaired_files_get_past_the_first_look() -> None:
    counts: collections.Counter[str] = collections.Counter()
    meta = next(good.data for good in corpus.make_corpus() if good.kind == "meta")
    for size in range(60, len(meta), 10):
        data = bytearray(meta[:size])
        mutations.repair(data)
        with pytest.raises(FormatError) as caught:
            covmeta.read_meta(bytes(data))
        counts[caught.value.kind] += 1
    assert counts["damaged"] > counts["truncated"]


def test_numbers_are_changed_in_place() -> None:
    data = bytes([5]) + mutations.encode(300) + bytes([7])
    assert mutations.number_at(data, 1) == (300, 3)
    assert mutations.number_at(mutations.encode(5, padding=3), 0) == (5, 4)
    assert mutations.number_at(b"\x80\x80", 0) == (0, 2)
    assert mutations.encode(5, padding=3) == b"\x85\x80\x80\x00"


def test_a_case_is_saved_and_run_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = cases.make_case("saved", 7)
    path = case.save(tmp_path / "failures", "why")
    assert cases.Case.load(path) == case
    assert fuzz.main(["--case", str(path)]) == 0
    assert "passes: " in capsys.readouterr().out


def good_case(kind: str, **changes: t.Any) -> cases.Case:
    good = cases.corpus()[kind][0]
    return replace(cases.Case("x", 0, kind, kind, good.name, "none", False, good.data), **changes)


def test_what_must_not_happen_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each kind of failure, made on purpose in the engine, breaks a case of a good file."""

    def crash(data: bytes) -> t.Any:
        raise IndexError("made")

    def greedy(data: bytes) -> t.Any:
        bytes(len(data) * 20 + cases.CONSTANT)
        return read(data)

    def slow(data: bytes) -> t.Any:
        while cases.time.process_time() < until:
            pass
        return read(data)

    read = covcounters.read_counters
    with cases.Runner(tmp_path) as runner:
        assert runner.run(good_case("counters")).accepted
        monkeypatch.setattr(covcounters, "read_counters", crash)
        with pytest.raises(cases.Broken, match="IndexError: made"):
            runner.run(good_case("counters"))
        monkeypatch.setattr(covcounters, "read_counters", greedy)
        assert runner.run(good_case("counters")).accepted
        with pytest.raises(cases.Broken, match="of memory for"):
            runner.run(good_case("counters", measured=True))
        monkeypatch.setattr(cases, "SECONDS", 0.02)
        monkeypatch.setattr(covcounters, "read_counters", slow)
        until = cases.time.process_time() + 0.05
        with pytest.raises(cases.Broken, match="took 0"):
            runner.run(good_case("counters"))


def test_a_short_cut_that_goes_wrong_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    case = good_case("counters", target="accumulate")
    assert cases.accumulate(case).accepted
    assert cases.accumulate(replace(case, data=case.data[:-1])).refused == "truncated"
    real, finish = cases.Accumulator.add, cases.Accumulator.finish

    def twice(self: t.Any, data: bytes, number: int = 0) -> None:
        real(self, data, number)
        real(self, data, number)

    def forgetful(self: t.Any) -> None:
        finish(self)
        self.bad.clear()

    with monkeypatch.context() as patch:
        patch.setattr(cases.Accumulator, "add", twice)
        with pytest.raises(cases.Broken, match="adds other numbers"):
            cases.accumulate(case)
    monkeypatch.setattr(cases.Accumulator, "finish", forgetful)
    with pytest.raises(cases.Broken, match="refused as nothing where the plain way says truncated"):
        cases.accumulate(replace(case, data=case.data[:-1]))


@pytest.mark.parametrize(
    ("kind", "place"), [(kind, place) for kind, all_of in cases.PLACES.items() for place in all_of]
)
def test_good_data_beside_good_data_pass(tmp_path: Path, kind: str, place: str) -> None:
    """A file that is not damaged adds what it has, or changes nothing: a covmeta that is there anyway."""
    with cases.Runner(tmp_path) as runner:
        assert runner.run(good_case(kind, target=f"collection-{place}")).accepted


def test_a_lost_neighbour_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with cases.Runner(tmp_path) as runner:
        case = good_case("counters", target="collection-other-pod", data=b"bad")
        assert runner.run(case).refused == "wrong-magic"
        real = cases.read_collection

        def loses(root: str, component: str) -> t.Any:
            components = real(root, component)
            components[0].programs[0].counts[:] = 0
            return components

        monkeypatch.setattr(cases, "read_collection", loses)
        with pytest.raises(cases.Broken, match="do not count as they do alone"):
            runner.run(case)


def test_a_text_profile_that_is_read_wrongly_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"mode: set\na.go:1.2,3.4 5 1\na.go:1.2,3.4 5 0\n"
    assert cases.plainly(data) == {("a.go", 1, 2, 3, 4): (5, 1)}
    assert cases.plainly(data.replace(b"set", b"count") * 1) == {("a.go", 1, 2, 3, 4): (5, 1)}
    for bad in (b"", b"mode: sets\n", b"mode: set\na.go:1.2,3.4 5\n", b"mode: set\n\n", data.replace(b"5 0", b"6 0")):
        assert cases.plainly(bad) is None
    cases.read_profile(data)
    real = cases.parse_text_profile
    monkeypatch.setattr(cases, "parse_text_profile", lambda data: real(data.replace(b"1.2", b"1.3")))
    with pytest.raises(cases.Broken, match="other blocks"):
        cases.read_profile(data)


def test_many_processes_give_the_cases_of_one(tmp_path: Path) -> None:
    lines: list[str] = []
    many = fuzz.run("x", 2100, 2, lines.append, failures=tmp_path)
    assert many.cases == 2100
    assert lines[-1].startswith("2100 of 2100 cases, ")
    one = fuzz.run_cases("x", 0, 2100)
    assert (many.accepted, many.refused, many.targets) == (one.accepted, one.refused, one.targets)
