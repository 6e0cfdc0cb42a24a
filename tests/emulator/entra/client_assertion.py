"""Client assertions (RFC 7523): a JWT of the client's certificate, or of another issuer."""

from __future__ import annotations

import base64
from datetime import datetime, timezone
from typing import Any

import jwt
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import NameOID

from ..certificates import SigningKey, thumbprint
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
        TokenRefused: 700024 to 700030, 700211 to 700213, 1000502.
    """
    try:
        header = jwt.get_unverified_header(assertion)
        claims: dict[str, Any] = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        raise TokenRefused(700027, detail=str(error)) from error
    if claims.get("iss") == client.client_id:
        _check_signer(client, assertion, header, now)
        _check_claims(client, claims, audiences)
    else:
        _check_federated(client, assertion, claims, oidc)
    _check_time(claims, now)


def _check_signer(
    client: ServicePrincipal, assertion: str, header: dict[str, Any], now: float
) -> None:
    """Check the signature by a certificate that is registered by thumbprint or by subject."""
    for key in client.certificates:
        if _names(header, key.certificate):
            detail = f"The key used is expired., Found key '{_validity(key.certificate)}'"
            _check_validity(key.certificate, now, TokenRefused(700027, detail=detail))
            _check_signature(assertion, key.private_key.public_key())
            return
    if not client.trusted_subjects or not header.get("x5c"):
        raise TokenRefused(700027, detail="The key was not found.")
    _check_subject(client, assertion, header, now)


def _check_subject(
    client: ServicePrincipal, assertion: str, header: dict[str, Any], now: float
) -> None:
    """Subject name and issuer authentication: `x5c` brings the certificate along, leaf first."""
    certificate = _leaf(header)
    if not _names(header, certificate):
        raise TokenRefused(700027, detail="The thumbprint is not that of the x5c certificate.")
    names = _subject_names(certificate)
    trusted = [trust for trust in client.trusted_subjects if trust.subject in names]
    if not trusted:
        raise TokenRefused(700030, detail=", ".join(f"'{name}'" for name in names[:10]))
    if not any(_is_issued_by(certificate, trust.issuer) for trust in trusted):
        raise TokenRefused(700027, detail="The issuer of the certificate is not trusted.")
    expired = TokenRefused(1000502, detail=f"Certificate: '{_validity(certificate)}'")
    _check_validity(certificate, now, expired)
    public_key = certificate.public_key()
    assert isinstance(public_key, RSAPublicKey)  # no other is issued here
    _check_signature(assertion, public_key)


def _leaf(header: dict[str, Any]) -> x509.Certificate:
    try:
        # msal leaves the line breaks of PEM in it.
        return x509.load_der_x509_certificate(base64.b64decode(header["x5c"][0]))
    except (TypeError, LookupError, ValueError) as error:
        raise TokenRefused(700027, detail="The x5c is not understood.") from error


def _subject_names(certificate: x509.Certificate) -> list[str]:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return [str(name.value) for name in names]


def _is_issued_by(certificate: x509.Certificate, issuer: SigningKey) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer.certificate)
    except (ValueError, InvalidSignature):
        return False
    return True


def _check_validity(certificate: x509.Certificate, now: float, refused: TokenRefused) -> None:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not begins <= datetime.fromtimestamp(now, timezone.utc) < ends:
        raise refused


def _validity(certificate: x509.Certificate) -> str:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return f"Start={begins:%m/%d/%Y %H:%M:%S}, End={ends:%m/%d/%Y %H:%M:%S}"


def _check_claims(client: ServicePrincipal, claims: dict[str, Any], audiences: set[str]) -> None:
    if claims.get("sub") != client.client_id:
        raise TokenRefused(700027, detail="The subject is not the client.")
    if claims.get("aud") not in audiences:
        raise TokenRefused(700027, detail="The audience is not this token endpoint.")
    if not claims.get("jti"):
        raise TokenRefused(700027, detail="The jti is missing.")


def _names(header: dict[str, Any], certificate: x509.Certificate) -> bool:
    """Whether a header has a certificate's thumbprint; msal pads what RFC 7515 does not."""
    sha1, sha256 = (str(header.get(name, "")).rstrip("=") for name in ("x5t", "x5t#S256"))
    return sha1 == thumbprint(certificate, hashes.SHA1()) or sha256 == thumbprint(
        certificate, hashes.SHA256()
    )


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
    _check_signature(assertion, oidc.key.private_key.public_key())


def _check_signature(assertion: str, key: RSAPublicKey) -> None:
    try:
        jwt.decode(
            assertion,
            key,
            algorithms=["RS256", "PS256"],
            options=_UNCHECKED,
        )
    except jwt.InvalidTokenError as error:
        raise TokenRefused(700027, detail=str(error)) from error


def _check_time(claims: dict[str, Any], now: float) -> None:
    expires, begins = claims.get("exp"), claims.get("nbf", 0)
    if not isinstance(expires, (int, float)) or expires <= now or begins > now + CLOCK_SKEW:
        raise TokenRefused(700024, detail=f"assertion valid from {begins}, expiry time {expires}.")
