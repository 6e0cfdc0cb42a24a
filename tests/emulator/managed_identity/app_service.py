"""The token endpoint of App Service, Functions and Container Apps.

https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
"""

from __future__ import annotations

import hmac
import uuid

from aiohttp import web

from ..directory import ManagedIdentity
from .identities import Identities, Refusal, selectors

PATH = "/msi/token"
_API_VERSION = "2019-08-01"
_RESOURCE_ID = "mi_res_id"


class AppService:
    """Answers whoever knows the app's secret."""

    def __init__(self, identities: Identities, secret: str) -> None:
        self._identities = identities
        self._secret = secret

    async def token(self, request: web.Request) -> web.Response:
        """`GET /msi/token?api-version=2019-08-01&resource=` with X-IDENTITY-HEADER."""
        try:
            return self._answer(request)
        except Refusal as refusal:
            body = {
                "statusCode": refusal.status,
                "message": refusal.message,
                "correlationId": str(uuid.uuid4()),
            }
            return web.json_response(body, status=refusal.status)

    def _answer(self, request: web.Request) -> web.Response:
        secret = request.headers.get("X-IDENTITY-HEADER", "")
        if not hmac.compare_digest(secret.encode(), self._secret.encode()):
            raise Refusal(401, "The X-IDENTITY-HEADER is missing or not that of this app.")
        if request.query.get("api-version") != _API_VERSION:
            version = request.query.get("api-version")
            raise Refusal(400, f"The api-version '{version}' is not supported.")
        resource = request.query.get("resource")
        if not resource:
            raise Refusal(400, "The parameter 'resource' is required.")
        identity = self._identity(request)
        try:
            token = self._identities.issue(identity, resource)
        except Refusal as refusal:
            # Whatever Entra said, this is all that the service passes on.
            message = "An unexpected error occured while fetching the AAD Token."
            raise Refusal(500, message) from refusal
        body = {
            "access_token": token.token,
            "client_id": identity.client_id,
            "expires_on": str(token.issued_at + token.lifetime),
            "resource": resource,
            "token_type": "Bearer",
        }
        return web.json_response(body)

    def _identity(self, request: web.Request) -> ManagedIdentity:
        if selectors(request, _RESOURCE_ID):
            users = self._identities.user_assigned
            identity = self._identities.selected(request, _RESOURCE_ID, users)
            kind = "User Assigned or Delegated Managed Identity"
        else:
            identity, kind = self._identities.system_assigned, "Managed Identity"
        if identity is None:
            message = f"No {kind} found for specified ClientId/ResourceId/PrincipalId."
            raise Refusal(400, message)
        return identity
