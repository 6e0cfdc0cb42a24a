"""Keys and certificates: TLS authorities (trustme) and RSA keys that sign tokens."""

from __future__ import annotations

import base64
import ssl
import threading
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


def base64url(data: bytes) -> str:
    """Base64url without padding, as JOSE and the token endpoint use it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def thumbprint(certificate: x509.Certificate, algorithm: hashes.HashAlgorithm) -> str:
    """A certificate's hash as JOSE headers have it."""
    return base64url(certificate.fingerprint(algorithm))


class TlsAuthority:
    """A certificate authority and the one server certificate that it issued for this host."""

    def __init__(self, name: str) -> None:
        self._ca = trustme.CA(organization_name=name)

    @property
    def pem(self) -> bytes:
        """The authority's own certificate."""
        return self._ca.cert_pem.bytes()

    @cached_property
    def server_context(self) -> ssl.SSLContext:
        """A server's TLS settings."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._ca.issue_cert(*LOOPBACK_NAMES, common_name="localhost").configure_cert(context)
        return context

    def accept_client_certificates(self) -> None:
        """Ask clients for a certificate of this authority; they may have none."""
        self._ca.configure_trust(self.server_context)
        self.server_context.verify_mode = ssl.CERT_OPTIONAL

    def issue_client_certificate(self, user: str, group: str) -> tuple[bytes, bytes]:
        """A client certificate as Kubernetes reads it (CN user, O group): certificate, key."""
        leaf = self._ca.issue_cert(user, common_name=user, organization_name=group)
        return leaf.cert_chain_pems[0].bytes(), leaf.private_key_pem.bytes()


@dataclass(frozen=True)
class SigningKey:
    """An RSA key and its certificate, made on first use and kept for the process.

    Without an issuer the certificate is self-signed.
    """

    name: str
    issuer: SigningKey | None = None
    not_after: datetime = datetime(2045, 1, 1)

    @property
    def private_key(self) -> rsa.RSAPrivateKey:
        """The RSA 2048 key."""
        return _key_pair(self)[0]

    @property
    def certificate(self) -> x509.Certificate:
        """The key's certificate."""
        return _key_pair(self)[1]

    @property
    def certificate_der(self) -> bytes:
        """The certificate in DER."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def certificate_pem(self) -> str:
        """The certificate in PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def private_key_pem(self) -> str:
        """The key in PEM (PKCS #8, no password)."""
        return self._private_key_pem(None)

    @property
    def pem(self) -> str:
        """Key, certificate and issuer in one text, the file that az and azure-identity take."""
        return self.private_key_pem + self._certificates_pem

    def encrypted_pem(self, passphrase: str) -> str:
        """The same with an encrypted key."""
        return self._private_key_pem(passphrase) + self._certificates_pem

    def pfx(self, passphrase: str | None = None) -> bytes:
        """Key, certificate and issuer in PKCS #12; without a passphrase nothing is encrypted."""
        return pkcs12.serialize_key_and_certificates(
            self.name.encode(),
            self.private_key,
            self.certificate,
            [self.issuer.certificate] if self.issuer else None,
            _encryption(passphrase),
        )

    @property
    def thumbprint(self) -> str:
        """SHA-1 of the certificate, base64url: `x5t`."""
        return thumbprint(self.certificate, hashes.SHA1())

    @property
    def thumbprint_sha256(self) -> str:
        """SHA-256 of the certificate, base64url: `x5t#S256`."""
        return thumbprint(self.certificate, hashes.SHA256())

    def _private_key_pem(self, passphrase: str | None) -> str:
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        return self.private_key.private_bytes(encoding, form, _encryption(passphrase)).decode()

    @property
    def _certificates_pem(self) -> str:
        return self.certificate_pem + (self.issuer.certificate_pem if self.issuer else "")

    def jwk(self) -> dict[str, object]:
        """The public key as an entry of a JSON Web Key Set."""
        numbers = self.private_key.public_key().public_numbers()
        return {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.thumbprint,
            "x5t": self.thumbprint,
            "n": base64url(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")),
            "e": base64url(numbers.e.to_bytes(3, "big")),
            "x5c": [base64.b64encode(self.certificate_der).decode()],
        }


_key_pairs: dict[SigningKey, tuple[rsa.RSAPrivateKey, x509.Certificate]] = {}
_key_pairs_lock = threading.RLock()  # an issuer's pair is made while that of its subject is


def _key_pair(key: SigningKey) -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    with _key_pairs_lock:
        if key not in _key_pairs:
            private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            _key_pairs[key] = (private, _certificate(key, private))
        return _key_pairs[key]


def _certificate(key: SigningKey, private: rsa.RSAPrivateKey) -> x509.Certificate:
    issuer = key.issuer or key
    return (
        x509.CertificateBuilder()
        .subject_name(_common_name(key.name))
        .issuer_name(_common_name(issuer.name))
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1))
        .not_valid_after(key.not_after)
        .add_extension(
            x509.BasicConstraints(ca=key.issuer is None, path_length=None), critical=True
        )
        .sign(key.issuer.private_key if key.issuer else private, hashes.SHA256())
    )


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _encryption(passphrase: str | None) -> serialization.KeySerializationEncryption:
    if passphrase is None:
        return serialization.NoEncryption()
    return serialization.BestAvailableEncryption(passphrase.encode())
