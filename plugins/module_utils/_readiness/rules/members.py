# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Why the name of one pod of a Service (C(db-0.db)) does not resolve.

Kubernetes gives a pod such a name where its Service is headless and selects it, its subdomain is the Service, and it is
ready or the Service publishes pods that are not (Kubernetes' DNS specification, section on headless Services).
"""

from __future__ import annotations

from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import Object, Observation


def without_name(seen: Observation, service: Object, pod: str) -> tuple[str, str]:
    """Return as a clause why a pod of a Service has no name, and what to change."""
    name, spec = service["metadata"]["name"], service.get("spec") or {}
    if spec.get("clusterIP") != "None":
        return (
            f"Service {name} is not headless, so its pods have no names of their own",
            f"Set clusterIP: None in Service {name} (delete it first: the field cannot be changed).",
        )
    found = next((item for item in seen.pods if item["metadata"]["name"] == pod), None)
    if found is None:
        return _absent(seen, name, pod)
    if (subdomain := found["spec"].get("subdomain") or "") != name:
        has = f"subdomain {subdomain}" if subdomain else "no subdomain"
        return (
            f"pod {pod} has {has}, so it has no name in Service {name}",
            f"Set serviceName: {name} of the StatefulSet (subdomain of another pod), or ask for a name in its Service.",
        )
    labels = found["metadata"].get("labels") or {}
    selector = spec.get("selector") or {}
    if not selector.items() <= labels.items():
        return f"Service {name} does not select pod {pod}", f"Correct spec.selector of Service {name}."
    if found not in seen.ready_pods and not spec.get("publishNotReadyAddresses"):
        return (
            f"pod {pod} is not ready, and Service {name} has names of ready pods only (publishNotReadyAddresses is not"
            " set)",
            f"Set publishNotReadyAddresses: true in Service {name}.",
        )
    return f"pod {pod} of Service {name} had no name yet", "Ask again after a moment: DNS keeps answers for some time."


def _absent(seen: Observation, name: str, pod: str) -> tuple[str, str]:
    """There is no pod of that name: it is not made yet, or never will be."""
    ordered = seen.kind == "StatefulSet" and seen.spec.get("podManagementPolicy", "OrderedReady") == "OrderedReady"
    number = pod.rpartition("-")[2]
    if ordered and pod.startswith(f"{seen.name}-") and number.isdigit() and int(number) < seen.wanted:
        return (
            f"there is no pod {pod} yet: podManagementPolicy OrderedReady makes it after the pods before it are ready",
            f"Set podManagementPolicy: Parallel, and publishNotReadyAddresses: true in Service {name}.",
        )
    return f"there is no pod {pod}", f"Correct the list of members, or spec.replicas ({seen.wanted})."
