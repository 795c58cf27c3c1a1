# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""Start the nodes of a cluster again: after C(podman stop), or after the host was rebooted.

A node that starts again gets another address, while the files that kubeadm wrote name the old one: etcd and the API
server bind to it, and kubelet and controllers call it. Those files are corrected, and addresses of the API server in
them become its name, which its certificate contains. The source for which files those are is kind v0.30
(C(images/base/files/usr/local/bin/entrypoint)).
"""

from __future__ import annotations

import json
import re
import ssl
import typing as t
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.command import CommandError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.progress import report_progress
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.waiting import poll
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.config import ClusterConfig
from ansible_collections.kubernaut.coverage.plugins.module_utils._kind.failures import ClusterError
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman

FILES = ("/etc/kubernetes", "/var/lib/kubelet/kubeadm-flags.env", "/kind/kubeadm.conf")
NODE_ADDRESS = re.compile(r"--node-ip=([0-9.]+)")
SERVER = re.compile(r"^\s*server:\s*[\"']?(https://\S+?)[\"']?\s*$", re.MULTILINE)
KUBECTL = ("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf")
INTERVAL = 0.5
ANSWER = 5.0  # seconds for one answer of an API server
RESTART_LIMIT = 180.0  # seconds for all nodes; on an idle host 15 are enough


def api_answers(kubeconfig: str, *, wait: float = 0.0) -> bool:
    """Whether the API server that a kubeconfig names says that it is ready.

    :arg kubeconfig: its text. :arg wait: seconds to ask again.
    """
    server = SERVER.search(kubeconfig)
    if server is None:
        return False
    # nothing is sent and nothing is believed but that somebody answers: who it is, the run finds out with certificates
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    for _waited in poll(INTERVAL, wait):
        try:
            with opener.open(f"{server[1]}/readyz", timeout=ANSWER) as answer:
                if answer.status == 200:
                    return True
        except urllib.error.HTTPError as error:
            # a server that tells nothing to strangers is there, too
            if error.code in (401, 403):
                return True
        except OSError:
            continue
    return False


def restart_nodes(podman: Podman, cluster: str, nodes: t.Sequence[str], *, limit: float = RESTART_LIMIT) -> None:
    """Start the nodes that do not run, correct addresses, and wait until each node has reported itself ready.

    :arg nodes: names of all of them, the control plane first.
    :raises ClusterError: the cluster does not come back; C(cluster-stopped).
    :raises CommandError: podman cannot start a node.
    """
    report_progress(f"cluster {cluster}: starting its nodes again")
    podman.run("start", *nodes, purpose=f'start the nodes of cluster "{cluster}"', timeout=120)
    with ThreadPoolExecutor(max_workers=min(len(nodes), 8)) as pool:
        machines = dict(zip(nodes, pool.map(lambda node: _correct(podman, node, nodes[0]), nodes), strict=True))
    report_progress(f"cluster {cluster}: waiting until its nodes have come back")
    seen = "the API server does not answer"
    for _waited in poll(INTERVAL, limit):
        try:
            answer = podman.exec(
                *[nodes[0], *KUBECTL, "get", "nodes", "--request-timeout", "5s", "--output", "json"],
                purpose="read the nodes",
                timeout=30,
            )
        except CommandError as error:
            seen = error.evidence[-1] if error.evidence else error.message
            continue
        missing = _not_back(json.loads(answer.stdout)["items"], machines)
        if not missing:
            return
        seen = f"not back: {', '.join(missing)}"
    raise ClusterError(
        f'The nodes of cluster "{cluster}" were started again, but it did not come back within {limit:g} s.',
        remedy="Set kind_cluster_recreate: true to replace it.",
        setting="kind_cluster#recreate",
        evidence=[seen],
        cause="cluster-stopped",
    )


def _not_back(items: t.Iterable[t.Mapping[str, t.Any]], machines: t.Mapping[str, str]) -> list[str]:
    """Return the nodes whose kubelet has not reported itself ready since the start.

    Until it has, the API server still shows what it knew before. The entrypoint of a node gives it another machine id
    with each start, which the kubelet reports.
    """
    back = {
        item["metadata"]["name"]
        for item in items
        if item["status"]["nodeInfo"]["machineID"] == machines.get(item["metadata"]["name"])
        and any(one["type"] == "Ready" and one["status"] == "True" for one in item["status"].get("conditions", []))
    }
    return [name for name in machines if name not in back]


def _correct(podman: Podman, node: str, control_plane: str) -> str:
    """Correct the addresses in the files of a node and restart its kubelet; return the node's machine id."""
    flags = podman.exec(node, "cat", FILES[1], purpose=f"read the address of node {node}", timeout=30).stdout
    facts = json.loads(podman.run("inspect", node, purpose=f"read the address of node {node}").stdout)[0]
    networks = (facts.get("NetworkSettings") or {}).get("Networks") or {}
    address = next((item["IPAddress"] for item in networks.values() if item.get("IPAddress")), "")
    known = NODE_ADDRESS.search(flags)
    if known and address and known[1] != address:
        _replace(podman, node, known[1], address, control_plane)
        podman.exec(node, "systemctl", "restart", "kubelet", purpose=f"restart the kubelet of {node}", timeout=60)
    return podman.exec(node, "cat", "/etc/machine-id", purpose=f"read the id of node {node}").stdout.strip()


def _replace(podman: Podman, node: str, old: str, new: str, control_plane: str) -> None:
    """Put a node's address in the place of its old one in every file of kubeadm's."""
    nothing_found = 1
    found = podman.exec(
        *[node, "grep", "--recursive", "--files-with-matches", "--fixed-strings", "--no-messages", old, *FILES],
        purpose=f"look for the old address in node {node}",
        accept=(0, nothing_found, 2),  # 2: a worker does not have all of the files
    ).stdout.split()
    pattern = re.escape(old)
    if found:
        podman.exec(
            *[node, "sed", "--in-place"],
            *["--expression", rf"s#https://{pattern}:6443#https://{control_plane}:6443#g"],
            *["--expression", rf"s#\b{pattern}\b#{new}#g"],
            *found,
            purpose=f"correct the addresses in node {node}",
        )


def wait_ready(podman: Podman, config: ClusterConfig, seconds: int) -> None:
    """Wait until every node is ready: kind's own wait looks at control planes only and ends well in any case."""
    node = config.node_names()[0]
    report_progress(f"cluster {config.name}: waiting for its nodes to be ready")
    try:
        podman.exec(
            *[node, *KUBECTL, "wait", "nodes", "--all", "--for=condition=Ready", f"--timeout={seconds}s"],
            purpose=f'wait for the nodes of cluster "{config.name}"',
            timeout=seconds + 30,
        )
    except CommandError as error:
        seen = podman.exec(
            *[node, *KUBECTL, "get", "nodes", "--output", "json"], purpose="read the nodes' conditions", timeout=30
        )
        conditions = [
            f"{item['metadata']['name']}: {condition.get('reason')}: {condition.get('message')}"
            for item in json.loads(seen.stdout)["items"]
            for condition in item["status"].get("conditions", [])
            if condition["type"] == "Ready" and condition["status"] != "True"
        ]
        raise ClusterError(
            f'Not every node of cluster "{config.name}" was ready after {seconds} s.',
            remedy="The cluster exists; read the evidence, or allow more time.",
            setting="kind_cluster#wait",
            evidence=conditions or error.evidence,
            cause="nodes-not-ready",
        ) from error
