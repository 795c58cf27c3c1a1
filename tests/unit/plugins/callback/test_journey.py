# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback as people meet it: real playbooks, on a pseudo-terminal and through a pipe."""

from __future__ import annotations

import itertools
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.plugin_utils._journey.progress import PROGRESS_VARIABLE, Progress
from ansible_collections.kubernaut.coverage.plugins.plugin_utils._journey.stages import (
    BAR_WIDTH,
    Stage,
    readable,
    stage_table,
)
from ansible_collections.kubernaut.coverage.plugins.plugin_utils._journey.text import as_lines

ROOT = Path(__file__).resolve().parents[4]
FIXTURES = ROOT / "tests" / "fixtures" / "journey"
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
RECAP = re.compile(
    r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)\s+"
    r"skipped=(\d+)\s+rescued=(\d+)\s+ignored=(\d+)\s*$",
    re.MULTILINE,
)


@dataclass
class Run:
    """A playbook that ran: its exit code, its output, and when each piece of that came (seconds, text)."""

    returncode: int
    pieces: list[tuple[float, str]] = field(repr=False)

    @property
    def output(self) -> str:
        return "".join(text for _when, text in self.pieces)

    @property
    def lines(self) -> list[str]:
        return self.output.replace("\r\n", "\n").split("\n")

    def block(self, first: str, count: int) -> list[str]:
        """The line that starts with C(first), and those after it, C(count) in all."""
        index = next(number for number, line in enumerate(self.lines) if line.startswith(first))
        return self.lines[index : index + count]


class Started:
    """A playbook that runs; several can run at once.

    :arg shows: variables of the playbook that name files, each with the output on which that file is written. Tasks
        wait for these files, so that how busy the machine is does not decide what is shown.
    """

    def __init__(
        self,
        playbook: str,
        home: Path,
        *arguments: str,
        terminal: bool = False,
        shows: t.Optional[t.Mapping[str, str]] = None,
        **environment: str,
    ) -> None:
        ours, theirs = pty.openpty() if terminal else os.pipe()
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "KUBERNAUT_"))}
        clean.pop("NO_COLOR", None)
        self._ours = ours
        self._shows = {home / name: re.compile(pattern) for name, pattern in (shows or {}).items()}
        arguments = (*arguments, *(f"--extra-vars={path.name}={path}" for path in self._shows))
        self._begin = time.monotonic()
        self._process = subprocess.Popen(
            [PLAYBOOK, "-i", "localhost,", "-c", "local", *arguments, FIXTURES / playbook],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            env={
                **clean,
                "TERM": "xterm",
                "LC_ALL": "C.UTF-8",
                "COLUMNS": "100",
                "TMPDIR": str(home),
                "ANSIBLE_HOME": str(home / "ansible"),
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_LIBRARY": str(FIXTURES / "library"),
                "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
                **environment,
            },
        )
        os.close(theirs)

    def finish(self) -> Run:
        """Read to the end."""
        pieces: list[tuple[float, str]] = []
        while True:
            ready = select.select([self._ours], [], [], 120)
            assert ready[0], "the playbook says nothing for two minutes"
            try:
                data = os.read(self._ours, 65536)
            except OSError:  # how a pseudo-terminal says that the other side is closed
                data = b""
            if not data:
                break
            pieces.append((time.monotonic() - self._begin, data.decode()))
            output = "".join(text for _when, text in pieces)
            for path, pattern in self._shows.items():
                if pattern.search(output):
                    path.touch()
        os.close(self._ours)
        return Run(self._process.wait(timeout=60), pieces)


def play(playbook: str, home: Path, *arguments: str, **options: t.Any) -> Run:
    """Run one playbook to its end."""
    return Started(playbook, home, *arguments, **options).finish()


@pytest.fixture(scope="module")
def slow_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """The playbooks that take several seconds, all at once."""
    started = {
        "pipe": Started("slow.yml", tmp_path_factory.mktemp("pipe"), shows={"shown": ": compiling"}),
        "terminal": Started(
            "slow.yml",
            tmp_path_factory.mktemp("terminal"),
            terminal=True,
            shows={"shown": r"\(([5-9]|\d\d+) s\): compiling"},
        ),
        "jobs": Started(
            "jobs.yml",
            tmp_path_factory.mktemp("jobs"),
            shows={
                "compiling_shown": r"Build in front \(.*\): compiling",
                "heating_shown": r"Wait for the job \(.*\): heating",
            },
        ),
    }
    # each is read while it runs: a task that waits for its line must not wait for another playbook
    with ThreadPoolExecutor() as readers:
        return dict(zip(started, readers.map(Started.finish, started.values()), strict=True))


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, dict[str, t.Any], Path]:
    """The playbook with roles: its output, what it wrote to the stages file, its temporary folder."""
    home = tmp_path_factory.mktemp("stages")
    report = home / "stages.json"
    run = play("stages.yml", home, KUBERNAUT_COVERAGE_STAGES=str(report))
    return run, json.loads(report.read_text()), home


