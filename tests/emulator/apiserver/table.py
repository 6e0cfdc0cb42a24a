"""Lists as kubectl asks for them: Table (meta.k8s.io) or the resource's own list kind."""

from __future__ import annotations

from typing import Any

from .resources import Resource
from .store import KubernetesObject


def table_version(accept: str) -> str | None:
    """The version of Table that an Accept header prefers, None where it wants plain objects."""
    for choice in accept.split(","):
        parts = [part.strip() for part in choice.split(";")]
        if parts[0] in ("application/json", "*/*", ""):
            if "as=Table" not in parts:
                return None
            versions = [part[2:] for part in parts if part.startswith("v=")]
            if versions and versions[0] in ("v1", "v1beta1"):
                return versions[0]
    return None


def typed(resource: Resource, body: KubernetesObject) -> KubernetesObject:
    """An object with its kind and apiVersion."""
    return {"kind": resource.kind, "apiVersion": resource.group_version, **body}


def plain_list(
    resource: Resource, bodies: list[KubernetesObject], version: int
) -> KubernetesObject:
    """A PodList, NamespaceList, ..."""
    return {
        "kind": f"{resource.kind}List",
        "apiVersion": resource.group_version,
        "metadata": {"resourceVersion": str(version)},
        "items": bodies,
    }


def table(
    resource: Resource,
    bodies: list[KubernetesObject],
    version: int,
    now: float,
    meta_version: str,
    with_columns: bool = True,
) -> KubernetesObject:
    """A Table of these objects."""
    columns = [column.definition() for column in resource.columns] if with_columns else []
    rows = [_row(resource, body, now, meta_version) for body in bodies]
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{meta_version}",
        "metadata": {"resourceVersion": str(version)},
        "columnDefinitions": columns,
        "rows": rows,
    }


def _row(
    resource: Resource, body: KubernetesObject, now: float, meta_version: str
) -> dict[str, Any]:
    partial = {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{meta_version}",
        "metadata": body["metadata"],
    }
    return {"cells": resource.cells(body, now), "object": partial}
