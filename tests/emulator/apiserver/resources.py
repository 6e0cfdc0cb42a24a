"""The resources that the API servers know, and the columns that kubectl prints for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from .store import KubernetesObject

Cells = Callable[[KubernetesObject, float], list[Any]]


@dataclass(frozen=True)
class Column:
    """A column of a Table; priority 1 is shown by `-o wide` only."""

    name: str
    priority: int = 0
    type: str = "string"

    def definition(self) -> dict[str, Any]:
        """As the Table's columnDefinitions want it."""
        return {
            "name": self.name,
            "type": self.type,
            "format": "name" if self.name == "Name" else "",
            "description": self.name,
            "priority": self.priority,
        }


@dataclass(frozen=True)
class Resource:
    """A resource of one group and version."""

    group_version: str
    name: str
    kind: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ("get", "list", "watch")
    columns: tuple[Column, ...] = (Column("Name"), Column("Age"))
    cells: Cells = lambda body, now: [body["metadata"]["name"], age(body, now)]

    def discovery(self) -> dict[str, Any]:
        """As an APIResourceList lists it."""
        return {
            "name": self.name,
            "singularName": self.kind.lower(),
            "namespaced": self.namespaced,
            "kind": self.kind,
            "verbs": list(self.verbs),
            **({"shortNames": list(self.short_names)} if self.short_names else {}),
        }


def age(body: KubernetesObject, now: float) -> str:
    """Seconds, minutes, hours or days since the object was created."""
    created = datetime.strptime(body["metadata"]["creationTimestamp"], "%Y-%m-%dT%H:%M:%SZ")
    seconds = int(now - created.replace(tzinfo=timezone.utc).timestamp())
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{max(seconds, 0)}s"


def _pod_cells(body: KubernetesObject, now: float) -> list[Any]:
    status = body["status"]
    containers = status["containerStatuses"]
    return [
        body["metadata"]["name"],
        f"{sum(c['ready'] for c in containers)}/{len(containers)}",
        status["phase"],
        str(sum(c["restartCount"] for c in containers)),
        age(body, now),
        status["podIP"],
        body["spec"]["nodeName"],
        "<none>",
        "<none>",
    ]


def _namespace_cells(body: KubernetesObject, now: float) -> list[Any]:
    return [body["metadata"]["name"], body["status"]["phase"], age(body, now)]


def _node_cells(body: KubernetesObject, now: float) -> list[Any]:
    version = body["status"]["nodeInfo"]["kubeletVersion"]
    return [body["metadata"]["name"], "Ready", "<none>", age(body, now), version]


_POD_COLUMNS = (
    Column("Name"),
    Column("Ready"),
    Column("Status"),
    Column("Restarts"),
    Column("Age"),
    Column("IP", 1),
    Column("Node", 1),
    Column("Nominated Node", 1),
    Column("Readiness Gates", 1),
)
_NAMESPACE_COLUMNS = (Column("Name"), Column("Status"), Column("Age"))
_NODE_COLUMNS = (
    Column("Name"),
    Column("Status"),
    Column("Roles"),
    Column("Age"),
    Column("Version"),
)
_CREATE = ("create",)

RESOURCES = (
    Resource("v1", "pods", "Pod", True, ("po",), columns=_POD_COLUMNS, cells=_pod_cells),
    Resource(
        "v1",
        "namespaces",
        "Namespace",
        False,
        ("ns",),
        columns=_NAMESPACE_COLUMNS,
        cells=_namespace_cells,
    ),
    Resource("v1", "nodes", "Node", False, ("no",), columns=_NODE_COLUMNS, cells=_node_cells),
    Resource("v1", "secrets", "Secret"),
    Resource("v1", "configmaps", "ConfigMap", True, ("cm",)),
    Resource("v1", "services", "Service", True, ("svc",)),
    Resource("apps/v1", "deployments", "Deployment", True, ("deploy",)),
    *(
        Resource(
            f"authentication.k8s.io/{version}",
            "selfsubjectreviews",
            "SelfSubjectReview",
            False,
            verbs=_CREATE,
        )
        for version in ("v1", "v1beta1", "v1alpha1")
    ),
    Resource(
        "authorization.k8s.io/v1",
        "selfsubjectaccessreviews",
        "SelfSubjectAccessReview",
        False,
        verbs=_CREATE,
    ),
)
GROUP_VERSIONS = tuple(dict.fromkeys(resource.group_version for resource in RESOURCES))


def find(group_version: str, name: str) -> Resource | None:
    """A resource that holds objects, by its plural name."""
    for resource in RESOURCES:
        if (resource.group_version, resource.name) == (group_version, name):
            return resource if "list" in resource.verbs else None
    return None
