"""What the emulated tenants hold: users, applications, resources and federated domains."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .certificates import SigningKey

if TYPE_CHECKING:
    from .adfs.federation import Federation

AKS_SERVER_ID = "6dae42f8-4368-4678-94ff-3960e28e3630"
AKS_CLIENT_ID = "80faf920-1908-4b52-b5ef-a8e7bedfc67a"
AZURE_CLI_CLIENT_ID = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
TENANT = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
SUBSCRIPTION = "aaaa0a0a-bb1b-cc2c-dd3d-eeeeee4e4e4e"
SUBSCRIPTION_NAME = "Emulated subscription"
ARM_AUDIENCE = "https://management.core.windows.net/"
MICROSOFT_ONLINE = "urn:federation:MicrosoftOnline"


@dataclass
class User:
    """A person in a tenant. Tests change fields while the emulator runs.

    `aadsts` makes the token endpoint refuse with this error once the password or assertion has
    been accepted; with `aadsts_resource` only when that resource is asked for.
    """

    upn: str
    password: str
    tenant: str = TENANT
    object_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    federation: Federation | None = None
    enabled: bool = True
    aadsts: int | None = None
    aadsts_resource: str | None = None
    groups: tuple[str, ...] = ()
    guest_in: tuple[str, ...] = ()
    wrong_passwords: int = 0

    @property
    def domain(self) -> str:
        """What follows the @ of the user name."""
        return domain_of(self.upn)

    @property
    def immutable_id(self) -> str:
        """The identifier that AD FS and Entra both know a federated user by."""
        return uuid.UUID(self.object_id).hex


@dataclass(frozen=True)
class FederatedCredential:
    """A trust of an application in another issuer's tokens."""

    issuer: str
    subject: str
    audience: str = "api://AzureADTokenExchange"


@dataclass(frozen=True)
class TrustedSubject:
    """A trust of an application in every certificate of a subject that an authority issued."""

    subject: str
    issuer: SigningKey


@dataclass
class ServicePrincipal:
    """A confidential application in a tenant."""

    client_id: str
    name: str
    tenant: str = TENANT
    object_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    secret: str | None = None
    secret_expires: float | None = None
    certificates: tuple[SigningKey, ...] = ()
    trusted_subjects: tuple[TrustedSubject, ...] = ()
    federated_credentials: tuple[FederatedCredential, ...] = ()
    aadsts: int | None = None
    aadsts_resource: str | None = None


@dataclass
class ManagedIdentity(ServicePrincipal):
    """A service principal that Azure itself keeps the keys of, for a machine or app."""

    resource_id: str = ""


class Directory:
    """Every tenant of the emulated cloud."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self.service_principals: dict[str, ServicePrincipal] = {}
        self.federations: dict[str, Federation] = {}
        self.domains: dict[str, str] = {}
        self.tenants: list[str] = [TENANT]
        self.public_clients: set[str] = {AZURE_CLI_CLIENT_ID, AKS_CLIENT_ID}
        self.resources: set[str] = {AKS_SERVER_ID}

    def find_user(self, upn: str) -> User | None:
        """A user by name, without case."""
        return self.users.get(upn.lower())

    def tenant_of(self, segment: str) -> str | None:
        """The tenant that a path segment names, by id or by domain."""
        if segment.lower() in self.tenants:
            return segment.lower()
        return self.domains.get(segment.lower())

    def federation_by_issuer(self, issuer: str) -> Federation | None:
        """The federation whose AD FS signs as this issuer."""
        for federation in list(self.federations.values()):
            if federation.issuer == issuer:
                return federation
        return None


def domain_of(upn: str) -> str:
    """The domain of a user name, lower case; empty where it has none."""
    return upn.rpartition("@")[2].lower() if "@" in upn else ""