# ---- stages ----


def test_each_role_is_a_stage_with_header_and_closing_line(stages: tuple[Run, dict[str, t.Any], Path]) -> None:
    run, _data, _home = stages
    assert run.returncode == 0, run.output
    headers = [line for line in run.lines if line.startswith("== ")]
    assert headers == ["== First stage", "== E2E second", "== Helper: Bring in a helper", "== E2E second (continued)"]
    closing = [re.sub(r"[\d.]+ s", "N s", line) for line in run.lines if line.startswith("  done in")]
    assert closing == [
        "  done in N s, 1 changed",
        "  done in N s, 1 changed",
        "  done in N s, nothing changed",
        "  done in N s, 1 changed",
    ]


def test_a_play_has_no_header_between_two_stages_without_a_line_below_it(tmp_path: Path) -> None:
    run = play("between.yml", tmp_path)
    assert run.returncode == 0, run.output
    headers = [number for number, line in enumerate(run.lines) if line.startswith("== ")]
    assert len(headers) >= 2
    # on a very busy machine even that moment is worth one
    assert [run.lines[number] for number in headers if not run.lines[number + 1].startswith("  ")] == []


def test_only_what_matters_is_shown(stages: tuple[Run, dict[str, t.Any], Path]) -> None:
    output = stages[0].output
    assert "Do nothing" not in output
    assert "Help a little" not in output
    assert "  changed  Change each item: a" in output
    assert "Change each item: b" not in output
    assert "  changed  Change each item: c" in output
    assert re.search(r"^  changed  Tell the world", output, re.MULTILINE)


def test_debug_is_printed_without_quoting(stages: tuple[Run, dict[str, t.Any], Path]) -> None:
    run, _data, _home = stages
    assert run.block('  total: "81.2 %"', 2) == ['  total: "81.2 %"', "    files: here"]
    assert run.lines[1:3] == ["The way of the service", "  before the roles"]


def test_a_rescued_failure_is_marked_and_does_not_count(stages: tuple[Run, dict[str, t.Any], Path]) -> None:
    run, data, _home = stages
    assert re.search(r"^  failed, rescued Start the workload", run.output, re.MULTILINE)
    assert "  image-not-on-node was cured" in run.lines
    assert "FAILED" not in run.output
    assert [stage["failed"] for stage in data["stages"]] == [0, 0, 0, 0]


def test_the_table_names_the_slowest(stages: tuple[Run, dict[str, t.Any], Path]) -> None:
    run, data, _home = stages
    start = run.lines.index("Seconds by stage")
    rows = list(itertools.takewhile(lambda row: row.startswith("  "), run.lines[start + 1 :]))
    seconds = {name: float(value) for name, value in (re.findall(r"^  (.+?) {2,}([0-9.]+)", row)[0] for row in rows)}
    slowest = max((stage for stage in data["stages"]), key=lambda stage: stage["seconds"])
    assert next(row for row in rows if row.endswith("  slowest")).startswith(f"  {slowest['name']} ")
    assert seconds["in all"] >= sum(value for name, value in seconds.items() if name != "in all") - 0.2
    assert "█" * BAR_WIDTH in run.output


def test_the_recap_is_ansibles_own(stages: tuple[Run, dict[str, t.Any], Path]) -> None:
    run, _data, _home = stages
    assert RECAP.findall(run.output) == [("localhost", "9", "3", "0", "0", "1", "1", "0")]
    assert run.output.index("Seconds by stage") < run.output.index("PLAY RECAP ****")


def test_the_stages_file(stages: tuple[Run, dict[str, t.Any], Path]) -> None:
    _run, data, home = stages
    assert [stage["role"] for stage in data["stages"]] == ["", "first_stage", "e2e_second", "helper"]
    assert [stage["changed"] for stage in data["stages"]] == [0, 1, 2, 0]
    assert [stage["tasks"] for stage in data["stages"]] == [2, 3, 4, 2]
    assert 0 < sum(stage["seconds"] for stage in data["stages"]) <= data["seconds"]
    assert list(home.glob("*.part")) == []


