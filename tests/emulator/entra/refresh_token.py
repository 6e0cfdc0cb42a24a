"""Refresh tokens: opaque, bound to a user and a client, good for any resource."""

from __future__ import annotations

import secrets as randomness
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from ..clock import Clock
from ..secret_record import SecretRecord
from .aadsts import TokenRefused

INACTIVITY = 90 * 24 * 3600


@dataclass(frozen=True)
class RefreshGrant:
    """What a refresh token stands for."""

    upn: str
    client_id: str
    tenant: str
    password: str
    issued_at: float
    revoked: bool = False


class RefreshTokens:
    """Every refresh token that the token endpoint has given out."""

    def __init__(self, clock: Clock, secrets: SecretRecord) -> None:
        self._clock = clock
        self._secrets = secrets
        self._grants: dict[str, RefreshGrant] = {}

    def issue(self, upn: str, client_id: str, tenant: str, password: str) -> str:
        """A new token; it dies when the user's password is no longer this one."""
        token = self._secrets.add("refresh token", "1.A" + randomness.token_urlsafe(600))
        self._grants[token] = RefreshGrant(upn, client_id, tenant, password, self._clock.now())
        return token

    def redeem(self, token: str, client_id: str) -> RefreshGrant:
        """The grant behind a token.

        Raises:
            TokenRefused: unknown, another client's, revoked, or not used for 90 days.
        """
        grant = self._grants.get(token)
        if grant is None or grant.client_id != client_id:
            raise TokenRefused(70000)
        if grant.revoked:
            raise TokenRefused(50173)
        if grant.issued_at + INACTIVITY <= self._clock.now():
            raise TokenRefused(
                700082, detail=datetime.fromtimestamp(grant.issued_at, timezone.utc).isoformat()
            )
        return grant

    def revoke(self, upn: str | None) -> None:
        """Revoke a user's tokens, or everyone's."""
        for token, grant in list(self._grants.items()):
            if upn is None or grant.upn.lower() == upn.lower():
                self._grants[token] = replace(grant, revoked=True)
