# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Terminal output of a playbook: stages, progress, changes, and the causes of failures."""

from __future__ import annotations

DOCUMENTATION = r"""
name: journey
type: stdout
short_description: shows a playbook as stages, with progress, durations and the causes of failures
version_added: 0.1.0
author:
  - the kubernaut.coverage authors (@kubernaut)
description:
  - Each role of a play is a stage with a header, a closing line and its duration.
    Tasks without a role belong to the stage of their play.
  - A task is shown only if it changed something, failed, or took longer than five seconds.
    With C(-v) and above every task and result is shown as P(ansible.builtin.default#callback) does.
  - While a task takes long, a line shows the task, the elapsed time and the current step.
    On a terminal that line is updated in place every second; elsewhere one is printed after five seconds,
    then every 15 seconds or when the step changes.
  - A module reports its current step by appending lines to the file in the environment variable
    E(KUBERNAUT_COVERAGE_PROGRESS). This plugin creates that file and sets the variable; modules that run on the
    controller inherit it.
  - A failed result with a C(verdict) (cause, sentence, evidence, remedy, setting) is printed as text, not as JSON.
  - At the end it prints the seconds by stage, then the usual C(PLAY RECAP). After a failure, the last lines name the
    failed stage, its verdict in one sentence, and the folder with the diagnostics of M(kubernaut.coverage.evidence).
extends_documentation_fragment:
  - default_callback
  - result_format_callback
options:
  stages_file:
    description:
      - File to write the stages and their seconds to, as JSON, whenever a stage ends.
      - A list C(stages) of C(name), C(role), C(seconds), C(tasks), C(changed) and C(failed), and the total C(seconds).
    type: path
    env:
      - name: KUBERNAUT_COVERAGE_STAGES
    ini:
      - section: callback_journey
        key: stages_file
  on_interrupt:
    description:
      - What happens after Ctrl-C. V(tell) says in one paragraph what exists, where the log is, and which command
        collects the counters. V(collect) also runs that command at once.
    type: str
    choices: [tell, collect]
    default: tell
    env:
      - name: KUBERNAUT_COVERAGE_ON_INTERRUPT
    ini:
      - section: callback_journey
        key: on_interrupt
requirements:
  - set as stdout in configuration
"""

EXAMPLES = r"""
ansible_cfg: |
  [defaults]
  stdout_callback = kubernaut.coverage.journey
"""

import atexit
import os
import shutil
import sys
import time
import typing as t

from ansible import constants as C
from ansible import context
from ansible.playbook.task_include import TaskInclude
from ansible.utils.color import stringc
from ansible_collections.kubernaut.coverage.plugins.plugin_utils._journey.failures import explain
from ansible_collections.kubernaut.coverage.plugins.plugin_utils._journey.interruption import Unfinished, collecting
from ansible_collections.kubernaut.coverage.plugins.plugin_utils._journey.screen import LONG, Screen, exclusive
from ansible_collections.kubernaut.coverage.plugins.plugin_utils._journey.stages import stage_table
from ansible_collections.kubernaut.coverage.plugins.plugin_utils._journey.tasks import is_rescued
from ansible_collections.kubernaut.coverage.plugins.plugin_utils._journey.text import (
    as_lines,
    duration,
    is_utf8,
    named_lines,
    plain,
    short_path,
)

if t.TYPE_CHECKING:
    from ansible.executor.stats import AggregateStats
    from ansible.executor.task_result import CallbackTaskResult
    from ansible.inventory.host import Host
    from ansible.playbook import Playbook
    from ansible.playbook.play import Play
    from ansible.playbook.task import Task

EVIDENCE_ACTION = "kubernaut.coverage.evidence"
# states of a preflight's findings
STATE_COLORS = {"error": C.COLOR_ERROR, "warning": C.COLOR_WARN, "advice": C.COLOR_HIGHLIGHT}


