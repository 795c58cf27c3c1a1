# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the parts of the test suite and say in one closing line how many checks passed: ``suite.py [--all] [PART ...]``.

Parts that wait for clusters run in parallel with parts that compute, in lanes. A part that fails does not stop the
others. What each part counts: lint: one for each tool. sanity: one for each of ansible-test's tests. units, browser,
consumers: one for each of pytest's tests. runner: one, this machine made ready by the collection's own playbook. data,
roles and journey: one for each Molecule scenario. faults: one for each fault that is injected, and for each healthy
workload that must not look like one. fuzz: one. suites: one for each of pytest's tests.

The time of each part is printed with its difference from the previous run, and kept in .cache/suite/history.jsonl.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import typing as t
import xml.etree.ElementTree
from dataclasses import dataclass
from pathlib import Path

import step
import times
import yaml
from lanes import Board

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / ".cache" / "suite"
BIN = Path(sys.executable).parent
COLLECTION = ("kubernaut", "coverage")
SCENARIOS = ROOT / "extensions" / "molecule"
# what takes long to make and does not belong to one checkout: ansible-test's environments, images of the fault library
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "kubernaut-coverage-tests"


@dataclass
class Count:
    """Checks that passed, and the names of those that did not."""

    passed: int
    failed: list[str]

    @classmethod
    def one(cls, name: str, *, ok: bool) -> Count:
        """A check that counts as one."""
        return cls(1, []) if ok else cls(0, [name])

    def __add__(self, other: Count) -> Count:
        return Count(self.passed + other.passed, self.failed + other.failed)

    def __str__(self) -> str:
        return f"{self.passed} passed, {len(self.failed)} failed"


NOTHING = Count(0, [])


def read_junit(folder: Path, name: str, returncode: int) -> Count:
    """Count the test cases of all JUnit files below C(folder).

    An exit code that says failure while the files say none is a failure of its own: a crash leaves no report.
    """
    count = NOTHING
    for path in sorted(folder.glob("*.xml")):
        # written by our own tools a moment ago
        for case in xml.etree.ElementTree.parse(path).iter("testcase"):  # noqa: S314
            label = "::".join(filter(None, (case.get("classname"), case.get("name")))) or path.stem
            bad = case.find("failure") is not None or case.find("error") is not None
            if case.find("skipped") is None:
                count += Count.one(label, ok=not bad)
    if returncode and not count.failed:
        count += Count.one(f"{name} (exit code {returncode})", ok=False)
    if not returncode and not count.passed:
        count += Count.one(f"{name} (nothing was run)", ok=False)
    return count


@dataclass(frozen=True)
class Suite:
    """One run of the suite.

    :ivar everything: whether the slow combinations are run, too: C(make test-all).
    """

    board: Board
    everything: bool = False

    def check(self, name: str, argv: t.Sequence[str]) -> Count:
        """Run a command that is one check."""
        return Count.one(name, ok=self.command(name, argv) == 0)

    def command(
        self,
        name: str,
        argv: t.Sequence[str],
        *,
        cwd: Path = ROOT,
        environment: t.Optional[t.Mapping[str, str]] = None,
    ) -> int:
        """Run a command, show its output if it fails, and return its exit code."""
        outcome = self.board.run(name, argv, cwd=cwd, environment=environment)
        mark = step.paint("FAILED", "31") if outcome.returncode else step.paint("ok    ", "32")
        text = f"  {mark} {name} ({step.duration(outcome.seconds)}, {step.duration(outcome.cpu)} of processor time)"
        if outcome.returncode and not self.board.live:
            text = f"{outcome.output.rstrip()}\n{text}"
        self.board.say(text)
        return outcome.returncode


def fresh(name: str) -> Path:
    """An empty folder for the reports of one part."""
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def tool(name: str) -> str:
    """A program of the virtual environment that this file runs in."""
    return str(BIN / name)


# ---- the parts ----


def lint(suite: Suite) -> Count:
    """Style and types."""
    count = suite.check("yamllint", [tool("yamllint"), "--strict", "."])
    count += suite.check("ruff check", [tool("ruff"), "check", "."])
    count += suite.check("ruff format", [tool("ruff"), "format", "--check", "--diff", "."])
    count += suite.check("mypy", [tool("mypy")])
    count += suite.check("ansible-lint", [tool("ansible-lint"), "--offline", "--strict", "--nocolor"])
    count += suite.check("changelog fragments", [tool("antsibull-changelog"), "lint"])
    count += suite.check("biome", [tool("npx"), *BIOME, "lint", "--error-on-warnings", "assets/page"])
    return count


# the linter of the report's page; npm keeps it, so that it is downloaded once
BIOME = ("--yes", "--prefer-offline", "@biomejs/biome@2.6.8")


