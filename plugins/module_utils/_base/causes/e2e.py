# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes of end-to-end tests."""

from __future__ import annotations

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import CAUSES, Cause

CAUSES.add(
    "Tests",
    Cause(
        "tests-command-missing",
        title="The command of the tests does not exist",
        why="The first word of the command is not a program on the runner.",
        remedy="Install it, or give its path.",
        settings=("tests.command",),
    ),
    Cause(
        "tests-folder-missing",
        title="The folder of the tests does not exist",
        why="It is not on the runner.",
        remedy="Correct the folder.",
        settings=("tests.dir",),
    ),
    Cause(
        "port-forward-invalid",
        title="A port-forward is not valid",
        why="An entry has no valid target, port or variable.",
        remedy="Correct the entry.",
        settings=("tests.port_forward",),
    ),
    Cause(
        "port-forward-target-missing",
        title="The target of a port-forward does not exist",
        why="There is no such Service, or it has no such port; the existing ones are named.",
        remedy="Correct the entry.",
        settings=("tests.port_forward",),
    ),
    Cause(
        "port-forward-no-pod",
        title="A port-forward has no ready pod",
        why="No pod behind the Service was ready within 30 s.",
        remedy="Check what the readiness gate says about it.",
    ),
    Cause(
        "port-forward-port-taken",
        title="The local port of a port-forward is in use",
        why="Another program listens on it.",
        remedy="Omit `local_port`: a free one is chosen.",
        settings=("tests.port_forward",),
    ),
    Cause(
        "namespace-missing",
        title="The namespace for the tests does not exist",
        why="The Job of the tests has nowhere to run.",
        remedy="Deploy the service first, or correct the namespace.",
        settings=("workload.namespace",),
    ),
    Cause(
        "tests-failed",
        title="Tests failed",
        why="Tests failed, or their command ended with an error; failed tests are named.",
        remedy="Read `e2e-tests.log` of the run.",
    ),
    Cause(
        "tests-timeout",
        title="The tests took too long",
        why="The time limit ended them.",
        remedy="Raise the limit.",
        settings=("tests.timeout",),
    ),
    Cause(
        "tests-lost",
        title="The pod of the tests was lost",
        why="The pod of tests that run as a Job was deleted or evicted before they ended.",
        remedy="Check the events of its namespace and `kubectl describe node`.",
    ),
    Cause(
        "tests-outcome-missing",
        title="No tests were run",
        why="The outcome of tests is to be judged, and none were run.",
        remedy="Run them first.",
        settings=("e2e_tests#results",),
    ),
    Cause(
        "no-tests-run",
        title="The command ran no test",
        why="It ended without an error, and not one test was run.",
        remedy="Check its filter (`--label-filter`, `-run`) and its packages.",
        settings=("tests.command",),
    ),
    Cause(
        "tests-report-missing",
        title="The tests wrote no JUnit file",
        why="The command did not write the file that is expected.",
        remedy="Correct the path.",
        settings=("tests.junit",),
    ),
    Cause(
        "tests-report-unreadable",
        title="The JUnit file cannot be read",
        why="It is not XML, not JUnit, or has a document type.",
        remedy="Check what wrote it.",
    ),
)
