# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests: what cannot work is found with its line; what is odd but fine is let be."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.items import made_by
from ansible_collections.kubernaut.coverage.plugins.module_utils._manifests.parse import parse
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight import manifests as lib
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.manifest_set import Manifests
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.manifest_workload import as_non_root
from ansible_collections.kubernaut.coverage.plugins.module_utils._preflight.table import (
    ERROR,
    NOT_APPLICABLE,
    OK,
    STATES,
    WARNING,
    Finding,
)

GOOD = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: gateway
spec:
  selector:
    matchLabels: {app: gateway}
  template:
    metadata:
      labels: {app: gateway, component: webhook}
    spec:
      serviceAccountName: gateway
      containers:
        - name: gateway
          image: localhost/gateway:e2e-test
          imagePullPolicy: Never
          args: ["--config=/etc/gateway/config.yaml"]
          ports:
            - {name: http, containerPort: 8080}
          readinessProbe:
            httpGet: {path: /ready, port: http}
          envFrom:
            - configMapRef: {name: gateway-config}
          env:
            - name: TOKEN
              valueFrom:
                secretKeyRef: {name: gateway-secret, key: token}
          volumeMounts:
            - {name: config, mountPath: /etc/gateway}
            - {name: policies, mountPath: /etc/policies}
      volumes:
        - name: config
          configMap: {name: gateway-config}
        - name: policies
          projected:
            sources:
              - configMap: {name: gateway-policy, items: [{key: a.rego, path: a.rego}]}
              - secret: {name: gateway-secret}
---
apiVersion: v1
kind: Service
metadata: {name: gateway}
spec:
  type: NodePort
  selector: {app: gateway}
  ports:
    - {name: http, port: 80, targetPort: http, nodePort: 30080}
---
apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: ServiceAccount, metadata: {name: gateway}}
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: gateway-config}, data: {config.yaml: a}}
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: gateway-policy}, data: {a.rego: b}}
  - {apiVersion: v1, kind: Secret, metadata: {name: gateway-secret}, stringData: {token: c}}