def sanity(suite: Suite) -> Count:
    """ansible-test's sanity tests and the docs' lint, on the collection as its users get it: built and installed."""
    # not below the checkout: both tools ask git for the files, and the checkout around such a copy ignores it
    with tempfile.TemporaryDirectory() as folder:
        parent = Path(folder)
        tree = parent.joinpath("ansible_collections", *COLLECTION)
        copy_what_git_knows(parent / "source")
        galaxy = [tool("ansible-galaxy"), "collection"]
        build = [*galaxy, "build", "--output-path", folder, str(parent / "source")]
        if suite.command("ansible-galaxy collection build", build):
            return Count.one("ansible-galaxy collection build", ok=False)
        archives = [str(archive) for archive in parent.glob("*.tar.gz")]
        install = [*galaxy, "install", "--offline", "--no-deps", "--force", "--collections-path", folder, *archives]
        # elsewhere the working tree is the collection, and counts as installed
        only = {"ANSIBLE_COLLECTIONS_PATH": folder}
        if suite.command("ansible-galaxy collection install", install, environment=only):
            return Count.one("ansible-galaxy collection install", ok=False)
        add_dependencies(parent / "ansible_collections")
        docs = suite.command(
            "antsibull-docs lint",
            [tool("antsibull-docs"), "lint-collection-docs", "--plugin-docs", str(tree)],
            # it copies of a dependency what git lists; in the virtual environment that is nothing, unless git does not
            # find the checkout around it (findings/antsibull-docs-lint-loses-ignored-dependencies.sh)
            environment={**only, "GIT_CEILING_DIRECTORIES": str(Path(sys.prefix).resolve().parent)},
        )
        returncode = suite.command(
            "ansible-test sanity",
            [tool("ansible-test"), "sanity", "--junit", "--color", "no", *SANITY_OPTIONS],
            cwd=tree,
            environment={"HOME": str(make_sanity_home()), "LC_ALL": "C.UTF-8"},
        )
        count = read_junit(tree / "tests" / "output" / "junit", "ansible-test sanity", returncode)
    return count + Count.one("antsibull-docs lint", ok=docs == 0)


SANITY_OPTIONS = ("--python", f"{sys.version_info.major}.{sys.version_info.minor}")


def copy_what_git_knows(target: Path) -> None:
    """Copy what git knows, or would know, of this checkout to C(target)."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listing.split("\0")):
        source = ROOT / name
        if source.is_file():  # a file that was deleted is still in the index
            copy = target / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy)


def add_dependencies(collections: Path) -> None:
    """Copy the collections that galaxy.yml depends on, as the package ansible brings them, to C(collections).

    ansible-test finds the doc fragments and module utilities of other collections only next to the tested one.
    """
    installed = Path(sysconfig.get_path("purelib"), "ansible_collections")
    for name in yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["dependencies"]:
        folder = Path(*name.split("."))
        shutil.copytree(installed / folder, collections / folder, ignore=shutil.ignore_patterns("tests"))


def make_sanity_home() -> Path:
    """A home for ansible-test, kept between runs and shared by checkouts: its virtual environments are there.

    ansible-test downloads a script that puts pip into those environments. Python carries pip itself, so a script of
    the same name that uses it takes its place: no host but the package index needs to be in reach.
    pip's configuration is carried over, because ansible-test passes neither this home nor the environment on.
    """
    home = CACHE / "ansible-test-home"
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    bootstrap = Path(__file__).with_name("get_pip.py").read_text(encoding="utf-8")
    for version in wanted_pip_versions():
        (cache / f"get_pip_{version.replace('.', '_')}.py").write_text(bootstrap, encoding="utf-8")
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True
    ).stdout
    settings: dict[str, str] = {}
    for line in listing.splitlines():
        key, _equals, value = line.partition("=")
        # later lines do not win: pip lists the environment, which does, first
        settings.setdefault(key.rpartition(".")[2], value.strip("'\""))
    # downloads are not worth showing; errors still are
    settings["quiet"] = "1"
    configuration = home / ".config" / "pip" / "pip.conf"
    configuration.parent.mkdir(parents=True, exist_ok=True)
    configuration.write_text(
        "[global]\n" + "".join(f"{key} = {value}\n" for key, value in sorted(settings.items())), encoding="utf-8"
    )
    return home


def wanted_pip_versions() -> set[str]:
    """The pip versions that the installed ansible-test wants to bootstrap, from its own table."""
    script = (
        "import types\n"
        "from ansible_test._internal.python_requirements import get_venv_packages\n"
        "from ansible_test._util.target.common.constants import CONTROLLER_PYTHON_VERSIONS as versions\n"
        "print(*{get_venv_packages(types.SimpleNamespace(version=version))['pip'] for version in versions})\n"
    )
    found = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split()
    return set(found)


def units(suite: Suite) -> Count:
    """pytest over tests/unit, on all processors."""
    profile = ["--hypothesis-profile=long"] if suite.everything else []
    return run_pytest(suite, "units", "--numprocesses=auto", "--dist=worksteal", *profile, "tests/unit")


def browser(suite: Suite) -> Count:
    """The report's page in a real browser, from Debian's package."""
    if suite.command("tests/browser/prepare.yml", [tool("ansible-playbook"), "tests/browser/prepare.yml"]):
        return Count.one("tests/browser/prepare.yml", ok=False)
    return run_pytest(suite, "browser", "tests/browser")  # in one process: there is one browser


def consumers(suite: Suite) -> Count:
    """Other tools read the reports; those that are missing are installed."""
    return run_pytest(suite, "consumers", "tests/integration/consumers")


def run_pytest(suite: Suite, name: str, *arguments: str) -> Count:
    """Run pytest for a part, and count its tests."""
    reports = fresh(name)
    returncode = suite.command(name, [tool("pytest"), f"--junitxml={reports}/{name}.xml", *arguments])
    return read_junit(reports, "pytest", returncode)


def fuzz(suite: Suite) -> Count:
    """Damaged coverage data, many more than the units try."""
    return suite.check("fuzz", [sys.executable, "tests/fuzz/fuzz.py", "--cases", "100000", "--seed", "1"])


def runner(suite: Suite) -> Count:
    """This machine, made ready for clusters by the collection's own playbook."""
    return suite.check("playbooks/runner.yml", [tool("ansible-playbook"), "playbooks/runner.yml"])


