# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees while a playbook works: stages, what moves, what changed, and why it failed."""

from __future__ import annotations

DOCUMENTATION = r"""
name: journey
type: stdout
short_description: stages of a playbook, with progress, causes of failures and seconds
author:
  - the kubernaut.coverage authors (@kubernaut)
description:
  - Each role of a play is a stage with a header, a closing line and its seconds.
    Tasks without a role belong to the stage of their play.
  - A task is shown only if it changed something, failed, or took longer than five seconds.
    With C(-v) and above every task and result is shown as P(ansible.builtin.default#callback) does.
  - While something takes long, a line says what, for how long, and which step it has reached.
    On a terminal that line is rewritten in place each second; elsewhere there is one after five seconds,
    then one every 15 seconds or when the step changes.
  - A module says which step it has reached by appending lines to the file that the environment variable
    E(KUBERNAUT_COVERAGE_PROGRESS) names. This plugin makes that file and sets the variable; modules that run on the
    controller inherit it.
  - A failed result with a C(verdict) (cause, sentence, evidence, remedy, setting) is shown part by part, not as JSON.
  - At the end stand the seconds by stage, then the usual C(PLAY RECAP). After a failure, the last lines name the stage
    that failed, its verdict in one sentence, and the folder that M(kubernaut.coverage.evidence) filled.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
options:
  stages_file:
    description:
      - Where to write the stages and their seconds as JSON, each time that a stage ends.
      - A list C(stages) of C(name), C(role), C(seconds), C(tasks), C(changed) and C(failed), and the total C(seconds).
    type: path
    env:
      - name: KUBERNAUT_COVERAGE_STAGES
    ini:
      - section: callback_journey
        key: stages_file
requirements:
  - set as stdout in configuration
"""

EXAMPLES = r"""
ansible_cfg: |
  [defaults]
  stdout_callback = kubernaut.coverage.journey
"""

import atexit
import functools
import json
import os
import re
import shutil
import sys
import tempfile
import threading
import time
import typing as t
from dataclasses import dataclass, field

from ansible import constants as C
from ansible import context
from ansible.playbook.block import Block
from ansible.playbook.role_include import IncludeRole
from ansible.playbook.task_include import TaskInclude
from ansible.plugins.callback.default import CallbackModule as DefaultCallback
from ansible.utils.color import stringc

if t.TYPE_CHECKING:
    from ansible.executor.stats import AggregateStats
    from ansible.executor.task_result import CallbackTaskResult
    from ansible.inventory.host import Host
    from ansible.playbook import Playbook
    from ansible.playbook.play import Play
    from ansible.playbook.role import Role
    from ansible.playbook.task import Task

PROGRESS_VARIABLE = "KUBERNAUT_COVERAGE_PROGRESS"
# collects what may explain a failure and ends with that same failure
EVIDENCE_ROLE = "kubernaut.coverage.failure_evidence"
EVIDENCE_ACTION = "kubernaut.coverage.evidence"

# seconds
LONG = 5.0
TERMINAL_SIGN_AFTER = 2.0
SIGN_EVERY = 15.0
HEADER_AFTER = 0.7
TICK = 0.25

EVIDENCE_LINES = 20
BAR_WIDTH = 30
TAIL_BYTES = 4096
# words of role names that are not written as a sentence would
SPELLING = {"e2e": "E2E", "api": "API", "crd": "CRD", "crds": "CRDs", "html": "HTML"}
# states of a preflight's findings
STATE_COLORS = {"error": C.COLOR_ERROR, "warning": C.COLOR_WARN, "advice": C.COLOR_HIGHLIGHT}
CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x1f\x7f]")


@dataclass
class Stage:
    """A role, or the tasks of a play that have none; it may be entered more than once."""

    name: str
    role: str
    seconds: float = 0.0
    tasks: int = 0
    changed: int = 0
    failed: int = 0
    # of the present entry: since when, what was shown and done in it
    entered: float = 0.0
    header_shown: bool = False
    ever_shown: bool = False
    worked: bool = False
    changed_here: int = 0
    failed_here: int = 0
    subtitle: str = ""

    def as_data(self) -> dict[str, t.Any]:
        """What the stages file says about it."""
        return {
            "name": self.name,
            "role": self.role,
            "seconds": round(self.seconds, 3),
            "tasks": self.tasks,
            "changed": self.changed,
            "failed": self.failed,
        }


