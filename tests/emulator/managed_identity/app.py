"""The web application of the three token endpoints, and what a test reads and changes of them."""

from __future__ import annotations

import secrets as randomness
import uuid
from pathlib import Path

from aiohttp import web

from ..clock import Clock
from ..directory import SUBSCRIPTION, Directory, ManagedIdentity
from ..entra.access_token import TokenIssuer
from ..secret_record import SecretRecord
from ..traffic import Traffic
from . import app_service, arc, imds
from .identities import Identities

_GROUP = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/rg/providers"


class ManagedIdentityHost:
    """A machine or app with managed identities; one set of them, three ways to ask."""

    def __init__(
        self,
        directory: Directory,
        tokens: TokenIssuer,
        clock: Clock,
        traffic: Traffic,
        secrets: SecretRecord,
    ) -> None:
        self.address = ""
        self._identities = Identities(directory, tokens, clock)
        self._secret = secrets.add("identity header", randomness.token_hex(16))
        self._imds = imds.Imds(self._identities)
        self._app_service = app_service.AppService(self._identities, self._secret)
        self._arc = arc.Arc(self._identities, clock, secrets)
        self._traffic = traffic

    def application(self) -> web.Application:
        """The application."""
        app = web.Application(middlewares=[self._traffic.middleware("identity")])
        app.router.add_get(imds.PATH, self._imds.token)
        app.router.add_get(app_service.PATH, self._app_service.token)
        app.router.add_get(arc.PATH, self._arc.token)
        return app

    # Who there is

    @property
    def system_assigned(self) -> ManagedIdentity | None:
        """The system-assigned identity; None removes it."""
        return self._identities.system_assigned

    @system_assigned.setter
    def system_assigned(self, identity: ManagedIdentity | None) -> None:
        self._identities.system_assigned = identity

    @property
    def user_assigned(self) -> list[ManagedIdentity]:
        """The user-assigned identities."""
        return self._identities.user_assigned

    def assign_system(self, client_id: str | None = None) -> ManagedIdentity:
        """Give the machine a system-assigned identity; its client id is a new GUID unless given."""
        path = f"{_GROUP}/Microsoft.Compute/virtualMachines/agent"
        self.system_assigned = _identity("agent", path, client_id)
        return self.system_assigned

    def assign_user(self, name: str, client_id: str | None = None) -> ManagedIdentity:
        """Give the machine a user-assigned identity; its client id is a new GUID unless given."""
        path = f"{_GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
        identity = _identity(name, path, client_id)
        self.user_assigned.append(identity)
        return identity

    # How programs find it

    def imds_environment(self) -> dict[str, str]:
        """The variable by which msal asks here and not 169.254.169.254, as on a virtual machine."""
        return {"AZURE_POD_IDENTITY_AUTHORITY_HOST": self.address}

    def app_service_environment(self) -> dict[str, str]:
        """The variables that App Service sets."""
        return {
            "IDENTITY_ENDPOINT": f"{self.address}{app_service.PATH}",
            "IDENTITY_HEADER": self._secret,
        }

    def arc_environment(self) -> dict[str, str]:
        """The variables that an Azure Arc server has; see also `arc_tokens`."""
        return {
            "IDENTITY_ENDPOINT": f"{self.address}{arc.PATH}",
            "IMDS_ENDPOINT": self.address,
        }

    @property
    def arc_tokens(self) -> Path:
        """The folder of Azure Arc's challenge files.

        It lies in the emulator's own folder; msal reads them in the agent's, so that a program
        which uses msal as it is needs this to be /var/opt/azcmagent/tokens.
        """
        return self._arc.tokens

    @arc_tokens.setter
    def arc_tokens(self, folder: Path) -> None:
        self._arc.tokens = folder


def _identity(name: str, resource_id: str, client_id: str | None) -> ManagedIdentity:
    client_id = (client_id or str(uuid.uuid4())).lower()
    return ManagedIdentity(client_id, name, resource_id=resource_id)