def data(suite: Suite) -> Count:
    """Roles and modules that need no cluster, on recorded counters."""
    return run_scenarios(suite, Molecule("data"), ["data"])


def roles(suite: Suite) -> Count:
    """Every other role on a real cluster that all of them share."""
    molecule = Molecule("roles")
    count = run_scenarios(suite, molecule, ["host", "workload"], *chosen(suite))
    if not molecule.run(suite, "destroy", "default"):
        count += Count.one("molecule destroy", ok=False)
    return count


def journey(suite: Suite) -> Count:
    """A whole run of a service, a second run, and failing tests."""
    molecule = Molecule("journey")
    names = ["httpbin", "notification"] if suite.everything else ["httpbin"]
    return run_scenarios(suite, molecule, names, *chosen(suite))


def chosen(suite: Suite) -> tuple[str, ...]:
    """What tells ansible-playbook which tasks to run: all, or those of C(make test)."""
    return () if suite.everything else ("--", "--skip-tags=every_combination")


def suites(suite: Suite) -> Count:
    """Suites that bring their own cluster, kubebuilder's among them, and what goes wrong in them."""
    return run_pytest(suite, "suites", "tests/integration/suites")  # in one process: clusters one after the other


def faults(suite: Suite) -> Count:
    """Every fault of tests/faults on a real cluster, and how it is diagnosed."""
    reports = fresh("faults")
    everything = ["--all"] if suite.everything else []
    returncode = suite.command(
        "faults",
        [sys.executable, "tests/faults/run_faults.py", f"--junit={reports}/faults.xml", *everything],
        environment={"PYTHONPATH": str(ROOT / ".ansible" / "collections"), "PYTHONUNBUFFERED": "1"},
    )
    return read_junit(reports, "tests/faults", returncode)


class Molecule:
    """Molecule for one part, with a state of its own that begins empty.

    By default Molecule keeps its state by the name of the checkout's folder: a run that was killed leaves "the cluster
    is created" there, for every checkout of that name and after the cluster is gone.
    """

    def __init__(self, part: str) -> None:
        self._state = {"MOLECULE_EPHEMERAL_DIRECTORY": str(fresh(f"molecule-{part}"))}

    def run(self, suite: Suite, command: str, scenario: str, *arguments: str) -> bool:
        """Run molecule; return whether it succeeded."""
        title = f"molecule {scenario}" if command == "test" else f"molecule {command} {scenario}"
        argv = [tool("molecule"), command, f"--scenario-name={scenario}", *arguments]
        return suite.command(title, argv, environment=self._state) == 0


def run_scenarios(suite: Suite, molecule: Molecule, names: t.Sequence[str], *arguments: str) -> Count:
    """Run Molecule scenarios one after the other; a failed one does not stop the rest."""
    count = NOTHING
    for name in names:
        # molecule stops at the first scenario that fails, so each is a run of its own; a shared cluster stays
        ok = molecule.run(suite, "test", name, "--destroy=never", *arguments)
        if not ok:
            # molecule does not clean up a failed scenario; what it occupies (a node port) would fail the next ones
            molecule.run(suite, "cleanup", name)
        count += Count.one(f"molecule {name}", ok=ok)
    return count


