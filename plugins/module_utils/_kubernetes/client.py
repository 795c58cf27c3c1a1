# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module utility is PRIVATE to the collection: it can change without notice.
"""One Kubernetes cluster, reached through its official client; objects are plain dictionaries as the API has them.

The client library is imported when a cluster is opened, so that the pure parts of the collection do without it.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import tempfile
import typing as t
import weakref
from urllib.parse import quote

from ansible_collections.kubernaut.coverage.plugins.module_utils._base.errors import CoverageError, InputError
from ansible_collections.kubernaut.coverage.plugins.module_utils._base.files import temporary_prefix
from ansible_collections.kubernaut.coverage.plugins.module_utils._kubernetes.access import Access

FIELD_MANAGER = "kubernaut.coverage"
BAD_REQUEST = 400
UNAUTHORIZED = 401
NOT_FOUND = 404
TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500
CONFLICT = 409
INVALID = 422
REQUEST_TIMEOUT = 15  # seconds for one request; an API server on the same host answers in milliseconds

Object = dict[str, t.Any]

# Who refused: of this the API server says no more than a sentence, whose form is fixed in its source (the file named)
KNOWN_FAILURES = (
    (
        # apiserver/pkg/admission/plugin/webhook/errors/statuserror.go
        re.compile(r'admission webhook "(?P<who>[^"]+)" denied the request'),
        "admission-webhook-refused",
        "Check what the webhook {who} requires, or exempt the namespace from it.",
    ),
    (
        # apiserver/pkg/admission/plugin/webhook/{mutating,validating}/dispatcher.go
        re.compile(r'failed calling webhook "(?P<who>[^"]+)"'),
        "admission-webhook-unreachable",
        "Check whether the program behind the webhook {who} is running, or remove its configuration.",
    ),
    (
        # apiserver/pkg/admission/plugin/policy/validating/dispatcher.go
        re.compile(r"ValidatingAdmissionPolicy '(?P<who>[^']+)' .*denied request"),
        "admission-policy-refused",
        "Check what the policy {who} requires, or exempt the namespace from it.",
    ),
    (
        # pkg/quota/v1 and apiserver/pkg/admission/plugin/resourcequota/controller.go
        re.compile(r"exceeded quota: (?P<who>[^,\s]+)"),
        "quota-exceeded",
        "Raise the quota {who}, or lower the workload's requests.",
    ),
    (
        # staging/src/k8s.io/pod-security-admission/admission/admission.go
        re.compile(r'violates PodSecurity "(?P<who>[^"]+)"'),
        "pod-security-refused",
        "Make the pod comply with the level {who}, or label the namespace with a less restrictive one.",
    ),
    (
        # plugin/pkg/auth/authorizer, apiserver/pkg/endpoints/handlers/responsewriters/errors.go
        re.compile(r'is forbidden: User "(?P<who>[^"]+)" cannot '),
        "rbac-forbidden",
        "Grant {who} that permission, or use another kubeconfig.",
    ),
)


class KubernetesError(CoverageError):
    """The API server refused a request or could not be reached.

    :ivar status: HTTP status, 0 where there was no answer. :ivar reason: the server's own words.
    """

    cause = "kubernetes-refused"

    def __init__(self, message: str, *, status: int = 0, reason: str = "", **details: t.Any) -> None:
        super().__init__(message, **details)
        self.status = status
        self.reason = reason

    @property
    def may_pass(self) -> bool:
        """Whether it may be gone a moment later: the API server is too busy, or does not answer."""
        return self.cause == "cluster-unreachable" or self.status == TOO_MANY_REQUESTS or self.status >= SERVER_ERROR


def describe(item: Object) -> str:
    """Return C(Kind namespace/name)."""
    metadata = item.get("metadata") or {}
    namespace = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{item.get('kind', 'object')} {namespace}{metadata.get('name', '?')}"


class _HeaderName(str):
    """The name of a header that can occur more than once in the client's dictionary: equal only to itself.

    Each group to impersonate is a header of its own (kubernetes.core does the same).
    """

    __slots__ = ()

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def lower(self) -> str:
        return self  # it is made in small letters, and another text would be another header


class Cluster:
    """A connection to one API server.

    :arg access: how to reach it, or the path of a kubeconfig.
    :raises InputError: the kubeconfig or a certificate is missing or cannot be used.
    :raises ImportError: the client library is missing on the host.
    """

    def __init__(self, access: t.Union[Access, str]) -> None:
        self.access = access if isinstance(access, Access) else Access.of({"kubeconfig": access})
        self._configuration = self.access.configuration()
        # callers that wait retry themselves, and need to know at once that a cluster is gone
        self._configuration.retries = False
        self._client = self._new_client()
        self._dynamic: t.Any = None

    def _new_client(self) -> t.Any:
        import kubernetes.client

        client = kubernetes.client.ApiClient(self._configuration)
        for name, value in self.access.headers:
            client.default_headers[_HeaderName(name.lower())] = value
        return client

    def stream_client(self) -> t.Any:
        """Return a client of its own for one stream: the library replaces a client's way of asking while it opens one.

        :raises InputError: cause C(impersonation-unsupported).
        """
        if self.access.headers:
            # kubernetes.stream.ws_client.create_websocket passes the header Authorization and no other
            raise InputError(
                "Programs in pods and port-forwards are not available when impersonating: the Python client for"
                " Kubernetes sends no Impersonate headers when it opens a stream.",
                remedy="Use the credentials of that user itself.",
                setting="impersonate_user",
                cause="impersonation-unsupported",
            )
        return self._new_client()

    @property
    def dynamic(self) -> t.Any:
        """The client's dynamic side; opened when first needed, because that asks the API server what it serves."""
        import kubernetes.dynamic

        if self._dynamic is None:
            # the client insists on a file for what it discovers: one that goes with this object is never another
            # cluster's, and is not left behind
            scratch = tempfile.mkdtemp(prefix=temporary_prefix())
            weakref.finalize(self, shutil.rmtree, scratch, ignore_errors=True)
            with _errors_of(f"ask the API server at {self._configuration.host} what it serves"):
                self._dynamic = kubernetes.dynamic.DynamicClient(self._client, cache_file=f"{scratch}/discovery.json")
        return self._dynamic

    # plain requests

    def _response(self, method: str, path: str, *, timeout: float = REQUEST_TIMEOUT, **parameters: t.Any) -> t.Any:
        with _errors_of(f"{method} {path.partition('?')[0]}"):
            return self.dynamic.request(method, path, serialize=False, _request_timeout=timeout, **parameters)

    def request(self, method: str, path: str, **parameters: t.Any) -> t.Any:
        """Ask the API server and return the decoded JSON.

        :arg parameters: those of the dynamic client: C(body), C(label_selector), C(field_manager), C(dry_run) ...
        :raises KubernetesError: with the server's own message.
        """
        data = self._response(method, path, **parameters).data
        return json.loads(data) if data else {}

    def list(self, path: str, **selectors: str) -> list[Object]:
        """Return the items under a collection's path (C(/api/v1/namespaces/x/pods)); label_selector, field_selector."""
        return self.list_with_version(path, **selectors)[0]

    def list_with_version(self, path: str, **selectors: str) -> tuple[t.List[Object], str]:  # noqa: UP006, the class has a method of that name
        """Return the items under a collection's path, and the resource version from which a watch can go on."""
        answer = self.request("GET", path, **{key: value for key, value in selectors.items() if value})
        return answer.get("items") or [], answer.get("metadata", {}).get("resourceVersion", "")

    def get(self, path: str) -> t.Optional[Object]:
        """Return the object at that path, or None where there is none."""
        try:
            return t.cast(Object, self.request("GET", path))
        except KubernetesError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def logs(self, namespace: str, pod: str, container: str, *, previous: bool = False, lines: int = 50) -> str:
        """Return the end of a container's log, empty where it has none; C(previous): of the process run before."""
        return self._log(
            namespace, pod, f"container={container}&tailLines={lines}" + ("&previous=true" if previous else "")
        )

    def timed_log(self, namespace: str, pod: str, container: str, *, since: str = "") -> t.List[tuple[str, str]]:  # noqa: UP006, the class has a method of that name
        """Return a container's log as (time, line), the times in RFC 3339 with nanoseconds; empty where it has none.

        :arg since: a time; lines of its whole second are among those returned, because the API knows no less.
        """
        query = f"container={container}&timestamps=true" + (f"&sinceTime={quote(since)}" if since else "")
        found = []
        for line in self._log(namespace, pod, query).split("\n"):
            moment, _space, text = line.partition(" ")
            if moment:
                found.append((moment, text))
        return found

    def _log(self, namespace: str, pod: str, query: str) -> str:
        """Return what the API says for a log, empty where there is none: not started yet, no earlier process run, or
        gone.
        """
        try:
            response = self._response(
                "GET", f"/api/v1/namespaces/{namespace}/pods/{pod}/log?{query}", header_params={"Accept": "*/*"}
            )
        except KubernetesError as error:
            if error.status in (BAD_REQUEST, NOT_FOUND):
                return ""
            raise
        text = t.cast(bytes, response.data).decode(errors="replace")
        # the kubelet says so as if it was the log, where a container is gone already (its GetContainerLogs)
        return "" if text.startswith("unable to retrieve container logs for ") else text

    def watch(
        self, path: str, *, seconds: float, resource_version: str = "", **selectors: str
    ) -> t.Iterator[tuple[str, Object]]:
        """Yield (C(ADDED|MODIFIED|DELETED), object) under a collection's path for at most that many seconds.

        Ends early when the server closes the watch: the caller checks its deadline and asks again.
        """
        response = self._response(
            "GET",
            path,
            timeout=seconds + REQUEST_TIMEOUT,
            watch="true",
            timeout_seconds=max(1, round(seconds)),
            resource_version=resource_version or None,
            **selectors,
        )
        rest = b""
        try:
            with _errors_of(f"watch {path}"):
                for chunk in response.stream(None, decode_content=False):
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in filter(None, lines):
                        event = json.loads(line)
                        yield event["type"], event["object"]
        finally:
            response.release_conn()

    # objects of any kind

    def path(self, item: Object, *, namespace: str = "") -> str:
        """Return the API path of an object from its apiVersion, kind, namespace and name.

        :raises KubernetesError: the cluster knows no such kind (a CRD is missing).
        """
        from kubernetes.dynamic.exceptions import ResourceNotFoundError

        try:
            with _errors_of(f"look up kind {item['kind']}"):
                resource = self.dynamic.resources.get(api_version=item["apiVersion"], kind=item["kind"])
        except ResourceNotFoundError as error:
            raise KubernetesError(
                f"The cluster does not know the kind {item['kind']} of {item['apiVersion']}.",
                remedy="Install its CustomResourceDefinition first.",
                cause="crd-missing",
            ) from error
        group = resource.group_version
        base = f"/apis/{group}" if "/" in group else f"/api/{group}"
        if resource.namespaced:
            base += f"/namespaces/{(item.get('metadata') or {}).get('namespace') or namespace or 'default'}"
        return f"{base}/{resource.name}/{item['metadata']['name']}"

    def apply(self, item: Object, *, namespace: str = "", dry_run: bool = False) -> tuple[Object, t.Optional[Object]]:
        """Apply one object server-side; return (the object after, the object before or None).

        The collection's field manager owns what it applies: applying less the next time removes the rest.

        :raises KubernetesError: the server's own reason (quota, admission, schema).
        """
        path = self.path(item, namespace=namespace)
        before = self.get(path)
        after = self.request(
            "PATCH",
            path,
            body=item,
            content_type="application/apply-patch+yaml",
            field_manager=FIELD_MANAGER,
            force_conflicts="true",
            dry_run="All" if dry_run else None,
        )
        return after, before

    def create(self, item: Object, *, dry_run: bool = False) -> Object:
        """Create one object and return it; with C(dry_run) only ask the API server for what it would become.

        :raises KubernetesError: the server's own reason; status 409 where it is there already.
        """
        collection = self.path({**item, "metadata": {**item["metadata"], "name": ""}}).rstrip("/")
        return t.cast(
            Object,
            self.request(
                "POST", collection, body=item, field_manager=FIELD_MANAGER, dry_run="All" if dry_run else None
            ),
        )

    def replace(self, item: Object, *, dry_run: bool = False, field_manager: str = FIELD_MANAGER) -> Object:
        """Put an object in the place of what it was read as, and return what it became.

        :raises KubernetesError: the server's own reason; status 409 where it was changed since it was read.
        """
        return t.cast(
            Object,
            self.request(
                "PUT",
                self.path(item),
                body=item,
                field_manager=field_manager,
                dry_run="All" if dry_run else None,
            ),
        )

    def delete(self, path: str, *, grace_seconds: t.Optional[int] = None, propagation: str = "", uid: str = "") -> None:
        """Delete the object at that path; it may be gone already.

        :arg propagation: C(Foreground): not before all that belongs to it. :arg uid: only if it is still that one.
        """
        # all of it in the body: the server reads no parameter of the address where there is one
        options = {
            "gracePeriodSeconds": grace_seconds,
            "propagationPolicy": propagation or None,
            "preconditions": {"uid": uid} if uid else None,
        }
        body = {"apiVersion": "v1", "kind": "DeleteOptions", **{k: v for k, v in options.items() if v is not None}}
        try:
            self.request("DELETE", path, body=body)
        except KubernetesError as error:
            if error.status != NOT_FOUND:
                raise