@dataclass
class Running:
    """A task that was started on some hosts and has not ended on all of them."""

    name: str
    started: float
    hosts: dict[str, float] = field(default_factory=dict)


_Method = t.TypeVar("_Method", bound=t.Callable[..., None])


def exclusive(method: _Method) -> _Method:
    """Let a hook write without the ticking thread writing in between."""

    @functools.wraps(method)
    def wrapper(self: CallbackModule, *args: t.Any, **kwargs: t.Any) -> None:
        with self._lock:
            method(self, *args, **kwargs)

    return t.cast(_Method, wrapper)


def readable(role: str) -> str:
    """Turn a role's name into a title: C(ns.col.kind_cluster) is C(Kind cluster)."""
    words = role.rpartition(".")[2].replace("-", "_").split("_")
    words = [SPELLING.get(word.lower(), word) for word in words if word]
    title = " ".join(words)
    return title[:1].upper() + title[1:]


def plain(text: str) -> str:
    """Take terminal control sequences out of foreign text."""
    return CONTROL.sub("", text)


def duration(seconds: float) -> str:
    """Say a duration in the form that people read."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def as_lines(value: t.Any) -> list[str]:
    """Turn the message of a task (text, lines, or data) into lines without JSON quoting."""
    if isinstance(value, str):
        return value.splitlines() or [""]
    if isinstance(value, (list, tuple)) and all(isinstance(item, (str, int, float)) for item in value):
        return [line for item in value for line in as_lines(str(item))]
    return json.dumps(value, indent=2, ensure_ascii=False, default=str, sort_keys=True).splitlines()


def is_rescued(task: Task) -> bool:
    """Tell whether a failure of this task leads into the C(rescue) of a block around it, and may be cured there."""
    below, parent = {task._uuid}, task._parent
    while parent is not None:
        if isinstance(parent, Block) and parent.rescue:
            elsewhere = {other._uuid for other in (*parent.rescue, *parent.always)}
            if not below & elsewhere and not any(is_evidence(other) for other in parent.rescue):
                return True
        # a role that is imported there stands in the list itself, and not what imports it
        below.add(parent._uuid)
        parent = parent._parent
    return False


def is_evidence(part: t.Any) -> bool:
    """Tell whether a part of a C(rescue) is the role that ends with the failure it was called for."""
    if isinstance(part, IncludeRole):
        return part._role_name == EVIDENCE_ROLE
    role = getattr(part, "_role", None)
    return role is not None and role.get_name() == EVIDENCE_ROLE


class Progress:
    """The file through which modules say which step they have reached."""

    def __init__(self) -> None:
        self._folder: t.Optional[str] = None
        inherited = os.environ.get(PROGRESS_VARIABLE, "")
        if inherited and os.path.isfile(inherited):
            # this playbook was started by a task of another: both show the same steps
            self.path = inherited
            return
        self._folder = tempfile.mkdtemp(prefix="kubernaut-coverage-")
        self.path = os.path.join(self._folder, "progress")
        with open(self.path, "x", encoding="utf-8"):
            pass
        os.environ[PROGRESS_VARIABLE] = self.path

    def size(self) -> int:
        """Bytes that were written so far: what comes later lies beyond."""
        try:
            return os.stat(self.path).st_size
        except OSError:
            return 0

    def last_line(self, since: int = 0) -> str:
        """The last whole line that was written beyond C(since) bytes, or nothing."""
        try:
            with open(self.path, "rb") as stream:
                stream.seek(max(since, self.size() - TAIL_BYTES))
                whole, newline, _rest = stream.read().rpartition(b"\n")
        except OSError:
            return ""
        return plain(whole.rpartition(b"\n")[2].decode(errors="replace")) if newline else ""

    def close(self) -> None:
        """Remove the file with its folder: a job that outlives this playbook then writes nowhere."""
        if self._folder is not None:
            os.environ.pop(PROGRESS_VARIABLE, None)
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


class CallbackModule(DefaultCallback):
    """Stages on the screen; with C(-v), every task as the default callback shows it."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "kubernaut.coverage.journey"

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.RLock()
        self._pid = os.getpid()
        self._progress: t.Optional[Progress] = None
        self._stop = threading.Event()
        self._ticker: t.Optional[threading.Thread] = None
        self._started = time.monotonic()
        self._stages: dict[str, Stage] = {}
        self._stage: t.Optional[Stage] = None
        self._several_hosts = False
        self._running: dict[str, Running] = {}
        self._names: dict[str, str] = {}
        self._jobs: set[str] = set()
        self._failures: list[tuple[str, str]] = []
        self._evidence: list[str] = []
        # the line that moves
        self._offset = 0
        self._drawn = False
        self._last_output = self._started
        self._last_sign = 0.0
        self._last_text = ""

    # ---- writing ----

    @property
    def _verbose(self) -> bool:
        return self._display.verbosity > 0

    @staticmethod
    def _is_terminal() -> bool:
        return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"

    def _erase(self) -> None:
        """Take the moving line away, so that what comes next starts on an empty line."""
        if self._drawn:
            sys.stdout.write("\r\033[K")
            self._drawn = False

    def _say(self, text: str = "", color: t.Optional[str] = None, *, stderr: bool = False) -> None:
        """Write a line that stays, now: behind a pipe, nobody else would flush it."""
        self._erase()
        self._display.display(text, color=color, stderr=stderr)
        (sys.stderr if stderr else sys.stdout).flush()
        self._last_output = time.monotonic()

    def _default(self, hook: str, *args: t.Any, **kwargs: t.Any) -> None:
        """Let the default callback show an event."""
        self._erase()
        getattr(super(), hook)(*args, **kwargs)
        sys.stdout.flush()
        self._last_output = time.monotonic()

    # ---- stages ----

    def _enter(self, task: Task) -> Stage:
        """Return the stage of a task that starts: it may be the first of it."""
        role: t.Optional[Role] = task._role
        key = role.get_name() if role is not None else f"play {self._play.get_name()}"
        if self._stage is not None and self._stages.get(key) is self._stage:
            return self._stage
        self._leave()
        stage = self._stages.get(key)
        if stage is None:
            name = readable(key) if role is not None else self._play.get_name().strip()
            stage = self._stages[key] = Stage(name=name, role=key if role is not None else "")
            # the line of the play is the header of its own tasks
            stage.header_shown = role is None
        else:
            stage.header_shown = False
        stage.entered = time.monotonic()
        stage.worked = False
        stage.changed_here = stage.failed_here = 0
        stage.subtitle = subtitle(task) if role is not None else ""
        self._stage = stage
        return stage

    def _leave(self) -> None:
        """Close the present stage, if there is one: its seconds, its closing line, the file."""
        stage = self._stage
        if stage is None:
            return
        seconds = time.monotonic() - stage.entered
        stage.seconds += seconds
        self._stage = None
        shown = stage.header_shown and stage.role
        if stage.failed_here:
            self._say(f"  failed after {duration(seconds)}", C.COLOR_ERROR)
        elif stage.changed_here:
            self._say(f"  done in {duration(seconds)}, {stage.changed_here} changed", C.COLOR_CHANGED)
        elif shown:
            self._say(f"  done in {duration(seconds)}, nothing changed", C.COLOR_OK)
        elif not stage.worked and stage.role and not stage.ever_shown:
            self._say(f"\n== {stage.name}: skipped", C.COLOR_SKIP)
            stage.ever_shown = True
        self._write_stages()

    def _show_header(self) -> None:
        """Write the stage's header, once for each entry."""
        stage = self._stage
        if stage is None or stage.header_shown:
            return
        stage.header_shown = True
        title = stage.name
        if stage.subtitle and stage.subtitle.lower() != title.lower():
            title += f": {stage.subtitle}"
        elif stage.ever_shown:
            title += " (continued)"
        stage.ever_shown = True
        self._say(f"\n== {title}", C.COLOR_HIGHLIGHT)

    def _write_stages(self) -> None:
        path = self.get_option("stages_file")
        if not path:
            return
        data = {
            "seconds": round(time.monotonic() - self._started, 3),
            "stages": [stage.as_data() for stage in self._stages.values()],
        }
        partial = f"{path}.{self._pid}.part"
        try:
            with open(partial, "w", encoding="utf-8") as stream:
                json.dump(data, stream, indent=2)
                stream.write("\n")
            os.replace(partial, path)
        except OSError as error:
            self._erase()
            self._display.warning(f"The seconds by stage cannot be written to {path}: {error.strerror}.")

    # ---- the line that moves ----

    def _tick(self) -> None:
        while not self._stop.wait(TICK):
            with self._lock:
                if not self._stop.is_set():
                    self._show_progress(time.monotonic())

    def _show_progress(self, now: float) -> None:
        stage = self._stage
        running = min(self._running.values(), key=lambda entry: entry.started, default=None)
        if running is None or stage is None:
            return
        if not self._verbose and now - running.started >= HEADER_AFTER:
            self._show_header()
        terminal = self._is_terminal()
        patience = TERMINAL_SIGN_AFTER if terminal else LONG
        if now - running.started < patience and now - self._last_output < patience:
            return
        step = self._last_step()
        text = self._moving_text(running, now - running.started, now - stage.entered, step)
        if terminal:
            if now - self._last_sign >= 1.0 or not self._drawn:
                width = shutil.get_terminal_size().columns
                sys.stdout.write("\r\033[K" + stringc(text[: width - 1], C.COLOR_VERBOSE))
                sys.stdout.flush()
                self._drawn = True
                self._last_sign = now
            return
        since = now - max(self._last_sign, self._last_output)
        if since >= SIGN_EVERY or (step != self._last_text and since >= 1.0) or self._last_sign < running.started:
            self._last_sign = now
            self._last_text = step
            self._say(text)

    def _last_step(self) -> str:
        """The last step that was reported: since this task began, or at all while jobs work in the background."""
        if self._progress is None:
            return ""
        return self._progress.last_line(0 if self._jobs else self._offset)

    def _moving_text(self, running: Running, seconds: float, in_stage: float, step: str) -> str:
        times = f"{seconds:.0f} s" if in_stage - seconds < 1.5 else f"{seconds:.0f} s, stage {in_stage:.0f} s"
        where = ""
        if self._several_hosts:
            names = list(running.hosts)
            where = f"[{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}] "
        return f"  ... {where}{running.name} ({times})" + (f": {step}" if step else "")

    # ---- tasks ----

    def _start_task(self, task: Task) -> None:
        self._enter(task).tasks += 1
        name = (task.name or task.action).strip()
        # "file | What it does": the file is for whoever reads the role
        self._names[task._uuid] = name.rpartition(" | ")[2]
        self._offset = self._progress.size() if self._progress else 0

    def _begin(self, host: Host, task: Task) -> None:
        now = time.monotonic()
        name = self._names.get(task._uuid) or (task.name or task.action)
        entry = self._running.setdefault(task._uuid, Running(name=name, started=now))
        entry.hosts[host.get_name()] = now

    def _end(self, result: CallbackTaskResult) -> float:
        """Note that a task ended on a host; return its seconds."""
        entry = self._running.get(result.task._uuid)
        if entry is None:
            return 0.0
        started = entry.hosts.pop(result.host.get_name(), entry.started)
        if not entry.hosts:
            del self._running[result.task._uuid]
        self._note_job(result)
        return time.monotonic() - started

    def _note_job(self, result: CallbackTaskResult) -> None:
        """Keep count of the jobs that work in the background."""
        job = result.result.get("ansible_job_id")
        if not job:
            return
        # true or 1 by core version
        if result.result.get("finished"):
            self._jobs.discard(str(job))
        elif result.task.async_val and not result.task.poll:
            self._jobs.add(str(job))

    def _name(self, task: Task) -> str:
        return self._names.get(task._uuid) or (task.name or task.action).strip()

    def _prefix(self, result: CallbackTaskResult) -> str:
        label = self.host_label(result)
        return f"[{label}] " if self._several_hosts or label != result.host.get_name() else ""

    def _worked(self, *, changed: bool = False, failed: bool = False) -> None:
        stage = self._stage
        if stage is None:
            return
        stage.worked = True
        stage.changed += changed
        stage.changed_here += changed
        stage.failed += failed
        stage.failed_here += failed
        if not self._verbose:
            self._show_header()

    def _show_task(
        self, state: str, color: str, result: CallbackTaskResult, seconds: float = 0.0, label: str = ""
    ) -> None:
        """One line: what became of a task, where, and its seconds if they count."""
        text = f"  {stringc(f'{state:<8}', color)} {self._prefix(result)}{self._name(result.task)}{label}"
        if seconds >= 1.0:
            text += f" ({duration(seconds)})"
        self._say(text)

    def _item(self, result: CallbackTaskResult) -> str:
        label = self._get_item_label(result.result)
        text = label if isinstance(label, str) else json.dumps(label, default=str, ensure_ascii=False)
        return f": {plain(text)}"

    def _show_findings(self, data: t.Mapping[str, t.Any]) -> None:
        """Print the table of a preflight, as wide as the screen is."""
        told = data.get("preflight")
        if not isinstance(told, dict) or not isinstance(data.get("findings"), list):
            return
        from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.table import shown, table

        findings = shown(data["findings"], told["show"])
        width = shutil.get_terminal_size((100, 24)).columns - 2
        title, *lines = table(findings, width, title=told["title"])
        if len(findings) < len(data["findings"]):
            title = (f"{told['title']}: {data['summary']}", "")
        for line, state in [title, *lines]:
            self._say(f"  {plain(line)}", STATE_COLORS.get(state))

    # ---- failures ----

    def _show_failure(
        self, state: str, color: str, result: CallbackTaskResult, seconds: float = 0.0, label: str = ""
    ) -> str:
        """Show why a task failed; return the one sentence that says it."""
        data = result.result
        self._handle_warnings(data)
        self._show_findings(data)
        stderr = bool(self.get_option("display_failed_stderr"))
        lines = [f"  {stringc(state, color)} {self._prefix(result)}{self._name(result.task)}{label}"]
        if seconds >= 1.0:
            lines[0] += f" ({duration(seconds)})"
        verdict = data.get("verdict")
        if isinstance(verdict, dict) and verdict.get("sentence"):
            sentence = str(verdict["sentence"])
            lines += [f"    {line}" for line in sentence.splitlines()]
            evidence = verdict.get("evidence") or []
            if "findings" in data:  # the table above has the others
                evidence = [line for line in evidence if not str(line).startswith("also: ")]
            lines += quoted(evidence)
            lines += [
                f"    {title}: {verdict[key]}"
                for title, key in (("Remedy", "remedy"), ("Setting", "setting"), ("Cause", "cause"))
                if verdict.get(key)
            ]
            also = [item.get("sentence") for item in verdict.get("also") or [] if isinstance(item, dict)]
            lines += [f"    Also seen: {sentence_too}" for sentence_too in also if sentence_too]
        else:
            message = as_lines(data.get("msg") or data.get("reason") or data.get("censored") or "no message")
            sentence = next((line for line in message if line.strip()), "")
            lines += [f"    {line}" for line in message]
            if data.get("assertion"):
                lines += quoted([f"assertion: {data['assertion']}"])
            said = str(data.get("stderr") or data.get("module_stderr") or data.get("stdout") or "")
            lines += quoted([line for line in said.splitlines() if line.strip()])
        path = result.task.get_path()
        if path:
            lines.append(f"    Task: {short_path(path)}")
        for line in lines:
            self._say(line, stderr=stderr)
        return plain(sentence)

    # ---- hooks: playbook and plays ----

    @exclusive
    def v2_playbook_on_start(self, playbook: Playbook) -> None:
        self._started = self._last_output = time.monotonic()
        self._default("v2_playbook_on_start", playbook)
        if self._progress is None:
            self._progress = Progress()
            atexit.register(self._close)
            self._ticker = threading.Thread(target=self._tick, name="journey", daemon=True)
            self._ticker.start()

    def _close(self) -> None:
        """Stop the thread before the interpreter ends, and leave nothing behind."""
        if os.getpid() != self._pid:
            return
        self._stop.set()
        if self._ticker is not None:
            self._ticker.join(timeout=5)
        with self._lock:
            self._erase()
            if self._progress is not None:
                self._progress.close()

    @exclusive
    def v2_playbook_on_play_start(self, play: Play) -> None:
        self._leave()
        if self._verbose:
            self._default("v2_playbook_on_play_start", play)
        else:
            self._play = play
            name = play.get_name().strip()
            mode = " [CHECK MODE: nothing will be changed]" if play.check_mode else ""
            self._say(f"\n{name}{mode}", C.COLOR_HIGHLIGHT)
        hosts = play.get_variable_manager().get_vars(play=play, include_hostvars=False).get("ansible_play_hosts_all")
        self._several_hosts = len(hosts or ()) > 1

    @exclusive
    def v2_playbook_on_no_hosts_matched(self) -> None:
        self._default("v2_playbook_on_no_hosts_matched")

    @exclusive
    def v2_playbook_on_no_hosts_remaining(self) -> None:
        if self._verbose:
            self._default("v2_playbook_on_no_hosts_remaining")

    @exclusive
    def v2_playbook_on_include(self, included_file: t.Any) -> None:
        if self._verbose:
            self._default("v2_playbook_on_include", included_file)

    @exclusive
    def v2_playbook_on_notify(self, handler: t.Any, host: Host) -> None:
        if self._verbose:
            self._default("v2_playbook_on_notify", handler, host)

    @exclusive
    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:
        self._leave()
        total = time.monotonic() - self._started
        for line in stage_table(list(self._stages.values()), total, utf8=is_utf8()):
            self._say(line)
        self._default("v2_playbook_on_stats", stats)
        if context.CLIARGS.get("check"):
            self._say("Check mode: nothing was changed.", C.COLOR_WARN)
        for stage, sentence in self._failures:
            self._say(f"FAILED in {stage}: {sentence}", C.COLOR_ERROR)
        for directory in self._evidence:
            self._say(f"Evidence: {directory} (begin with README.txt)", C.COLOR_ERROR)
        self._write_stages()
        self._close()

    # ---- hooks: tasks ----

    @exclusive
    def v2_playbook_on_task_start(self, task: Task, is_conditional: bool) -> None:
        self._start_task(task)
        if self._verbose:
            self._show_verbose_header()
            self._default("v2_playbook_on_task_start", task, is_conditional)

    @exclusive
    def v2_playbook_on_handler_task_start(self, task: Task) -> None:
        self._start_task(task)
        if self._verbose:
            self._show_verbose_header()
            self._default("v2_playbook_on_handler_task_start", task)

    def _show_verbose_header(self) -> None:
        if self._stage is not None and not self._stage.header_shown:
            self._show_header()

    @exclusive
    def v2_runner_on_start(self, host: Host, task: Task) -> None:
        self._begin(host, task)
        if self._verbose:
            self._default("v2_runner_on_start", host, task)

    @exclusive
    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        seconds = self._end(result)
        data = result.result
        # a job that was only started has not changed anything yet: that is told where its end is awaited
        begun = bool(data.get("ansible_job_id") and result.task.async_val and not result.task.poll)
        changed = bool(data.get("changed")) and not begun
        if isinstance(result.task, TaskInclude):
            if self._verbose:
                self._default("v2_runner_on_ok", result)
            return
        if result.task.resolved_action == EVIDENCE_ACTION and self._failures:
            # of a failure that is told in the end, not here
            self._show_evidence(result, seconds)
            return
        self._worked(changed=changed)
        if self._verbose:
            self._default("v2_runner_on_ok", result)
            return
        self._erase()
        self._show_findings(data)
        self._handle_warnings(data)
        looped = bool(result.task.loop) and "results" in data
        if result.task.resolved_action == "ansible.builtin.debug":
            if not looped:
                self._show_debug(result)
        elif begun:
            self._show_task("started", C.COLOR_OK, result, seconds)
        elif changed and not looped:
            self._show_task("changed", C.COLOR_CHANGED, result, seconds)
        elif seconds >= LONG:
            state, color = ("changed", C.COLOR_CHANGED) if changed else ("ok", C.COLOR_OK)
            self._show_task(state, color, result, seconds, f": {len(data['results'])} items" if looped else "")

    def _show_debug(self, result: CallbackTaskResult) -> None:
        """Print what a debug task says and nothing else."""
        data = dict(result.result)
        self._clean_results(data, result.task.action)
        if "msg" in data:
            lines = as_lines(data["msg"])
        else:
            shown = self._dump_results(data, serialize=False)
            lines = [line for key, value in shown.items() if key != "item" for line in named_lines(str(key), value)]
        for line in lines:
            self._say(f"  {self._prefix(result)}{line}".rstrip())

    @exclusive
    def v2_runner_on_failed(self, result: CallbackTaskResult, ignore_errors: bool = False) -> None:
        seconds = self._end(result)
        if self._is_same_failure(result):
            self._show_evidence(result, seconds)
            return
        rescued = is_rescued(result.task)
        forgiven = ignore_errors or rescued
        self._worked(failed=not forgiven)
        looped = bool(result.task.loop) and "results" in result.result
        if self._verbose:
            self._default("v2_runner_on_failed", result, ignore_errors)
            if rescued and not ignore_errors:
                self._say("...rescued", C.COLOR_SKIP)
            sentence = str((result.result.get("verdict") or {}).get("sentence") or result.result.get("msg") or "")
        else:
            state, color = "FAILED", C.COLOR_ERROR
            if forgiven:
                state, color = f"failed, {'ignored' if ignore_errors else 'rescued'}", C.COLOR_WARN
            if looped:
                # each item that failed has been shown
                self._show_task(state, color, result, seconds)
                items = [item for item in result.result["results"] if isinstance(item, dict) and item.get("failed")]
                verdict = (items[0].get("verdict") or {}) if items else {}
                sentence = str(verdict.get("sentence") or (items[0].get("msg") if items else "") or "")
            else:
                sentence = self._show_failure(state, color, result, seconds)
        if not forgiven and self._stage is not None:
            where = f"{self._stage.name}{f' [{result.host.get_name()}]' if self._several_hosts else ''}"
            self._failures.append((where, (plain(sentence.splitlines()[0]) if sentence else self._name(result.task))))

    @staticmethod
    def _is_same_failure(result: CallbackTaskResult) -> bool:
        """Tell whether this is the failure that was told already, given again after evidence was collected."""
        return result.task.resolved_action == EVIDENCE_ACTION and bool(result.result.get("failed_when_result"))

    def _show_evidence(self, result: CallbackTaskResult, seconds: float) -> None:
        data = result.result
        self._worked()
        if self._verbose:
            self._default("v2_runner_on_failed" if data.get("failed") else "v2_runner_on_ok", result)
        directory = str(data.get("directory", ""))
        if not data.get("files"):
            return
        self._evidence.append(short_path(directory))
        size = f"{data.get('bytes', 0) / 1e6:.1f} MB"
        self._show_task("kept", C.COLOR_OK, result, seconds, f": {len(data['files'])} files, {size}")
        missing = data.get("missing") or {}
        for what, why in sorted(missing.items()):
            self._say(f"    without {what}: {why}")

    @exclusive
    def v2_runner_on_unreachable(self, result: CallbackTaskResult) -> None:
        seconds = self._end(result)
        self._worked(failed=not result.task.ignore_unreachable)
        if self._verbose:
            self._default("v2_runner_on_unreachable", result)
            return
        sentence = self._show_failure("UNREACHABLE", C.COLOR_UNREACHABLE, result, seconds, f" on {result.host}")
        if not result.task.ignore_unreachable and self._stage is not None:
            self._failures.append((f"{self._stage.name} [{result.host.get_name()}]", sentence))

    @exclusive
    def v2_runner_on_skipped(self, result: CallbackTaskResult) -> None:
        self._end(result)
        if self._verbose:
            self._default("v2_runner_on_skipped", result)
        else:
            self._erase()
            self._handle_warnings(result.result)

    # ---- hooks: items, retries, jobs, differences ----

    @exclusive
    def v2_runner_item_on_ok(self, result: CallbackTaskResult) -> None:
        if self._verbose:
            self._default("v2_runner_item_on_ok", result)
            return
        if isinstance(result.task, TaskInclude):
            return
        self._worked()
        if result.task.resolved_action == "ansible.builtin.debug":
            self._show_debug(result)
        elif result.result.get("changed"):
            self._show_task("changed", C.COLOR_CHANGED, result, label=self._item(result))

    @exclusive
    def v2_runner_item_on_failed(self, result: CallbackTaskResult) -> None:
        if self._verbose:
            self._default("v2_runner_item_on_failed", result)
            return
        self._worked()
        self._show_failure("failed", C.COLOR_ERROR, result, label=self._item(result))

    @exclusive
    def v2_runner_item_on_skipped(self, result: CallbackTaskResult) -> None:
        if self._verbose:
            self._default("v2_runner_item_on_skipped", result)

    @exclusive
    def v2_runner_retry(self, result: CallbackTaskResult) -> None:
        if self._verbose:
            self._default("v2_runner_retry", result)

    @exclusive
    def v2_runner_on_async_poll(self, result: CallbackTaskResult) -> None:
        if self._verbose:
            self._default("v2_runner_on_async_poll", result)

    @exclusive
    def v2_runner_on_async_ok(self, result: CallbackTaskResult) -> None:
        if self._verbose:
            self._default("v2_runner_on_async_ok", result)

    @exclusive
    def v2_runner_on_async_failed(self, result: CallbackTaskResult) -> None:
        if self._verbose:
            self._default("v2_runner_on_async_failed", result)

    @exclusive
    def v2_on_file_diff(self, result: CallbackTaskResult) -> None:
        if self._verbose:
            self._default("v2_on_file_diff", result)
            return
        data = result.result
        parts = data.get("results", []) if result.task.loop else [data]
        for part in parts:
            if isinstance(part, dict) and part.get("diff") and part.get("changed"):
                text = self._get_diff(part["diff"]).rstrip()
                if text:
                    self._show_header()
                    self._say(text)