class Part(t.NamedTuple):
    """A part of the suite.

    :ivar lane: parts of one lane run one after the other, lanes in parallel.
    :ivar after: a part that must end before this one starts, if it runs at all.
    :ivar rare: skipped by C(make test).
    """

    run: t.Callable[[Suite], Count]
    lane: str
    after: str = ""
    rare: bool = False


PARTS: dict[str, Part] = {
    "lint": Part(lint, "computing"),
    "sanity": Part(sanity, "computing"),
    "data": Part(data, "computing"),
    # some compare with Go's own tools, which a bare machine has only after the runner
    "units": Part(units, "computing", after="runner"),
    "browser": Part(browser, "computing", after="runner"),
    "consumers": Part(consumers, "computing", after="runner", rare=True),
    "fuzz": Part(fuzz, "computing", after="runner", rare=True),
    "runner": Part(runner, "clusters"),
    "roles": Part(roles, "clusters"),
    "journey": Part(journey, "clusters"),
    "suites": Part(suites, "clusters", rare=True),
    "faults": Part(faults, "faults", after="runner"),
}


@dataclass(frozen=True)
class Row:
    """A part that was run."""

    name: str
    count: Count
    seconds: float


def run_parts(suite: Suite, parts: t.Mapping[str, Part]) -> list[Row]:
    """Run parts in their lanes; return a row for each in the order of C(parts)."""
    rows: dict[str, Row] = {}
    ended = {name: threading.Event() for name in parts}

    def run_in_turn(names: t.Sequence[str]) -> None:
        for name in names:
            part = parts[name]
            if part.after in ended:
                ended[part.after].wait()
            started = time.monotonic()
            suite.board.say(step.paint(f"== {name}: {(part.run.__doc__ or '').splitlines()[0]}", "1"))
            try:
                count = part.run(suite)
            except (OSError, subprocess.SubprocessError, xml.etree.ElementTree.ParseError) as error:
                # the other parts are still worth running
                suite.board.say(f"{name} could not be run: {error}")
                count = Count.one(f"{name} (could not be run)", ok=False)
            rows[name] = Row(name, count, time.monotonic() - started)
            ended[name].set()

    def run_lane(names: t.Sequence[str]) -> None:
        try:
            run_in_turn(names)
        finally:
            # whatever happened, nobody waits for this lane any longer
            for name in names:
                ended[name].set()

    lanes = [[name for name in parts if parts[name].lane == lane] for lane in {part.lane: 0 for part in parts.values()}]
    threads = [threading.Thread(target=run_lane, args=(lane,), daemon=True) for lane in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # parts skipped by an aborted lane must not look like success
    lost = Count.one("was not run", ok=False)
    return [rows.get(name, Row(name, lost, 0.0)) for name in parts]


# ---- what is said of it ----


def show(rows: t.Sequence[Row], before: t.Mapping[str, float]) -> None:
    """A line for each part: checks, time, how much that differs from the run before, and what failed."""
    for row in rows:
        line = f"{row.name:<9} {row.count.passed + len(row.count.failed):>5} checks  {step.duration(row.seconds):>12}"
        if row.name in before:
            line += f"  {row.seconds - before[row.name]:+5.0f} s"
        step.say(line + (step.paint(f"  {len(row.count.failed)} failed", "31") if row.count.failed else ""))
        for label in row.count.failed:
            step.say(step.paint(f"    failed: {label}", "31"))


def main(arguments: t.Sequence[str]) -> int:
    """Run the named parts, or all; return 1 if anything failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; without one: make test")
    parser.add_argument("--all", action="store_true", dest="everything", help="with the slow combinations")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.parts) - set(PARTS))
    if unknown:
        step.say(f"unknown part {', '.join(unknown)}; there are: {', '.join(PARTS)}")
        return 2
    # ending this run also ends its commands
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    wanted = options.parts or [name for name, part in PARTS.items() if options.everything or not part.rare]
    parts = {name: part for name, part in PARTS.items() if name in wanted}
    os.chdir(ROOT)
    started, load, before = time.monotonic(), os.getloadavg()[0], times.read(WORK)
    one_lane = len({part.lane for part in parts.values()}) == 1
    with Board(WORK / "logs", live=one_lane) as board:
        rows = run_parts(Suite(board, options.everything), parts)
    seconds = time.monotonic() - started
    parts_now = {row.name: times.Part(row.seconds, row.count.passed, len(row.count.failed)) for row in rows}
    times.keep(WORK, parts_now, seconds, load, everything=options.everything)
    total = sum((row.count for row in rows), NOTHING)
    step.say()
    show(rows, before)
    step.say(f"{step.duration(seconds)} in all")
    # alone on its line, without colour: this is what machines read
    step.say(str(total))
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