"""


def known(text: str = GOOD, **rest: t.Any) -> Manifests:
    """What is known of these manifests; nothing is in the namespace."""
    items, found = parse(text, "deploy.yaml")
    assert found == []
    values: dict[str, t.Any] = {
        "namespace": "gw",
        "kind": "Deployment",
        "name": "gateway",
        "container": "gateway",
        "port_mappings": [{"container_port": 30080, "host_port": 38080}],
        "existing": frozenset(),
    }
    return Manifests(items=items, **{**values, **rest})


def wrong(check: str, text: str = GOOD, **rest: t.Any) -> list[Finding]:
    """What one check says is wrong."""
    return [finding for finding in lib.checked(check, known(text, **rest)) if finding.state in (ERROR, WARNING)]


def one(check: str, text: str = GOOD, **rest: t.Any) -> Finding:
    """The one thing that is wrong."""
    found = wrong(check, text, **rest)
    assert len(found) == 1, found
    return found[0]


def changed(old: str, new: str) -> str:
    """The good manifests with one change."""
    assert old in GOOD
    return GOOD.replace(old, new)


@pytest.mark.parametrize("name", list(lib.CHECKS))
def test_good_manifests_are_good(name: str) -> None:
    found = lib.checked(name, known())
    assert [finding.state for finding in found] == [OK], found


# ---- reading ----


def test_files_that_are_missing_are_all_named(tmp_path: Path) -> None:
    (tmp_path / "deployment.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe")
    items, found = lib.read(["deploymint.yaml", "deployment.yaml", "binary.yaml", "no/folder.yaml"], str(tmp_path))
    assert len(items) == 6
    assert [finding.severity for finding in found] == [ERROR] * 3
    assert str(tmp_path / "deployment.yaml") in found[0].remedy
    assert "no folder" in found[2].remedy


def test_no_object_at_all() -> None:
    with pytest.raises(InputError):
        lib.require_items([])


# ---- the workload ----


def test_a_workload_that_is_not_there() -> None:
    found = one("workload", name="gatway")
    assert found.cause == "workload-not-in-manifests"
    assert "the nearest is 'gateway'" in found.text


def test_a_container_that_is_not_there() -> None:
    found = one("workload", container="manager")
    assert (found.cause, found.where) == ("container-not-in-workload", "deploy.yaml:1")
    assert "it has gateway" in found.text


def test_another_namespace() -> None:
    assert (
        "namespace 'other'"
        in one("workload", changed("  name: gateway\nspec", "  name: gateway\n  namespace: other\nspec")).text
    )
    assert wrong("workload", changed("  name: gateway\nspec", "  name: gateway\n  namespace: gw\nspec")) == []


def test_a_selector_that_does_not_select_the_own_pods() -> None:
    assert (
        "selector of Deployment"
        in one("workload", changed("matchLabels: {app: gateway}", "matchLabels: {app: x}")).text
    )


def test_a_command_that_swallows_sigterm() -> None:
    found = one("workload", changed("          args:", '          command: [sh, -c, "/svc && true"]\n          args:'))
    assert (found.state, found.cause, found.where) == (ERROR, "sigterm-lost", "deploy.yaml:14")
    assert wrong("workload", changed("          args:", "          command: [/svc]\n          args:")) == []


def test_which_image_is_replaced_is_said() -> None:
    found = lib.checked("workload-image", known())[0]
    assert found.text == "localhost/gateway:e2e-test is replaced by the instrumented one"
    named = lib.checked("workload-image", known(image="localhost/gateway:e2e-test"))[0]
    assert named.text.endswith("the one that is built")
    assert lib.checked("workload-image", known(name="x"))[0].state == NOT_APPLICABLE


def test_a_sidecar_that_nobody_loads() -> None:
    sidecar = "containers:\n        - {name: side, image: localhost/side:1, imagePullPolicy: Never}\n"
    found = one("workload-image", changed("containers:\n", sidecar))
    assert (found.state, found.where) == (WARNING, "deploy.yaml:14")
    assert "localhost/side:1" in found.text


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ("runAsNonRoot: true", True),
        ("runAsNonRoot: true, runAsUser: 1001", False),
        ("runAsNonRoot: false", False),
        ("", False),
    ],
)
def test_whether_the_image_decides_on_the_user(settings: str, wanted: bool) -> None:
    text = changed("      serviceAccountName", f"      securityContext: {{{settings}}}\n      serviceAccountName")
    assert as_non_root(known(text)) is wanted


# ---- references ----


def test_what_is_missing_where_nothing_can_be_yet_is_an_error() -> None:
    found = wrong(
        "references", changed("kind: Secret, metadata: {name: gateway-secret}", "kind: Secret, metadata: {name: x}")
    )
    assert [(item.state, item.cause, item.where) for item in found] == [
        (ERROR, "reference-unresolved", "deploy.yaml:38"),
        (ERROR, "reference-unresolved", "deploy.yaml:27"),
    ]
    assert "neither in the manifests" in found[0].text


def test_what_may_be_in_the_cluster_is_a_warning() -> None:
    text = changed("kind: Secret, metadata: {name: gateway-secret}", "kind: Secret, metadata: {name: x}")
    assert {item.state for item in wrong("references", text, existing=None)} == {WARNING}
    assert {item.state for item in wrong("references", text, others=True)} == {WARNING}
    assert wrong("references", text, existing={("Secret", "gateway-secret")}) == []


def test_what_is_optional_may_be_missing() -> None:
    text = changed("configMapRef: {name: gateway-config}", "configMapRef: {name: none, optional: true}")
    assert wrong("references", text) == []
    assert (
        wrong("references", changed("configMap: {name: gateway-config}", "configMap: {name: kube-root-ca.crt}")) == []
    )


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("key: a.rego", "key: b.rego", "'b.rego' from ConfigMap 'gateway-policy', which has a.rego"),
        ("key: token", "key: password", "'password' from Secret 'gateway-secret', which has token"),
        ("name: policies, mountPath", "name: policy, mountPath", "mounts the volume 'policy'"),
        (
            "configMapRef: {name: gateway-config}",
            "configMapRef: {name: gateway-cfg}",
            "the nearest is 'gateway-config'",
        ),
    ],
)
def test_references_within_the_manifests(old: str, new: str, says: str) -> None:
    found = one("references", changed(old, new))
    assert found.state == ERROR and says in found.text


def test_a_claim_and_a_claim_template() -> None:
    text = changed(
        "configMap: {name: gateway-config}\n        - name: policies",
        "persistentVolumeClaim: {claimName: data}\n        - name: policies",
    )
    assert "PersistentVolumeClaim 'data'" in one("references", text).text
    stateful = """apiVersion: apps/v1
kind: StatefulSet
metadata: {name: gateway}
spec:
  selector: {matchLabels: {a: b}}
  volumeClaimTemplates: [{metadata: {name: data}}]
  template:
    metadata: {labels: {a: b}}
    spec: {containers: [{name: gateway, volumeMounts: [{name: data, mountPath: /data}]}]}
