# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring every situation of tests/fixtures/observations/situations.py about on a real cluster and record what was seen.

Needs Go and a kind cluster with one worker, named as the situations expect it::

    ansible -m kubernaut.coverage.kind_cluster -a 'name=units-rec workers=1 wait=120' localhost
    PYTHONPATH=.ansible/collections python tests/tools/record_observation.py [NAME ...]

What the gate saw of the faults of tests/faults is kept as it is, from the folder that their runner wrote::

    PYTHONPATH=.ansible/collections python tests/tools/record_observation.py --keep .cache/faults [NAME ...]

Each situation gets a namespace of its own, which is deleted in the end. A recording is what the gate itself saw when
it gave up, or, for a workload that becomes ready, one look for each thing that was still missing on the way there.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import subprocess
import sys
import tempfile
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fixtures" / "observations"))

import situations as known
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.architecture import host_architecture
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode import (
    ORIGINAL,
    Settings,
    in_coverage_mode,
    switch_on,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Cluster, Object
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import Observation
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.archive import ImageArchive
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.new_image import (
    NewImage,
    write_image,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.node_images import Node
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness import wait as gate
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.engine import terminal_verdict
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness.progress import missing

CLUSTER = "units-rec"
CONTROL_PLANE, WORKER = NODES = (f"{CLUSTER}-control-plane", f"{CLUSTER}-worker")
AT_ONCE = 3  # situations side by side


UNUSED = (
    *("ownerReferences", "hostIPs", "podIPs", "hostIP", "podIP", "priority", "qosClass"),
    *("terminationMessagePath", "preemptionPolicy", "generateName"),
    *("reportingComponent", "reportingInstance", "source", "projected", "resourceVersion", "lastHeartbeatTime"),
    *("lastProbeTime", "containerID", "imageID", "progressDeadlineSeconds", "revisionHistoryLimit"),
)


def load_images(podman: Podman) -> None:
    """Build the program in all its variants and put it on the nodes."""
    with tempfile.TemporaryDirectory() as folder:

        def build(name: str, *flags: str, **environment: str) -> str:
            subprocess.run(
                ["go", "build", *flags, "-ldflags=-s -w", "-o", f"{folder}/{name}", "."],
                cwd=known.PROGRAM,
                env={**os.environ, "CGO_ENABLED": "0", **environment},
                check=True,
            )
            return f"{folder}/{name}"

        def load(reference: str, binary: str, nodes: t.Sequence[str] = NODES, *, name: str = known.NAME) -> None:
            # what the image says of its architecture is what the node wants to read, as with a GOARCH fixed in a
            # Containerfile
            base = None if name == known.NAME else ImageArchive(f"{folder}/program.tar")
            archive = f"{folder}/{name}.tar"
            write_image(archive, NewImage(reference, binary, name, host_architecture()), base)
            for node in nodes:
                Node(podman, node).load(archive, reference)

        plain, instrumented = build("plain"), build("instrumented", "-cover", "-covermode=atomic")
        load(known.PLAIN, plain)
        load(known.ELSEWHERE, plain, [CONTROL_PLANE])
        load(known.FOREIGN, build("foreign", GOARCH="s390x" if host_architecture() == "arm64" else "arm64"))
        load(known.INSTRUMENTED, instrumented)
        load(known.WRAPPED, plain, name="wrapper")


def merged(base: t.Any, change: t.Any) -> t.Any:
    """Dictionaries are merged, lists are joined, all else is replaced."""
    if isinstance(base, dict) and isinstance(change, dict):
        return {**base, **{key: merged(base.get(key), value) for key, value in change.items()}}
    if isinstance(base, list) and isinstance(change, list):
        return [*base, *change]
    return copy.deepcopy(change)


def settings_of(namespace: str) -> Settings:
    """How the program runs: each namespace is a run of its own."""
    return Settings(
        container=known.CONTAINER, image=known.INSTRUMENTED, run=namespace, component=known.NAME, grace_period=5
    )


def deployment(namespace: str, situation: known.Situation) -> Object:
    """The Deployment of a situation, in coverage mode."""
    labels = {"app": known.NAME}
    normal = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": known.NAME, "namespace": namespace},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "containers": [
                        {
                            "name": known.CONTAINER,
                            "image": known.PLAIN,
                            "args": list(situation.arguments),
                            "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1},
                        }
                    ]
                },
            },
        },
    }
    changed = in_coverage_mode(normal, settings_of(namespace))
    changed["spec"] = merged(changed["spec"], situation.spec)
    pod = changed["spec"]["template"]["spec"]
    pod["containers"][0] = merged(pod["containers"][0], situation.container)
    changed["spec"]["template"]["spec"] = {**merged(pod, situation.pod), "containers": pod["containers"]}
    return changed


