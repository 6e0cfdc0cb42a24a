"""Which identities a machine or app has, and what a request for a token says about them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from ..clock import Clock
from ..directory import Directory, ManagedIdentity
from ..entra.aadsts import TokenRefused, refusal_message
from ..entra.access_token import AccessToken, TokenIssuer
from ..traffic import RECORD


class Refusal(Exception):
    """A token endpoint says no; each service has its own shape for it, and not all an `error`."""

    def __init__(self, status: int, message: str, error: str = "invalid_request") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.error = error


class Identities:
    """The system-assigned identity, if there is one, and any number of user-assigned ones."""

    def __init__(self, directory: Directory, tokens: TokenIssuer, clock: Clock) -> None:
        self.system_assigned: ManagedIdentity | None = None
        self.user_assigned: list[ManagedIdentity] = []
        self._directory = directory
        self._tokens = tokens
        self._clock = clock

    def selected(
        self, request: web.Request, resource_id_name: str, among: Iterable[ManagedIdentity]
    ) -> ManagedIdentity | None:
        """The identity that a request names, or None.

        Args:
            request: may have `client_id`, `object_id` and a resource id in its query.
            resource_id_name: the service's parameter for the resource id.
            among: the identities that may be named.
        """
        names = selectors(request, resource_id_name)
        for identity in among:
            own = {
                "client_id": identity.client_id,
                "object_id": identity.object_id,
                resource_id_name: identity.resource_id,
            }
            if names and all(own[name].lower() == value.lower() for name, value in names.items()):
                return identity
        return None

    def issue(self, identity: ManagedIdentity, resource: str) -> AccessToken:
        """An access token of an identity.

        Raises:
            Refusal: Entra knows no such resource.
        """
        record = RECORD.get()
        record.client_id, record.resource = identity.client_id, resource
        if resource not in self._directory.resources:
            error = TokenRefused(500011, detail=resource, tenant=identity.tenant)
            message = refusal_message(error, self._clock.now(), str(uuid.uuid4()))
            raise Refusal(400, message, "invalid_resource")
        return self._tokens.issue(identity, identity.tenant, identity.client_id, resource)


def selectors(request: web.Request, resource_id_name: str) -> dict[str, str]:
    """The parameters of a request that name an identity; the services ignore any other."""
    names = ("client_id", "object_id", resource_id_name)
    return {name: request.query[name] for name in names if request.query.get(name)}


def answer(identity: ManagedIdentity, token: AccessToken) -> dict[str, Any]:
    """A token as virtual machines and Azure Arc hand it out: every value is a string."""
    return {
        "access_token": token.token,
        "client_id": identity.client_id,
        "expires_in": str(token.lifetime),
        "expires_on": str(token.issued_at + token.lifetime),
        "ext_expires_in": str(token.lifetime),
        "not_before": str(token.issued_at),
        "resource": token.audience,
        "token_type": "Bearer",
    }