class CallbackModule(Screen):
    """Stages on the screen; with C(-v), every task like the default callback."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "kubernaut.coverage.journey"

    def _show_findings(self, data: t.Mapping[str, t.Any]) -> None:
        """Print the table of a preflight, at the width of the terminal."""
        preflight = data.get("preflight")
        if not isinstance(preflight, dict) or not isinstance(data.get("findings"), list):
            return
        from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.table import shown, table

        findings = shown(data["findings"], preflight["show"])
        width = shutil.get_terminal_size((100, 24)).columns - 2
        title, *lines = table(findings, width, title=preflight["title"])
        if len(findings) < len(data["findings"]):
            title = (f"{preflight['title']}: {data['summary']}", "")
        self._show_header()
        for line, state in [title, *lines]:
            self._say(f"  {plain(line)}", STATE_COLORS.get(state))

    # ---- failures ----

    def _show_failure(
        self, state: str, color: str, result: CallbackTaskResult, seconds: float = 0.0, label: str = ""
    ) -> str:
        """Show why a task failed; return the cause as one sentence."""
        data = result.result
        self._show_header()
        self._handle_warnings(data)
        self._show_findings(data)
        stderr = bool(self.get_option("display_failed_stderr"))
        lines = [f"  {stringc(state, color)} {self._prefix(result)}{self._name(result.task)}{label}"]
        if seconds >= 1.0:
            lines[0] += f" ({duration(seconds)})"
        sentence, reasons = explain(data)
        lines += reasons
        path = result.task.get_path()
        if path:
            lines.append(f"    Task: {short_path(path)}")
        for line in lines:
            self._say(line, stderr=stderr)
        return sentence

    # ---- hooks: playbook and plays ----

    @exclusive
    def v2_playbook_on_start(self, playbook: Playbook) -> None:
        self._started = self._last_output = time.monotonic()
        self._default("v2_playbook_on_start", playbook)
        if self._progress is None:
            atexit.register(self._end_program)
            self._begin_ticking()

    def _end_program(self) -> None:
        """At the end of the program: say what is left, unless the playbook reached its own end."""
        self._close()
        if os.getpid() != self._pid or self._complete:
            return
        for left in self._unfinished.values():
            paragraph = left.paragraph(sys.argv)
            if paragraph:
                self._say(paragraph, C.COLOR_WARN)
        counting = any(left.counting for left in self._unfinished.values())
        if counting and self.get_option("on_interrupt") == "collect":
            # the same process goes on, so that it keeps its leases; what Ansible would remove at its end goes now
            shutil.rmtree(C.DEFAULT_LOCAL_TMP, ignore_errors=True)
            os.execv(sys.executable, [sys.executable, sys.argv[0], *collecting(sys.argv)[1:]])  # noqa: S606 (argv)

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
            self._say(f"Diagnostics: {directory} (start with README.txt)", C.COLOR_ERROR)
        self._write_stages()
        self._complete = True
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
        left = self._unfinished.setdefault(result.host.get_name(), Unfinished())
        left.observe(result.task.resolved_action or "", data)
        # a job that was only started has not changed anything yet; the task that awaits it reports the change
        begun = bool(data.get("ansible_job_id") and result.task.async_val and not result.task.poll)
        changed = bool(data.get("changed")) and not begun
        if isinstance(result.task, TaskInclude):
            if self._verbose:
                self._default("v2_runner_on_ok", result)
            return
        if result.task.resolved_action == EVIDENCE_ACTION and self._failures:
            # it belongs to a failure that is reported at the end, not here
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
        """Print only the message of a debug task."""
        data = dict(result.result)
        self._clean_results(data, result.task.action)
        if "msg" in data:
            lines = as_lines(data["msg"])
        else:
            shown = self._dump_results(data, serialize=False)
            lines = [line for key, value in shown.items() if key != "item" for line in named_lines(str(key), value)]
        self._show_header()
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
        """Return whether this failure was already reported and is raised again after collecting diagnostics."""
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