def test_nothing_is_left_behind(stages: tuple[Run, dict[str, t.Any], Path]) -> None:
    assert list(stages[2].glob("kubernaut-coverage-*")) == []


def test_no_control_sequences_through_a_pipe(stages: tuple[Run, dict[str, t.Any], Path]) -> None:
    assert "\x1b" not in stages[0].output
    assert "\r" not in stages[0].output


# ---- what moves ----


def test_through_a_pipe_a_long_task_says_that_it_moves(slow_runs: dict[str, Run]) -> None:
    run = slow_runs["pipe"]
    assert run.returncode == 0, run.output
    moving = [(when, text.rstrip()) for when, text in run.pieces if text.startswith("  ... ")]
    # the first after 5 s, without a step where the module has not said one; how many more depends on the machine
    when, first = moving[0]
    assert re.fullmatch(r"  \.\.\. Compile the world \(([5-9]|\d\d+) s\)(: fetching|: compiling)?", first)
    assert moving[-1][1].endswith(" s): compiling")
    ended = next(when for when, text in run.pieces if "changed  Compile" in text)
    assert when < ended, "it has to come while the task runs"
    assert "\x1b" not in run.output
    took = re.search(r"^  changed  Compile the world \((\d+\.\d) s\)$", run.output, re.MULTILINE)
    assert took is not None
    assert float(took[1]) >= 5


def test_on_a_terminal_the_line_is_rewritten_each_second(slow_runs: dict[str, Run]) -> None:
    run = slow_runs["terminal"]
    assert run.returncode == 0, run.output
    drawn = re.findall(r"\r\x1b\[K(?:\x1b\[[\d;]*m)?  \.\.\. Compile the world \((\d+) s\): (\w+)", run.output)
    seconds = [int(second) for second, _step in drawn]
    assert seconds == sorted(set(seconds))
    # how many of the seconds are drawn depends on how busy the machine is
    assert len(seconds) >= 2
    assert seconds[-1] >= 5
    assert {step for _second, step in drawn} <= {"fetching", "compiling"}
    # it is taken away before the line that stays
    assert re.search(r"\r\x1b\[K  \x1b\[[\d;]*mchanged \x1b\[0m Compile the world", run.output)


def test_a_job_in_the_background_is_followed_by_the_task_that_waits_for_it(slow_runs: dict[str, Run]) -> None:
    run = slow_runs["jobs"]
    assert run.returncode == 0, run.output
    moves = re.compile(r"  \.\.\. Wait for the job \(\d+ s(, stage \d+ s)?\): heating")
    assert any(map(moves.fullmatch, run.lines))
    # while another task works, the line shows that task's step and not the job's
    assert re.search(r"  \.\.\. Build in front \(\d+ s(, stage \d+ s)?\): compiling", run.output)
    assert not re.search(r"\.\.\. Build in front .*: heating", run.output)
    assert re.search(r"^  started  Start the job", run.output, re.MULTILINE)
    assert "RETRYING" not in run.output
    assert re.search(r"^  changed  Wait for the job \(\d+\.\d s\)$", run.output, re.MULTILINE)


