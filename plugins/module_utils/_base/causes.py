# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""The causes that no rule finds: what checks before a run and libraries that cannot go on give, by stage.

The rules of the gate register their causes themselves. Nothing at run time needs these: a diagnosis has the id of its
cause; the documentation and its tests have the rest from here.
"""

from __future__ import annotations

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.diagnosis import CAUSES, Cause

CAUSES.add(
    "Contract",
    Cause(
        "invalid-contract",
        title="The contract is not valid",
        why=(
            "A key does not exist, has a wrong type, or contradicts another one. Everything that is wrong "
            "is in the evidence; the nearest right key is named."
        ),
        remedy="Correct `coverage_services.<service>`; see [contract](contract.md).",
    ),
    Cause(
        "bad-input",
        title="An input cannot be used",
        why=(
            "A single value is unusable: an unknown service, an invalid run id, options that exclude each "
            "other. Nothing was changed."
        ),
        remedy="Correct the value that the message names.",
    ),
    Cause(
        "damaged-saved-state",
        title="The saved state of a run cannot be used",
        why="The file is damaged, or another version of the collection wrote it.",
        remedy="Remove the file, then run the whole playbook once, without --tags.",
    ),
)
CAUSES.add(
    "Preflight: the host and the source",
    Cause(
        "podman-fails",
        title="Podman does not answer",
        why="Podman is installed and fails; its own words are in the message.",
        remedy="Run `playbooks/runner.yml`.",
    ),
    Cause(
        "no-cgroups",
        title="Control groups are not mounted",
        why="Podman and kind need them.",
        remedy="Mount `/sys/fs/cgroup`.",
    ),
    Cause(
        "disk-full",
        title="The disk is full",
        why=(
            "Less space is free than a run may need: an image exists three times, in podman's store, as an "
            "archive and on the nodes. kind gives it too when the disk fills up while it creates a "
            "cluster, and extraction when the log has `no space left on device` or counters are half "
            "written."
        ),
        remedy="Free space on the disk; nodes share the disk of their host.",
        settings=("preflight_info#disk_gib",),
    ),
    Cause(
        "memory-short",
        title="Memory is short",
        why=("Less memory is available than a run asks for, or the kubelet of a node reports MemoryPressure."),
        remedy="End something else, or ask for less.",
        settings=("preflight_info#memory_gib",),
    ),
    Cause(
        "go-missing",
        title="Go is not installed",
        why="The source is a Go module, and the host has no Go.",
        remedy="Run the role coverage_runner, or name Go's path.",
        settings=("instrumented_image#go",),
    ),
    Cause(
        "go-too-old",
        title="Go is too old",
        why="Go is older than 1.24 or than the module requires, and may not download a newer one.",
        remedy="Install a newer Go, or set `GOTOOLCHAIN=auto`.",
        settings=("instrumented_image#go",),
    ),
    Cause(
        "module-unknown",
        title="The module does not exist",
        why=("The module proxy does not know it. From major version 2 on the version belongs to the path."),
        remedy="Correct the module path.",
        settings=("source.module",),
    ),
    Cause(
        "version-unknown",
        title="The module has no such version",
        why="The nearest version is named.",
        remedy="Correct the version.",
        settings=("source.version",),
    ),
    Cause(
        "module-proxy-unreachable",
        title="The module proxy does not answer",
        why="It gave no usable answer, or `GOPROXY=off` is set and the module is not in the cache.",
        remedy="Fix the network, or name another proxy.",
        settings=("instrumented_image#go_environment.GOPROXY",),
    ),
    Cause(
        "package-unknown",
        title="The module has no such package",
        why="The programs of the module are listed.",
        remedy="Correct the package.",
        settings=("source.package",),
    ),
    Cause(
        "not-a-main-package",
        title="The package is not a program",
        why="It is a library: its name is not `main`.",
        remedy="Name the package of the program.",
        settings=("source.package",),
    ),
    Cause(
        "dir-missing",
        title="The checkout does not exist",
        why="The folder is not on the runner.",
        remedy="Correct the folder, or check the source out.",
        settings=("source.dir",),
    ),
    Cause(
        "containerfile-missing",
        title="The Containerfile does not exist",
        why="The nearest file is named.",
        remedy="Correct its path.",
        settings=("source.containerfile",),
    ),
    Cause(
        "context-missing",
        title="The build context does not exist",
        why="It is not a folder on the runner.",
        remedy="Correct the folder.",
        settings=("source.dir",),
    ),
    Cause(
        "base-missing",
        title="The base image does not exist",
        why="The base image of a Go module's program is not in podman's store.",
        remedy="Pull, load or build it; or use the base `scratch`.",
        settings=("image.base",),
    ),
    Cause(
        "containerfile-goflags",
        title="The coverage flags do not reach `go build`",
        why=(
            "There is no `ARG GOFLAGS` in the stage that builds, `ENV` or the command itself sets other "
            "flags, `GOFLAGS` is compared exactly with `-cover`, or only `go install path@version` is "
            "called. File and line are named."
        ),
        remedy="Pass `$GOFLAGS` on without a condition; see [preflight](preflight.md#containerfile).",
        settings=(
            "source.containerfile",
            "image.build_args",
        ),
    ),
    Cause(
        "containerfile-target",
        title="The Containerfile has no such stage",
        why="The target names a stage that does not exist, or the file has no stage.",
        remedy="Correct the target.",
        settings=("source.target",),
    ),
    Cause(
        "sigterm-lost",
        title="SIGTERM does not reach the program",
        why=(
            "A shell is process 1 and keeps SIGTERM from the program (shell form, a script without "
            "`exec`), or `STOPSIGNAL` kills it: no counters would be written."
        ),
        remedy="Use the JSON form of `ENTRYPOINT`, or `exec`.",
        settings=("source.containerfile",),
    ),
    Cause(
        "image-user",
        title="Kubernetes will not start the user of the image",
        why=(
            "The workload sets `runAsNonRoot`, and the user of the image is root or a name: Kubernetes "
            "cannot know that it is not root."
        ),
        remedy="Use a number as `USER`, or set `runAsUser` in the manifest.",
        settings=("source.containerfile",),
    ),
    Cause(
        "manifest-invalid",
        title="A manifest is not valid",
        why=(
            "It cannot be read, a key is written twice, or its parts contradict each other: a volume, port "
            "or probe port that does not exist, a selector that selects none of its own pods. File and "
            "line are named."
        ),
        remedy="Correct the manifest.",
        settings=(
            "workload.manifests",
            "workload.objects",
        ),
    ),
    Cause(
        "reference-unresolved",
        title="A manifest refers to something that does not exist",
        why=(
            "A pod needs a ConfigMap, Secret, key, claim or ServiceAccount that neither the manifests nor "
            "the namespace have. Where the namespace may have it already, this is a warning."
        ),
        remedy="Add it to the manifests.",
        settings=(
            "workload.manifests",
            "workload.objects",
        ),
    ),
)
CAUSES.add(
    "Cluster",
    Cause(
        "cluster-different",
        title="The cluster has another configuration",
        why="A cluster of that name exists and differs; the differences are listed.",
        remedy="Use another name, or allow it to be created again.",
        settings=(
            "kind_cluster#recreate",
            "cluster.name",
        ),
    ),
    Cause(
        "cluster-foreign",
        title="The cluster was not created by this collection",
        why="A cluster of that name exists. It is neither used nor deleted.",
        remedy="Use another name, allow it to be created again, or (to delete it) force it.",
        settings=(
            "cluster.name",
            "kind_cluster#recreate",
            "kind_cluster#force",
        ),
    ),
    Cause(
        "cluster-stopped",
        title="A node of the cluster is stopped",
        why="It is the right cluster, but the container of a node does not run.",
        remedy="Start it (`podman start`), or allow the cluster to be created again.",
        settings=("kind_cluster#recreate",),
    ),
    Cause(
        "cluster-incomplete",
        title="The cluster is incomplete",
        why="Its creation was interrupted, or a node was removed.",
        remedy="Allow it to be created again.",
        settings=("kind_cluster#recreate",),
    ),
    Cause(
        "creation-blocked",
        title="Another process creates the cluster",
        why="It has been doing so for longer than any creation takes.",
        remedy="Check what that process does.",
    ),
    Cause(
        "node-image-missing",
        title="The node image does not exist",
        why="It is not in podman's store.",
        remedy="Run `playbooks/runner.yml`.",
        settings=("cluster.node_image",),
    ),
    Cause(
        "mount-source-missing",
        title="A folder for the nodes does not exist",
        why="A folder to be mounted into the nodes, or `/lib/modules`, is not on the host.",
        remedy="Create it.",
        settings=("cluster.extra_mounts",),
    ),
    Cause(
        "port-taken",
        title="A host port is in use",
        why="Who uses it is named: the node of a cluster, a container, or a process with its id.",
        remedy="Free the port, or use another `host_port`.",
        settings=("cluster.port_mappings",),
    ),
    Cause(
        "port-forbidden",
        title="The user may not bind the port",
        why="Low ports need root.",
        remedy="Use a port above 1024.",
        settings=("cluster.port_mappings",),
    ),
    Cause(
        "no-root",
        title="kind needs root on this host",
        why="The user is not root, and the host does not support kind without root.",
        remedy="Run as root, or set up cgroup v2 with delegated controllers.",
    ),
    Cause(
        "kernel-limits",
        title="The kernel limits are too low",
        why="Too many files are open, or no inotify watches are left.",
        remedy="Run the role coverage_runner, which raises them where it may.",
    ),
    Cause(
        "node-boot",
        title="A node did not boot",
        why="systemd did not come up inside the node.",
        remedy="Run the role coverage_runner, or use another node image.",
        settings=("cluster.node_image",),
    ),
    Cause(
        "control-plane",
        title="The control plane did not come up",
        why=("The kubelet or the API server did not start; the lines of the kubelet are in the evidence."),
        remedy="Check memory and disk, which are short most often.",
    ),
    Cause(
        "nodes-not-ready",
        title="Not all nodes were ready in time",
        why="The cluster exists, but nodes were not ready when the time was over.",
        remedy="Read the evidence, or wait longer.",
        settings=("kind_cluster#wait",),
    ),
    Cause(
        "kind-failed",
        title="kind failed, for another reason",
        why="Its last lines are the evidence.",
        remedy="Do what kind says.",
    ),
    Cause(
        "cluster",
        title="The cluster has another fault",
        why="The message says which.",
        remedy="Do what the message says.",
    ),
)
CAUSES.add(
    "Instrumented image",
    Cause(
        "build-failed",
        title="The image cannot be built",
        why="Go or podman failed; the end of the log is the evidence.",
        remedy="Fix what the log says.",
        settings=("source",),
    ),
    Cause(
        "coverpkg-matches-nothing",
        title="A package pattern matches nothing",
        why="The program does not contain such a package.",
        remedy="Correct the pattern.",
        settings=("image.coverpkg",),
    ),
    Cause(
        "coverpkg-without-main",
        title="A package pattern leaves the main package out",
        why="Only an instrumented main package has the code that writes what was counted; without it a program writes "
        "nothing and says nothing.",
        remedy="Add the main package to the patterns.",
        settings=("image.coverpkg",),
    ),
    Cause(
        "not-instrumented",
        title="The program is not instrumented",
        why=(
            "It lacks `runtime/coverage.initHook`. The likeliest reason is named: no `ARG GOFLAGS` in the "
            "stage that builds, an exact comparison of `GOFLAGS`, flags without `-cover`, `go install "
            "-cover` (its build information says `-cover` and proves nothing), a `-coverpkg` without the main package, "
            "or another program of the "
            "image is the instrumented one."
        ),
        remedy=("Build it with `go build -cover`, and check that the image that runs is the one that was built."),
        settings=(
            "image.build_args",
            "instrumented_image#binary",
        ),
    ),
    Cause(
        "no-go-binary",
        title="The image does not start a Go program",
        why="Its entrypoint starts something else.",
        remedy="Name the program that the workload starts.",
        settings=("instrumented_image#binary",),
    ),
    Cause(
        "bad-archive",
        title="An image archive cannot be used",
        why="It is damaged, or holds another image.",
        remedy="Save it again.",
    ),
    Cause(
        "cluster-missing",
        title="The cluster does not exist",
        why="There is no cluster of that name to load images into.",
        remedy="Create it, or correct its name.",
        settings=("node_image#cluster",),
    ),
    Cause(
        "node-missing",
        title="The node does not exist",
        why="There is no container of that name.",
        remedy="Correct the name.",
        settings=("node_image#nodes",),
    ),
    Cause(
        "node-not-running",
        title="A node does not run",
        why="Its container is stopped.",
        remedy="Start it, or create the cluster again.",
    ),
    Cause(
        "containerd-not-answering",
        title="containerd does not answer",
        why="It did not answer on a node in time.",
        remedy="Wait longer.",
        settings=("node_image#timeout",),
    ),
    Cause(
        "image-import-failed",
        title="A node cannot import the image",
        why="The free space of the node is in the evidence.",
        remedy="Free space on the node.",
    ),
)
CAUSES.add(
    "Dependencies",
    Cause(
        "dependency-unknown",
        title="A dependency is not known",
        why=("Its kind is unknown, or it comes after a name that does not exist. The nearest one is named."),
        remedy="Correct it.",
        settings=("dependencies",),
    ),
    Cause(
        "dependency-cycle",
        title="Dependencies wait for each other",
        why="The cycle is named before anything starts.",
        remedy="Remove one `after`.",
        settings=("dependencies",),
    ),
    Cause(
        "condition-unreadable",
        title="A condition cannot be read",
        why=("It is not JMESPath, or calls a function that does not exist. It is found before anything starts."),
        remedy="Correct `until[].condition`; see [dependencies](dependencies.md#conditions).",
        settings=("dependencies",),
    ),
    Cause(
        "library-missing",
        title="A Python library is missing",
        why="A condition is given, and the host where the module runs lacks jmespath.",
        remedy="Install it, or do without conditions.",
    ),
    Cause(
        "manifest-unreachable",
        title="A URL with manifests does not answer",
        why="It failed three times or answered with an error, before anything was changed.",
        remedy="Check the network, or give a file.",
        settings=("dependencies",),
    ),
    Cause(
        "dependency-stays",
        title="A deleted object does not go away",
        why="Its finalizers are in the evidence.",
        remedy="Check what should clear them.",
    ),
    Cause(
        "credentials-incomplete",
        title="Credentials are incomplete",
        why="Only one half is given, in the variable or in the Secret in the cluster.",
        remedy="Give both user and password, or neither.",
        settings=("dependencies",),
    ),
    Cause(
        "dependency-not-ready",
        title="A dependency is not ready in time",
        why=(
            "A server runs but does not answer a query through its Service; or a condition, definition or "
            "Job did not become true in time."
        ),
        remedy="Check its Service, the DNS of the cluster and the status of the object, or wait longer.",
        settings=("service_dependencies#timeout",),
    ),
    Cause(
        "migrations-missing",
        title="The migrations do not exist",
        why="The folder does not exist or has no migration.",
        remedy="Correct the folder.",
        settings=("dependencies[].migrations",),
    ),
    Cause(
        "migration-unreadable",
        title="A migration cannot be read",
        why=(
            "A file is not UTF-8, has no number or no Up part, or two files have the same number. It is "
            "found before anything is changed."
        ),
        remedy="Correct the file.",
        settings=("dependencies[].migrations",),
    ),
    Cause(
        "migration-failed",
        title="A migration failed",
        why=(
            "PostgreSQL rejected a statement (file and line are named), or the command or Job that "
            "migrates failed (its last words are quoted). Nothing after it was applied."
        ),
        remedy="Correct it and run again.",
        settings=("dependencies[].migrations",),
    ),
    Cause(
        "migration-changed",
        title="A migration has changed since it was applied",
        why="A file differs from the one that was applied, or is new and comes before one that was.",
        remedy="Write a new migration, or drop the database and run again.",
        settings=("dependencies[].migrations",),
    ),
    Cause(
        "tables-missing",
        title="An expected table does not exist",
        why="All migrations were applied, and the table is still missing.",
        remedy="Check which migration should create it.",
        settings=("dependencies[].migrations",),
    ),
)
CAUSES.add(
    "Coverage mode",
    Cause(
        "workload-not-in-manifests",
        title="The manifests do not have the workload",
        why="The nearest name is given.",
        remedy="Correct kind or name.",
        settings=(
            "workload.name",
            "workload.kind",
        ),
    ),
    Cause(
        "container-not-in-workload",
        title="The workload does not have the container",
        why="The nearest name is given.",
        remedy="Correct the name.",
        settings=("workload.container",),
    ),
    Cause(
        "coverage-volume-taken",
        title="The name of the volume is taken",
        why="The workload has a volume named `coverage-data` of its own.",
        remedy="Rename it.",
    ),
    Cause(
        "coverage-directory-taken",
        title="The folder for counters is taken",
        why="The workload mounts something else at that path.",
        remedy="Use another path.",
        settings=("coverage.directory",),
    ),
    Cause(
        "workload-not-in-cluster",
        title="The cluster does not have the workload",
        why=(
            "No manifest is given, and the cluster has no such workload. The nearest name, or the kind "
            "that has it, is given."
        ),
        remedy="Correct kind or name.",
        settings=(
            "workload.name",
            "workload.kind",
        ),
    ),
    Cause(
        "workload-kind-unsupported",
        title="The kind of the workload is not supported",
        why="Coverage mode does not know it. What created a ReplicaSet is named.",
        remedy="Name the workload that owns it.",
        settings=("workload.kind",),
    ),
    Cause(
        "workload-owned",
        title="Another workload owns this one",
        why="Its owner would recreate it without coverage; it is named.",
        remedy="Name the owner.",
        settings=(
            "workload.name",
            "workload.kind",
        ),
    ),
    Cause(
        "job-still-runs",
        title="The Job still runs",
        why="A Job cannot be changed in place.",
        remedy="Wait for its end, or suspend it.",
    ),
    Cause(
        "workload-not-deleted",
        title="The workload cannot be recreated",
        why=(
            "It was deleted and does not go away. Its definition is in a Secret next to it; the next run "
            "creates it again."
        ),
        remedy="Check its finalizers and its node.",
    ),
    Cause(
        "workload-not-switched",
        title="The workload was rejected",
        why=("The API server accepted it in a dry run and then did not. The normal one was created again."),
        remedy="Do what the message says.",
    ),
    Cause(
        "way-back-unreadable",
        title="The annotation with the way back cannot be read",
        why="It was changed.",
        remedy="Apply the normal manifest, and remove the annotation.",
    ),
    Cause(
        "coverage-folder-not-writable",
        title="The folder for counters cannot be prepared",
        why="No node is named to prepare it on, and no other way is allowed.",
        remedy="Name the nodes, or allow another way.",
        settings=(
            "coverage_mode#nodes",
            "coverage.permission",
            "coverage.init_image",
            "coverage.allow_root",
        ),
    ),
    Cause(
        "admission-webhook-refused",
        title="An admission webhook rejects the object",
        why="It rejected an object, or the pods in coverage mode. It is named, with its own words.",
        remedy="Meet its conditions.",
    ),
    Cause(
        "admission-webhook-unreachable",
        title="An admission webhook does not answer",
        why="The API server has to ask it.",
        remedy="Check whether its program runs.",
    ),
    Cause(
        "admission-policy-refused",
        title="An admission policy rejects the object",
        why="A ValidatingAdmissionPolicy denied it; it is named.",
        remedy="Meet its conditions.",
    ),
    Cause(
        "quota-exceeded",
        title="The quota is exhausted",
        why="A ResourceQuota of the namespace has no room; it is named.",
        remedy="Raise it, or ask for less.",
        settings=("workload.objects",),
    ),
    Cause(
        "pod-security-refused",
        title="Pod Security rejects the pod",
        why="Its level does not allow what the pod needs in coverage mode.",
        remedy="Use another volume or another way to get write permission.",
        settings=(
            "coverage.volume",
            "coverage.permission",
        ),
    ),
    Cause(
        "namespace-terminating",
        title="The namespace is being deleted",
        why="Nothing can be created in it.",
        remedy="Wait until it is gone; a finalizer may hold it.",
    ),
)
CAUSES.add(
    "Tests",
    Cause(
        "tests-command-missing",
        title="The command of the tests does not exist",
        why="The first word of the command is not a program on the runner.",
        remedy="Install it, or give its path.",
        settings=("tests.command",),
    ),
    Cause(
        "tests-folder-missing",
        title="The folder of the tests does not exist",
        why="It is not on the runner.",
        remedy="Correct the folder.",
        settings=("tests.dir",),
    ),
    Cause(
        "port-forward-invalid",
        title="A port-forward is not valid",
        why="An entry has no valid target, port or variable.",
        remedy="Correct the entry.",
        settings=("tests.port_forward",),
    ),
    Cause(
        "port-forward-target-missing",
        title="The target of a port-forward does not exist",
        why="There is no such Service, or it has no such port; the existing ones are named.",
        remedy="Correct the entry.",
        settings=("tests.port_forward",),
    ),
    Cause(
        "port-forward-no-pod",
        title="A port-forward has no ready pod",
        why="No pod behind the Service was ready within 30 s.",
        remedy="Check what the readiness gate says about it.",
    ),
    Cause(
        "port-forward-port-taken",
        title="The local port of a port-forward is in use",
        why="Another program listens on it.",
        remedy="Omit `local_port`: a free one is chosen.",
        settings=("tests.port_forward",),
    ),
    Cause(
        "namespace-missing",
        title="The namespace for the tests does not exist",
        why="The Job of the tests has nowhere to run.",
        remedy="Deploy the service first, or correct the namespace.",
        settings=("workload.namespace",),
    ),
    Cause(
        "tests-failed",
        title="Tests failed",
        why="Tests failed, or their command ended with an error; failed tests are named.",
        remedy="Read `e2e-tests.log` of the run.",
    ),
    Cause(
        "tests-timeout",
        title="The tests took too long",
        why="The time limit ended them.",
        remedy="Raise the limit.",
        settings=("tests.timeout",),
    ),
    Cause(
        "tests-lost",
        title="The pod of the tests was lost",
        why="The pod of tests that run as a Job was deleted or evicted before they ended.",
        remedy="Check the events of its namespace and `kubectl describe node`.",
    ),
    Cause(
        "tests-outcome-missing",
        title="No tests were run",
        why="The outcome of tests is to be judged, and none were run.",
        remedy="Run them first.",
        settings=("e2e_tests#results",),
    ),
    Cause(
        "no-tests-run",
        title="The command ran no test",
        why="It ended without an error, and not one test was run.",
        remedy="Check its filter (`--label-filter`, `-run`) and its packages.",
        settings=("tests.command",),
    ),
    Cause(
        "tests-report-missing",
        title="The tests wrote no JUnit file",
        why="The command did not write the file that is expected.",
        remedy="Correct the path.",
        settings=("tests.junit",),
    ),
    Cause(
        "tests-report-unreadable",
        title="The JUnit file cannot be read",
        why="It is not XML, not JUnit, or has a document type.",
        remedy="Check what wrote it.",
    ),
)
CAUSES.add(
    "Extraction",
    Cause(
        "two-builds",
        title="The counters are of two builds",
        why=(
            "There is more than one covmeta of the same main package: the image was changed during the "
            "run, or the folder on the nodes was used before."
        ),
        remedy="Use one image for all pods of a component, and a new run for a new build.",
        settings=("coverage_mode#image",),
    ),
    Cause(
        "node-unreachable",
        title="A node cannot be searched",
        why="The counters of its pods cannot be collected.",
        remedy="Name all nodes that the pods may run on.",
        settings=("coverage_extraction#nodes",),
    ),
    Cause(
        "no-pods",
        title="No pod runs",
        why="There was nothing to collect counters from.",
        remedy="Check why: the workload has no replicas, or its Job has never run.",
        settings=("workload.name",),
    ),
    Cause(
        "does-not-end",
        title="A program does not end",
        why="It still runs after its grace period and the timeout.",
        remedy="Check why it does not end on SIGTERM.",
        settings=("coverage.grace_period",),
    ),
    Cause(
        "sigterm-not-forwarded",
        title="SIGTERM is not forwarded to the program",
        why=(
            "The first process of the container is a shell or a wrapper; it ended or was killed, and the "
            "program with it."
        ),
        remedy="Use `exec` in the script, or write `ENTRYPOINT` as a list.",
        settings=("source",),
    ),
    Cause(
        "sigterm-ignored",
        title="The program ignores SIGTERM",
        why="Its signal mask says so, and it was killed at the end of the grace period.",
        remedy="Handle SIGTERM and let main return.",
    ),
    Cause(
        "grace-period-exceeded",
        title="The grace period is too short",
        why="Exit code 137, exactly when the grace period was over: the shutdown takes longer.",
        remedy="Give it more time.",
        settings=("coverage.grace_period",),
    ),
    Cause(
        "no-sigterm-handler",
        title="The program has no handler for SIGTERM",
        why="Exit code 2 without a panic in the log (Go as process 1), or 143.",
        remedy="Handle SIGTERM (`signal.NotifyContext`) and let main return.",
    ),
    Cause(
        "not-flushed",
        title="The program still runs",
        why="It writes its counters only when it ends.",
        remedy="Stop it first.",
        settings=("coverage_extraction#timeout",),
    ),
    Cause(
        "killed",
        title="The program was killed",
        why=(
            "Exit code 137, and neither memory nor grace period is the reason: a test, the node, or a "
            "probe (its event is quoted)."
        ),
        remedy="Check who killed it.",
    ),
    Cause(
        "no-counters",
        title="The program wrote no counters",
        why=("It ended with another exit code and wrote nothing: `syscall.Exit`, or the exec of another program."),
        remedy="Check how it ends.",
    ),
    Cause(
        "pod-replaced",
        title="A pod was replaced during the tests",
        why="It is gone, and counters with it. Its events are the evidence.",
        remedy="Check who replaced it.",
    ),
    Cause(
        "processes-lost",
        title="Earlier process runs wrote nothing",
        why="Kubernetes no longer knows how they ended: it remembers two.",
        remedy="Check why the container is restarted again and again.",
    ),
    Cause(
        "stale-counters",
        title="The folder has counters of an earlier run",
        why=(
            "Files are older than the first revision of the workload with this run's id. They are in "
            "`set-aside/` of the run's folder and are not counted."
        ),
        remedy="Use an id of its own for each run.",
        settings=("coverage_mode#run_id",),
    ),
    Cause(
        "bad-record",
        title="The record of process runs cannot be read",
        why="The file in the folder of the run is damaged.",
        remedy="Move it away, and collect the counters again.",
    ),
)
CAUSES.add(
    "Report",
    Cause(
        "input-missing",
        title="The folder of the data does not exist",
        why="There is nothing to report.",
        remedy="Correct the folder.",
        settings=("coverage_report#input",),
    ),
    Cause(
        "no-coverage-data",
        title="There is no coverage data",
        why="The folder has not one covmeta and not one covcounters.",
        remedy="Check that the program is instrumented and that its counters were collected.",
    ),
    Cause(
        "no-meta",
        title="Counters have no covmeta",
        why="Counters cannot be read without their covmeta.",
        remedy="Copy the covmeta, too.",
    ),
    Cause(
        "all-set-aside",
        title="No file of counters can be used",
        why="Every one was quarantined; the evidence says why for each.",
        remedy="Copy them again.",
    ),
    Cause(
        "unmatched-pattern",
        title="A package pattern matches nothing",
        why="The data have no such package; the evidence names some that they have.",
        remedy="Correct the pattern; the nearest package is named.",
        settings=("report.include",),
    ),
    Cause(
        "granularity-clash",
        title="Counters cannot be combined",
        why="Some are of blocks and others of functions.",
        remedy="Use one Go release and one set of build flags.",
    ),
    Cause(
        "no-statements",
        title="The selected packages have no statements",
        why="Nothing can be covered in them.",
        remedy="Select others.",
        settings=("report.include",),
    ),
    Cause(
        "withheld",
        title="No percentage can be trusted",
        why="A file with a percentage was asked for; the evidence says what was found.",
        remedy="Report separately what does not belong together.",
    ),
    Cause(
        "source-clash",
        title="A text profile is of other sources",
        why="A block of a file that both know is in one of them only.",
        remedy="Use one version of the sources for all.",
        settings=("coverage_report#policy",),
    ),
    Cause(
        "unknown-format",
        title="The format does not exist",
        why="The nearest one is named.",
        remedy="Correct `outputs`.",
    ),
    Cause(
        "folder-not-ours",
        title="The folder for results has other files",
        why=("It has files that no report or merge wrote, or that were changed since. It is left alone."),
        remedy="Name another folder.",
        settings=("coverage_report#output",),
    ),
    Cause(
        "renamed",
        title="A file is not the one that its name says",
        why="Two covmeta have the same hash and differ, or the hash in the name of a file is wrong.",
        remedy="Copy it again.",
    ),
    Cause(
        "damaged-file",
        title="A file is damaged",
        why=(
            "It is not what its name says. It is quarantined and reported; it ends a run only where "
            "nothing else is left."
        ),
        remedy="Copy it again.",
    ),
    Cause(
        "cannot-write",
        title="A file of the report cannot be written",
        why="The evidence says why.",
        remedy="Check permissions and disk.",
        settings=("coverage_report#output",),
    ),
    Cause(
        "below-threshold",
        title="A number is below its threshold",
        why=("The total, or a package, has less coverage than was asked for; or there is no percentage to compare."),
        remedy="Cover more, or lower the threshold.",
        settings=("report.thresholds",),
    ),
)
CAUSES.add(
    "Snapshots",
    Cause(
        "no-such-process",
        title="The process does not exist",
        why="No process on this host has that id.",
        remedy="Give the id that `ps` shows on this host.",
        settings=("coverage_snapshot#pid",),
    ),
    Cause(
        "kernel-thread",
        title="The process is a kernel thread",
        why="It has no program in user space.",
        remedy="Give the id of a program.",
        settings=("coverage_snapshot#pid",),
    ),
    Cause(
        "no-permission",
        title="The process may not be read",
        why=(
            "The kernel refuses: another user's process, a user namespace, or Yama's `ptrace_scope`, "
            "which is in the evidence."
        ),
        remedy="Run the task as root (`become: true`), or with `CAP_SYS_PTRACE`.",
    ),
    Cause(
        "no-proc",
        title="There is no proc file system",
        why="The module runs in an environment without /proc.",
        remedy="Run it on the host itself.",
    ),
    Cause(
        "not-elf",
        title="The program is not a readable ELF file",
        why="The process runs a program that has no ELF header.",
        remedy="Give the id of the program itself.",
        settings=("coverage_snapshot#pid",),
    ),
    Cause(
        "not-go",
        title="The program is not a Go program",
        why="It has no Go build information: a shell, an init process, an emulator.",
        remedy="Give the id of the Go program.",
        settings=("coverage_snapshot#pid",),
    ),
    Cause(
        "packed",
        title="The program is packed with UPX",
        why="Its sections are compressed, so nothing in them can be found.",
        remedy="Run it unpacked.",
    ),
    Cause(
        "starting",
        title="The program is still starting",
        why="Not all packages were initialized within the time limit.",
        remedy="Try again. If that does not help, an init function is waiting for something.",
        settings=("coverage_snapshot#timeout",),
    ),
    Cause(
        "unknown-layout",
        title="The Go runtime's data were not found",
        why="This Go release has a layout that is not known.",
        remedy="Report it, with the version of Go.",
    ),
    Cause(
        "unsettled",
        title="The counters did not settle",
        why="They changed during each of 20 copies.",
        remedy="Try again when the program has started.",
    ),
    Cause(
        "mode-clash",
        title="The packages have several counter modes",
        why="Go writes no data for such a program either.",
        remedy="Build all packages with one `-covermode`.",
    ),
    Cause(
        "no-processes",
        title="The containers are not processes of this host",
        why="Their nodes do not run on the host of the task.",
        remedy="Run the task on the host of the kind cluster; elsewhere, give process ids.",
    ),
    Cause(
        "output-not-writable",
        title="The output directory cannot be written",
        why="It cannot be created, or it is read-only.",
        remedy="Choose another directory.",
        settings=("coverage_snapshot#output",),
    ),
    Cause(
        "nothing-read",
        title="No process could be read",
        why="The evidence has the reason for each.",
        remedy="Do what the evidence says.",
    ),
    Cause(
        "unreadable",
        title="The process cannot be read",
        why="The message says why.",
        remedy="Do what the message says.",
    ),
)
CAUSES.add(
    "The runner",
    Cause(
        "runner-not-ready",
        title="The runner lacks something",
        why="What a run needs of its host is missing; the line of the check says what.",
        remedy="Do what the check says; the role coverage_runner does most of it.",
    ),
    Cause(
        "image-unobtainable",
        title="The image cannot be obtained",
        why="No image source had it; the evidence has one line for each source.",
        remedy=("Make one of the sources possible; see [runner](runner.md#images-by-an-ordered-list-of-ways)."),
    ),
    Cause(
        "image-build-failed",
        title="The recipe of an image failed",
        why="The end of its output is the evidence.",
        remedy="Fix what the output says.",
    ),
    Cause(
        "tool-unobtainable",
        title="Go or kind cannot be obtained",
        why="No source had it.",
        remedy="Correct the address.",
        settings=(
            "runner_tool#go.url",
            "runner_tool#kind.url",
        ),
    ),
    Cause(
        "checksum-mismatch",
        title="A download has the wrong checksum",
        why="Nothing of it was used.",
        remedy="Correct the checksum, or the address.",
        settings=(
            "runner_tool#go.checksum",
            "runner_tool#kind.checksum",
        ),
    ),
)
CAUSES.add(
    "Kubernetes, podman and other programs",
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
