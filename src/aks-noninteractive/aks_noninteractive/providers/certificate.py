"""A certificate with its private key, out of a PEM or PFX (PKCS #12) file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import AuthenticationError

STEP = "client certificate"


@dataclass(frozen=True)
class ClientCertificate:
    """private_key_pem: unencrypted PKCS #8. thumbprint: SHA-1 in hex. chain_pem: leaf first."""

    private_key_pem: str = field(repr=False)
    thumbprint: str
    chain_pem: str


def read_certificate(file: str, password: str | None, now: float) -> ClientCertificate:
    """The certificate in file; now is seconds since the epoch.

    Raises AuthenticationError for a file that cannot be read, a wrong or missing password, no
    certificate or private key in it, a key that is not the certificate's, and one that has expired.
    """
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    try:
        content = Path(file).expanduser().read_bytes()
    except OSError as error:
        raise _problem(file, f"cannot be read: {error.strerror or error}") from None
    secret = password.encode("utf-8") if password else None
    key, chain = (
        _from_pem(file, content, secret)
        if b"-----BEGIN" in content
        else _from_pfx(file, content, secret)
    )
    if not isinstance(key, RSAPrivateKey):
        raise _problem(file, "holds a key that is not RSA", "Entra takes RSA keys; make a new one.")
    leaf = next((c for c in chain if c.public_key() == key.public_key()), None)
    if leaf is None:
        raise _problem(file, "holds no certificate for its private key")
    if leaf.not_valid_after_utc.timestamp() <= now:
        until = leaf.not_valid_after_utc.strftime("%Y-%m-%d")
        raise _problem(file, f"has expired on {until}", "Renew it, and register the new one.")
    pem = serialization.Encoding.PEM
    ordered = [leaf, *(certificate for certificate in chain if certificate is not leaf)]
    return ClientCertificate(
        private_key_pem=key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode("ascii"),
        thumbprint=leaf.fingerprint(hashes.SHA1()).hex(),
        chain_pem="".join(certificate.public_bytes(pem).decode("ascii") for certificate in ordered),
    )


def _from_pem(file: str, content: bytes, secret: bytes | None) -> tuple[Any, list[Any]]:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    encrypted = b"ENCRYPTED" in content
    if b"PRIVATE KEY-----" not in content:
        raise _problem(file, "holds no private key", "Use the file with both, key and certificate.")
    if encrypted and secret is None:
        raise _problem(file, "needs a password", _PASSWORD_REMEDY)
    try:
        key = load_pem_private_key(content, secret if encrypted else None)
    except (ValueError, TypeError):
        problem = "has another password" if encrypted else "holds a private key that is broken"
        raise _problem(file, problem, _PASSWORD_REMEDY if encrypted else "") from None
    try:
        return key, x509.load_pem_x509_certificates(content)
    except ValueError:
        raise _problem(file, "holds no certificate that can be read") from None


def _from_pfx(file: str, content: bytes, secret: bytes | None) -> tuple[Any, list[Any]]:
    from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates

    try:
        try:
            key, leaf, others = load_key_and_certificates(content, secret)
        except ValueError:
            if secret is None:
                raise
            # It may need none, whatever the environment has.
            key, leaf, others = load_key_and_certificates(content, None)
    except ValueError as error:
        if "password" in str(error).lower() or "mac" in str(error).lower():
            problem = "has another password" if secret else "needs a password"
            raise _problem(file, problem, _PASSWORD_REMEDY) from None
        raise _problem(file, "is neither PEM nor PFX") from None
    if key is None:
        raise _problem(file, "holds no private key", "Export it with its private key.")
    return key, [certificate for certificate in (leaf, *others) if certificate is not None]


_PASSWORD_REMEDY = "Set AZURE_CLIENT_CERTIFICATE_PASSWORD, or give --client-cert-password @FILE."


def _problem(file: str, problem: str, remedy: str = "") -> AuthenticationError:
    return AuthenticationError(
        f"the file {file} {problem}",
        step=STEP,
        remedy=remedy or "Give a PEM or PFX file that holds certificate and private key.",
    )
