"""The Instance Metadata Service of a virtual machine.

https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
"""

from __future__ import annotations

import re

from aiohttp import web

from ..directory import ManagedIdentity
from .identities import Identities, Refusal, answer, selectors

PATH = "/metadata/identity/oauth2/token"
_RESOURCE_ID = "msi_res_id"
_OLDEST_API_VERSION = "2018-02-01"


class Imds:
    """Answers whoever sends `Metadata: true`; the address alone is the secret."""

    def __init__(self, identities: Identities) -> None:
        self._identities = identities

    async def token(self, request: web.Request) -> web.Response:
        """`GET /metadata/identity/oauth2/token?api-version=&resource=`."""
        try:
            resource = needed_resource(request)
            identity = self._identity(request)
            return web.json_response(answer(identity, self._identities.issue(identity, resource)))
        except Refusal as refusal:
            body = {"error": refusal.error, "error_description": refusal.message}
            return web.json_response(body, status=refusal.status)

    def _identity(self, request: web.Request) -> ManagedIdentity:
        system, users = self._identities.system_assigned, self._identities.user_assigned
        if selectors(request, _RESOURCE_ID):
            everyone = [*users, system] if system else users
            identity = self._identities.selected(request, _RESOURCE_ID, everyone)
        else:
            if system is None and len(users) > 1:
                message = (
                    "Multiple user assigned identities exist, please specify the clientId / "
                    "resourceId of the identity in the token request"
                )
                raise Refusal(400, message)
            identity = system or next(iter(users), None)
        if identity is None:
            raise Refusal(400, "Identity not found")
        return identity


def needed_resource(request: web.Request) -> str:
    """The resource of a request that has all that it needs: header, version and resource.

    Raises:
        Refusal: something is missing.
    """
    if request.headers.get("Metadata", "").lower() != "true":
        raise Refusal(400, "Required metadata header not specified")
    version = request.query.get("api-version")
    if not version:
        message = "Required query variable 'api-version' is missing"
        raise Refusal(400, message)
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", version) or version < _OLDEST_API_VERSION:
        raise Refusal(400, f"The api-version '{version}' is not supported")
    resource = request.query.get("resource")
    if not resource:
        raise Refusal(400, "Required audience parameter not specified")
    return resource
