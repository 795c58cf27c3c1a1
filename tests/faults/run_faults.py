# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inject every fault of the library into a real cluster and hold what is said of it against what is right.

``make faults`` or ``make faults ONLY=name,name``. README.md tells how a fault is written.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import dataclasses
import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import typing as t
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import jmespath
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

sys.path.insert(0, str(Path(__file__).resolve().parent))

import fault_library as library
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._coverage_mode import (
    CoverageRequest,
    Settings,
    find_workload,
    in_coverage_mode,
    switch_on,
    turn_on,
    with_namespace,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.client import (
    Cluster,
    KubernetesError,
    describe,
)
from ansible_collections.kubernaut.coverage.plugins.module_utils._observe.observation import Observation
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.cli import Podman
from ansible_collections.kubernaut.coverage.plugins.module_utils._podman.node_images import Node
from ansible_collections.kubernaut.coverage.plugins.module_utils._readiness import wait as gate
from fault_images import FOLDER, Images, reference
from fault_library import Fault, Object, Result, Verdict

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / ".cache" / "faults"
CLUSTERS = Path("~/.cache/kubernaut-coverage/clusters").expanduser()
OWN_CLUSTER = "faults"
PREFIX = "faults-"
NAME = CONTAINER = "faulty"
AT_ONCE = 8  # faults side by side
# generous ends of waits for conditions, in seconds: a busy machine is late with everything
PATIENCE_FOR_SIGN = 60.0  # after a verdict
PATIENCE_FOR_CLUSTER = 300.0  # for Deployments to be available, namespaces to go
BESIDE = ThreadPoolExecutor(32)
WITHOUT_NAMESPACE = ("ValidatingWebhookConfiguration", "PersistentVolume", "StorageClass")
WATCHED = {
    "pods": "/api/v1/pods",
    "events": "/api/v1/events",
    "replicasets": "/apis/apps/v1/replicasets",
    "jobs": "/apis/batch/v1/jobs",
}


class NotSeen(RuntimeError):
    """A sign that had to come did not."""


class Timeline:
    """When the API first showed what: one watch for each kind, over all namespaces of the library."""

    def __init__(self, kubeconfig: str) -> None:
        self.kubeconfig = kubeconfig
        self.seen: dict[str, list[tuple[float, str, Object]]] = {}
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.follow, args=item, daemon=True) for item in WATCHED.items()]

    def __enter__(self) -> Timeline:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.over.set()

    def follow(self, kind: str, path: str) -> None:
        """Note every object of a kind, each time it changes."""
        cluster = Cluster(self.kubeconfig)
        while not self.over.is_set():
            # a watch that breaks off begins anew
            with contextlib.suppress(KubernetesError):
                items, version = cluster.list_with_version(path)
                for item in items:
                    self.note(kind, item)
                for _type, item in cluster.watch(path, seconds=30, resource_version=version):
                    self.note(kind, item)
                    if self.over.is_set():
                        return

    def note(self, kind: str, item: Object) -> None:
        """Keep an object of one of our namespaces with the time."""
        namespace = item.get("metadata", {}).get("namespace", "")
        if namespace.startswith(PREFIX):
            self.seen.setdefault(namespace, []).append((time.monotonic(), kind, item))

    def first(self, namespace: str, sign: t.Mapping[str, str], since: float) -> t.Optional[float]:
        """Return when a sign was first seen, or None."""
        ((kind, expression),) = sign.items()
        compiled = jmespath.compile(expression)
        for moment, of_kind, item in list(self.seen.get(namespace, [])):
            if moment >= since and of_kind == kind and compiled.search(item):
                return moment
        return None


