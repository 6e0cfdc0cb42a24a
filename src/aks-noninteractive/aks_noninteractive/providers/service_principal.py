"""A service principal with a client secret or a certificate (PEM or PFX)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from .. import environment
from ..entra.token_endpoint import TokenRequest
from ..environment import first_of
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
        certificate = Path(self._settings.certificate or "").expanduser()
        return f"{certificate} {certificate.stat().st_mtime_ns}" if certificate.exists() else ""

    def plugin_fields(self) -> Mapping[str, str]:
        fields = dict(super().plugin_fields())
        if self._settings.certificate and not self._settings.secret:
            fields["client_certificate"] = self._settings.certificate
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
        def find(given: str | None, *names: tuple[str, ...]) -> str | None:
            # Terraform's variables are for whoever asks for this login by name.
            use = names if options.login == ServicePrincipalProvider.name else names[:1]
            return given or next(filter(None, (first_of(environ, each) for each in use)), None)

        env = environment
        self.client_id = find(options.client_id, env.CLIENT_ID, env.TERRAFORM_CLIENT_ID)
        self.tenant = find(options.tenant, env.TENANT, env.TERRAFORM_TENANT)
        self.secret = find(options.client_secret, env.CLIENT_SECRET, env.TERRAFORM_CLIENT_SECRET)
        self.certificate = find(
            options.client_certificate,
            env.CLIENT_CERTIFICATE,
            env.TERRAFORM_CLIENT_CERTIFICATE,
        )
        self.certificate_password = find(
            options.client_cert_password,
            env.CLIENT_CERTIFICATE_PASSWORD,
            env.TERRAFORM_CLIENT_CERTIFICATE_PASSWORD,
        )
        if options.client_secret and options.client_certificate:
            raise UsageError(
                "--client-secret and --client-certificate are two ways to prove one identity",
                remedy="Leave one of them out.",
            )
        if options.client_certificate:
            self.secret = None
