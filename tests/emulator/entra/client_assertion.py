"""Client assertions (RFC 7523): a JWT of the client's certificate, or of another issuer."""

from __future__ import annotations

from typing import Any

import jwt

from ..certificates import SigningKey
from ..directory import ServicePrincipal
from ..oidc import OidcIssuer
from .aadsts import TokenRefused

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
CLOCK_SKEW = 300
_UNCHECKED: Any = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
}


def authenticate(
    client: ServicePrincipal, assertion: str, audiences: set[str], oidc: OidcIssuer, now: float
) -> None:
    """Check that an assertion is this client's.

    Args:
        client: who it should be.
        assertion: the JWT.
        audiences: what a certificate's assertion may be meant for: this tenant's addresses.
        oidc: the other issuer that is trusted.
        now: seconds since the epoch.

    Raises:
        TokenRefused: 700021 to 700027, 700211 to 700213.
    """
    try:
        header = jwt.get_unverified_header(assertion)
        claims: dict[str, Any] = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        raise TokenRefused(700027, detail=str(error)) from error
    if claims.get("iss") == client.client_id:
        _check_certificate(client, assertion, header, claims, audiences)
    else:
        _check_federated(client, assertion, claims, oidc)
    _check_time(claims, now)


def _check_certificate(
    client: ServicePrincipal,
    assertion: str,
    header: dict[str, Any],
    claims: dict[str, Any],
    audiences: set[str],
) -> None:
    for key in client.certificates:
        if _names(header, key):
            _check_signature(assertion, key)
            break
    else:
        raise TokenRefused(700027, detail="The key was not found.")
    if claims.get("sub") != client.client_id:
        raise TokenRefused(700027, detail="The subject is not the client.")
    if claims.get("aud") not in audiences:
        raise TokenRefused(700027, detail="The audience is not this token endpoint.")
    if not claims.get("jti"):
        raise TokenRefused(700027, detail="The jti is missing.")


def _names(header: dict[str, Any], key: SigningKey) -> bool:
    """Whether a header names a key by its thumbprint; msal pads what RFC 7515 does not."""
    sha1, sha256 = (str(header.get(name, "")).rstrip("=") for name in ("x5t", "x5t#S256"))
    return sha1 == key.thumbprint or sha256 == key.thumbprint_sha256


def _check_federated(
    client: ServicePrincipal, assertion: str, claims: dict[str, Any], oidc: OidcIssuer
) -> None:
    issuer, subject, audience = (str(claims.get(name)) for name in ("iss", "sub", "aud"))
    trusted = [trust for trust in client.federated_credentials if trust.issuer == issuer]
    if not trusted or issuer != oidc.issuer:
        raise TokenRefused(700211, detail=issuer)
    trusted = [trust for trust in trusted if trust.subject == subject]
    if not trusted:
        raise TokenRefused(700213, detail=subject)
    if audience not in [trust.audience for trust in trusted]:
        raise TokenRefused(700212, detail=audience)
    _check_signature(assertion, oidc.key)


def _check_signature(assertion: str, key: SigningKey) -> None:
    try:
        jwt.decode(
            assertion,
            key.private_key.public_key(),
            algorithms=["RS256", "PS256"],
            options=_UNCHECKED,
        )
    except jwt.InvalidTokenError as error:
        raise TokenRefused(700027, detail=str(error)) from error


def _check_time(claims: dict[str, Any], now: float) -> None:
    expires, begins = claims.get("exp"), claims.get("nbf", 0)
    if not isinstance(expires, (int, float)) or expires <= now or begins > now + CLOCK_SKEW:
        raise TokenRefused(700024, detail=f"assertion valid from {begins}, expiry time {expires}.")
