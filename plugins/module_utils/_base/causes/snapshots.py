# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes of snapshots of running programs."""

from __future__ import annotations

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import CAUSES, Cause

CAUSES.add(
    "Snapshots",
    Cause(
        "no-such-process",
        title="The process does not exist",
        why="No process on this host has that id.",
        remedy="Give the id that `ps` shows on this host.",
        settings=("coverage_snapshot#pid",),
    ),
    Cause(
        "kernel-thread",
        title="The process is a kernel thread",
        why="It has no program in user space.",
        remedy="Give the id of a program.",
        settings=("coverage_snapshot#pid",),
    ),
    Cause(
        "no-permission",
        title="The process may not be read",
        why=(
            "The kernel refuses: another user's process, a user namespace, or Yama's `ptrace_scope`, "
            "which is in the evidence."
        ),
        remedy="Run the task as root (`become: true`), or with `CAP_SYS_PTRACE`.",
    ),
    Cause(
        "no-proc",
        title="There is no proc file system",
        why="The module runs in an environment without /proc.",
        remedy="Run it on the host itself.",
    ),
    Cause(
        "not-elf",
        title="The program is not a readable ELF file",
        why="The process runs a program that has no ELF header.",
        remedy="Give the id of the program itself.",
        settings=("coverage_snapshot#pid",),
    ),
    Cause(
        "not-go",
        title="The program is not a Go program",
        why="It has no Go build information: a shell, an init process, an emulator.",
        remedy="Give the id of the Go program.",
        settings=("coverage_snapshot#pid",),
    ),
    Cause(
        "packed",
        title="The program is packed with UPX",
        why="Its sections are compressed, so nothing in them can be found.",
        remedy="Run it unpacked.",
    ),
    Cause(
        "starting",
        title="The program is still starting",
        why="Not all packages were initialized within the time limit.",
        remedy="Try again. If that does not help, an init function is waiting for something.",
        settings=("coverage_snapshot#timeout",),
    ),
    Cause(
        "unknown-layout",
        title="The Go runtime's data were not found",
        why="This Go release has a layout that is not known.",
        remedy="Report it, with the version of Go.",
    ),
    Cause(
        "unsettled",
        title="The counters did not settle",
        why="They changed during each of 20 copies.",
        remedy="Try again when the program has started.",
    ),
    Cause(
        "no-processes",
        title="The containers are not processes of this host",
        why="Their nodes do not run on the host of the task.",
        remedy="Run the task on the host of the kind cluster; elsewhere, give process ids.",
    ),
    Cause(
        "output-not-writable",
        title="The output directory cannot be written",
        why="It cannot be created, or it is read-only.",
        remedy="Choose another directory.",
        settings=("coverage_snapshot#output",),
    ),
    Cause(
        "nothing-read",
        title="No process could be read",
        why="The evidence has the reason for each.",
        remedy="Do what the evidence says.",
    ),
)
