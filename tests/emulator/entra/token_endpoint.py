"""The OAuth 2.0 token endpoints, v1 (`resource`) and v2 (`scope`)."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from ..clock import Clock
from ..directory import Directory, ServicePrincipal, User
from ..oidc import OidcIssuer
from ..secret_record import SecretRecord
from . import saml_bearer
from .aadsts import TokenRefused, refusal
from .access_token import AccessToken, Principal, TokenIssuer, client_info
from .client_assertion import JWT_BEARER, authenticate
from .refresh_token import RefreshTokens

LOCKOUT_THRESHOLD = 10
_SHARED_TENANTS = ("common", "organizations")
_OIDC_SCOPES = {"openid", "offline_access", "profile", "email"}
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True)
class TokenRequest:
    """A form, the endpoint that it came to, and what it asks for."""

    form: dict[str, str]
    segment: str
    version: int
    spn_prefix: bool

    def need(self, name: str) -> str:
        """A parameter that has to be there (else 900144)."""
        value = self.form.get(name)
        if not value:
            raise TokenRefused(900144, detail=name)
        return value

    @property
    def client_id(self) -> str:
        """The client, lower case."""
        return self.need("client_id").lower()

    @property
    def scopes(self) -> list[str]:
        """The scope's parts; empty at the v1 endpoint."""
        return self.need("scope").split(" ") if self.version == 2 else []

    @property
    def resource(self) -> str:
        """The resource asked for: exactly one."""
        if self.version == 1:
            return self.need("resource")
        rest = [scope for scope in self.scopes if scope not in _OIDC_SCOPES]
        if len(rest) != 1 or not rest[0].endswith("/.default"):
            code = 1002012 if self.form.get("grant_type") == "client_credentials" else 70011
            raise TokenRefused(code, detail=self.form.get("scope", ""))
        return rest[0][: -len("/.default")]


