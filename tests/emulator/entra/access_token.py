"""Access tokens: issued by the token endpoint, checked by ARM and the API servers."""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import dataclass
from typing import Any

import jwt

from ..certificates import SigningKey
from ..clock import Clock
from ..directory import ManagedIdentity, ServicePrincipal, User
from ..secret_record import SecretRecord

Principal = User | ServicePrincipal


class InvalidToken(Exception):
    """A bearer token that a service does not accept; `claim` is the one that is wrong."""

    def __init__(self, claim: str, reason: str) -> None:
        super().__init__(reason)
        self.claim = claim
        self.reason = reason


@dataclass(frozen=True)
class AccessToken:
    """An issued token and the seconds that it lives."""

    token: str
    audience: str
    issued_at: int
    lifetime: int


class TokenIssuer:
    """Issues and verifies the cloud's JSON Web Tokens."""

    def __init__(self, clock: Clock, secrets: SecretRecord) -> None:
        self.key = SigningKey("login.emulator")
        self.lifetime = 3600
        self._clock = clock
        self._secrets = secrets

    def issue(
        self, principal: Principal, tenant: str, client_id: str, audience: str
    ) -> AccessToken:
        """An access token as Entra issues it for ARM and AKS (`ver` 1.0)."""
        now = int(self._clock.now())
        claims: dict[str, Any] = {
            "aud": audience,
            "iss": issuer_of(tenant),
            "iat": now,
            "nbf": now,
            "exp": now + self.lifetime,
            "appid": client_id,
            "idp": issuer_of(tenant),
            "oid": principal.object_id,
            "sub": principal.object_id,
            "tid": tenant,
            "uti": uuid.uuid4().hex,
            "ver": "1.0",
            **(_user_claims(principal) if isinstance(principal, User) else _app_claims(principal)),
        }
        return AccessToken(self.sign(claims), audience, now, self.lifetime)

    def sign(self, claims: dict[str, Any]) -> str:
        """A token with any claims, signed as the cloud signs; tests forge with it."""
        headers = {"kid": self.key.thumbprint, "x5t": self.key.thumbprint}
        token = jwt.encode(claims, self.key.private_key, algorithm="RS256", headers=headers)
        return self._secrets.add("access token", token)

    def verify(self, token: str, audiences: set[str], tenant: str) -> dict[str, Any]:
        """The claims of a token that is good now.

        Raises:
            InvalidToken: wrong signature, audience, issuer or time.
        """
        try:
            header = jwt.get_unverified_header(token)
            if header.get("kid") != self.key.thumbprint:
                raise InvalidToken("signature", "The key of the token is not known.")
            claims: dict[str, Any] = jwt.decode(
                token,
                self.key.private_key.public_key(),
                algorithms=["RS256"],
                options={
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    "verify_aud": False,
                    "require": ["exp", "nbf", "aud", "iss", "tid", "oid"],
                },
            )
        except jwt.InvalidTokenError as error:
            raise InvalidToken("signature", str(error)) from error
        now = self._clock.now()
        if claims["aud"] not in audiences:
            raise InvalidToken("aud", f"The audience '{claims['aud']}' is not accepted here.")
        if claims["iss"] != issuer_of(tenant) or claims["tid"] != tenant:
            raise InvalidToken("iss", f"The issuer '{claims['iss']}' is not that of this tenant.")
        if claims["exp"] <= now:
            raise InvalidToken("exp", "The token has expired.")
        if claims["nbf"] > now + 300:
            raise InvalidToken("nbf", "The token is not yet valid.")
        return claims


def issuer_of(tenant: str) -> str:
    """The issuer of a tenant's access tokens."""
    return f"https://sts.windows.net/{tenant}/"


def _user_claims(user: User) -> dict[str, Any]:
    return {
        "idtyp": "user",
        "upn": user.upn,
        "unique_name": user.upn,
        "name": user.upn.partition("@")[0],
        "groups": list(user.groups),
        "scp": "user_impersonation",
        "appidacr": "0",
        "amr": ["pwd"],
    }


def _app_claims(principal: ServicePrincipal) -> dict[str, Any]:
    if isinstance(principal, ManagedIdentity):
        return {"idtyp": "app", "appidacr": "2", "xms_mirid": principal.resource_id}
    return {"idtyp": "app", "appidacr": "1"}


def client_info(user: User) -> str:
    """The client_info of an answer: who signed in, unsigned."""
    text = json.dumps({"uid": user.object_id, "utid": user.tenant})
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
