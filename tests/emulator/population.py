"""Who and what the emulated cloud begins with."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from .certificates import SigningKey
from .directory import FederatedCredential, TrustedSubject

if TYPE_CHECKING:
    from .azure import Emulator

PASSWORD = "Correct-Horse-1"
NASTY_PASSWORD = "p&<>\"'é漢% w o r d"
SECRET = "s3cret~of.the-app"

MANAGED = "mia@managed.example"
NASTY = "nasty@managed.example"
FEDERATED = "fay@fed.example"
FEDERATED_NASTY = "nasty@fed.example"
FEDERATED_2005 = "fred@fed2005.example"
FEDERATED_SAML20 = "sam@fedsaml20.example"
FEDERATED_MEX_DOWN = "max@fedmexdown.example"
FEDERATED_QUIRKS = "quentin@fedquirks.example"
SAML20_ONLY = "ivy@samlp.example"
UNKNOWN = "nobody@unknown.example"
LOCKED = "lou@managed.example"
DISABLED = "dan@managed.example"
MFA = "moe@managed.example"
MFA_AT_ARM = "ann@managed.example"

SERVICE_PRINCIPAL = "00001111-aaaa-2222-bbbb-3333cccc4444"
CERTIFICATE_PRINCIPAL = "11112222-bbbb-3333-cccc-4444dddd5555"
CERTIFICATE_KEY = SigningKey("deploy-certificate.emulator")
EXPIRED_KEY = SigningKey("deploy-expired.emulator", not_after=datetime(2021, 1, 1))
UNREGISTERED_KEY = SigningKey("unregistered.emulator")
WORKLOAD_PRINCIPAL = "22223333-cccc-4444-dddd-5555eeee6666"
SUBJECT_PRINCIPAL = "33334444-dddd-5555-eeee-6666ffff7777"
SUBJECT_AUTHORITY = SigningKey("Emulated certificate authority")
SUBJECT_KEY = SigningKey("deploy-subject.emulator", issuer=SUBJECT_AUTHORITY)

SYSTEM_IDENTITY = "44445555-eeee-6666-ffff-7777aaaa8888"
USER_IDENTITY = "55556666-ffff-7777-aaaa-8888bbbb9999"


def populate(azure: Emulator) -> None:
    """Add the default users, applications and clusters."""
    _federations(azure)
    _users(azure)
    _service_principals(azure)
    _managed_identities(azure)
    _clusters(azure)


def _federations(azure: Emulator) -> None:
    azure.add_federation("fed.example")
    azure.add_federation("fed2005.example", versions=("2005",))
    azure.add_federation("fedsaml20.example", saml="2.0")
    azure.add_federation("fedmexdown.example", mex_status=500)
    azure.add_federation(
        "fedquirks.example",
        prefixes_on_ancestors=True,
        xsi_types=True,
        inclusive_prefixes=("xs",),
        token_type_first=True,
        extra_response=True,
    )
    azure.add_federation("samlp.example", protocol="SAML20")


def _users(azure: Emulator) -> None:
    for upn in (
        MANAGED,
        FEDERATED,
        FEDERATED_2005,
        FEDERATED_SAML20,
        FEDERATED_MEX_DOWN,
        FEDERATED_QUIRKS,
        SAML20_ONLY,
    ):
        azure.add_user(upn, PASSWORD)
    azure.add_user(NASTY, NASTY_PASSWORD)
    azure.add_user(FEDERATED_NASTY, NASTY_PASSWORD)
    azure.add_user(LOCKED, PASSWORD, aadsts=50053)
    azure.add_user(DISABLED, PASSWORD, enabled=False)
    azure.add_user(MFA, PASSWORD, aadsts=50076)
    azure.add_user(MFA_AT_ARM, PASSWORD, aadsts=50076, aadsts_resource=azure.arm_audience)


def _service_principals(azure: Emulator) -> None:
    azure.add_service_principal(SECRET, client_id=SERVICE_PRINCIPAL, name="deploy")
    azure.add_service_principal(
        client_id=CERTIFICATE_PRINCIPAL,
        name="deploy-certificate",
        certificates=(CERTIFICATE_KEY, EXPIRED_KEY),
    )
    azure.add_service_principal(
        client_id=SUBJECT_PRINCIPAL,
        name="deploy-subject",
        trusted_subjects=(TrustedSubject(SUBJECT_KEY.name, SUBJECT_AUTHORITY),),
    )
    trust = FederatedCredential(azure.oidc.issuer, azure.oidc.subject)
    azure.add_service_principal(
        client_id=WORKLOAD_PRINCIPAL, name="deploy-workload", federated_credentials=(trust,)
    )


def _managed_identities(azure: Emulator) -> None:
    azure.managed_identity.assign_system(SYSTEM_IDENTITY)
    azure.managed_identity.assign_user("deploy-identity", USER_IDENTITY)


def _clusters(azure: Emulator) -> None:
    azure.add_cluster("aks-exec")
    azure.add_cluster("aks-azure", skeleton="azure")
    azure.add_cluster("aks-legacy-exec", legacy=True)
    azure.add_cluster("aks-legacy-azure", skeleton="azure", legacy=True)
    azure.add_cluster("aks-local", skeleton="local")