"""
    assert wrong("references", stateful, kind="StatefulSet") == []
    assert wrong("workload", stateful, kind="StatefulSet") == []


def test_a_service_account_that_nobody_makes() -> None:
    found = one(
        "service-account",
        changed("kind: ServiceAccount, metadata: {name: gateway}", "kind: ServiceAccount, metadata: {name: x}"),
    )
    assert (found.state, found.cause) == (ERROR, "reference-unresolved")
    assert "ServiceAccount 'gateway'" in found.text
    assert wrong("service-account", changed("      serviceAccountName: gateway\n", "")) == []


@pytest.mark.parametrize("kind", ["Job", "CronJob", "Pod", "DaemonSet"])
def test_pods_of_every_kind_are_looked_at(kind: str) -> None:
    pod = "{containers: [{name: c, envFrom: [{secretRef: {name: none}}]}]}"
    spec = {
        "Job": f"{{template: {{spec: {pod}}}}}",
        "DaemonSet": f"{{template: {{spec: {pod}}}}}",
        "CronJob": f"{{jobTemplate: {{spec: {{template: {{spec: {pod}}}}}}}}}",
        "Pod": pod,
    }[kind]
    text = f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: x}}\nspec: {spec}\n"
    assert f"{kind} x needs Secret 'none'" in one("references", text).text


# ---- services, probes, folders ----


@pytest.mark.parametrize(
    ("old", "new", "state", "says"),
    [
        ("selector: {app: gateway}\n  ports", "selector: {app: gatway}\n  ports", WARNING, "app=gatway: no pods"),
        ("targetPort: http", "targetPort: htpp", ERROR, "the nearest is 'http'"),
        ("nodePort: 30080", "nodePort: 8080", ERROR, "outside 30000-32767"),
    ],
)
def test_services(old: str, new: str, state: str, says: str) -> None:
    found = [item for item in wrong("services", changed(old, new)) if says in item.text]
    assert [item.state for item in found] == [state]
    assert found[0].where.startswith("deploy.yaml:4")


def test_node_ports_and_the_hosts_ports() -> None:
    found = wrong("services", port_mappings=[{"container_port": 30081, "host_port": 38081}])
    assert [item.state for item in found] == [WARNING, WARNING]
    assert "NodePort 30080 of Service gateway is not mapped to the host; mapped are 30081" in found[0].text
    assert "Host port 38081 leads to NodePort 30081, which no Service" in found[1].text
    assert wrong("services", port_mappings=None) == []
    # a dependency may be what listens there
    mappings = [{"container_port": port, "host_port": port} for port in (30080, 30432)]
    assert wrong("services", port_mappings=mappings, others=True) == []


def test_a_node_port_that_stands_twice() -> None:
    other = (
        GOOD + "---\napiVersion: v1\nkind: Service\nmetadata: {name: b}\nspec: {ports: [{port: 1, nodePort: 30080}]}\n"
    )
    assert "is already used by Service gateway" in one("services", other).text


def test_probes() -> None:
    found = one("probes", changed("port: http}", "port: health}"))
    assert (found.state, found.where) == (ERROR, "deploy.yaml:21")
    odd = one("probes", changed("port: http}", "port: 8081}"))
    assert odd.state == WARNING and "declares 8080" in odd.text
    assert wrong("probes", changed("port: http}", "port: 8080}")) == []


@pytest.mark.parametrize(
    ("host", "state"),
    [
        ("{path: /data, type: Directory}", WARNING),
        ("{path: /data, type: DirectoryOrCreate}", None),
        ("{path: /data}", None),
        ("{path: /mnt/host/x, type: Directory}", None),
        ("{path: /var/log/pods, type: Directory}", None),
        ("{path: /data, type: directory}", ERROR),
    ],
)
def test_folders_of_the_node(host: str, state: str | None) -> None:
    text = changed(
        "configMap: {name: gateway-config}\n        - name: policies", f"hostPath: {host}\n        - name: policies"
    )
    found = wrong("host-paths", text, mounts=["/mnt/host"])
    assert [item.state for item in found] == ([state] if state else [])


@pytest.mark.parametrize("name", list(lib.CHECKS))
@pytest.mark.parametrize(
    "spec",
    [
        "null",
        "[]",
        "text",
        "{template: null}",
        "{template: {spec: {containers: null, volumes: {}}}}",
        "{template: {spec: {containers: [null, 1]}}}",
    ],
)
def test_odd_forms_give_findings_like_any_other(name: str, spec: str) -> None:
    for head in ("apiVersion: apps/v1\nkind: Deployment", "apiVersion: v1\nkind: Service"):
        found = lib.checked(name, known(f"{head}\nmetadata: {{name: gateway}}\nspec: {spec}\n"))
        assert found
        assert {item.check for item in found} == {name}
        # what cannot be read is never said to be wrong of the cluster, the image or the node
        assert all(item.text and item.state in STATES for item in found)


@pytest.mark.parametrize(
    "maker",
    [
        "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: c}\nspec: {secretName: made}\n",
        "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: e}\nspec: {target: {name: made}}\n",
        "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: made}\nspec: {}\n",
        "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: made}\nspec: {}\n",
        "apiVersion: v1\nkind: Service\nmetadata: {name: s, annotations: "
        "{service.beta.openshift.io/serving-cert-secret-name: made}}\nspec: {}\n",
    ],
)
def test_a_secret_that_another_object_makes(maker: str) -> None:
    items, problems = parse(maker, "made.yaml")
    assert problems == []
    assert made_by(items[0].content) == {("Secret", "made")}
    text = changed("kind: Secret, metadata: {name: gateway-secret}", "kind: Secret, metadata: {name: x}")
    found = list(wrong("references", text.rstrip() + "\n---\n" + maker.replace("made", "gateway-secret")))
    assert {item.state for item in found} == {WARNING}
    assert "creates" in found[0].text
