"""Entra's token endpoint: a grant in, an access token for one resource out.

OAuth 2.0 (RFC 6749) with the SAML grants of RFC 7522. The v2 endpoint takes scopes; the v1 endpoint
with `api-version=1.0` is the only one that issues the audience `spn:<id>` of AKS' legacy
integration.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from ..errors import (
    AksAuthError,
    AuthenticationError,
    ResponseError,
    quote_server,
)
from . import aadsts
from .http import HttpClient, HttpResponse
from .saml import SamlAssertion

# RFC 6750, section 2.1 (b64token); what this lets through needs no escaping in JSON or YAML.
_TOKEN = r"[A-Za-z0-9._~+/-]+=*"
_AADSTS = re.compile(r"AADSTS(\d{4,8})\b")


@dataclass(frozen=True)
class TokenRequest:
    """What a token is wanted for.

    resource: application id or URI of the API, as it will be the audience.
    tenant: id or domain of the tenant that issues it, or "organizations".
    client_id: the public client that a user signs in with; other identities have their own.
    legacy: the audience has to be `spn:<resource>`.
    for_arm: the API is Azure Resource Manager (errors say other things there).
    """

    resource: str
    tenant: str
    client_id: str
    legacy: bool = False
    for_arm: bool = False

    @property
    def step(self) -> str:
        """What an error calls this request."""
        return f"token for {'Azure Resource Manager' if self.for_arm else 'the API server'}"


@dataclass(frozen=True)
class AccessToken:
    """An access token, and with it perhaps a refresh token.

    expires_on: seconds since the epoch by this machine's clock; expires_in: seconds from its issue.
    tenant, client_id: what it was asked with.
    """

    token: str = field(repr=False)
    expires_on: int
    expires_in: int
    tenant: str
    client_id: str
    refresh_token: str = field(default="", repr=False)


def password_grant(username: str, password: str) -> dict[str, str]:
    """RFC 6749, section 4.3."""
    return {"grant_type": "password", "username": username, "password": password}


def saml_grant(assertion: SamlAssertion) -> dict[str, str]:
    """RFC 7522, section 2.1, and its counterpart for SAML 1.1."""
    encoded = urlsafe_b64encode(assertion.xml).rstrip(b"=").decode("ascii")
    return {"grant_type": assertion.version.grant_type, "assertion": encoded}


def refresh_token_grant(refresh_token: str) -> dict[str, str]:
    """RFC 6749, section 6."""
    return {"grant_type": "refresh_token", "refresh_token": refresh_token}


def request_token(
    http: HttpClient,
    authority_host: str,
    request: TokenRequest,
    grant: Mapping[str, str],
    clock: Callable[[], float],
) -> AccessToken:
    """Redeem grant for an access token.

    clock gives seconds since the epoch. Raises AuthenticationError with Entra's number,
    NetworkError and ResponseError.
    """
    tenant = quote(request.tenant, safe="")
    form = {**grant, "client_id": request.client_id}
    if request.legacy:
        url = f"{authority_host}/{tenant}/oauth2/token?api-version=1.0"
        form |= {"resource": request.resource, "scope": "openid"}
    else:
        url = f"{authority_host}/{tenant}/oauth2/v2.0/token"
        form["scope"] = f"{request.resource}/.default openid offline_access profile"
    asked_at = clock()
    response = http.post(
        url,
        form,
        step=request.step,
        headers={"Accept": "application/json"},
        repeatable="password" not in grant,
    )
    if response.status != 200:
        raise refusal(response, request, *_secrets_in(grant))
    answer = response.json_object(request.step)
    return access_token_of(answer, request, asked_at, response.host)


def _secrets_in(grant: Mapping[str, str]) -> list[str]:
    """What a server must not be quoted with: of an assertion also what its base64 says."""
    secrets = [grant[key] for key in ("password", "assertion", "refresh_token") if key in grant]
    if "assertion" in grant:
        padded = grant["assertion"] + "=" * (-len(grant["assertion"]) % 4)
        secrets.append(urlsafe_b64decode(padded).decode("utf-8", "replace"))
    return secrets


def access_token_of(
    answer: Mapping[str, Any], request: TokenRequest, asked_at: float, host: str
) -> AccessToken:
    """The token in an answer. asked_at: when it was asked for, seconds since the epoch.

    Raises ResponseError where there is none.
    """
    token, refresh_token = answer.get("access_token"), answer.get("refresh_token") or ""
    try:
        expires_in = int(answer.get("expires_in", ""))
    except (TypeError, ValueError, OverflowError):
        expires_in = 0
    if (
        not isinstance(token, str)
        or not re.fullmatch(_TOKEN, token)
        or not isinstance(refresh_token, str)
        or not 0 < expires_in < 10**9
    ):
        raise ResponseError(
            "the answer holds no access token with a lifetime",
            step=request.step,
            host=host,
            remedy="Check the authority host; another server may be answering in its place.",
        )
    return AccessToken(
        token=token,
        expires_on=int(asked_at) + expires_in,
        expires_in=expires_in,
        tenant=request.tenant,
        client_id=request.client_id,
        refresh_token=refresh_token,
    )


def unverified_claims(token: str) -> dict[str, Any]:
    """What a JWT says of itself, which nobody has verified; {} for what is no JWT."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def refusal(response: HttpResponse, request: TokenRequest, *secrets: str) -> AksAuthError:
    """The error for an answer that is not 200; secrets are blotted out of the server's words."""
    if busy := response.busy(request.step):
        return busy
    answer = response.json_object(request.step)
    description = _text(answer, "error_description")
    number = _number(answer, description)
    # The trace, correlation id and time that Entra puts behind its sentence are said elsewhere.
    said = re.split(r"\s(?:Trace ID|Correlation ID|Timestamp):", description, maxsplit=1)[0]
    said = _AADSTS.sub("", said).lstrip(": ")
    message = aadsts.meaning(number) if number else None
    return AuthenticationError(
        message
        or quote_server(said or _text(answer, "error"), *secrets)
        or "the grant was refused",
        step=request.step,
        host=response.host,
        code=f"AADSTS{number}" if number else quote_server(_text(answer, "error"), *secrets),
        correlation_id=quote_server(_text(answer, "correlation_id"), *secrets),
        remedy=aadsts.remedy(number, for_arm=request.for_arm),
    )


def _number(answer: Mapping[str, Any], description: str) -> int | None:
    """Entra's own error number: the one in the text is the one people search for."""
    match = _AADSTS.search(description)
    if match:
        return int(match[1])
    codes = answer.get("error_codes")
    if isinstance(codes, list) and codes and type(codes[0]) is int:
        return codes[0]
    return None


def _text(answer: Mapping[str, Any], name: str) -> str:
    value = answer.get(name)
    return value if isinstance(value, str) else ""