def same(before: t.Optional[Object], after: Object) -> bool:
    """Whether two readings of an object are the same but for the server's own bookkeeping."""
    return before is not None and _comparable(before) == _comparable(after)


def _comparable(item: Object) -> Object:
    bookkeeping = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp")
    metadata = {key: value for key, value in item.get("metadata", {}).items() if key not in bookkeeping}
    return {**{key: value for key, value in item.items() if key != "status"}, "metadata": metadata}


def _why(code: int, status: Object, reason: str) -> tuple[str, str]:
    """Return the cause and the remedy of a refusal; empty where the server's sentence has to do."""
    causes = (status.get("details") or {}).get("causes") or []
    if any(item.get("reason") == "NamespaceTerminating" for item in causes):
        remedy, cause = "Wait until the namespace is gone; a finalizer may hold it.", "namespace-terminating"
        return cause, remedy
    if code == UNAUTHORIZED:
        return "unauthorized", "Check the token, the certificate or the user of the kubeconfig; it may have expired."
    for form, cause, remedy in KNOWN_FAILURES:
        found = form.search(reason)
        if found:
            return cause, remedy.format(who=found["who"])
    return "", ""


def _untrusted(what: str, reason: str) -> KubernetesError:
    return KubernetesError(
        f"The connection to the API server is not trusted ({what}): {' '.join(reason.split())}.",
        remedy="Give the cluster's CA certificate (ca_cert), or check the client's certificate and key.",
        setting="ca_cert",
        cause="certificate-refused",
    )


