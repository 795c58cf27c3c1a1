# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running programs: real ones, that end well, badly, late, or not at all."""

from __future__ import annotations

import os
import signal
import sys
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base import command as lib


def sh(script: str, **options: t.Any) -> lib.Completed:
    return lib.run(["sh", "-c", script], purpose="test it", **options)


def failing(script: str, **options: t.Any) -> lib.CommandError:
    with pytest.raises(lib.CommandError) as caught:
        sh(script, **options)
    return caught.value


def alive(pid: int) -> bool:
    """Whether a process still runs; one that is dead and not yet waited for does not."""
    try:
        return " Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:2]
    except FileNotFoundError:
        return False


def ends(pid: int) -> bool:
    """Whether a process that was killed is gone, which a busy machine needs a moment for."""
    deadline = time.monotonic() + 60
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def test_output_and_error_output_are_kept_apart() -> None:
    done = sh("echo out; echo err >&2")
    assert (done.returncode, done.stdout, done.stderr) == (0, "out\n", "err\n")
    assert done.seconds > 0


def test_much_output_on_both_sides_does_not_block() -> None:
    script = "import sys\nfor i in range(40000): print(i); print(i, file=sys.stderr)"
    done = lib.run([sys.executable, "-c", script], purpose="test it", timeout=60)
    assert done.stdout == done.stderr
    assert done.stdout.endswith("39999\n")


def test_output_that_is_no_text_is_kept_as_well_as_can_be() -> None:
    assert sh(r"printf 'a\377b'").stdout == "a\ufffdb"


def test_arguments_are_given_as_they_are(tmp_path: Path) -> None:
    words = ["$HOME", "a b", "*", "'", ""]
    done = lib.run([sys.executable, "-c", "import sys; print(sys.argv[1:])", *words], purpose="test it")
    assert done.stdout.strip() == str(words)
    assert lib.run([Path("/bin/echo"), tmp_path], purpose="test it").stdout.strip() == str(tmp_path)  # type: ignore[list-item]


def test_variables_are_added_and_the_folder_is_changed(tmp_path: Path) -> None:
    done = sh('echo "$COVERAGE_TEST $HOME"; pwd', environment={"COVERAGE_TEST": "1"}, cwd=str(tmp_path))
    assert done.stdout.splitlines() == [f"1 {os.environ['HOME']}", str(tmp_path)]
    assert "COVERAGE_TEST" not in os.environ


@pytest.mark.parametrize("data", [b"", b"text", b"x" * 1_000_000])
def test_bytes_are_fed(data: bytes) -> None:
    assert sh("wc -c", stdin=data).stdout.strip() == str(len(data))


def test_a_file_is_fed(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"from a file")
    with (tmp_path / "in").open("rb") as stream:
        assert sh("cat", stdin=stream).stdout == "from a file"


def test_by_default_there_is_nothing_to_read() -> None:
    """Not even what this process could read itself."""
    ours, (reading, writing) = os.dup(0), os.pipe()
    try:
        os.write(writing, b"not for it")
        os.close(writing)
        os.dup2(reading, 0)
        assert sh("cat; echo end").stdout == "end\n"
    finally:
        os.dup2(ours, 0)
        os.close(ours)
        os.close(reading)


def test_a_program_may_leave_what_it_is_fed() -> None:
    assert sh("exit 0", stdin=b"x" * 1_000_000).returncode == 0
    assert failing("exit 3", stdin=b"x" * 1_000_000).message == "Could not test it: sh exited with 3."


def test_each_line_is_told_when_it_comes(tmp_path: Path) -> None:
    lines: list[str] = []

    def keep(line: str) -> None:
        lines.append(line)
        (tmp_path / line).touch()

    # it goes on once both lines were told, and gives up after a minute
    wait = f"for i in $(seq 600); do [ -e {tmp_path}/one ] && [ -e {tmp_path}/two ] && break; sleep 0.1; done"
    sh(f"echo one; echo two >&2; {wait}; [ -e {tmp_path}/two ] && printf three", on_line=keep)
    assert sorted(lines) == ["one", "three", "two"]
    assert lines[-1] == "three"


def test_a_failure_says_what_for_and_how_and_quotes_the_end() -> None:
    error = failing("echo unread; seq 30 >&2; echo >&2; echo '  last' >&2; exit 7", remedy="Do this.", setting="that")
    assert error.message == "Could not test it: sh exited with 7."
    assert error.evidence[0].startswith("$ sh -c 'echo unread;")
    assert error.evidence[1:] == [*(str(number) for number in range(12, 31)), "  last"]
    assert (error.remedy, error.setting, error.cause) == ("Do this.", "that", "command-failed")
    assert error.completed is not None
    assert error.completed.returncode == 7
    assert error.completed.stdout == "unread\n"


def test_a_silent_failure_quotes_the_output() -> None:
    assert failing("echo said; exit 1").evidence[1:] == ["said"]


def test_other_exit_codes_can_be_no_failure() -> None:
    assert sh("exit 3", accept=(0, 3)).returncode == 3
    assert "exited with 3" in failing("exit 3", accept=(0, 1)).message


def test_a_signal_is_named() -> None:
    error = failing("kill -KILL $$")
    assert error.message == "Could not test it: sh was ended by SIGKILL."
    assert error.completed is not None
    assert error.completed.returncode == -signal.SIGKILL


@pytest.mark.parametrize("number", [*range(1, 32), signal.SIGRTMIN, signal.SIGRTMIN + 3, signal.SIGRTMAX])
def test_every_signal_has_a_description(number: int) -> None:
    assert lib.describe_exit(-number).startswith("was ended by ")


def test_a_time_limit_ends_the_program_and_its_children(tmp_path: Path) -> None:
    # were it not ended, it would run for ever
    error = failing(f"sleep infinity & echo $! > {tmp_path}/pid; echo said; wait", timeout=3)
    assert error.message == "Could not test it: sh still running after 3 s."
    assert error.cause == "command-timeout"
    assert error.evidence[1:] == ["said"]
    assert ends(int((tmp_path / "pid").read_text()))


def test_a_time_limit_holds_while_bytes_are_fed() -> None:
    error = failing("sleep infinity", stdin=b"x" * 1_000_000, timeout=0.5)
    assert error.cause == "command-timeout"


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(lib.CommandError) as caught:
        lib.run(["no-such-program", "a b"], purpose="test it", remedy="Install it.")
    assert caught.value.message == "Could not test it: no-such-program cannot be started (No such file or directory)."
    assert caught.value.cause == "command-not-found"
    assert caught.value.evidence == ["no-such-program 'a b'"]
    assert caught.value.completed is None


def test_a_folder_that_is_not_there_is_not_taken_for_the_program() -> None:
    error = failing("true", cwd="/no/such/folder")
    assert "in /no/such/folder" in error.message
    assert error.cause == "command-failed"


def test_a_file_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no program")
    with pytest.raises(lib.CommandError, match="Permission denied") as caught:
        lib.run([str(tmp_path / "text")], purpose="test it")
    assert caught.value.cause == "command-failed"


@pytest.mark.parametrize(
    ("text", "count", "wanted"),
    [("", 3, []), ("a\n\n  \nb  \n", 3, ["a", "b"]), ("a\nb\nc\nd", 2, ["c", "d"]), ("a\r\nb", 5, ["a", "b"])],
)
def test_the_last_lines_are_those_that_say_something(text: str, count: int, wanted: list[str]) -> None:
    assert lib.last_lines(text, count) == wanted
