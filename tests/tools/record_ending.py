# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring every ending of tests/fixtures/observations/ended/endings.py about on a real cluster, and record what was seen.

Needs Go and a kind cluster with one worker::

    PYTHONPATH=.ansible/collections python tests/tools/record_ending.py [--cluster dev] [NAME ...]

Each ending gets a namespace of its own, which is deleted in the end. The extraction is the product's own; what its
rules saw is the recording. A table says for each what the verdict was, whether it was the expected one, and how long
looking, stopping, copying and judging took.
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

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fixtures" / "observations" / "ended"))

import endings as known
from ansible_collections.kubernaut.coverage.plugins.module_utils import _extraction as extraction
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.architecture import host_architecture
from ansible_collections.kubernaut.coverage.plugins.module_utils._extraction.extraction import RUN
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import Cluster, Object
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import containers
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.new_image import (
    NewImage,
    write_image,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.node_images import Node

AT_ONCE = 3
PATIENCE = 60.0
UNUSED = (
    *("tolerations", "ownerReferences", "hostIPs", "podIPs", "hostIP", "podIP", "priority", "qosClass", "projected"),
    *("terminationMessagePath", "dnsPolicy", "enableServiceLinks", "preemptionPolicy", "schedulerName", "generateName"),
    *("reportingComponent", "reportingInstance", "source", "resourceVersion", "imageID", "managedFields"),
    *("allocatedResources", "kubectl.kubernetes.io/default-container"),
)


def load_images(podman: Podman, nodes: t.Sequence[str]) -> None:
    """Build the program in all its variants and put it on the nodes."""
    with tempfile.TemporaryDirectory() as folder:
        for reference, flags in (
            (known.FIRST, ["-cover", "-covermode=atomic"]),
            (known.SECOND, ["-cover", "-covermode=atomic", "-tags=second"]),
            (known.PLAIN, []),
        ):
            subprocess.run(
                ["go", "build", *flags, "-ldflags=-s -w", "-o", f"{folder}/program", "."],
                cwd=known.PROGRAM,
                env={**os.environ, "CGO_ENABLED": "0"},
                check=True,
            )
            archive = f"{folder}/program.tar"
            write_image(archive, NewImage(reference, f"{folder}/program", known.NAME, host_architecture()))
            for node in nodes:
                Node(podman, node).load(archive, reference)


def merged(base: t.Any, change: t.Any) -> t.Any:
    """Dictionaries are merged; lists of named things too, by name; other lists are joined; all else is replaced."""
    if isinstance(base, dict) and isinstance(change, dict):
        return {**base, **{key: merged(base.get(key), value) for key, value in change.items()}}
    if isinstance(base, list) and isinstance(change, list):
        names = {item.get("name") for item in change if isinstance(item, dict)}
        return [*(item for item in base if item.get("name") not in names), *change]
    return copy.deepcopy(change)


class Stage:
    """One ending in its namespace."""

    def __init__(self, cluster: Cluster, podman: Podman, nodes: t.Sequence[str], name: str) -> None:
        self.cluster, self.podman, self.nodes, self.name = cluster, podman, nodes, name
        self.ending = known.ENDINGS[name]
        self.namespace = f"ends-{name}"
        self.directory = f"/coverdata/ends/{name}/{known.NAME}"
        self.image, self.read_only, self.without = known.FIRST, False, False
        self.expected: list[Object] = []
        self.mounted = False
        self.source = extraction.Source(
            kind=self.ending.kind,
            namespace=self.namespace,
            name=known.NAME,
            container=known.CONTAINER,
            component=known.NAME,
            nodes=tuple(nodes[: self.ending.nodes] if self.ending.nodes > 1 else nodes[:1]),
            volume_directory=self.directory,
        )

    def __enter__(self) -> Stage:
        for node in self.nodes:
            self.on(node, "rm", "-rf", str(Path(self.directory).parent))
            self.on(node, "install", "-d", "-m", self.ending.folder_mode, self.directory)
        self.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})
        while self.cluster.get(f"/api/v1/namespaces/{self.namespace}/serviceaccounts/default") is None:
            time.sleep(0.1)
        return self

    def __exit__(self, *_error: object) -> None:
        self.cluster.delete(f"/api/v1/namespaces/{self.namespace}")
        if self.mounted:
            self.on(self.nodes[1], "umount", "-l", self.directory)
        for node in self.nodes:
            self.on(node, "rm", "-rf", str(Path(self.directory).parent))

    def on(self, node: str, *argv: str, accept: t.Container[int] = (0,)) -> str:
        return self.podman.exec(node, *argv, purpose=f"prepare {self.name}", accept=accept).stdout

    # the workload

    def pod_template(self) -> Object:
        """The pod as coverage mode makes it: one folder for counters for each pod, in that of the component."""
        env = [{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
        if not self.without:
            env.append({"name": "GOCOVERDIR", "value": "/coverdata"})
        container = {
            "name": known.CONTAINER,
            "image": self.image,
            "imagePullPolicy": "Never",
            "args": list(self.ending.arguments),
            "env": env,
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "volumeMounts": [
                {
                    "name": "coverage-data",
                    "mountPath": "/coverdata",
                    "subPathExpr": "$(POD)",
                    "readOnly": self.read_only,
                }
            ],
        }
        container = merged(container, self.ending.container)
        if "command" in container:
            del container["args"]
        volume = {"name": "coverage-data", "hostPath": {"path": self.directory, "type": "Directory"}}
        spec = merged({"volumes": [volume], "containers": [container]}, self.ending.pod)
        if self.ending.kind in ("Job", "CronJob"):
            spec["restartPolicy"] = "Never"
        labels = {"app": known.NAME}
        return {"metadata": {"labels": labels, "annotations": {RUN: self.name}}, "spec": spec}

    def workload(self) -> Object:
        template = self.pod_template()
        metadata = {"name": known.NAME, "namespace": self.namespace}
        kind = self.ending.kind
        if kind == "Pod":
            return {"apiVersion": "v1", "kind": kind, **merged(template, {"metadata": metadata})}
        spec: Object = {"template": template}
        if kind == "Job":
            spec["backoffLimit"] = 0
        elif kind == "CronJob":
            spec = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": template, "backoffLimit": 0}}}
        else:
            spec["selector"] = {"matchLabels": template["metadata"]["labels"]}
        if kind in ("Deployment", "StatefulSet"):
            spec["replicas"] = self.ending.replicas
        if kind == "StatefulSet":
            spec["serviceName"] = known.NAME
        group = "batch/v1" if kind in ("Job", "CronJob") else "apps/v1"
        return {"apiVersion": group, "kind": kind, "metadata": metadata, "spec": spec}

    def pods(self) -> list[Object]:
        return self.cluster.list(f"/api/v1/namespaces/{self.namespace}/pods")

    def until(self, what: str, is_so: t.Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            if time.monotonic() > deadline:
                raise SystemExit(f"{self.name}: {what} in vain: {json.dumps([p.get('status') for p in self.pods()])}")
            time.sleep(0.2)

    def status(self, pod: Object) -> Object:
        return next((item for item in containers(pod) if item["name"] == known.CONTAINER), {})

    def deploy(self) -> None:
        self.cluster.apply(self.workload())
        if self.ending.kind == "CronJob":
            return
        wanted = self.ending.replicas

        def running() -> bool:
            here = [pod for pod in self.pods() if "deletionTimestamp" not in pod["metadata"]]
            begun = [pod for pod in here if set(self.status(pod).get("state") or {}) & {"running", "terminated"}]
            return len(begun) >= wanted and len(here) == len(begun)

        self.until("waited for its pods", running)
        # what Go writes when a program starts
        time.sleep(0.5)

    def gate(self) -> None:
        """What the gate would have said of the pods."""
        self.expected = [
            {
                "pod": pod["metadata"]["name"],
                "uid": pod["metadata"]["uid"],
                "node": pod["spec"].get("nodeName", ""),
                "restarts": self.status(pod).get("restartCount", 0),
            }
            for pod in self.pods()
        ]

    # what happens to it

    def wait_for_the_end(self) -> None:
        self.until(
            "waited for the end",
            lambda: (
                bool(self.pods()) and all(pod["status"].get("phase") in ("Succeeded", "Failed") for pod in self.pods())
            ),
        )

    def run_now(self) -> None:
        cron_job = self.cluster.get(self.source.path) or {}
        owner = {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "name": known.NAME,
            "uid": cron_job["metadata"]["uid"],
            "controller": True,
        }
        metadata = {"name": "now", "namespace": self.namespace, "ownerReferences": [owner]}
        spec = cron_job["spec"]["jobTemplate"]["spec"]
        self.cluster.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec})

    def unset_gocoverdir(self) -> None:
        self.without = True
        self.deploy()

    def mount_read_only(self) -> None:
        self.read_only = True
        self.deploy()

    def restarted(self, times: int = 1) -> bool:
        return all(
            self.status(pod).get("restartCount", 0) >= times and "running" in (self.status(pod).get("state") or {})
            for pod in self.pods()
        )

    def wait_for_a_restart(self) -> None:
        self.until("waited for a restart", self.restarted)
        time.sleep(0.5)

    def kill(self) -> None:
        (pod,) = self.pods()
        identity = self.status(pod)["containerID"].partition("://")[2]
        node = pod["spec"]["nodeName"]
        self.on(node, "ctr", "-n", "k8s.io", "tasks", "kill", "--signal", "SIGKILL", identity)
        self.wait_for_a_restart()

    def delete_by_force(self) -> None:
        (pod,) = self.pods()
        self.cluster.delete(f"/api/v1/namespaces/{self.namespace}/pods/{pod['metadata']['name']}", grace_seconds=0)
        self.until(
            "waited for another pod",
            lambda: any(
                other["metadata"]["uid"] != pod["metadata"]["uid"]
                and self.status(other).get("state", {}).get("running")
                for other in self.pods()
            ),
        )
        time.sleep(0.5)

    def small_disk(self) -> None:
        self.on(self.nodes[1], "mount", "-t", "tmpfs", "-o", "size=256k,mode=1777", "tmpfs", self.directory)
        self.mounted = True

    def fill_the_disk(self) -> None:
        # 1: as much as there is room for
        self.on(self.nodes[1], "dd", "if=/dev/zero", f"of={self.directory}/full", "bs=4096", accept=(1,))

    def another_build(self) -> None:
        before = {pod["metadata"]["uid"] for pod in self.pods()}
        self.image = known.SECOND
        self.cluster.apply(self.workload())
        self.until(
            "waited for the other build",
            lambda: bool(self.pods()) and not before & {pod["metadata"]["uid"] for pod in self.pods()},
        )
        time.sleep(0.5)

    def leave_files_of_an_earlier_workload(self) -> None:
        self.deploy()
        self.cluster.delete(self.source.path)
        self.until("waited for the end", lambda: not self.pods())
        # the age of the next one is in whole seconds
        time.sleep(1.1)

    # and then

    def run(self) -> tuple[extraction.Ending, t.Any, dict[str, float]]:
        """Bring it about, extract, look whether the workload was put back; return what was seen, verdict, seconds."""
        if not {"deploy", "unset_gocoverdir", "mount_read_only"} & set(self.ending.actions):
            self.deploy()
            if self.ending.kind != "CronJob":
                self.gate()
        for action in self.ending.actions:
            getattr(self, action)()
            if not self.expected and action in ("deploy", "run_now"):
                self.gate()
        before = self.cluster.get(self.source.path) or {}
        with tempfile.TemporaryDirectory() as folder:
            try:
                outcome = extraction.extract(
                    self.cluster,
                    self.podman,
                    self.source,
                    f"{folder}/coverdata/{known.NAME}",
                    record=f"{folder}/process runs.json",
                    expected=self.expected,
                    timeout=8 if self.ending.kind == "Job" else 15,
                )
                seen, seconds = outcome.ending, outcome.seconds
                verdict: t.Any = outcome.verdict
            except extraction.NotExtracted as error:
                seen, verdict, seconds = error.ending, error, {}
            assert seen is not None
            aside = list(Path(folder).glob("set-aside/**/cov*"))
            assert len([path for path in aside if path.name.startswith("covcounters")]) == self.ending.set_aside, aside
        after = self.cluster.get(self.source.path) or {}
        assert _as_written(before) == _as_written(after), "the workload was not put back"
        return seen, verdict, seconds


def _as_written(workload: Object) -> t.Any:
    """The part of a workload that people write; of a pod, without the name of its token's volume."""
    text = json.dumps(workload.get("spec"), sort_keys=True)
    if workload.get("kind") == "Pod":
        keys = ("containers", "restartPolicy", "terminationGracePeriodSeconds")
        return [
            {key: value for key, value in item.items() if key != "volumeMounts"}
            for item in workload["spec"]["containers"]
        ] + [workload["spec"][key] for key in keys[1:]]
    return text


def without(value: t.Any, keys: t.Container[str]) -> t.Any:
    """Leave out these keys, wherever they are."""
    if isinstance(value, dict):
        return {key: without(item, keys) for key, item in value.items() if key not in keys}
    return [without(item, keys) for item in value] if isinstance(value, list) else value


def write(path: Path, value: t.Mapping[str, t.Any]) -> None:
    """Write a recording, a line for each of its parts."""
    parts = [
        f"{json.dumps(key)}: {json.dumps(part, sort_keys=True, separators=(',', ':'))}" for key, part in value.items()
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def trimmed(seen: extraction.Ending) -> dict[str, t.Any]:
    """What was seen, without what no rule looks at but which is long."""
    value = seen.as_dict()
    about = {pod["metadata"]["name"] for pod in value["pods"]} | {str(item["pod"]) for item in value["expected"]}
    value["events"] = [
        {**event, "metadata": {"name": event["metadata"]["name"]}}
        for event in value["events"]
        if (event.get("involvedObject") or {}).get("name") in about
    ]
    return t.cast("dict[str, t.Any]", without(value, UNUSED))


def record(cluster: Cluster, podman: Podman, nodes: t.Sequence[str], name: str, *, keep: bool) -> str:
    """Bring one ending about, record it, and return its line of the table."""
    started = time.monotonic()
    with Stage(cluster, podman, nodes, name) as stage:
        seen, verdict, seconds = stage.run()
    if keep:
        write(known.RECORDED / f"{name}.json", trimmed(seen))
    cause = "" if verdict is None else verdict.cause
    sentence = "" if verdict is None else getattr(verdict, "sentence", "") or verdict.message
    also = [] if verdict is None else [item.cause for item in verdict.also]
    right = cause == stage.ending.cause and also == list(stage.ending.also)
    took = f"{sum(seconds.values()):.1f}" if seconds else "-"
    return (
        f"{'right' if right else 'WRONG':<6} {name:<28} {cause or '-':<24} {','.join(also) or '-':<10} {took:>5} s"
        f" {time.monotonic() - started:>5.1f} s  {sentence} {seconds}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="endings; all by default")
    parser.add_argument("--cluster", default="dev")
    parser.add_argument("--no-images", action="store_true", help="they are on the nodes already")
    parser.add_argument("--dry-run", action="store_true", help="keep no recordings")
    options = parser.parse_args()
    kubeconfig = f"~/.cache/kubernaut-coverage/clusters/{options.cluster}/kubeconfig"
    podman = Podman()
    nodes = (f"{options.cluster}-control-plane", f"{options.cluster}-worker")
    if not options.no_images:
        load_images(podman, nodes)
    failed = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = [
            (
                name,
                pool.submit(
                    lambda name: record(
                        Cluster(str(Path(kubeconfig).expanduser())), podman, nodes, name, keep=not options.dry_run
                    ),
                    name,
                ),
            )
            for name in options.names or known.ENDINGS
        ]
        for name, done in running:
            error = done.exception()
            line = f"FAILED {name}: {error!r}" if error is not None else done.result()
            print(line, flush=True)
            if not line.startswith("right"):
                failed.append(name)
    if failed:
        raise SystemExit(f"not as expected: {', '.join(failed)}")


if __name__ == "__main__":
    main()
