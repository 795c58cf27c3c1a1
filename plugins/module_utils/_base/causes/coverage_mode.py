# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes of workloads that cannot be put into coverage mode or back."""

from __future__ import annotations

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import CAUSES, Cause

CAUSES.add(
    "Coverage mode",
    Cause(
        "workload-not-in-manifests",
        title="The manifests do not have the workload",
        why="The nearest name is given.",
        remedy="Correct kind or name.",
        settings=(
            "workload.name",
            "workload.kind",
        ),
    ),
    Cause(
        "container-not-in-workload",
        title="The workload does not have the container",
        why="The nearest name is given.",
        remedy="Correct the name.",
        settings=("workload.container",),
    ),
    Cause(
        "coverage-volume-taken",
        title="The name of the volume is taken",
        why="The workload has a volume named `coverage-data` of its own.",
        remedy="Rename it.",
    ),
    Cause(
        "coverage-directory-taken",
        title="The folder for counters is taken",
        why="The workload mounts something else at that path.",
        remedy="Use another path.",
        settings=("coverage.directory",),
    ),
    Cause(
        "workload-not-in-cluster",
        title="The cluster does not have the workload",
        why=(
            "No manifest is given, and the cluster has no such workload. The nearest name, or the kind "
            "that has it, is given."
        ),
        remedy="Correct kind or name.",
        settings=(
            "workload.name",
            "workload.kind",
        ),
    ),
    Cause(
        "workload-kind-unsupported",
        title="The kind of the workload is not supported",
        why="Coverage mode does not know it. What created a ReplicaSet is named.",
        remedy="Name the workload that owns it.",
        settings=("workload.kind",),
    ),
    Cause(
        "workload-owned",
        title="Another workload owns this one",
        why="Its owner would recreate it without coverage; it is named.",
        remedy="Name the owner.",
        settings=(
            "workload.name",
            "workload.kind",
        ),
    ),
    Cause(
        "job-still-runs",
        title="The Job still runs",
        why="A Job cannot be changed in place.",
        remedy="Wait for its end, or suspend it.",
    ),
    Cause(
        "workload-not-deleted",
        title="The workload cannot be recreated",
        why=(
            "It was deleted and does not go away. Its definition is in a Secret next to it; the next run "
            "creates it again."
        ),
        remedy="Check its finalizers and its node.",
    ),
    Cause(
        "workload-not-switched",
        title="The workload was rejected",
        why=("The API server accepted it in a dry run and then did not. The normal one was created again."),
        remedy="Do what the message says.",
    ),
    Cause(
        "way-back-unreadable",
        title="The annotation with the way back cannot be read",
        why="It was changed.",
        remedy="Apply the normal manifest, and remove the annotation.",
    ),
    Cause(
        "coverage-folder-not-writable",
        title="The folder for counters cannot be prepared",
        why="No node is named to prepare it on, and no other way is allowed.",
        remedy="Name the nodes, or allow another way.",
        settings=(
            "coverage_mode#nodes",
            "coverage.permission",
            "coverage.init_image",
            "coverage.allow_root",
        ),
    ),
    Cause(
        "admission-webhook-refused",
        title="An admission webhook rejects the object",
        why="It rejected an object, or the pods in coverage mode. It is named, with its own words.",
        remedy="Meet its conditions.",
    ),
    Cause(
        "admission-webhook-unreachable",
        title="An admission webhook does not answer",
        why="The API server has to ask it.",
        remedy="Check whether its program runs.",
    ),
    Cause(
        "admission-policy-refused",
        title="An admission policy rejects the object",
        why="A ValidatingAdmissionPolicy denied it; it is named.",
        remedy="Meet its conditions.",
    ),
    Cause(
        "quota-exceeded",
        title="The quota is exhausted",
        why="A ResourceQuota of the namespace has no room; it is named.",
        remedy="Raise it, or ask for less.",
        settings=("workload.objects",),
    ),
    Cause(
        "pod-security-refused",
        title="Pod Security rejects the pod",
        why="Its level does not allow what the pod needs in coverage mode.",
        remedy="Use another volume or another way to get write permission.",
        settings=(
            "coverage.volume",
            "coverage.permission",
        ),
    ),
    Cause(
        "namespace-terminating",
        title="The namespace is being deleted",
        why="Nothing can be created in it.",
        remedy="Wait until it is gone; a finalizer may hold it.",
    ),
)
