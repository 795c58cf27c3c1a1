# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The one definition of a contract: sections, keys, types, defaults and descriptions.

It has the form of Ansible's argument specifications, with two keys more: C(description), and C(values) for a dictionary
whose keys a user chooses and whose values all have the same keys. Validation, defaults, the reference in
docs/contract.md and the table in docs/wiring.md come from it.
"""

from __future__ import annotations

import typing as t

from ansible_collections.kubernaut.coverage.plugins.module_utils._contract.dependency_spec import DEPENDENCY, UNTIL, URL

SPECIFICATION: dict[str, dict[str, t.Any]] = {
    "source": {
        "type": "dict",
        "required": True,
        "description": "Where the program's source is: a Go module, a checkout, or a repository to check out.",
        "mutually_exclusive": [("module", "dir"), ("module", "repository"), ("dir", "repository")],
        "required_one_of": [("module", "dir", "repository")],
        "required_by": {
            "module": ("version",),
            "dir": ("containerfile",),
            "repository": ("version", "containerfile"),
        },
        "options": {
            "module": {"type": "str", "description": "Go module path."},
            "repository": {
                "type": "str",
                "description": "Git repository (URL or path); checked out once for all services that name it.",
            },
            "version": {
                "type": "str",
                "description": "Version of the Go module; branch, tag or commit of the repository.",
            },
            "package": {
                "type": "str",
                "default": "",
                "description": "Main package: its folder inside the module; the module's root where empty.",
            },
            "dir": {"type": "str", "description": "A checkout on the runner; used as the build context."},
            "containerfile": {"type": "str", "description": "Containerfile, relative to O(source.dir)."},
            "target": {"type": "str", "default": "", "description": "Stage of the Containerfile; the last if empty."},
        },
    },
    "image": {
        "type": "dict",
        "default": {},
        "description": "How the instrumented image is built.",
        "options": {
            "build_args": {
                "type": "dict",
                "default": {"GOFLAGS": "-cover -covermode=atomic"},
                "description": "Build arguments of the Containerfile.",
            },
            "base": {"type": "str", "default": "scratch", "description": "Base image for a Go module's binary."},
            "user": {"type": "str", "default": "65532:65532", "description": "User of a Go module's image."},
            "covermode": {
                "type": "str",
                "default": "atomic",
                "choices": ["set", "count", "atomic"],
                "description": "Counter mode of a Go module's build.",
            },
            "coverpkg": {
                "type": "list",
                "elements": "str",
                "default": [],
                "description": "Package patterns to instrument; all of the module where empty.",
            },
        },
    },
    "workload": {
        "type": "dict",
        "required": True,
        "description": "The service as Kubernetes runs it normally. Without O(workload.objects),"
        " O(workload.manifests) and O(workload.urls), the workload in the cluster is used.",
        "options": {
            "namespace": {"type": "str", "required": True, "description": "Namespace; created if missing."},
            "kind": {
                "type": "str",
                "default": "Deployment",
                "choices": ["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod"],
                "description": "Kind of the workload.",
            },
            "name": {"type": "str", "required": True, "description": "Name of the workload."},
            "container": {"type": "str", "required": True, "description": "Name of the service's container."},
            "objects": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "description": "The normal objects, inline.",
            },
            "manifests": {
                "type": "list",
                "elements": "str",
                "default": [],
                "description": "Files, folders and kustomize folders with the normal objects, relative to"
                " O(source.dir), and URLs.",
            },
            "urls": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "description": "More manifests in the network, with their checksums.",
                "options": URL,
            },
        },
    },
    "dependencies": {
        "type": "dict",
        "default": {},
        "description": "What the service needs, by name: servers, and manifests of anything else. A server is reached"
        " under its name.",
        "values": DEPENDENCY,
    },
    "components": {
        "type": "dict",
        "default": {},
        "description": "Other instrumented services that this one needs, by name. Each is built and started before it,"
        " and reported with it.",
        "values": {
            "service": {
                "type": "str",
                "default": "",
                "description": "The service whose contract is used; if empty, the one named like the component.",
            },
            "overrides": {
                "type": "dict",
                "default": {},
                "description": "Merged over that contract; the namespace is that of this service unless set here.",
            },
        },
    },
    "coverage": {
        "type": "dict",
        "default": {},
        "description": "How the service runs in coverage mode.",
        "options": {
            "directory": {
                "type": "str",
                "default": "/coverdata",
                "description": "Where the container writes its counters (E(GOCOVERDIR)).",
            },
            "grace_period": {
                "type": "int",
                "default": 30,
                "description": "Minimum grace period of the service in seconds; a longer one of its own is kept.",
            },
            "startup_seconds": {
                "type": "int",
                "default": 0,
                "description": "Minimum seconds to start before a probe kills it; 0 leaves probes unchanged.",
            },
            "environment": {"type": "dict", "default": {}, "description": "Additional variables for the container."},
            "resources": {
                "type": "dict",
                "default": {},
                "description": "Requests and limits, merged over the container's own.",
            },
            "replicas": {"type": "int", "default": -1, "description": "Number of pods; unchanged if negative."},
            "other_containers": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "description": "Additional instrumented containers of the pod.",
                "options": {
                    "name": {"type": "str", "required": True, "description": "Name of the container."},
                    "image": {"type": "str", "required": True, "description": "Its instrumented image."},
                },
            },
            "volume": {
                "type": "str",
                "default": "auto",
                "choices": ["auto", "host_path", "persistent_volume_claim"],
                "description": "Volume type of the counters' folder; use a claim where Pod Security requires one.",
            },
            "permission": {
                "type": "str",
                "default": "auto",
                "choices": ["auto", "writable", "node", "fs_group", "init_container", "root"],
                "description": "How that folder is made writable; by default the way that needs the fewest rights.",
            },
            "init_image": {"type": "str", "default": "", "description": "Image with C(chmod), for the init container."},
            "allow_root": {
                "type": "bool",
                "default": False,
                "description": "Whether running as root is allowed as a last resort.",
            },
        },
    },
    "cluster": {
        "type": "dict",
        "default": {},
        "description": "The kind cluster.",
        "options": {
            "name": {"type": "str", "description": "Name; the service's name with C(-e2e) by default."},
            "workers": {"type": "int", "default": 0, "description": "Worker nodes in addition to the control plane."},
            "node_image": {
                "type": "str",
                "default": "localhost/kindest/node:v1.34.4",
                "description": "Image of the nodes.",
            },
            "port_mappings": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "description": "Ports of the node (NodePorts) that the host can reach.",
                "options": {
                    "container_port": {"type": "int", "required": True, "description": "Port on the node."},
                    "host_port": {"type": "int", "required": True, "description": "Port on the host."},
                    "listen_address": {"type": "str", "default": "127.0.0.1", "description": "Address on the host."},
                    "protocol": {
                        "type": "str",
                        "default": "tcp",
                        "choices": ["tcp", "udp"],
                        "description": "Protocol.",
                    },
                },
            },
            "extra_mounts": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "description": "Folders of the host that are mounted into the nodes.",
                "options": {
                    "host_path": {"type": "str", "required": True, "description": "Folder on the host."},
                    "container_path": {"type": "str", "required": True, "description": "Folder on the node."},
                    "read_only": {"type": "bool", "default": False, "description": "Whether it is mounted read-only."},
                },
            },
            "kubeadm_patches": {
                "type": "list",
                "elements": "str",
                "default": [],
                "description": "Patches of kubeadm's configuration, in kind's format.",
            },
        },
    },
    "readiness": {
        "type": "dict",
        "default": {},
        "description": "When the service is ready to be tested.",
        "options": {
            "url": {
                "type": "str",
                "default": "",
                "description": "Address that must answer with a 2xx status, in the form that the tests use.",
            },
            "timeout": {"type": "int", "default": 120, "description": "Seconds to wait at most."},
            "until": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "description": "Conditions that must also be true, all of them.",
                "options": UNTIL,
            },
        },
    },
    "tests": {
        "type": "dict",
        "required": True,
        "description": "The end-to-end tests.",
        "options": {
            "command": {
                "type": "list",
                "elements": "str",
                "required": True,
                "description": "Program and arguments, one list element each.",
            },
            "dir": {
                "type": "str",
                "default": "",
                "description": "Folder to run in, relative to O(source.dir) or to O(tests.files).",
            },
            "files": {
                "type": "str",
                "default": "",
                "description": "Folder with the tests, in C(files/) next to the playbook; copied to the"
                " runner if that is another host.",
            },
            "environment": {"type": "dict", "default": {}, "description": "Environment variables."},
            "base_url": {"type": "str", "default": "", "description": "Passed to the tests as E(E2E_BASE_URL)."},
            "port_forward": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "description": "Ports of the host that lead to Services or pods while the tests run.",
                "options": {
                    "target": {"type": "str", "required": True, "description": "C(service/NAME) or C(pod/NAME)."},
                    "port": {"type": "str", "required": True, "description": "Number or name of its port."},
                    "variable": {
                        "type": "str",
                        "required": True,
                        "description": "Environment variable that contains the address.",
                    },
                    "namespace": {"type": "str", "default": "", "description": "The workload's where empty."},
                    "local_port": {"type": "int", "default": 0, "description": "Port on the host; 0 for a free one."},
                    "scheme": {"type": "str", "default": "http", "description": "Text before the address."},
                    "path": {"type": "str", "default": "", "description": "Text after the address."},
                },
            },
            "junit": {
                "type": "str",
                "default": "",
                "description": "JUnit files that the command writes, relative to its folder, also as a pattern. Ginkgo"
                " and C(go test) are asked for a report where this is empty. Of a O(tests.job) they are relative to"
                " the folder that E(E2E_RESULTS) tells.",
            },
            "job": {
                "type": "dict",
                "default": {},
                "description": "The tests as a Job in the workload's namespace, and not on this host. O(tests.dir)"
                " is then a folder of its image.",
                "options": {
                    "image": {
                        "type": "str",
                        "default": "",
                        "description": "Image of the tests; if set, they run as a Job.",
                    },
                    "containerfile": {
                        "type": "str",
                        "default": "",
                        "description": "Containerfile that makes the image from O(source.dir), relative to that."
                        " Without it podman has the image, or pulls it.",
                    },
                    "build_args": {"type": "dict", "default": {}, "description": "Build arguments."},
                    "service_account": {
                        "type": "str",
                        "default": "",
                        "description": "ServiceAccount of the pod; the namespace's default where empty.",
                    },
                },
            },
            "timeout": {"type": "int", "default": 900, "description": "Seconds after which the tests are stopped."},
        },
    },
    "report": {
        "type": "dict",
        "default": {},
        "description": "What is reported, and the thresholds to meet.",
        "options": {
            "include": {
                "type": "list",
                "elements": "str",
                "default": [],
                "description": "Package patterns to report (Go's C(...)); all where empty.",
            },
            "exclude": {
                "type": "list",
                "elements": "str",
                "default": [],
                "description": "Package patterns to exclude.",
            },
            "paths": {
                "type": "dict",
                "default": {},
                "description": "Folders in the repository by module or build folder, for names of files in reports.",
            },
            "thresholds": {
                "type": "dict",
                "default": {},
                "description": "The run fails below these percentages, after all reports are written.",
                "options": {
                    "total": {"type": "float", "description": "Of all statements."},
                    "packages": {"type": "dict", "default": {}, "description": "By package pattern."},
                },
            },
        },
    },
}
