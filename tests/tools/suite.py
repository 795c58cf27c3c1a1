# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the parts of the test suite and say in one closing line how many checks passed: ``suite.py PART ...``.

A part that fails does not keep the others from being run. What each part counts:
lint: one for each tool. sanity: one for each of ansible-test's tests. units, browser: one for each of pytest's tests.
runner: one, this machine made ready by the collection's own playbook. molecule and journey: one for each scenario.
faults: one for each fault that is injected, and for each healthy workload that must not look like one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import typing as t
import xml.etree.ElementTree
from dataclasses import dataclass
from pathlib import Path

import step

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / ".cache" / "suite"
BIN = Path(sys.executable).parent
COLLECTION = ("kubernaut", "coverage")
MOLECULE_GLOB = "molecule/*/molecule.yml"


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


def quietly(name: str, argv: t.Sequence[str], *, cwd: t.Optional[Path] = None) -> Count:
    """Run a check whose output matters only if it fails."""
    outcome = step.run(name, argv, cwd=cwd)
    if outcome.returncode:
        step.say(outcome.output.rstrip())
    report_check(name, outcome.seconds, ok=not outcome.returncode)
    return Count.one(name, ok=not outcome.returncode)


def aloud(argv: t.Sequence[str], *, cwd: Path = ROOT, environment: t.Optional[t.Mapping[str, str]] = None) -> int:
    """Run a command that shows its own progress; return its exit code."""
    return subprocess.run(
        list(argv), cwd=cwd, env={**os.environ, **(environment or {})}, stdin=subprocess.DEVNULL, check=False
    ).returncode


def report_check(name: str, seconds: float, *, ok: bool) -> None:
    """One line for a check that ended."""
    mark = step.paint("ok    ", "32") if ok else step.paint("FAILED", "31")
    step.say(f"  {mark} {name} ({step.duration(seconds)})")


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


def lint() -> Count:
    """Style and types: every tool is run, whatever the one before said."""
    count = quietly("yamllint", [tool("yamllint"), "--strict", "."])
    count += quietly("ruff check", [tool("ruff"), "check", "."])
    count += quietly("ruff format", [tool("ruff"), "format", "--check", "--diff", "."])
    count += quietly("mypy", [tool("mypy")])
    count += quietly("ansible-lint", [tool("ansible-lint"), "--offline", "--strict", "--nocolor"])
    count += quietly("changelog fragments", [tool("antsibull-changelog"), "lint"])
    return count


def sanity() -> Count:
    """ansible-test's sanity tests, in a copy of the tree that is named as ansible-test demands."""
    tree = make_collection_tree(fresh("sanity"))
    home = make_sanity_home()
    returncode = aloud(
        [tool("ansible-test"), "sanity", "--junit", "--color", "yes" if step.TERMINAL else "no", *SANITY_OPTIONS],
        cwd=tree,
        environment={"HOME": str(home), "LC_ALL": "C.UTF-8"},
    )
    return read_junit(tree / "tests" / "output" / "junit", "ansible-test sanity", returncode)


SANITY_OPTIONS = ("--python", f"{sys.version_info.major}.{sys.version_info.minor}")


def make_collection_tree(parent: Path) -> Path:
    """Copy what git knows, or would know, to C(parent)/ansible_collections/NAMESPACE/NAME; return that folder.

    ansible-test insists on that name and resolves symbolic links, so the link in .ansible/ cannot serve.
    """
    tree = parent.joinpath("ansible_collections", *COLLECTION)
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
            target = tree / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    # ansible-test asks git for the files, and the checkout around this copy ignores it
    subprocess.run(["git", "init", "--quiet", str(tree)], check=True)
    return tree


def make_sanity_home() -> Path:
    """A home for ansible-test, kept between runs: its virtual environments live there.

    ansible-test downloads a script that puts pip into those environments. Python carries pip itself, so a script of
    the same name that uses it takes its place: no host but the package index needs to be in reach.
    pip's configuration is carried over, because ansible-test passes neither this home nor the environment on.
    """
    home = ROOT / ".cache" / "ansible-test-home"
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
    # what is fetched is no news; errors still are
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


def units() -> Count:
    """pytest over tests/unit, on all processors."""
    return run_pytest("units", "--numprocesses=auto", "--dist=worksteal", "tests/unit")


def browser() -> Count:
    """The report's page in a real browser, which Debian brings."""
    if aloud([tool("ansible-playbook"), "tests/browser/prepare.yml"]):
        return Count.one("tests/browser/prepare.yml", ok=False)
    return run_pytest("browser", "tests/browser")  # in one process: there is one browser


