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
from cryptography.x509.oid import NameOID

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


def base64url(data: bytes) -> str:
    """Base64url without padding, as JOSE and the token endpoint use it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


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
    """An RSA key and its self-signed certificate, made on first use and kept for the process."""

    name: str

    @property
    def private_key(self) -> rsa.RSAPrivateKey:
        """The RSA 2048 key of this name."""
        return _key_pair(self.name)[0]

    @property
    def certificate(self) -> x509.Certificate:
        """The self-signed certificate of this name's key."""
        return _key_pair(self.name)[1]

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
        return self.private_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()

    @property
    def pem(self) -> str:
        """Key and certificate in one text, the file that az and azure-identity take."""
        return self.private_key_pem + self.certificate_pem

    @property
    def thumbprint(self) -> str:
        """SHA-1 of the certificate, base64url: `x5t`."""
        return base64url(self.certificate.fingerprint(hashes.SHA1()))

    @property
    def thumbprint_sha256(self) -> str:
        """SHA-256 of the certificate, base64url: `x5t#S256`."""
        return base64url(self.certificate.fingerprint(hashes.SHA256()))

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


_key_pairs: dict[str, tuple[rsa.RSAPrivateKey, x509.Certificate]] = {}
_key_pairs_lock = threading.Lock()


def _key_pair(name: str) -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    with _key_pairs_lock:
        if name not in _key_pairs:
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            _key_pairs[name] = (key, _self_signed(name, key))
        return _key_pairs[name]


def _self_signed(name: str, key: rsa.RSAPrivateKey) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1))
        .not_valid_after(datetime(2045, 1, 1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
