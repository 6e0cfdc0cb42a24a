"""Who a request to an API server is from: an Entra token or a client certificate."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from ..entra.access_token import InvalidToken, TokenIssuer
from .cluster import Cluster


@dataclass(frozen=True)
class KubernetesUser:
    """The authenticated user; `expires` is when the credential ends, None for a certificate."""

    name: str
    groups: tuple[str, ...]
    expires: float | None = None
    uid: str = ""
    extra: dict[str, list[str]] = field(default_factory=dict)

    def user_info(self) -> dict[str, Any]:
        """As a SelfSubjectReview states it."""
        groups = [*self.groups, "system:authenticated"]
        info: dict[str, Any] = {"username": self.name, "groups": groups}
        if self.uid:
            info["uid"] = self.uid
        if self.extra:
            info["extra"] = self.extra
        return info


def authenticate(
    request: web.Request, cluster: Cluster, tokens: TokenIssuer
) -> KubernetesUser | None:
    """The user of a request, or None where it has no credential that this cluster accepts."""
    if cluster.skeleton == "local":
        return _by_certificate(request)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    try:
        claims = tokens.verify(token, {cluster.audience}, cluster.tenant)
    except InvalidToken:
        return None
    return KubernetesUser(
        claims["upn"] if claims["idtyp"] == "user" else claims["appid"],
        tuple(claims.get("groups", ())),
        claims["exp"],
        claims["oid"],
        {"oid": [claims["oid"]]},
    )


def _by_certificate(request: web.Request) -> KubernetesUser | None:
    transport = request.transport
    certificate = transport.get_extra_info("peercert") if transport else None
    if not certificate:
        return None
    subject = {name: value for part in certificate["subject"] for name, value in part}
    return KubernetesUser(subject["commonName"], (subject["organizationName"],))