def run_pytest(name: str, *arguments: str) -> Count:
    """Run pytest for a part, and count its tests."""
    reports = fresh(name)
    returncode = aloud([tool("pytest"), f"--junitxml={reports}/{name}.xml", *arguments])
    return read_junit(reports, "pytest", returncode)


def runner() -> Count:
    """This machine, made ready for clusters by the collection's own playbook."""
    started = time.monotonic()
    ok = aloud([tool("ansible-playbook"), "playbooks/runner.yml"]) == 0
    report_check("playbooks/runner.yml", time.monotonic() - started, ok=ok)
    return Count.one("playbooks/runner.yml", ok=ok)


def scenarios(*, journeys: bool) -> list[str]:
    """The names of the Molecule scenarios; a journey is named after the service whose contract it follows."""
    services = {path.stem for path in (ROOT / "playbooks" / "vars").glob("*.yml")}
    names = sorted(path.parent.name for path in ROOT.glob(MOLECULE_GLOB))
    return [name for name in names if name != "default" and (name in services) == journeys]


def molecule() -> Count:
    """One scenario for each role, all on one cluster, which the scenario C(default) makes and takes away."""
    return run_scenarios(scenarios(journeys=False))


def faults() -> Count:
    """Every fault of tests/faults on a real cluster: named right, and in time."""
    reports = fresh("faults")
    returncode = aloud(
        [sys.executable, "tests/faults/run_faults.py", f"--junit={reports}/faults.xml"],
        environment={"PYTHONPATH": str(ROOT / ".ansible" / "collections")},
    )
    return read_junit(reports, "tests/faults", returncode)


def journey() -> Count:
    """The whole way of a service, as a scenario."""
    return run_scenarios(scenarios(journeys=True))


def run_scenarios(names: t.Sequence[str]) -> Count:
    """Run scenarios one after the other on the shared cluster; a failed one does not stop the rest."""
    if not names:
        step.say("  there is no such scenario")
        return Count.one("molecule (no scenario)", ok=False)
    count = NOTHING
    for name in names:
        started = time.monotonic()
        # molecule stops at the first scenario that fails, so each is a run of its own; the cluster stays
        ok = run_molecule("test", "--scenario-name", name, "--destroy", "never")
        report_check(f"molecule {name}", time.monotonic() - started, ok=ok)
        if not ok:
            # molecule leaves a failed scenario as it stands; what it holds (a node port, say) would fail the next ones
            run_molecule("cleanup", "--scenario-name", name)
        count += Count.one(f"molecule {name}", ok=ok)
    if not run_molecule("destroy", "--scenario-name", "default"):
        count += Count.one("molecule destroy", ok=False)
    return count


def run_molecule(*arguments: str) -> bool:
    """Run molecule; tell whether it succeeded."""
    return aloud([tool("molecule"), *arguments], environment={"MOLECULE_GLOB": MOLECULE_GLOB}) == 0


PARTS: dict[str, t.Callable[[], Count]] = {
    "lint": lint,
    "sanity": sanity,
    # before the units: some compare with Go's own tools, which a bare machine has only then
    "runner": runner,
    "units": units,
    "browser": browser,
    "molecule": molecule,
    "faults": faults,
    "journey": journey,
}


def main(arguments: t.Sequence[str]) -> int:
    """Run the named parts in the order of C(PARTS), or all; return 1 if anything failed."""
    unknown = set(arguments) - set(PARTS)
    if unknown:
        step.say(f"unknown part {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}")
        return 2
    os.chdir(ROOT)
    rows: list[tuple[str, Count, float]] = []
    for name, part in PARTS.items():
        if arguments and name not in arguments:
            continue
        step.say(step.paint(f"\n== {name}: {(part.__doc__ or '').splitlines()[0]}", "1"))
        started = time.monotonic()
        try:
            count = part()
        except (OSError, subprocess.SubprocessError, xml.etree.ElementTree.ParseError) as error:
            # the other parts are still worth running
            step.say(f"{name} could not be run: {error}")
            count = Count.one(f"{name} (could not be run)", ok=False)
        rows.append((name, count, time.monotonic() - started))

    total = sum((count for _name, count, _seconds in rows), NOTHING)
    step.say()
    for name, count, seconds in rows:
        line = f"{name:<10} {len(count.failed) + count.passed:>5} checks  {step.duration(seconds):>12}"
        step.say(line + (step.paint(f"  {len(count.failed)} failed", "31") if count.failed else ""))
        for label in count.failed:
            step.say(step.paint(f"    failed: {label}", "31"))
    # alone on its line, without colour: this is what machines read
    step.say(str(total))
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