def subtitle(task: Task) -> str:
    """The name that was given to the C(include_role) or C(import_role) which led here, or nothing."""
    parent = task._parent
    while parent is not None:
        if isinstance(parent, IncludeRole):
            # "file | What it does", where a file of tasks includes the role
            return str(parent.name or "").strip().rpartition(" | ")[2]
        parent = parent._parent
    return ""


def quoted(lines: t.Any) -> list[str]:
    """The end of what was seen, set off from what we say about it."""
    kept = [plain(str(line).rstrip()) for line in ([lines] if isinstance(lines, str) else lines)]
    return [f"      | {line}" for line in kept[-EVIDENCE_LINES:]]


def named_lines(name: str, value: t.Any) -> list[str]:
    """C(name: value), the value below its name where it takes several lines."""
    lines = as_lines(value)
    return [f"{name}: {lines[0]}"] if len(lines) == 1 else [f"{name}:", *(f"  {line}" for line in lines)]


def short_path(path: str) -> str:
    """A C(file:line) as seen from the current folder, where that is shorter."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(path) else path


def is_utf8() -> bool:
    """Tell whether the screen can show block characters."""
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def stage_table(stages: t.Sequence[Stage], total: float, *, utf8: bool) -> list[str]:
    """The seconds by stage as lines, with bars, the slowest named; nothing where there was but one stage."""
    stages = [stage for stage in stages if stage.seconds >= 0.05]
    if len(stages) < 2:
        return []
    slowest = max(stages, key=lambda stage: stage.seconds)
    width = max(len("Seconds by stage"), *(len(stage.name) for stage in stages))
    lines = ["", "Seconds by stage"]
    for stage in stages:
        blocks = ("█" if utf8 else "#") * max(1, round(BAR_WIDTH * stage.seconds / slowest.seconds))
        mark = "  slowest" if stage is slowest else ""
        lines.append(f"  {stage.name:<{width}}  {stage.seconds:>7.1f}  {blocks}{mark}")
    return [*lines, f"  {'in all':<{width}}  {total:>7.1f}"]
