# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests from files, folders, URLs and inline."""

from __future__ import annotations

import hashlib
import http.server
import threading
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError
from ansible_collections.kubernaut.coverage.plugins.module_utils._dependencies import sources as lib

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"


def read(*paths: object, **more: t.Any) -> list[str]:
    found = lib.read_sources(
        "x", lib.ManifestSources(paths=tuple(map(str, paths)), **more), lib.Tools(cache_dir=more.pop("c", ""))
    )
    return [f"{item.kind} {item.name}" for item in found]


def refused(*paths: object, **more: t.Any) -> CoverageError:
    with pytest.raises(CoverageError) as caught:
        read(*paths, **more)
    return caught.value


def test_a_folder_gives_its_manifests_in_order_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "b.yml").write_text(CONFIG % "b")
    (tmp_path / "a.json").write_text('{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}')
    (tmp_path / "notes.txt").write_text("no manifest")
    assert read(tmp_path) == ["ConfigMap a", "ConfigMap b"]


def test_a_missing_file_is_answered_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "crd.yaml").write_text(CONFIG % "a")
    error = refused(tmp_path / "crds.yaml")
    assert error.cause == "manifest-invalid"
    assert str(tmp_path / "crd.yaml") in error.remedy


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\nb: [", "m.yaml:"),
        (
            "apiVersion: v1\nkind: ConfigMap\nkind: Secret\nmetadata: {name: a}\n",
            "m.yaml:3: The key 'kind' appears twice",
        ),
        ("---\n", "It contains no object"),
        ("just text", "This is not a Kubernetes object"),
        (CONFIG % "a" + "---\n" + CONFIG % "a", "have ConfigMap a twice"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "m.yaml").write_text(text)
    error = refused(tmp_path / "m.yaml")
    assert says in error.message
    assert error.cause == "manifest-invalid"


def test_inline_objects_are_named_by_their_index() -> None:
    assert "objects[0]: This is not a Kubernetes object" in refused(objects=({"kind": "Pod"},)).message


def test_a_folder_without_manifests_is_refused(tmp_path: Path) -> None:
    assert "holds no manifest" in refused(tmp_path).message


def test_kustomize_without_kubectl_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: []\n")
    with pytest.raises(CoverageError) as caught:
        lib.read_sources("x", lib.ManifestSources(paths=(str(tmp_path),)), lib.Tools(kubectl=str(tmp_path / "kubectl")))
    assert caught.value.cause == "command-not-found"
    assert caught.value.setting == "service_dependencies#kubectl"


@pytest.mark.parametrize(
    "url", [lib.Url("ftp://example.org/x"), lib.Url("deploy/x.yaml"), lib.Url("https://example.org/x", "sha256:1")]
)
def test_what_is_no_url_or_checksum_is_refused(url: lib.Url) -> None:
    with pytest.raises(CoverageError):
        lib.check_sources("x", lib.ManifestSources(urls=(url,)))


class Answers(http.server.BaseHTTPRequestHandler):
    """Says what C(server.script) has, one status after the other."""

    def do_GET(self) -> None:
        status = t.cast("t.Any", self.server).script.pop(0)
        body = (CONFIG % "far").encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[t.Any]:
    monkeypatch.setattr(lib, "BACK_OFF", 0.01)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with http.server.HTTPServer(("127.0.0.1", 0), Answers) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def address(server: t.Any) -> str:
    return f"http://127.0.0.1:{server.server_port}/m.yaml"


def test_a_url_is_tried_again_and_with_a_checksum_kept(server: t.Any, tmp_path: Path) -> None:
    server.script = [503, 200]
    digest = f"sha256:{hashlib.sha256((CONFIG % 'far').encode()).hexdigest()}"
    wanted, tools = lib.ManifestSources(urls=(lib.Url(address(server), digest),)), lib.Tools(cache_dir=str(tmp_path))
    assert [item.name for item in lib.read_sources("x", wanted, tools)] == ["far"]
    # the server has no further answer
    assert [item.name for item in lib.read_sources("x", wanted, tools)] == ["far"]


def test_a_url_that_gives_something_else_is_refused(server: t.Any) -> None:
    server.script = [200]
    error = refused(urls=(lib.Url(address(server), f"sha256:{'0' * 64}"),))
    assert error.cause == "checksum-mismatch"


def test_an_error_that_stays_is_told_at_once_and_others_after_three_attempts(server: t.Any) -> None:
    server.script = [404, 500, 500, 500]
    error = refused(urls=(lib.Url(address(server)),))
    assert error.cause == "manifest-unreachable"
    assert len(error.evidence) == 1
    assert len(refused(urls=(lib.Url(address(server)),)).evidence) == 3