class Stage:
    """One situation in its namespace."""

    def __init__(self, kubeconfig: str, podman: Podman, name: str, situation: known.Situation) -> None:
        self.cluster, self.podman, self.name, self.situation = Cluster(kubeconfig), podman, name, situation
        self.namespace = f"units-{name}"
        self.target = gate.Target(
            kind="Deployment",
            namespace=self.namespace,
            name=situation.name,
            container=known.CONTAINER,
            nodes=NODES,
            volume_directory=settings_of(self.namespace).volume_directory,
        )

    def __enter__(self) -> Stage:
        for node in NODES:
            # of an earlier recording
            self.podman.exec(node, "rm", "-rf", self.target.volume_directory, purpose="clear a folder")
        return self

    def __exit__(self, *_error: object) -> None:
        if self.situation.node_down:
            self.kubelet("start")
        self.cluster.delete(f"/api/v1/namespaces/{self.namespace}")

    def apply(self, situation: known.Situation) -> None:
        """Apply a situation, its namespace first; wait for the namespace's own account, which all pods need."""
        space = {"name": self.namespace, "labels": situation.labels}
        objects = [{"apiVersion": "v1", "kind": "Namespace", "metadata": space}, *copy.deepcopy(situation.objects)]
        for item in objects[1:]:
            item["metadata"]["namespace"] = self.namespace
        switch_on(self.cluster, self.podman, (), objects)
        while self.cluster.get(f"/api/v1/namespaces/{self.namespace}/serviceaccounts/default") is None:
            time.sleep(0.1)
        workload = deployment(self.namespace, situation)
        if situation.folder_mode:
            # before there is a pod: its own folder gets the same mode
            switch_on(self.cluster, self.podman, NODES, [{**workload, "spec": {**workload["spec"], "replicas": 0}}])
            for node in NODES:
                self.podman.exec(
                    *[node, "chmod", situation.folder_mode, self.target.volume_directory], purpose="set a mode"
                )
            self.cluster.apply(workload)
        else:
            switch_on(self.cluster, self.podman, NODES, [workload])

    def never(self) -> list[Observation]:
        """What the gate saw when it gave up."""
        self.apply(self.situation)
        try:
            gate.wait_until_ready(self.cluster, self.podman, self.target, self.situation.patience)
        except gate.NotReady as error:
            print(f"{self.name}: {error.seen.waited:.1f} s, {error.cause}: {error.message}", flush=True)
            return [error.seen]
        raise SystemExit(f"{self.name} became ready")

    def fine(self) -> list[Observation]:
        """One look for each thing that was missing on the way to being ready; no rule may say that it never will be."""
        if self.situation.before is not None:
            self.apply(self.situation.before)
            try:
                gate.wait_until_ready(self.cluster, self.podman, self.target, self.situation.patience)
            except gate.NotReady as error:
                assert self.situation.before.terminal, error.message
        if self.situation.node_down:
            self.kubelet("stop")
        self.apply(self.situation)
        started, kept = time.monotonic(), {}
        while True:
            seen = gate.observe(self.cluster, self.podman, self.target, waited=time.monotonic() - started)
            verdict = terminal_verdict(seen)
            kept["verdict" if verdict else "ready" if gate.is_ready(seen) else missing(seen)] = seen
            if verdict or gate.is_ready(seen) or seen.waited > self.situation.patience:
                break
            if self.situation.node_down and seen.waited > 6:
                self.kubelet("start")
            time.sleep(gate.POLL)
        print(f"{self.name}: {seen.waited:.1f} s, {', '.join(kept)}", verdict or "", flush=True)
        assert gate.is_ready(seen), self.name
        return list(kept.values())

    def kubelet(self, command: str) -> None:
        """Stop the worker's kubelet and wait until Kubernetes knows, or start it."""
        self.podman.exec(WORKER, "systemctl", command, "kubelet", purpose=f"{command} the kubelet")
        while command == "stop":
            node = self.cluster.get(f"/api/v1/nodes/{WORKER}") or {}
            if any(taint["key"].startswith("node.kubernetes.io/") for taint in node["spec"].get("taints") or []):
                return
            time.sleep(1)


