# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Causes of the programs and the API that every stage uses."""

from __future__ import annotations

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import CAUSES, Cause

CAUSES.add(
    "Kubernetes, podman and other programs",
    Cause(
        "leased-elsewhere",
        title="Another run holds what is wanted",
        why="A cluster, a workload or images are in use by a run that is named, and it did not end in time.",
        remedy="Wait until it has ended, end it, or use another name.",
    ),
    Cause(
        "no-kubeconfig",
        title="The kubeconfig does not exist",
        why="There is no such file.",
        remedy="Create the cluster first.",
    ),
    Cause(
        "bad-kubeconfig",
        title="The kubeconfig cannot be used",
        why="The message says why.",
        remedy="Correct it.",
    ),
    Cause(
        "auth-file-missing",
        title="A certificate or key file does not exist",
        why="An authentication option names a file that is not there.",
        remedy="Correct the option.",
    ),
    Cause(
        "unauthorized",
        title="The API server does not accept the credentials",
        why="The token, certificate or user is unknown or has expired.",
        remedy="Use another token, certificate or user.",
    ),
    Cause(
        "certificate-refused",
        title="A certificate is not trusted",
        why="The client does not trust the API server's certificate, or the API server refused the client's.",
        remedy="Correct `ca_cert`, or the client's certificate and key.",
    ),
    Cause(
        "impersonation-unsupported",
        title="A stream cannot be opened as another user",
        why=(
            "The Python client for Kubernetes sends no impersonation headers when it opens a stream (a "
            "program in a pod, a port-forward)."
        ),
        remedy="Use that user's own credentials.",
    ),
    Cause(
        "cluster-unreachable",
        title="The API server does not answer",
        why="The cluster does not run, or the network is down.",
        remedy="Check whether the cluster still runs.",
    ),
    Cause(
        "kubernetes-refused",
        title="The API server rejected a request",
        why="Its own words are in the message.",
        remedy="Do what they say.",
    ),
    Cause(
        "crd-missing",
        title="The cluster does not know the kind of an object",
        why="Its CustomResourceDefinition is not installed.",
        remedy="Install it first.",
    ),
    Cause(
        "command-not-found",
        title="A program is not installed",
        why="It is not on the PATH of the host.",
        remedy="Run the role coverage_runner.",
    ),
    Cause(
        "command-failed",
        title="A program failed",
        why="Its last lines are the evidence.",
        remedy="Fix what they say.",
    ),
    Cause(
        "command-timeout",
        title="A program took too long",
        why="It ran past its time limit and was ended.",
        remedy="Do what the message says.",
    ),
    Cause(
        "error",
        title="Something else is wrong",
        why="The collection detected a fault that has no cause of its own.",
        remedy="Do what the message says.",
    ),
)