class TokenEndpoint:
    """Answers token requests out of the directory."""

    def __init__(
        self,
        directory: Directory,
        tokens: TokenIssuer,
        clock: Clock,
        oidc: OidcIssuer,
        secrets: SecretRecord,
    ) -> None:
        self.authority = ""
        self.refresh_tokens = RefreshTokens(clock, secrets)
        self._directory = directory
        self._tokens = tokens
        self._clock = clock
        self._oidc = oidc

    async def v1(self, request: web.Request) -> web.Response:
        """`POST /{tenant}/oauth2/token`; `?api-version=1.0` makes the audience `spn:<guid>`."""
        return await self._answer(request, 1, request.query.get("api-version") == "1.0")

    async def v2(self, request: web.Request) -> web.Response:
        """`POST /{tenant}/oauth2/v2.0/token`."""
        return await self._answer(request, 2, False)

    async def _answer(self, request: web.Request, version: int, spn: bool) -> web.Response:
        correlation = request.headers.get("client-request-id") or str(uuid.uuid4())
        try:
            form = await _form(request)
            body = self._grant(TokenRequest(form, request.match_info["tenant"], version, spn))
        except TokenRefused as error:
            return refusal(error, self.authority, self._clock.now(), correlation)
        headers = {"Cache-Control": "no-store", "client-request-id": correlation}
        return web.json_response(body, headers=headers)

    def _grant(self, request: TokenRequest) -> dict[str, Any]:
        grant_type = request.need("grant_type")
        self._check_tenant(request.segment)
        self._check_resource(request)
        if grant_type == "client_credentials":
            return self._client_credentials(request)
        self._authenticate_client_of_user(request)
        if grant_type == "password":
            return self._for_user(request, self._by_password(request))
        if grant_type in saml_bearer.GRANTS:
            assertion = request.need("assertion")
            user = saml_bearer.user_of(self._directory, grant_type, assertion, self._clock.now())
            return self._for_user(request, user)
        if grant_type == "refresh_token":
            return self._for_user(request, self._by_refresh_token(request))
        raise TokenRefused(70003, detail=grant_type)

    def _check_tenant(self, segment: str) -> None:
        if segment not in _SHARED_TENANTS and self._directory.tenant_of(segment) is None:
            raise TokenRefused(90002, detail=segment)

    def _check_resource(self, request: TokenRequest) -> None:
        if request.resource not in self._directory.resources:
            raise TokenRefused(500011, detail=request.resource, tenant=request.segment)

    # Users

    def _authenticate_client_of_user(self, request: TokenRequest) -> None:
        client_id = request.client_id
        if client_id in self._directory.public_clients:
            if "client_secret" in request.form or "client_assertion" in request.form:
                raise TokenRefused(700025)
            return
        client = self._directory.service_principals.get(client_id)
        if client is None:
            raise TokenRefused(700016, client=client_id, tenant=request.segment)
        if "client_secret" not in request.form and "client_assertion" not in request.form:
            raise TokenRefused(7000218)
        self._authenticate_client(request, client, client.tenant)

    def _by_password(self, request: TokenRequest) -> User:
        if request.segment == "common" and request.version == 2:
            raise TokenRefused(9001023)
        upn, password = request.need("username"), request.need("password")
        user = self._directory.find_user(upn)
        if user is None:
            raise TokenRefused(50034, tenant=request.segment)
        if user.aadsts == 50053 or user.wrong_passwords >= LOCKOUT_THRESHOLD:
            raise TokenRefused(50053)
        if user.federation is not None:
            raise TokenRefused(50056)
        if user.password != password:
            user.wrong_passwords += 1
            raise TokenRefused(50126)
        user.wrong_passwords = 0
        return user

    def _by_refresh_token(self, request: TokenRequest) -> User:
        grant = self.refresh_tokens.redeem(request.need("refresh_token"), request.client_id)
        user = self._directory.find_user(grant.upn)
        if user is None or user.password != grant.password:
            raise TokenRefused(50173)
        return user

    def _for_user(self, request: TokenRequest, user: User) -> dict[str, Any]:
        tenant = self._directory.tenant_of(request.segment) or user.tenant
        if not user.enabled:
            raise TokenRefused(50057)
        if tenant != user.tenant and tenant not in user.guest_in:
            raise TokenRefused(90072, user=user.upn, tenant=tenant, client=request.client_id)
        token = self._access_token(request, user, tenant)
        answer = _token_answer(request, token)
        scopes = request.scopes
        if request.version == 1 or "offline_access" in scopes:
            answer["refresh_token"] = self.refresh_tokens.issue(
                user.upn, request.client_id, tenant, user.password
            )
        if request.version == 1 or "openid" in scopes:
            answer["id_token"] = self._id_token(user, tenant, request.client_id, token)
            answer["client_info"] = client_info(user)
        answer["scope"] = (
            f"{token.audience.rstrip('/')}/user_impersonation {request.need('scope')}"
            if request.version == 2
            else "user_impersonation"
        )
        return answer

    def _id_token(self, user: User, tenant: str, client_id: str, token: AccessToken) -> str:
        return self._tokens.sign(
            {
                "aud": client_id,
                "iss": f"{self.authority}/{tenant}/v2.0",
                "iat": token.issued_at,
                "exp": token.issued_at + token.lifetime,
                "oid": user.object_id,
                "sub": user.object_id,
                "tid": tenant,
                "name": user.upn.partition("@")[0],
                "preferred_username": user.upn,
                "upn": user.upn,
                "ver": "2.0",
            }
        )

    # Applications

    def _client_credentials(self, request: TokenRequest) -> dict[str, Any]:
        client_id = request.client_id
        tenant = self._directory.tenant_of(request.segment)
        if tenant is None:
            raise TokenRefused(50059)
        client = self._directory.service_principals.get(client_id)
        if client is None:
            known = client_id in self._directory.public_clients
            raise TokenRefused(7000216 if known else 700016, client=client_id, tenant=tenant)
        if client.tenant != tenant:
            raise TokenRefused(7000229, client=client_id, tenant=tenant)
        self._authenticate_client(request, client, tenant)
        return _token_answer(request, self._access_token(request, client, tenant))

    def _authenticate_client(
        self, request: TokenRequest, client: ServicePrincipal, tenant: str
    ) -> None:
        if "client_assertion" in request.form:
            if request.need("client_assertion_type") != JWT_BEARER:
                raise TokenRefused(9002313, detail="client_assertion_type")
            assertion = request.need("client_assertion")
            audiences = self._audiences(tenant) | self._audiences(request.segment)
            authenticate(client, assertion, audiences, self._oidc, self._clock.now())
            return
        secret = request.form.get("client_secret")
        if secret is None:
            raise TokenRefused(7000216)
        if client.secret is None or secret != client.secret:
            raise TokenRefused(7000215, client=client.client_id)
        if client.secret_expires is not None and client.secret_expires <= self._clock.now():
            raise TokenRefused(7000222, client=client.client_id)

    def _audiences(self, tenant: str) -> set[str]:
        base = f"{self.authority}/{tenant}"
        return {
            base,
            base + "/",
            f"{base}/v2.0",
            f"{base}/oauth2/v2.0/token",
            f"{base}/oauth2/token",
        }

    # Both

    def _access_token(
        self, request: TokenRequest, principal: Principal, tenant: str
    ) -> AccessToken:
        resource = request.resource
        struck = principal.aadsts_resource
        if principal.aadsts and (struck is None or struck.rstrip("/") == resource.rstrip("/")):
            raise TokenRefused(
                principal.aadsts, resource=resource, tenant=tenant, client=request.client_id
            )
        audience = resource
        if request.spn_prefix and _GUID.fullmatch(resource):
            audience = f"spn:{resource}"
        return self._tokens.issue(principal, tenant, request.client_id, audience)


async def _form(request: web.Request) -> dict[str, str]:
    if request.content_type != "application/x-www-form-urlencoded":
        raise TokenRefused(900144, detail="grant_type")
    form = await request.post()
    if len(set(form)) != len(form):
        raise TokenRefused(9002313, detail="A parameter is repeated.")
    return {name: value for name, value in form.items() if isinstance(value, str)}


def _token_answer(request: TokenRequest, token: AccessToken) -> dict[str, Any]:
    if request.version == 2:
        return {
            "token_type": "Bearer",
            "expires_in": token.lifetime,
            "ext_expires_in": token.lifetime,
            "access_token": token.token,
        }
    return {
        "token_type": "Bearer",
        "expires_in": str(token.lifetime),
        "ext_expires_in": str(token.lifetime),
        "expires_on": str(token.issued_at + token.lifetime),
        "not_before": str(token.issued_at),
        "resource": request.resource,
        "access_token": token.token,
    }