def write(path: Path, value: dict[str, t.Any]) -> None:
    """Write a recording, a line for each of its parts."""
    parts = [
        f"{json.dumps(key)}: {json.dumps(part, sort_keys=True, separators=(',', ':'))}" for key, part in value.items()
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def trimmed(seen: Observation) -> dict[str, t.Any]:
    """An observation without what is empty, and what no rule looks at, but which is long or changes each time."""
    value = _trimmed(seen)
    for item in value.get("dependencies") or []:
        item["workloads"] = [_trimmed(Observation.from_dict(behind)) for behind in item["workloads"]]
    return value


def _trimmed(seen: Observation) -> dict[str, t.Any]:
    value = {key: item for key, item in seen.as_dict().items() if item or key in ("workload", "waited")}
    for node in value.get("nodes") or []:
        status = node["status"]
        node["metadata"] = {key: node["metadata"][key] for key in ("name", "labels")}
        kept = ("conditions", "allocatable")
        node["status"] = {key: status[key] for key in kept if key in status} | {"images": []}
        node["status"]["nodeInfo"] = {"architecture": (status.get("nodeInfo") or {}).get("architecture", "")}
        # without digests and the cluster's own
        for image in status.get("images") or []:
            names = [name for name in image["names"] or [] if "/observed" in name or "/faults" in name]
            node["status"]["images"] += [{"names": names}] * bool(names)
    for item in (*value.get("replica_sets", []), value["workload"] or {"metadata": {}}):
        (item["metadata"].get("annotations") or {}).pop(ORIGINAL, None)
    for event in value.get("events") or []:
        event["metadata"] = {"name": event["metadata"]["name"]}
    return t.cast("dict[str, t.Any]", without(value, UNUSED))


def without(value: t.Any, keys: t.Container[str]) -> t.Any:
    """Leave out these keys, wherever they are."""
    if isinstance(value, dict):
        return {key: without(item, keys) for key, item in value.items() if key not in keys}
    return [without(item, keys) for item in value] if isinstance(value, list) else value


def record(kubeconfig: str, podman: Podman, name: str) -> None:
    """Bring one situation about and record it."""
    situation = known.NEVER.get(name) or known.FINE[name]
    with Stage(kubeconfig, podman, name, situation) as stage:
        moments = stage.never() if name in known.NEVER else stage.fine()
    for old in known.RECORDED.glob(f"{name}.*.json"):
        old.unlink()
    for number, seen in enumerate(moments, start=1):
        write(known.RECORDED / f"{name}.{number}.json", trimmed(seen))


def keep(folder: Path, names: t.Sequence[str]) -> None:
    """Keep what was seen of faults as recordings; where nothing was seen, nothing is."""
    for path in sorted(folder.glob("*/observation.json")):
        name = path.parent.name
        if not names or name in names:
            seen = Observation.from_dict(json.loads(path.read_text(encoding="utf-8")))
            write(known.FAULTS / f"{name}.json", trimmed(seen))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="situations; all by default")
    parser.add_argument("--kubeconfig", default=f"~/.cache/kubernaut-coverage/clusters/{CLUSTER}/kubeconfig")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="only keep what the faults' runner wrote there")
    options = parser.parse_args()
    if options.keep:
        keep(options.keep, options.names)
        return
    kubeconfig = str(Path(options.kubeconfig).expanduser())
    podman = Podman()
    load_images(podman)
    names = options.names or [*known.NEVER, *known.FINE]
    # a node that is down would be in the way of the others
    alone = [name for name in names if name in known.FINE and known.FINE[name].node_down]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        failed = []
        for name, done in [
            (name, pool.submit(record, kubeconfig, podman, name)) for name in names if name not in alone
        ]:
            error = done.exception()
            if error is not None:
                failed.append(name)
                print(f"{name} failed: {error!r}", flush=True)
    for name in alone:
        record(kubeconfig, podman, name)
    if failed:
        raise SystemExit(f"not recorded: {', '.join(failed)}")


if __name__ == "__main__":
    main()