class Stage:
    """One fault in its namespace."""

    def __init__(
        self,
        fault: Fault,
        kubeconfig: str,
        nodes: t.Sequence[str],
        timeline: Timeline,
        *,
        measure: bool = False,
        strict: bool = False,
    ) -> None:
        self.fault, self.nodes, self.timeline = fault, tuple(nodes), timeline
        self.measure, self.strict = measure, strict
        self.rollout: t.Optional[Future[str]] = None
        self.cluster, self.podman = Cluster(kubeconfig), Podman()
        self.output = OUTPUT / fault.name
        self.settings = Settings(
            **{
                "container": CONTAINER,
                "image": reference(fault.image),
                "run": fault.namespace,
                "component": NAME,
                "grace_period": 30,
                **fault.settings,
            }
        )
        self.target = gate.Target(
            kind=fault.kind,
            namespace=fault.namespace,
            name=NAME,
            container=CONTAINER,
            nodes=self.nodes,
            volume_directory=self.settings.volume_directory,
        )
        self.words = {
            "namespace": fault.namespace,
            "folder": self.settings.volume_directory,
            "worker": next((node for node in self.nodes if "control-plane" not in node), self.nodes[0]),
            "control_plane": next(node for node in self.nodes if "control-plane" in node),
        }
        if fault.webhook:
            self.words |= self_signed(f"guard.{fault.namespace}.svc")
        self.space: Object = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": fault.namespace, "labels": dict(fault.labels)},
        }
        self.started = 0.0
        self.seen: t.Optional[Observation] = None

    # the way of a fault

    def run(self) -> Result:
        """Bring the fault about, and return what was said of it."""
        shutil.rmtree(self.output, ignore_errors=True)
        self.output.mkdir(parents=True)
        self.clear()
        verdict = Verdict()
        try:
            self.prepare()
            self.started = time.monotonic()
            try:
                verdict = self.go_through()
            except CoverageError as error:
                self.seen = getattr(error, "seen", self.seen)
                verdict = verdict_of(error.result()["verdict"])
            ended = time.monotonic()
            return self.result(verdict, ended)
        finally:
            self.write("verdict.json", dataclasses.asdict(verdict))
            if self.seen is not None:
                gate.save_evidence(self.seen, str(self.output))
            try:
                self.act(self.fault.cleanup)
            finally:
                self.clear(wait=False)

    def prepare(self) -> None:
        """What is there before the service comes: a namespace, what the service depends on, what the nodes have."""
        fault = self.fault
        self.cluster.apply(self.space)
        for item in with_namespace(self.filled(fault.dependencies), fault.namespace)[1:]:
            self.cluster.apply(item)
        for item in fault.dependencies:
            if item["kind"] == "Deployment":
                self.until_available(item["metadata"]["name"])
        self.act(fault.before)

    def go_through(self) -> Verdict:
        """Coverage mode, gate, tests, extraction, as a journey does; raise what is wrong, or return it."""
        fault, nodes = self.fault, self.nodes if self.fault.folders else ()
        objects = [self.space, self.normal(), *self.filled(fault.objects)]
        if fault.changed or not fault.folders:
            # by hand, as whoever does without the collection's own steps, or changes what they did
            normal = with_namespace(objects, fault.namespace)
            workload = find_workload(normal, fault.kind, NAME)
            changed = library.merged(in_coverage_mode(workload, self.settings), self.filled(fault.changed))
            rest = [item for item in normal if item is not workload]
            switch_on(self.cluster, self.podman, nodes, [*rest, changed])
        else:
            turn_on(
                *(self.cluster, self.podman),
                CoverageRequest(fault.kind, fault.namespace, NAME, self.settings, objects=objects, nodes=nodes),
            )
        if self.measure:
            self.rollout = BESIDE.submit(self.rollout_status)
        meanwhile = BESIDE.submit(self.act, fault.meanwhile)
        self.seen = gate.wait_until_ready(self.cluster, self.podman, self.target, self.fault.patience)
        meanwhile.result()
        if self.fault.stage in ("extraction", "report", "healthy"):
            self.act(self.fault.during)
            return self.extract(gate.pod_process_runs(self.seen))
        return Verdict()

    def extract(self, pods: t.Sequence[Object]) -> Verdict:
        """Stop the workload and bring its counters home, by the collection's module, as a process of its own."""
        options = {
            "kubeconfig": self.cluster.access.kubeconfig,
            "namespace": self.fault.namespace,
            "kind": self.fault.kind,
            "name": NAME,
            "container": CONTAINER,
            "component": NAME,
            "nodes": list(self.nodes),
            "volume_directory": self.settings.volume_directory,
            "destination": str(self.output / "coverdata"),
            "record": str(self.output / "process_runs.json"),
            "pods": list(pods),
            # the kubelet of a busy node reports an ending late; what never ends is not one of these faults
            "timeout": 60,
        }
        found = ask_module("coverage_extraction", options)
        self.write("extraction.json", found)
        return verdict_of(found.get("verdict") or {})

    def result(self, verdict: Verdict, ended: float) -> Result:
        """The row of this fault."""
        fault, seconds = self.fault, None
        if fault.sign and (verdict.cause or fault.stage == "healthy"):
            # what the manifest alone says is known before Kubernetes shows it
            with contextlib.suppress(NotSeen):
                seconds = max(0.0, ended - self.until(fault.sign, PATIENCE_FOR_SIGN, since=self.started))
        elif fault.stage == "apply" and verdict.cause:
            seconds = ended - self.started
        if self.rollout is not None:
            rollout = self.rollout.result()
        elif self.seen is not None and self.seen.rolled_out:
            rollout = "success"
        else:
            rollout = f"{library.ROLLOUT_TIMEOUT} s (computed)" if fault.stage == "gate" else "-"
        expected = dataclasses.replace(fault.expect, says=tuple(self.filled(fault.expect.says)))
        problems = library.judge(dataclasses.replace(fault, expect=expected), verdict, seconds, strict=self.strict)
        seconds = None if fault.stage == "healthy" else seconds
        return Result(fault.name, fault.stage, verdict, seconds, ended - self.started, rollout, problems)

    def rollout_status(self) -> str:
        """What kubectl says of the same workload, and after how long."""
        started = time.monotonic()
        done = subprocess.run(
            [
                *["kubectl", f"--kubeconfig={self.cluster.access.kubeconfig}", f"--namespace={self.fault.namespace}"],
                *["rollout", "status", f"{self.fault.kind}/{NAME}", f"--timeout={library.ROLLOUT_TIMEOUT}s"],
            ],
            capture_output=True,
            check=False,
        )
        return f"{'success after ' if not done.returncode else ''}{time.monotonic() - started:.0f} s (measured)"

    # parts

    def normal(self) -> Object:
        """The normal workload with what the fault has changed in its manifest."""
        fault = self.fault
        workload: Object = yaml.safe_load((library.HERE / "workload.yml").read_text())
        template = workload["spec"]["template"]
        template["spec"] = library.merged(template["spec"], self.filled(fault.pod))
        containers = template["spec"]["containers"]
        at = next(number for number, item in enumerate(containers) if item["name"] == CONTAINER)
        containers[at] = library.merged(containers[at], self.filled(fault.container))
        if fault.arguments:
            containers[at]["args"] = self.filled(list(fault.arguments))
        return library.as_kind(workload, fault.kind, self.filled(fault.spec))

    def filled(self, value: t.Any) -> t.Any:
        """Names of this cluster and namespace put in."""
        return library.filled(value, self.words)

    def act(self, actions: t.Sequence[Object]) -> None:
        """Do what a fault does to nodes, pods and objects, one after the other."""
        for action in self.filled(actions):
            match action:
                case {"node": node, "run": argv}:
                    for name in self.nodes if node == "all" else [node]:
                        self.podman.exec(name, *argv, purpose=f"{argv[0]} for fault {self.fault.name}", timeout=60)
                case {"copy": folder, "to": target}:
                    self.podman.run(
                        "cp", f"{ROOT / folder}/.", f"{self.words['worker']}:{target}", purpose="copy files"
                    )
                case {"kill": name}:
                    self.kill(getattr(signal, f"SIG{name}"))
                case {"change": change}:
                    self.cluster.request(
                        "PATCH", self.target.path, body=change, content_type="application/strategic-merge-patch+json"
                    )
                case {"apply": item}:
                    self.cluster.apply(item, namespace=self.fault.namespace)
                case {"ready": patience}:
                    self.seen = gate.wait_until_ready(self.cluster, self.podman, self.target, patience)
                case {"until": sign, "seconds": seconds}:
                    self.until(sign, seconds, since=time.monotonic())
                case _:
                    raise library.BadFault(f"{self.fault.name}: unknown action {action}")

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to process 1 of each pod's container, from its node."""
        for pod in self.pods():
            for status in pod["status"]["containerStatuses"]:
                if status["name"] == CONTAINER:
                    node, container = pod["spec"]["nodeName"], status["containerID"].rpartition("/")[2]
                    tasks = Node(self.podman, node).ctr("tasks", "ls", purpose=f"list the processes on {node}").stdout
                    (number_of,) = (line.split()[1] for line in tasks.splitlines() if line.startswith(container))
                    self.podman.exec(node, "kill", f"-{number.value}", number_of, purpose="send a signal")

    def pods(self) -> list[Object]:
        """The workload's pods."""
        return self.cluster.list(f"/api/v1/namespaces/{self.fault.namespace}/pods", label_selector=f"app={NAME}")

    def until(self, sign: t.Mapping[str, str], seconds: float, *, since: float) -> float:
        """Wait for a sign and return when it was first seen."""
        deadline = time.monotonic() + seconds
        while (first := self.timeline.first(self.fault.namespace, sign, since)) is None:
            if time.monotonic() > deadline:
                raise NotSeen(f"{sign} was not seen within {seconds:g} s")
            time.sleep(0.1)
        return first

    def until_available(self, name: str) -> None:
        """Wait for a Deployment that the service depends on."""
        deadline = time.monotonic() + PATIENCE_FOR_CLUSTER
        path = f"/apis/apps/v1/namespaces/{self.fault.namespace}/deployments/{name}"
        while ((self.cluster.get(path) or {}).get("status") or {}).get("availableReplicas", 0) < 1:
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"{self.fault.name}: Deployment {name} is not available after {PATIENCE_FOR_CLUSTER:g} s"
                )
            time.sleep(0.3)

    def clear(self, *, wait: bool = True) -> None:
        """Remove the namespace, and the run's folder on the nodes."""
        for item in self.filled([*self.fault.dependencies, *self.fault.objects]):
            if item["kind"] in WITHOUT_NAMESPACE:
                self.cluster.delete(self.cluster.path(item))
        for volume in self.cluster.list("/api/v1/persistentvolumes"):
            # coverage mode's own, where a namespace forbids volumes of the node
            if ((volume["spec"].get("claimRef") or {}).get("namespace")) == self.fault.namespace:
                self.cluster.delete(f"/api/v1/persistentvolumes/{volume['metadata']['name']}")
        path = f"/api/v1/namespaces/{self.fault.namespace}"
        self.cluster.delete(path)
        while wait and self.cluster.get(path) is not None:
            time.sleep(0.3)
        if wait:
            self.clear_folders()

    def clear_folders(self) -> None:
        """Remove the run's folder from the nodes."""
        run = self.settings.volume_directory.rpartition("/")[0]
        for node in self.nodes:
            self.podman.exec(node, "rm", "-rf", run, purpose=f"clear {run} on {node}")

    def left_behind(self) -> list[str]:
        """What is still there of this fault, though nothing should be."""
        name = self.fault.namespace
        left = [f"namespace {name}"] if self.cluster.get(f"/api/v1/namespaces/{name}") else []
        for item in self.filled([*self.fault.dependencies, *self.fault.objects]):
            if item["kind"] in WITHOUT_NAMESPACE and self.cluster.get(self.cluster.path(item)):
                left.append(describe(item))
        for node in self.nodes:
            # the folder, and what is mounted at it
            look = f"ls -d /coverdata/{name} 2>/dev/null; grep /coverdata/{name}/ /proc/mounts || true"
            found = self.podman.exec(node, "sh", "-c", look, purpose=f"look for what is left on {node}")
            left += [f"{line} on {node}" for line in found.stdout.splitlines()]
        return left

    def write(self, name: str, value: t.Any) -> None:
        (self.output / name).write_text(json.dumps(value, indent=1), encoding="utf-8")


