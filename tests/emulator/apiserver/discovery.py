"""API discovery: `/api`, `/apis`, a group, and a group's version."""

from __future__ import annotations

from typing import Any

from .resources import GROUP_VERSIONS, RESOURCES


def core_versions(server: str) -> dict[str, Any]:
    """`/api`."""
    address = {"clientCIDR": "0.0.0.0/0", "serverAddress": server.removeprefix("https://")}
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [address]}


def groups() -> dict[str, Any]:
    """`/apis`."""
    names = dict.fromkeys(version.split("/")[0] for version in GROUP_VERSIONS if "/" in version)
    listed = [_group(name) for name in names]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}


def group(name: str) -> dict[str, Any] | None:
    """`/apis/{group}`."""
    if not any(version.startswith(f"{name}/") for version in GROUP_VERSIONS):
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name)}


def resources(group_version: str) -> dict[str, Any] | None:
    """`/api/v1` and `/apis/{group}/{version}`."""
    if group_version not in GROUP_VERSIONS:
        return None
    listed = [r.discovery() for r in RESOURCES if r.group_version == group_version]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": listed,
    }


def _group(name: str) -> dict[str, Any]:
    versions = [
        {"groupVersion": version, "version": version.split("/")[1]}
        for version in GROUP_VERSIONS
        if version.startswith(f"{name}/")
    ]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}
