# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The screen of the journey: stages, permanent lines, and the progress line."""

from __future__ import annotations

import functools
import json
import os
import shutil
import sys
import threading
import time
import typing as t
from dataclasses import dataclass, field

from ansible import constants as C
from ansible.plugins.callback.default import CallbackModule as DefaultCallback
from ansible.utils.color import stringc
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.files import write_text
from ansible_collections.kubernaut.coverage.plugins.plugin_utils._journey.interruption import Unfinished
from ansible_collections.kubernaut.coverage.plugins.plugin_utils._journey.progress import Progress, Writer
from ansible_collections.kubernaut.coverage.plugins.plugin_utils._journey.stages import Stage, readable
from ansible_collections.kubernaut.coverage.plugins.plugin_utils._journey.tasks import subtitle
from ansible_collections.kubernaut.coverage.plugins.plugin_utils._journey.text import duration, plain

if t.TYPE_CHECKING:
    from ansible.executor.task_result import CallbackTaskResult
    from ansible.inventory.host import Host
    from ansible.playbook.play import Play
    from ansible.playbook.role import Role
    from ansible.playbook.task import Task

# seconds
LONG = 5.0
TERMINAL_SIGN_AFTER = 2.0
SIGN_EVERY = 15.0
HEADER_AFTER = 0.7
TICK = 0.25

OWN_MODULES = "kubernaut.coverage."


@dataclass
class Running:
    """A task that was started on some hosts and has not ended on all of them."""

    name: str
    action: str
    started: float
    hosts: dict[str, float] = field(default_factory=dict)

    @property
    def module(self) -> str:
        """The module's name without its collection, as its process reports it."""
        return self.action.rpartition(".")[2]


_Method = t.TypeVar("_Method", bound=t.Callable[..., None])


def exclusive(method: _Method) -> _Method:
    """Let a hook write without the ticking thread writing in between."""

    @functools.wraps(method)
    def wrapper(self: Screen, *args: t.Any, **kwargs: t.Any) -> None:
        with self._lock:
            method(self, *args, **kwargs)

    return t.cast(_Method, wrapper)


class Screen(DefaultCallback):
    """What a callback needs to show stages and tasks; the hooks are in its subclass.

    A separate thread updates the progress line: writers hold C(_lock).
    """

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
        self._play: Play
        self._running: dict[str, Running] = {}
        self._names: dict[str, str] = {}
        self._jobs: set[str] = set()
        self._failures: list[tuple[str, str]] = []
        self._evidence: list[str] = []
        # by host, until the playbook has reached its end
        self._unfinished: dict[str, Unfinished] = {}
        self._complete = False
        # the progress line
        self._writers_before: frozenset[Writer] = frozenset()
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
        """Erase the progress line, so that the next output starts on an empty line."""
        if self._drawn:
            sys.stdout.write("\r\033[K")
            self._drawn = False

    def _say(self, text: str = "", color: t.Optional[str] = None, *, stderr: bool = False) -> None:
        """Print a permanent line and flush it, which nobody else does behind a pipe."""
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
        """Return the stage of a starting task, which may be its first."""
        role: t.Optional[Role] = task._role
        key = role.get_name() if role is not None else f"play {self._play.get_name()}"
        if self._stage is not None and self._stages.get(key) is self._stage:
            return self._stage
        self._leave()
        stage = self._stages.get(key)
        if stage is None:
            name = readable(key) if role is not None else self._play.get_name().strip()
            stage = self._stages[key] = Stage(name=name, role=key if role is not None else "")
            # the play's line is the header of its own tasks
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
        """Close the current stage, if any: add its seconds, print its closing line, write the file."""
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
        try:
            write_text(path, json.dumps(data, indent=2) + "\n")
        except OSError as error:
            self._erase()
            self._display.warning(f"The seconds by stage cannot be written to {path}: {error.strerror}.")

    # ---- progress line ----

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
        if not self._verbose and now - running.started >= (HEADER_AFTER if stage.role else LONG):
            self._show_header()
        terminal = self._is_terminal()
        patience = TERMINAL_SIGN_AFTER if terminal else LONG
        if now - running.started < patience and now - self._last_output < patience:
            return
        step = self._last_step(running)
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

    def _last_step(self, running: Running) -> str:
        """The last step of the task that is shown; steps of a background job only while nothing else runs."""
        if self._progress is None:
            return ""
        step = self._progress.last_step(running.module, self._writers_before)
        if step or running.action.startswith(OWN_MODULES):
            return step
        # a task that waits for a job or a playbook that it started
        return self._progress.last_step_of_a_living_process()

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
        # "file | What it does": the file name is for readers of the role
        self._names[task._uuid] = name.rpartition(" | ")[2]
        self._writers_before = self._progress.writers() if self._progress else frozenset()

    def _begin(self, host: Host, task: Task) -> None:
        now = time.monotonic()
        name = self._names.get(task._uuid) or (task.name or task.action)
        entry = self._running.setdefault(task._uuid, Running(name=name, action=str(task.action), started=now))
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
        """Keep track of the background jobs."""
        job = result.result.get("ansible_job_id")
        if not job:
            return
        # true or 1, depending on the version of ansible-core
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
        # a role is a stage that is closed with a line; a play between two stages has mostly nothing to show
        if not self._verbose and stage.role:
            self._show_header()

    def _show_task(
        self, state: str, color: str, result: CallbackTaskResult, seconds: float = 0.0, label: str = ""
    ) -> None:
        """Print one line: the result of a task, its host, and its seconds if relevant."""
        self._show_header()
        text = f"  {stringc(f'{state:<8}', color)} {self._prefix(result)}{self._name(result.task)}{label}"
        if seconds >= 1.0:
            text += f" ({duration(seconds)})"
        self._say(text)

    def _item(self, result: CallbackTaskResult) -> str:
        label = self._get_item_label(result.result)
        text = label if isinstance(label, str) else json.dumps(label, default=str, ensure_ascii=False)
        return f": {plain(text)}"

    def _begin_ticking(self) -> None:
        """Create the progress file, and start to show its contents."""
        self._progress = Progress()
        self._ticker = threading.Thread(target=self._tick, name="journey", daemon=True)
        self._ticker.start()

    def _close(self) -> None:
        """Stop the thread before the interpreter exits, and remove the file."""
        if os.getpid() != self._pid:
            return
        self._stop.set()
        if self._ticker is not None:
            self._ticker.join(timeout=5)
        with self._lock:
            self._erase()
            if self._progress is not None:
                self._progress.close()