# ---- failures ----


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The playbook that fails in several ways."""
    return play("fails.yml", tmp_path_factory.mktemp("fails"))


def test_a_verdict_is_shown_part_by_part(failed: Run) -> None:
    assert failed.returncode == 2
    block = failed.block("  FAILED Start the workload", 8)
    assert block == [
        block[0],
        "    The image x is not on node-1.",
        "      | kubelet: Failed to pull image",
        "      | node-1: no such id",
        "    Remedy: Load the image into every node.",
        "    Setting: instrumented_image_load",
        "    Cause: image-not-on-node",
        "    Task: tests/fixtures/journey/fails.yml:17",
    ]
    assert "unreachable line" not in failed.output


def test_the_cause_is_said_again_where_people_look_last(failed: Run) -> None:
    last = "FAILED in A play that fails: The image x is not on node-1."
    assert last in failed.lines
    assert failed.output.index(last) > failed.output.index("PLAY RECAP")
    assert RECAP.findall(failed.output) == [("localhost", "2", "1", "0", "1", "0", "0", "2")]


@pytest.fixture(scope="module", params=["import_role", "include_role"])
def with_evidence(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """The playbook that collects evidence in a rescue, and its folder."""
    home = tmp_path_factory.mktemp("evidence")
    playbook = (FIXTURES / "evidence.yml").read_text(encoding="utf-8").replace("import_role", request.param)
    (home / "playbook.yml").write_text(playbook, encoding="utf-8")
    return play(str(home / "playbook.yml"), home, "-e", f"evidence={home}/evidence"), home / "evidence"


def test_a_failure_stays_one_when_evidence_was_collected(with_evidence: tuple[Run, Path]) -> None:
    run, _folder = with_evidence
    assert run.returncode == 2
    (recap,) = RECAP.findall(run.output)
    assert recap[4] == "1", "failed"
    assert "never" not in run.output
    assert "  after it" in run.lines


def test_its_verdict_is_shown_once_in_full(with_evidence: tuple[Run, Path]) -> None:
    run, _folder = with_evidence
    block = run.block("  FAILED Start the workload", 9)
    assert block[1:-1] == [
        "    The image x is not on node-1.",
        "      | kubelet: Failed to pull image",
        "      | node-1: no such id",
        "    Remedy: Load the image into every node.",
        "    Setting: instrumented_image_load",
        "    Cause: image-not-on-node",
        "    Also found: The node is slow.",
    ]
    assert run.output.count("Failed to pull image") == 1
    assert "rescued " not in run.output.partition("PLAY RECAP")[0]


def test_the_last_lines_name_the_verdict_and_the_evidence(with_evidence: tuple[Run, Path]) -> None:
    run, folder = with_evidence
    last = [line for line in run.lines if line.strip()][-2:]
    assert last[0] == "FAILED in The way of a service: The image x is not on node-1."
    assert re.fullmatch(rf"Diagnostics: (\.\./|/)\S*{folder.name} \(start with README.txt\)", last[1])
    verdict = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    assert verdict["task"] == "Start the workload"
    assert verdict["verdict"]["cause"] == "image-not-on-node"
    assert re.search(r"^  kept     Collect diagnostics: 2 files, 0.0 MB", run.output, re.MULTILINE)
    assert "    without the cluster: it did not exist yet" in run.lines


def test_evidence_of_a_failure_that_is_told_later_is_named_too(tmp_path: Path) -> None:
    options = ("-e", f"evidence={tmp_path}/evidence", "-e", '{"failure_evidence_fails": false}')
    run = play("evidence.yml", tmp_path, *options)
    assert run.returncode == 0
    assert re.search(r"^  kept     Collect diagnostics: 2 files, 0.0 MB", run.output, re.MULTILINE)
    last = [line for line in run.lines if line.strip()][-2:]
    assert last[0] == "FAILED in The way of a service: The image x is not on node-1."
    assert last[1].startswith("Diagnostics: ")


def test_without_a_verdict_the_end_of_the_error_output_is_quoted(failed: Run) -> None:
    block = failed.block("  failed, ignored Fail but go on", 5)
    assert block[1:] == [
        "    non-zero return code",
        "      | first",
        "      | why it failed",
        "    Task: tests/fixtures/journey/fails.yml:6",
    ]


def test_only_the_items_that_failed_are_shown(failed: Run) -> None:
    block = failed.block("  failed Fail for some items: 2", 2)
    assert block[1] == "    2 is too much"
    assert "Fail for some items: 1" not in failed.output


# ---- several hosts, check mode, differences, more words ----


def test_several_hosts_are_told_apart(tmp_path: Path) -> None:
    run = play("changes.yml", tmp_path, "-i", "one,two,", "--limit", "one,two", "-e", f"target={tmp_path}")
    assert run.returncode == 0, run.output
    shown = sorted(re.sub(r" \(.*", "", line) for line in run.lines if line.startswith("  changed"))
    assert shown == ["  changed  [one] Write a file", "  changed  [two] Write a file"]
    assert [row[0] for row in RECAP.findall(run.output)] == ["one", "two"]


def test_check_mode_is_marked_and_differences_are_shown(tmp_path: Path) -> None:
    run = play("changes.yml", tmp_path, "--check", "--diff", "-e", f"target={tmp_path}")
    assert run.returncode == 0, run.output
    assert "A play that changes a file [CHECK MODE: nothing will be changed]" in run.lines
    assert "Check mode: nothing was changed." in run.lines
    assert "+new line" in run.lines
    assert not (tmp_path / "localhost.txt").exists()


def test_verbose_shows_tasks_as_the_default_callback_does(tmp_path: Path) -> None:
    run = play("stages.yml", tmp_path, "-v")
    assert run.returncode == 0, run.output
    assert any(line.startswith("TASK [first_stage : first | Do nothing] ****") for line in run.lines)
    assert any(line.startswith("ok: [localhost] =>") for line in run.lines)
    assert any(line.startswith("skipping: [localhost] =>") for line in run.lines)
    assert "...rescued" in run.lines
    assert "== First stage" in run.lines
    assert RECAP.findall(run.output) == [("localhost", "9", "3", "0", "0", "1", "1", "0")]


def test_a_playbook_inside_a_task_reports_to_the_outer_one(tmp_path: Path) -> None:
    progress = tmp_path / "progress"
    progress.touch()
    run = play("changes.yml", tmp_path, "-e", f"target={tmp_path}", KUBERNAUT_COVERAGE_PROGRESS=str(progress))
    assert run.returncode == 0, run.output
    assert progress.exists(), "it belongs to the outer playbook"


def test_a_stages_file_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    run = play(
        "changes.yml", tmp_path, "-e", f"target={tmp_path}", KUBERNAUT_COVERAGE_STAGES=str(tmp_path / "no" / "file")
    )
    assert run.returncode == 0, run.output
    assert "cannot be written" in run.output


# ---- the small parts ----


@pytest.mark.parametrize(
    ("role", "title"),
    [
        ("kubernaut.coverage.kind_cluster", "Kind cluster"),
        ("e2e_tests", "E2E tests"),
        ("coverage_runner", "Coverage runner"),
        ("my-role", "My role"),
    ],
)
def test_readable(role: str, title: str) -> None:
    assert readable(role) == title


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        ("one\ntwo", ["one", "two"]),
        ("", [""]),
        (["one", "two\nthree", 4], ["one", "two", "three", "4"]),
        ({"a": 1}, ["{", '  "a": 1', "}"]),
    ],
)
def test_as_lines(value: t.Any, lines: list[str]) -> None:
    assert as_lines(value) == lines


def test_table_without_block_characters() -> None:
    stages = [Stage("A", "a", seconds=1.0), Stage("B", "b", seconds=3.0)]
    lines = stage_table(stages, 4.5, utf8=False)
    assert lines[2:] == [
        f"  {'A':<16}      1.0  {'#' * 10}",
        f"  {'B':<16}      3.0  {'#' * 30}  slowest",
        f"  {'in all':<16}      4.5",
    ]
    assert stage_table(stages[:1], 1.0, utf8=False) == []


def test_progress_shows_whole_lines_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "progress"
    own = f"image\t{os.getpid()}\t"
    path.write_text(f"{own}one\n{own}tw")
    monkeypatch.setenv(PROGRESS_VARIABLE, str(path))
    progress = Progress()
    assert progress.last_step_of_a_living_process() == "one"
    path.write_text(f"{own}one\n{own}\x1b[31mtwo\x1b[0m\n")
    assert progress.last_step_of_a_living_process() == "two"
    progress.close()
    assert path.exists()


def test_the_step_of_a_task_is_not_that_of_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "progress"
    job = f"kind_cluster\t{os.getpid()}\t"
    path.write_text(f"{job}pull\n")
    monkeypatch.setenv(PROGRESS_VARIABLE, str(path))
    progress = Progress()
    before = progress.writers()
    ended = subprocess.Popen(["true"])
    ended.wait()
    with path.open("a") as stream:
        stream.write(f"{job}Installing StorageClass\ninstrumented_image\t{ended.pid}\tcompile\n")
        stream.write(f"kind_cluster\t{ended.pid}\tcheck\n")
    assert progress.last_step_of_a_living_process() == "Installing StorageClass"
    assert progress.last_step("instrumented_image", before) == "compile"
    # the same module in front of and in the background
    assert progress.last_step("kind_cluster", before) == "check"
    assert progress.last_step("coverage_mode", before) == ""


def test_a_job_that_reports_late_is_not_the_task_in_front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the same module and writes its first step after that of the task which began later."""
    path = tmp_path / "progress"
    path.touch()
    monkeypatch.setenv(PROGRESS_VARIABLE, str(path))
    progress = Progress()
    before = progress.writers()
    with subprocess.Popen(["sleep", "60"]) as front:
        # as async_wrapper does: the process in between ends, and the job belongs to nobody here
        left_alone = ["setsid", "--fork", "sh", "-c", "echo $$; exec sleep 60"]
        with subprocess.Popen(left_alone, stdout=subprocess.PIPE, text=True) as leaver:
            job = int(t.cast(t.IO[str], leaver.stdout).readline())
            for pid, step in ((front.pid, "compile"), (job, "heat")):
                with path.open("a") as stream:
                    stream.write(f"kind_cluster\t{pid}\t{step}\n")
            found = progress.last_step("kind_cluster", before)
            alive = progress.last_step_of_a_living_process()
            os.kill(job, signal.SIGKILL)
        front.kill()
    assert (found, alive) == ("compile", "heat")
