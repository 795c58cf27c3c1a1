# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the place of a module: an action plugin that writes down what it is given and answers as the module would.

C(recorded_journey.py) copies it into a collection of its own, once for each module.
"""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

from ansible.plugins.action import ActionBase


def answer(module: str, args: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return what the module returns after it did its work, as far as roles and playbooks read it."""
    name = str(args.get("name", ""))
    service = str(args.get("service", ""))
    answers: dict[str, dict[str, t.Any]] = {
        "kind_cluster": {
            "action": "none",
            "cluster": {
                "name": name,
                "kubeconfig": str(args.get("kubeconfig")),
                "nodes": [{"name": f"{name}-control-plane", "running": False}],
            },
        },
        "kind_cluster_info": {"clusters": [{"name": name, "kubeconfig": "/kubeconfig", "nodes": []}]},
        "instrumented_image": {
            "image": {
                "reference": f"localhost/{service}:recorded",
                "archive": f"/archives/{service}.tar",
                "id": f"{service}-id",
                "sources": {f"example.com/{service}": f"/src/{service}"},
            }
        },
        "image": {"image": {"id": f"{name}-id"}, "way": "present"},
        "node_image": {"nodes": []},
        "coverage_mode": {"volume_directory": f"/volumes/{args.get('component')}"},
        "readiness_gate": {"pods": [{"name": f"{name}-pod"}]},
        "e2e_tests": {"log": f"{args.get('results')}/e2e-tests.log", "passed": True},
        "coverage_report": {"lines": [], "threshold_passed": False, "withheld": [], "shortfalls": [], "files": {}},
        "preflight_info": {"table": [], "findings": []},
        "coverage_snapshot": {"report": []},
        "e2e_suite": {
            "run": {"id": "1", "dir": f"{args.get('results')}/1", "base": str(args.get("results"))},
            **{"passed": True, "components": ["recorded"], "records": [], "sources": {}},
        },
        "evidence": {"directory": str(args.get("directory")), "failed": False},
        "runner_info": {
            "verdict": "",
            "table": [],
            "runner": {
                "checks": [{"name": check, "ok": check == "user"} for check in ("user", "go", "kind")],
                "disk": {"free": 1 << 50, "path": "/"},
                "node_image": {"current": False},
                "packages_missing": [],
                "containers_conf": {"text": "", "current": "", "path": "/nowhere"},
                "sysctl_file": {"text": "", "current": "", "path": "/nowhere", "low": []},
                "modules_folder": True,
                "root": False,
                "ready": True,
                "tools": {},
            },
        },
    }
    if module == os.environ.get("RECORDER_FAILS"):
        return {"failed": True, "msg": f"{module} fails, as the test wants it"}
    return answers.get(module, {})


class ActionModule(ActionBase):
    """Writes one line of JSON for each call: the module, its role, its arguments, and the variables of the role."""

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> dict[str, t.Any]:
        """Record the call and return the answer."""
        super().run(tmp, task_vars)
        module = self._task.action.rpartition(".")[2]
        role = self._task._role.get_name().rpartition(".")[2] if self._task._role else ""
        names = [name for name in task_vars or {} if role and name.startswith(f"{role}_") and name != f"{role}_result"]
        variables = {}
        for name in names:
            # one that is required and not set is resolved to nothing
            variables.update(self._templar.template({name: task_vars[name]}))
        args = dict(self._task.args)
        record = {"module": module, "role": role, "args": args, "variables": variables}
        with Path(os.environ["RECORDER_FILE"]).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record, default=str) + "\n")
        return {"changed": False, **answer(module, args)}
