"""A service connection of Azure Pipelines with workload identity federation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import quote

from .. import environment
from ..environment import first_of
from .base import IdentityOptions, SignInContext
from .token_exchange import TokenExchangeProvider, token_in

STEP = "id token of the service connection"
API_VERSION = "7.1"
MAPPING = "env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)"


class AzurePipelinesProvider(TokenExchangeProvider):
    """Azure DevOps issues the connection's id token to whoever has the job's access token."""

    name: ClassVar[str] = "azurepipelines"
    client_id_variables = environment.PIPELINES_CLIENT_ID
    tenant_variables = environment.PIPELINES_TENANT

    def __init__(self, options: IdentityOptions, context: SignInContext) -> None:
        super().__init__(options, context)
        self._assertion = ""

    @classmethod
    def missing_source(cls, options: IdentityOptions, environ: Mapping[str, str]) -> list[str]:
        lacks = []
        if not environ.get(environment.PIPELINES_REQUEST_URI):
            lacks.append("SYSTEM_OIDCREQUESTURI (set in every job of Azure Pipelines)")
        if not environ.get(environment.PIPELINES_ACCESS_TOKEN):
            lacks.append(f"SYSTEM_ACCESSTOKEN (map it in this step: {MAPPING})")
        if not _connection(options, environ):
            variable = environment.PIPELINES_CONNECTION[0]
            lacks.append(f"a service connection (--service-connection-id, or {variable})")
        return lacks

    @property
    def credential(self) -> str:
        return self.context.environ[environment.PIPELINES_ACCESS_TOKEN]

    def plugin_fields(self) -> Mapping[str, str]:
        connection = _connection(self.options, self.context.environ)
        return {**super().plugin_fields(), "service_connection_id": connection}

    def prepare(self) -> None:
        environ = self.context.environ
        connection = quote(_connection(self.options, environ), safe="")
        response = self.context.http.post(
            f"{environ[environment.PIPELINES_REQUEST_URI]}?api-version={API_VERSION}"
            f"&serviceConnectionId={connection}",
            b"",
            step=STEP,
            headers={
                "Authorization": f"Bearer {environ[environment.PIPELINES_ACCESS_TOKEN]}",
                "Content-Type": "application/json",
                "X-TFS-FedAuthRedirect": "Suppress",
            },
            repeatable=True,
        )
        self._assertion = token_in(
            response,
            "oidcToken",
            step=STEP,
            remedy="Check the service connection's id, that this pipeline may use it, and that the "
            f"step maps the job's token ({MAPPING}).",
        )

    def assertion(self) -> str:
        return self._assertion


def _connection(options: IdentityOptions, environ: Mapping[str, str]) -> str:
    found = first_of(environ, environment.PIPELINES_CONNECTION)
    return options.service_connection_id or found or ""
