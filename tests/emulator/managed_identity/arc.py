"""The agent of an Azure Arc server: a caller proves that it may read the agent's folder.

https://learn.microsoft.com/azure/azure-arc/servers/managed-identity-authentication
"""

from __future__ import annotations

import hmac
import os
import secrets as randomness
import uuid
from pathlib import Path
from typing import Any

from aiohttp import web

from ..clock import Clock, iso
from ..directory import ManagedIdentity
from ..secret_record import SecretRecord
from .identities import Identities, Refusal, answer, selectors
from .imds import needed_resource

PATH = "/arc/metadata/identity/oauth2/token"
_RESOURCE_ID = "msi_res_id"


class Arc:
    """Writes a secret into a file, names the file, and answers who then knows the secret.

    `tokens` is the folder of these files. msal reads them in the agent's own folder and nowhere
    else: /var/opt/azcmagent/tokens, %ProgramData%\\AzureConnectedMachineAgent\\Tokens.
    """

    def __init__(self, identities: Identities, clock: Clock, secrets: SecretRecord) -> None:
        self.tokens = Path()
        self._identities = identities
        self._clock = clock
        self._secrets = secrets
        self._challenges: dict[str, Path] = {}

    async def token(self, request: web.Request) -> web.Response:
        """`GET .../token?api-version=&resource=`, first without and then with Basic credentials."""
        try:
            resource = needed_resource(request)
            identity = self._identity(request)
            scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
            if scheme != "Basic" or not secret:
                return self._challenge()
            self._redeem(secret)
            token = self._identities.issue(identity, resource)
        except Refusal as refusal:
            return self._refusal(refusal)
        # A caller that named an identity wants to see that it is this one.
        named = {"object_id": identity.object_id, _RESOURCE_ID: identity.resource_id}
        is_named = bool(selectors(request, _RESOURCE_ID))
        return web.json_response(answer(identity, token) | (named if is_named else {}))

    def _identity(self, request: web.Request) -> ManagedIdentity:
        identity = self._identities.system_assigned
        if selectors(request, _RESOURCE_ID):
            users = self._identities.user_assigned
            identity = self._identities.selected(request, _RESOURCE_ID, users)
        if identity is None:
            raise Refusal(400, "Identity not found")
        return identity

    def _challenge(self) -> web.Response:
        secret = self._secrets.add("challenge", randomness.token_urlsafe(48))
        self.tokens.mkdir(parents=True, exist_ok=True)
        path = self.tokens / f"{uuid.uuid4()}.key"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o440), "w") as file:
            file.write(secret)
        self._challenges[secret] = path
        message = "Missing Basic Authorization header"
        response = self._refusal(Refusal(401, message, "unauthorized_client"))
        response.headers["WWW-Authenticate"] = f"Basic realm={path}"
        return response

    def _redeem(self, secret: str) -> None:
        """Take a secret, which serves once."""
        for known, path in list(self._challenges.items()):
            if hmac.compare_digest(known.encode(), secret.encode()):
                del self._challenges[known]
                path.unlink(missing_ok=True)
                return
        message = "Invalid Basic Authorization header"
        raise Refusal(401, message, "unauthorized_client")

    def _refusal(self, refusal: Refusal) -> web.Response:
        body: dict[str, Any] = {
            "error": refusal.error,
            "error_description": refusal.message,
            "error_codes": [refusal.status],
            "timestamp": iso(self._clock.now()),
            "trace_id": "",
            "correlation_id": str(uuid.uuid4()),
            "error_uri": "",
        }
        return web.json_response(body, status=refusal.status)
