"""The certificates of the default population as files, in every form that programs take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import population
from .certificates import SigningKey


@dataclass(frozen=True)
class CertificateFiles:
    """Keys with their certificates: PEM and PFX, the encrypted ones with `passphrase`.

    The first four are one certificate of population.CERTIFICATE_PRINCIPAL. `expired` is registered
    there too, `unregistered` nowhere. `subject` is what population.SUBJECT_PRINCIPAL trusts by
    subject and issuer; an assertion has to bring it along, in `x5c`.
    """

    passphrase: str
    pem: Path
    encrypted_pem: Path
    pfx: Path
    encrypted_pfx: Path
    expired_pem: Path
    expired_pfx: Path
    unregistered_pem: Path
    unregistered_pfx: Path
    subject_pem: Path
    subject_pfx: Path


def write(directory: Path, passphrase: str = 'p&ss "phrase" \u6f22') -> CertificateFiles:
    """Write the files into a folder, which is made unless it is there."""
    directory.mkdir(parents=True, exist_ok=True)

    def pem(name: str, key: SigningKey) -> Path:
        return _write(directory / f"{name}.pem", key.pem.encode())

    def pfx(name: str, key: SigningKey) -> Path:
        return _write(directory / f"{name}.pfx", key.pfx())

    key = population.CERTIFICATE_KEY
    encrypted_pem = key.encrypted_pem(passphrase).encode()
    return CertificateFiles(
        passphrase=passphrase,
        pem=pem("certificate", key),
        encrypted_pem=_write(directory / "certificate-encrypted.pem", encrypted_pem),
        pfx=pfx("certificate", key),
        encrypted_pfx=_write(directory / "certificate-encrypted.pfx", key.pfx(passphrase)),
        expired_pem=pem("expired", population.EXPIRED_KEY),
        expired_pfx=pfx("expired", population.EXPIRED_KEY),
        unregistered_pem=pem("unregistered", population.UNREGISTERED_KEY),
        unregistered_pfx=pfx("unregistered", population.UNREGISTERED_KEY),
        subject_pem=pem("subject", population.SUBJECT_KEY),
        subject_pfx=pfx("subject", population.SUBJECT_KEY),
    )


def _write(path: Path, content: bytes) -> Path:
    path.touch(mode=0o600)
    path.write_bytes(content)
    return path
