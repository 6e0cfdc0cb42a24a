"""Merging one cluster into a kubeconfig: values in, values out, nothing of the file lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..entra.token_endpoint import unverified_claims
from ..errors import KubeconfigError
from ..exec_plugin.entry import find_entry
from .skeleton import ClusterSkeleton, named_entries, referred

STEP = "kubeconfig"

# A cluster's own settings that say whom to trust: the fresh ones replace all of them together.
_TRUST_FIELDS = ("certificate-authority", "certificate-authority-data", "insecure-skip-tls-verify")


@dataclass(frozen=True)
class ClusterEntries:
    """What is merged: three names and the content of their entries."""

    context: str
    cluster: str
    user: str
    context_fields: Mapping[str, Any]
    cluster_fields: Mapping[str, Any]
    user_fields: Mapping[str, Any] = field(repr=False)

    @property
    def server(self) -> str:
        """URL of the API server."""
        return _server_of(self.cluster_fields)


def entries_for(
    skeleton: ClusterSkeleton, user_fields: Mapping[str, Any], context_name: str | None
) -> ClusterEntries:
    """The entries of skeleton with user_fields; context_name, if given, names all three."""
    context = context_name or skeleton.context
    cluster = context_name or skeleton.cluster
    user = context_name or skeleton.user
    return ClusterEntries(
        context=context,
        cluster=cluster,
        user=user,
        context_fields={**skeleton.context_fields, "cluster": cluster, "user": user},
        cluster_fields=skeleton.cluster_fields,
        user_fields=user_fields,
    )


def merge(
    existing: Mapping[str, Any], entries: ClusterEntries, *, overwrite_existing: bool = False
) -> dict[str, Any]:
    """existing (a kubeconfig, {} for none) with entries in it, its context the current one.

    Raises KubeconfigError where a name belongs to another server (overwrite_existing replaces it),
    where a user entry serves another context as another identity, or where a section is not a list.
    """
    merged = dict(existing)
    for key, value in (("apiVersion", "v1"), ("kind", "Config")):
        merged.setdefault(key, value)
    for section in ("clusters", "contexts", "users"):
        if merged.get(section) is None:
            merged[section] = []
        if not isinstance(merged[section], list):
            raise KubeconfigError(
                f"its {section} are not a list",
                step=STEP,
                remedy="Mend or move the file, or give another one with --file.",
            )
    clusters = named_entries(merged, "clusters", "cluster")
    contexts = named_entries(merged, "contexts", "context")
    users = named_entries(merged, "users", "user")

    same_server = _refuse_another_server(entries, clusters, contexts, overwrite_existing)
    _refuse_another_identity(entries, clusters, contexts, users)

    cluster_fields, context_fields = dict(entries.cluster_fields), dict(entries.context_fields)
    if same_server:
        kept = clusters.get(entries.cluster, {})
        cluster_fields |= {
            key: value
            for key, value in kept.items()
            if key not in cluster_fields and key not in _TRUST_FIELDS
        }
        context_fields |= {
            key: value
            for key, value in contexts.get(entries.context, {}).items()
            if key not in ("cluster", "user")
        }
    merged["clusters"] = _put(merged["clusters"], entries.cluster, "cluster", cluster_fields)
    merged["contexts"] = _put(merged["contexts"], entries.context, "context", context_fields)
    merged["users"] = _put(merged["users"], entries.user, "user", dict(entries.user_fields))
    merged["current-context"] = entries.context
    return merged


def _refuse_another_server(
    entries: ClusterEntries,
    clusters: Mapping[str, Any],
    contexts: Mapping[str, Any],
    overwrite_existing: bool,
) -> bool:
    """Whether the entries of these names, if any, are of the same server; refuses if not."""
    holders = []
    if entries.cluster in clusters:
        holders.append(("cluster", entries.cluster, clusters[entries.cluster]))
    if entries.context in contexts:
        cluster = referred(contexts[entries.context], "cluster", clusters)
        if cluster is not None:
            holders.append(("context", entries.context, cluster))
    for kind, name, fields in holders:
        server = _server_of(fields)
        if not _same_server(server, entries.server):
            if overwrite_existing:
                return False
            raise KubeconfigError(
                f"the {kind} {name!r} is there already, for another server: {server or 'none'}, "
                f"not {entries.server}",
                step=STEP,
                remedy="Use --overwrite-existing to replace it, or --context NAME to have both.",
            )
    return True


def _refuse_another_identity(
    entries: ClusterEntries,
    clusters: Mapping[str, Any],
    contexts: Mapping[str, Any],
    users: Mapping[str, Any],
) -> None:
    """A user entry that another context refers to stays that context's identity."""
    if entries.user not in users:
        return
    for name, context in contexts.items():
        if name == entries.context or context.get("user") != entries.user:
            continue
        server = _server_of(referred(context, "cluster", clusters) or {})
        identity = identity_of(users[entries.user])
        if _same_server(server, entries.server) and (
            dict(users[entries.user]) == dict(entries.user_fields)
            or (identity and identity == identity_of(entries.user_fields))
        ):
            continue
        raise KubeconfigError(
            f"the context {name!r} uses the user {entries.user!r}, which would become "
            "another identity",
            step=STEP,
            remedy="Use --context NAME: it names context, cluster and user alike, so that both can "
            "be there.",
        )


def identity_of(user: Mapping[str, Any]) -> str | None:
    """Who a user entry signs in as (tenant/name), as far as our plugin's entry or a token says.

    None where that cannot be told.

    All client certificates of one cluster count as one: Azure hands out one to all, and renews it.
    """
    if "client-certificate-data" in user:
        return "client certificate"
    plugin = find_entry(user)
    if plugin and plugin[0].identity:
        return f"{plugin[0].tenant_id}/{plugin[0].identity}".lower()
    provider = user.get("auth-provider")
    config = provider.get("config") if isinstance(provider, dict) else None
    token = config.get("access-token") if isinstance(config, dict) else user.get("token")
    return _token_identity(token) if isinstance(token, str) else None


def _token_identity(token: str) -> str | None:
    """Tenant and user name or client id in a JWT's claims."""
    claims = unverified_claims(token)
    # A user's token (with scopes) names the client in appid, which is the same for everyone.
    application = None if claims.get("scp") else claims.get("appid")
    name = claims.get("upn") or application or claims.get("oid")
    return f"{claims.get('tid')}/{name}".lower() if name else None


def _server_of(cluster: Mapping[str, Any]) -> str:
    server = cluster.get("server")
    return str(server) if isinstance(server, str) else ""


def _same_server(one: str, other: str) -> bool:
    return one.rstrip("/").lower() == other.rstrip("/").lower()


def _put(items: list[Any], name: str, kind: str, fields: dict[str, Any]) -> list[Any]:
    """items with fields as the content of the entry called name, in its place or at the end."""
    result = []
    found = False
    for item in items:
        if isinstance(item, dict) and item.get("name") == name:
            if found:
                continue
            found = True
            item = {**item, kind: fields}
        result.append(item)
    return result if found else [*result, {"name": name, kind: fields}]