def self_signed(host: str) -> dict[str, str]:
    """A certificate for a webhook and its key, as a Secret has them."""
    now = datetime.datetime.now(datetime.UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {
        "certificate": base64.b64encode(certificate.public_bytes(pem)).decode(),
        "key": base64.b64encode(private).decode(),
    }


# the cluster


def nodes_of(name: str) -> list[str]:
    """Names of a cluster's nodes."""
    found = Podman().containers(f"label=io.x-k8s.kind.cluster={name}")
    return sorted(item["Names"][0] for item in found if item["State"] == "running")


def own_cluster(state: str) -> str:
    """Make the library's own cluster and return its kubeconfig, or delete it."""
    size = {"workers": 1, "wait": 120} if state == "present" else {}
    answer = ask_module("kind_cluster", {"name": OWN_CLUSTER, "state": state, **size})
    if answer.get("failed"):
        raise RuntimeError(answer["msg"])
    return str(answer["cluster"]["kubeconfig"])


def ask_module(module: str, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Run a module of the collection and return what it printed; a failure with a verdict is an answer, too."""
    done = subprocess.run(
        [sys.executable, "-m", f"ansible_collections.kubernaut.coverage.plugins.modules.{module}"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": options}),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        answer: dict[str, t.Any] = json.loads(done.stdout)
    except ValueError as error:
        last = (done.stdout + done.stderr).strip().splitlines()[-1:]
        raise RuntimeError(f"module {module} printed no JSON: {''.join(last)}") from error
    if answer.get("failed") and "verdict" not in answer:
        raise RuntimeError(f"module {module} failed: {answer.get('msg')}")
    return answer


def verdict_of(found: t.Mapping[str, t.Any]) -> Verdict:
    """A verdict as the collection gives it, in the library's words; none where there is none."""
    return Verdict(
        cause=found.get("cause", ""),
        sentence=found.get("sentence", ""),
        evidence=list(found.get("evidence") or []),
        remedy=found.get("remedy", ""),
        setting=found.get("setting", ""),
        also=[f"{item.get('cause')}: {item.get('sentence')}" for item in found.get("also") or []],
    )


# all faults


def inject(
    faults: t.Sequence[Fault], cluster: str, kubeconfig: str, *, measure: bool = False, strict: bool = False
) -> list[Result]:
    """Inject faults, some at a time, the longest first; return a row for each."""
    nodes = nodes_of(cluster)
    if len(nodes) < 2 or not Path(kubeconfig).is_file():
        raise RuntimeError(f"there is no running cluster {cluster} with a worker, or no kubeconfig {kubeconfig}")
    images = Images(Podman(), FOLDER)
    images.bring({name for fault in faults for name in fault.all_images}, nodes)
    stages: list[Stage] = []

    def one(fault: Fault) -> Result:
        started = time.monotonic()
        stage = Stage(fault, kubeconfig, nodes, timeline, measure=measure, strict=strict)
        stages.append(stage)
        try:
            result = stage.run()
        except (RuntimeError, ValueError, CoverageError, OSError) as error:
            # a fault that cannot be brought about is a failed check, not the end of the others
            problem = f"could not be brought about: {error}"
            result = Result(fault.name, fault.stage, Verdict(), None, time.monotonic() - started, "-", [problem])
        say(result)
        return result

    try:
        with Timeline(kubeconfig) as timeline:
            # those that wait long by nature state how long, and begin first
            in_turn = sorted(faults, key=lambda fault: (fault.patience == Fault.patience, -fault.patience))
            with ThreadPoolExecutor(AT_ONCE) as pool:
                results = list(pool.map(one, in_turn))
    finally:
        tidy(stages)
        if not os.environ.get("FAULTS_KEEP_IMAGES"):
            images.remove(nodes)
    results.sort(key=lambda result: (result.stage == "healthy", result.name))
    left = [item for stage in stages for item in stage.left_behind()]
    left += [] if os.environ.get("FAULTS_KEEP_IMAGES") else images.left_behind(nodes)
    if left:
        print(f"Left behind: {', '.join(left)}")
        results.append(Result("nothing is left behind", "report", Verdict(), None, 0.0, "-", left))
    return results


def tidy(stages: t.Sequence[Stage]) -> None:
    """Wait until every namespace is gone, then clear the nodes' folders."""
    deadline = time.monotonic() + PATIENCE_FOR_CLUSTER
    for stage in stages:
        path = f"/api/v1/namespaces/{stage.fault.namespace}"
        while stage.cluster.get(path) is not None and time.monotonic() < deadline:
            time.sleep(0.3)
        stage.clear_folders()


def say(result: Result) -> None:
    """One line as soon as a fault has been judged."""
    mark = "ok    " if result.ok else "FAILED"
    after = "" if result.seconds is None else f", {result.seconds:.1f} s after its sign"
    sentence = f"{result.verdict.cause}: {result.verdict.sentence}" if result.verdict.cause else "no verdict"
    print(f"  {mark} {result.name} ({result.waited:.1f} s{after}): {sentence}", flush=True)
    for problem in result.problems:
        print(f"         {problem}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="faults; all by default")
    parser.add_argument("--cluster", help="a kind cluster with a worker; default: one is made, and deleted in the end")
    parser.add_argument("--all", action="store_true", help="those, too, that take long")
    parser.add_argument("--strict", action="store_true", help="a verdict that comes too late is a failure, too")
    parser.add_argument("--measure-rollout", action="store_true", help="run kubectl rollout status beside, to its end")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write the checks there, too")
    options = parser.parse_args()
    names = [name for item in options.names for name in item.split(",") if name]
    try:
        faults = [fault for fault in library.load(names=names) if names or options.all or not fault.slow]
    except library.BadFault as error:
        print(error)
        return 2
    # whoever ends this run wants nothing of it left
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started, load = time.monotonic(), os.getloadavg()[0]
    try:
        cluster = options.cluster or OWN_CLUSTER
        kubeconfig = str(CLUSTERS / cluster / "kubeconfig") if options.cluster else own_cluster("present")
        results = inject(faults, cluster, kubeconfig, measure=options.measure_rollout, strict=options.strict)
    except (RuntimeError, CoverageError) as error:
        print(f"The faults could not be injected: {error}")
        return 2
    finally:
        if not options.cluster:
            own_cluster("absent")
    text = library.table(results)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / "table.md").write_text(f"{text}\n")
    (OUTPUT / "results.json").write_text(json.dumps([dataclasses.asdict(result) for result in results], indent=1))
    facts = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "cpus": os.cpu_count(),
        "load": load,
        "at_once": AT_ONCE,
        "seconds": round(time.monotonic() - started, 1),
    }
    (OUTPUT / "run.json").write_text(json.dumps(facts, indent=1))
    if options.junit:
        options.junit.write_text(library.junit(results))
    print(f"\n{text}\n\n{time.monotonic() - started:.0f} s in all.")
    return 0 if all(result.ok for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
