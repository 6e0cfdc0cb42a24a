"""Another issuer of identity tokens, as GitHub Actions and Azure Pipelines have one.

It publishes its keys, issues tokens for federated credentials, and answers the two systems'
token requests.
"""

from __future__ import annotations

import hmac
import secrets as randomness

import jwt
from aiohttp import web

from .certificates import SigningKey
from .clock import Clock
from .secret_record import SecretRecord

AUDIENCE = "api://AzureADTokenExchange"
LIFETIME = 600


class OidcIssuer:
    """Issues identity tokens for one workload."""

    def __init__(self, clock: Clock, secrets: SecretRecord) -> None:
        self.issuer = ""
        self.key = SigningKey("oidc.emulator")
        self.subject = "repo:example/deploy:ref:refs/heads/main"
        self.request_token = randomness.token_urlsafe(24)
        self._clock = clock
        self._secrets = secrets
        secrets.add("request token", self.request_token)

    def issue(
        self, subject: str | None = None, audience: str = AUDIENCE, lifetime: int = LIFETIME
    ) -> str:
        """An identity token; the subject is the workload's own unless given."""
        now = int(self._clock.now())
        claims = {
            "iss": self.issuer,
            "sub": subject or self.subject,
            "aud": audience,
            "iat": now,
            "nbf": now,
            "exp": now + lifetime,
            "jti": randomness.token_hex(16),
        }
        headers = {"kid": self.key.thumbprint}
        token = jwt.encode(claims, self.key.private_key, algorithm="RS256", headers=headers)
        return self._secrets.add("federated token", token)

    def github_environment(self) -> dict[str, str]:
        """The variables by which a GitHub Actions job asks for its token."""
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.issuer}/github/token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self.request_token,
        }

    def pipelines_environment(self) -> dict[str, str]:
        """The variables by which an Azure Pipelines job asks for its token."""
        return {
            "SYSTEM_OIDCREQUESTURI": f"{self.issuer}/pipelines/oidctoken",
            "SYSTEM_ACCESSTOKEN": self.request_token,
        }

    def routes(self) -> list[web.RouteDef]:
        """The issuer's routes, below the path `/oidc`."""
        return [
            web.get("/oidc/.well-known/openid-configuration", self._configuration),
            web.get("/oidc/keys", self._keys),
            web.get("/oidc/github/token", self._github),
            web.post("/oidc/pipelines/oidctoken", self._pipelines),
        ]

    async def _configuration(self, _: web.Request) -> web.Response:
        return web.json_response({"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"})

    async def _keys(self, _: web.Request) -> web.Response:
        return web.json_response({"keys": [self.key.jwk()]})

    async def _github(self, request: web.Request) -> web.Response:
        self._check_bearer(request)
        return web.json_response({"value": self.issue(audience=request.query.get("audience", ""))})

    async def _pipelines(self, request: web.Request) -> web.Response:
        self._check_bearer(request)
        asked = "api-version" in request.query and request.query.get("serviceConnectionId")
        if not asked or request.content_type != "application/json":
            raise web.HTTPBadRequest
        return web.json_response({"oidcToken": self.issue()})

    def _check_bearer(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(token, self.request_token):
            raise web.HTTPUnauthorized
