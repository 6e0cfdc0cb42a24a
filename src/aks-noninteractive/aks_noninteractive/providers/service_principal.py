"""A service principal with a client secret or a certificate (PEM or PFX)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from .. import environment
from ..entra.token_endpoint import TokenRequest
from ..errors import UsageError
from .base import IdentityOptions, SignInContext
from .certificate import read_certificate
from .confidential_client import ConfidentialClientProvider


class ServicePrincipalProvider(ConfidentialClientProvider):
    """A certificate is sent along (x5c), so that Entra can trust its subject name and issuer."""

    name: ClassVar[str] = "spn"

    def __init__(self, options: IdentityOptions, context: SignInContext) -> None:
        super().__init__(options, context)
        self._settings = _Settings(options, context.environ)

    @classmethod
    def missing(cls, options: IdentityOptions, context: SignInContext) -> list[str]:
        settings = _Settings(options, context.environ)
        found = {
            "a client id (--client-id, or AZURE_CLIENT_ID)": settings.client_id,
            "a tenant (--tenant, or AZURE_TENANT_ID)": settings.tenant,
            "a secret or certificate (AZURE_CLIENT_SECRET, or --client-certificate FILE)": (
                settings.secret or settings.certificate
            ),
        }
        return [description for description, value in found.items() if not value]

    @property
    def client_id(self) -> str:
        return self._settings.client_id or ""

    @property
    def tenant(self) -> str | None:
        return self._settings.tenant

    @property
    def credential(self) -> str:
        if self._settings.secret:
            return self._settings.secret
        file = Path(self._settings.certificate or "").expanduser()
        changed = file.stat().st_mtime_ns if file.exists() else 0
        return f"{file} {changed} {self._settings.certificate_password}"

    def plugin_fields(self) -> Mapping[str, str]:
        fields = dict(super().plugin_fields())
        if self._settings.certificate and not self._settings.secret:
            # kubectl may be called in any folder.
            file = os.path.abspath(os.path.expanduser(self._settings.certificate))
            fields["client_certificate"] = file
        return fields

    def client_credential(self, request: TokenRequest) -> str | Mapping[str, Any]:
        if self._settings.secret:
            return self._settings.secret
        assert self._settings.certificate
        certificate = read_certificate(
            self._settings.certificate, self._settings.certificate_password, self.context.clock()
        )
        return {
            "private_key": certificate.private_key_pem,
            "thumbprint": certificate.thumbprint,
            "public_certificate": certificate.chain_pem,
        }


class _Settings:
    """What is given, else what the environment has; what is given decides between the two kinds."""

    def __init__(self, options: IdentityOptions, environ: Mapping[str, str]) -> None:
        if options.client_secret and options.client_certificate:
            raise UsageError(
                "--client-secret and --client-certificate are two ways to prove one identity",
                remedy="Leave one of them out.",
            )
        sources = list(_SOURCES)
        if options.login == ServicePrincipalProvider.name:
            sources.append(_TERRAFORM)  # for whoever asks for this login by name

        def first(setting: str) -> str | None:
            found = (environ.get(source[setting]) for source in sources if setting in source)
            return next(filter(None, found), None)

        self.client_id = options.client_id or first("client id")
        self.tenant = options.tenant or first("tenant")
        self.secret = options.client_secret or first("secret")
        self.certificate = options.client_certificate or first("certificate")
        self.certificate_password = options.client_cert_password or first("password")
        if options.client_certificate:
            self.secret = None


_SOURCES = (
    {
        "client id": environment.CLIENT_ID[0],
        "tenant": environment.TENANT[0],
        "secret": environment.CLIENT_SECRET[0],
        "certificate": environment.CLIENT_CERTIFICATE[0],
        "password": environment.CLIENT_CERTIFICATE_PASSWORD[0],
    },
    {
        "client id": environment.CLIENT_ID[1],
        "secret": environment.CLIENT_SECRET[1],
        "certificate": environment.CLIENT_CERTIFICATE[1],
        "password": environment.CLIENT_CERTIFICATE_PASSWORD[1],
    },
)
_TERRAFORM = {
    "client id": environment.TERRAFORM_CLIENT_ID,
    "tenant": environment.TERRAFORM_TENANT,
    "secret": environment.TERRAFORM_CLIENT_SECRET,
    "certificate": environment.TERRAFORM_CLIENT_CERTIFICATE,
    "password": environment.TERRAFORM_CLIENT_CERTIFICATE_PASSWORD,
}
