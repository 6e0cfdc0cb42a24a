"""The web application of the authority host."""

from __future__ import annotations

from aiohttp import web

from ..directory import Directory
from ..oidc import OidcIssuer
from ..traffic import Traffic
from .access_token import TokenIssuer
from .realm import realm
from .token_endpoint import TokenEndpoint


class Entra:
    """Serves user realm, tokens, discovery and keys; the small OIDC issuer lives beside them."""

    def __init__(
        self,
        directory: Directory,
        tokens: TokenIssuer,
        endpoint: TokenEndpoint,
        oidc: OidcIssuer,
        traffic: Traffic,
    ) -> None:
        self._directory = directory
        self._tokens = tokens
        self._endpoint = endpoint
        self._oidc = oidc
        self._traffic = traffic

    def application(self) -> web.Application:
        """The application."""
        app = web.Application(middlewares=[self._traffic.middleware("entra")])
        app.add_routes(self._oidc.routes())
        app.router.add_get("/common/userrealm/{upn:.+}", self._realm)
        app.router.add_get("/{tenant}/v2.0/.well-known/openid-configuration", self._configuration)
        app.router.add_get("/{tenant}/discovery/v2.0/keys", self._keys)
        app.router.add_post("/{tenant}/oauth2/v2.0/token", self._endpoint.v2)
        app.router.add_post("/{tenant}/oauth2/token", self._endpoint.v1)
        return app

    async def _realm(self, request: web.Request) -> web.Response:
        if request.query.get("api-version") != "1.0":
            return web.json_response({"error": "api-version"}, status=400)
        return web.json_response(realm(self._directory, request.match_info["upn"]))

    async def _configuration(self, request: web.Request) -> web.Response:
        segment = request.match_info["tenant"]
        tenant = self._directory.tenant_of(segment)
        if tenant is None and segment not in ("common", "organizations"):
            return web.json_response(
                {"error": "invalid_tenant", "error_description": "AADSTS90002: No such tenant."},
                status=400,
            )
        authority = self._endpoint.authority
        base = f"{authority}/{tenant or segment}"
        return web.json_response(
            {
                "issuer": f"{authority}/{tenant or '{tenantid}'}/v2.0",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "response_types_supported": ["code", "id_token"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    async def _keys(self, _: web.Request) -> web.Response:
        return web.json_response({"keys": [self._tokens.key.jwk()]})