@contextlib.contextmanager
def _errors_of(what: str) -> t.Iterator[None]:
    """Turn every error of the client library into the collection's own."""
    import urllib3.exceptions
    from kubernetes.client.exceptions import ApiException

    try:
        yield
    except ApiException as error:
        if not error.status:
            # kubernetes.client.rest: what goes wrong with TLS, and nothing else
            raise _untrusted(what, str(error.reason)) from error
        body = error.body.decode(errors="replace") if isinstance(error.body, bytes) else (error.body or "")
        try:
            status = json.loads(body)
            reason = status.get("message") or body
        except (ValueError, AttributeError):
            status, reason = {}, body or str(error.reason)
        cause, remedy = _why(int(error.status or 0), status if isinstance(status, dict) else {}, reason)
        raise KubernetesError(
            f"The API server refused to {what}: {reason}",
            status=int(error.status or 0),
            reason=reason,
            cause=cause,
            remedy=remedy,
        ) from error
    except urllib3.exceptions.HTTPError as error:
        if isinstance(getattr(error, "reason", error), urllib3.exceptions.SSLError):
            raise _untrusted(what, str(getattr(error, "reason", error))) from error
        raise KubernetesError(
            f"The API server does not answer ({what}): {error}.",
            remedy="Check whether the cluster still runs.",
            cause="cluster-unreachable",
        ) from error
