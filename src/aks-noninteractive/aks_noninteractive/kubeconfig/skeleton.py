"""The skeleton: the kubeconfig that Azure hands out, which lacks nothing but a token.

Its user entry tells how the API server wants to be signed in to: kubelogin's exec arguments, the
`azure` auth-provider, or a credential of its own (a cluster without Entra ID).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..clouds import AKS_CLIENT_ID
from ..entra.http import host_of
from ..errors import ClusterError
from .document import DocumentError, load

STEP = "the cluster's kubeconfig"


@dataclass(frozen=True)
class EntraIntegration:
    """What a token for the API server is asked with.

    server_id: application id of the API server; client_id: of the public client for users.
    tenant_id: "" where the skeleton does not say. environment: the cloud, as kubeconfigs call it.
    legacy: the audience has to be `spn:<server_id>`.
    config_mode: what an `azure` user entry has to say, "" for nothing at all (legacy).
    install_hint: of kubelogin's entry, "" where the skeleton has another shape; it says nothing
    about tokens, so it counts in no comparison.
    """

    server_id: str
    client_id: str
    tenant_id: str
    environment: str
    legacy: bool
    config_mode: str
    install_hint: str = field(default="", compare=False)


@dataclass(frozen=True)
class ClusterSkeleton:
    """One cluster as Azure describes it.

    context, cluster, user: the names of the three entries. server: URL of the API server.
    *_fields: the entries' own content. entra: None for a cluster that does not use Entra ID.
    """

    context: str
    cluster: str
    user: str
    server: str
    context_fields: Mapping[str, Any] = field(repr=False)
    cluster_fields: Mapping[str, Any] = field(repr=False)
    user_fields: Mapping[str, Any] = field(repr=False)
    entra: EntraIntegration | None


def parse_skeleton(text: str | bytes) -> ClusterSkeleton:
    """The current context of a kubeconfig. Raises ClusterError where it is not one of a cluster."""
    try:
        document = load(text)
    except DocumentError as error:
        raise ClusterError(str(error), step=STEP, remedy=_REMEDY) from None
    contexts = named_entries(document, "contexts", "context")
    current = document.get("current-context")
    name = current if isinstance(current, str) and current else next(iter(contexts), "")
    context = contexts.get(name, {})
    cluster_fields = referred(context, "cluster", named_entries(document, "clusters", "cluster"))
    user_fields = referred(context, "user", named_entries(document, "users", "user"))
    server = (cluster_fields or {}).get("server")
    if (
        cluster_fields is None
        or user_fields is None
        or not isinstance(server, str)
        or not host_of(server)
    ):
        raise ClusterError("it has no context with a server and a user", step=STEP, remedy=_REMEDY)
    return ClusterSkeleton(
        context=str(name),
        cluster=str(context["cluster"]),
        user=str(context["user"]),
        server=str(server),
        context_fields=context,
        cluster_fields=cluster_fields,
        user_fields=user_fields,
        entra=_entra_integration(user_fields),
    )


_REMEDY = (
    "Compare it with what az aks get-credentials --file - gives for this cluster; with --skeleton, "
    "pass such a file."
)


def named_entries(document: Mapping[str, Any], section: str, kind: str) -> dict[str, Any]:
    """The entries of a kubeconfig's section as name -> fields, whatever is malformed left out.

    The first of two entries with one name counts.
    """
    entries: dict[str, Any] = {}
    items = document.get(section)
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and isinstance(item.get("name"), str):
            fields = item.get(kind)
            entries.setdefault(item["name"], fields if isinstance(fields, dict) else {})
    return entries


def referred(context: Mapping[str, Any], kind: str, entries: Mapping[str, Any]) -> Any:
    """The fields of the entry that a context names as its cluster or user; None without one."""
    name = context.get(kind)
    return entries.get(name) if isinstance(name, str) else None


def _entra_integration(user: Mapping[str, Any]) -> EntraIntegration | None:
    provider, plugin = user.get("auth-provider"), user.get("exec")
    if isinstance(plugin, dict):
        return _from_exec(plugin)
    if isinstance(provider, dict):
        return _from_auth_provider(provider)
    if any(user.get(key) for key in ("client-certificate-data", "client-certificate", "token")):
        return None
    raise ClusterError(
        "its user has neither Entra ID settings nor a certificate or token",
        step=STEP,
        remedy=_REMEDY,
    )


def _from_exec(plugin: Mapping[str, Any]) -> EntraIntegration:
    arguments = plugin.get("args")
    # What is no text is not written out: aliases of aliases of a list would fill the memory.
    words = [
        str(word) if isinstance(word, str) else ""
        for word in (arguments if isinstance(arguments, list) else ())
    ]
    if _flag(words, "--pop-enabled"):
        raise ClusterError(
            "it asks for proof-of-possession tokens (--pop-enabled), which this command cannot get",
            step=STEP,
            remedy="Use kubelogin for this cluster, or turn the requirement off.",
        )
    legacy = _flag(words, "--legacy")
    hint = plugin.get("installHint")
    return _integration(
        server_id=_value(words, "--server-id"),
        client_id=_value(words, "--client-id"),
        tenant_id=_value(words, "--tenant-id"),
        environment=_value(words, "--environment"),
        legacy=legacy,
        config_mode="" if legacy else "1",
        install_hint=str(hint) if isinstance(hint, str) else "",
    )


def _from_auth_provider(provider: Mapping[str, Any]) -> EntraIntegration:
    config = provider.get("config")
    settings = config if isinstance(config, dict) else {}

    def text(name: str) -> str:
        value = settings.get(name)
        return str(value).strip() if isinstance(value, str) else ""

    name = provider.get("name")
    if name != "azure":
        kind = name if isinstance(name, str) else None
        raise ClusterError(f"its auth-provider is {kind!r}, not azure", step=STEP, remedy=_REMEDY)
    return _integration(
        server_id=text("apiserver-id"),
        client_id=text("client-id"),
        tenant_id=text("tenant-id"),
        environment=text("environment"),
        legacy=text("config-mode") != "1",
        config_mode=text("config-mode"),
    )


def _integration(
    *,
    server_id: str,
    client_id: str,
    tenant_id: str,
    environment: str,
    legacy: bool,
    config_mode: str,
    install_hint: str = "",
) -> EntraIntegration:
    server_id = server_id.removeprefix("spn:")
    if not server_id:
        raise ClusterError(
            "its user names no server id to ask a token for", step=STEP, remedy=_REMEDY
        )
    return EntraIntegration(
        server_id=server_id,
        client_id=client_id or AKS_CLIENT_ID,
        tenant_id=tenant_id,
        environment=environment or "AzurePublicCloud",
        legacy=legacy,
        config_mode=config_mode,
        install_hint=install_hint,
    )


def _value(words: Sequence[str], option: str) -> str:
    """The value of `option value` or `option=value`, the last one given; "" without one."""
    value = ""
    for index, word in enumerate(words):
        if word == option and index + 1 < len(words):
            value = words[index + 1]
        elif word.startswith(f"{option}="):
            value = word.partition("=")[2]
    return value.strip()


def _flag(words: Sequence[str], option: str) -> bool:
    """Whether a boolean option of Go's flag libraries is on: `option` or `option=true`."""
    on = False
    for word in words:
        if word == option:
            on = True
        elif word.startswith(f"{option}="):
            on = word.partition("=")[2].lower() in ("1", "t", "true")
    return on
