"""The emulator itself: starts the servers, and what a test reads and changes."""

from __future__ import annotations

import tempfile
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from .adfs.app import Adfs
from .adfs.federation import AdfsConfig, Federation
from .apiserver.app import ApiServer
from .apiserver.cluster import SKELETONS, Cluster
from .apiserver.store import Store
from .arm.app import Arm
from .certificate_files import CertificateFiles
from .certificate_files import write as write_certificate_files
from .certificates import SigningKey, TlsAuthority
from .clock import Clock
from .directory import (
    AKS_CLIENT_ID,
    AKS_SERVER_ID,
    ARM_AUDIENCE,
    SUBSCRIPTION,
    SUBSCRIPTION_NAME,
    TENANT,
    Directory,
    ServicePrincipal,
    User,
    domain_of,
)
from .entra.access_token import TokenIssuer
from .entra.app import Entra
from .entra.token_endpoint import TokenEndpoint
from .host import Host
from .managed_identity import ManagedIdentityHost
from .oidc import OidcIssuer
from .population import (
    CERTIFICATE_KEY,
    EXPIRED_KEY,
    SUBJECT_KEY,
    UNREGISTERED_KEY,
    populate,
)
from .secret_record import SecretRecord
from .traffic import SERVICES, Fault, Request, Traffic


class Emulator:
    """An emulated Azure with one tenant, one subscription and the default population.

    Use it as a context manager, or call `start` and `stop`. Fields and methods may be used from
    any thread while it serves.

    Args:
        directory: where `ca.pem` goes; a temporary folder, removed at the end, unless given.
        populated: whether to begin with the users and clusters of `population.py`.
    """

    def __init__(self, directory: Path | None = None, *, populated: bool = True) -> None:
        self.tenant = TENANT
        self.subscription = SUBSCRIPTION
        self.subscription_name = SUBSCRIPTION_NAME
        self.clock = Clock()
        self.clusters: dict[str, Cluster] = {}
        self._secrets = SecretRecord()
        self.tokens = TokenIssuer(self.clock, self._secrets)
        self.oidc = OidcIssuer(self.clock, self._secrets)
        self.authority_host = ""
        self.resource_manager = ""
        self._populated = populated
        self._given_directory = directory
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._directory = Directory()
        self._traffic = Traffic(self.clock, self._secrets)
        self._endpoint = TokenEndpoint(
            self._directory, self.tokens, self.clock, self.oidc, self._secrets
        )
        self._arm = Arm(self._directory, self.clusters, self.tokens, self._traffic)
        self.managed_identity = ManagedIdentityHost(
            self._directory, self.tokens, self.clock, self._traffic, self._secrets
        )
        self._host = Host()
        self._authority = TlsAuthority("Emulated public CA")

    # Life

    def __enter__(self) -> Emulator:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start every server; the addresses are known when this returns."""
        self._make_directory()
        self.ca_file.write_bytes(self._authority.pem)
        self._host.start()
        try:
            self._start_servers()
            if self._populated:
                populate(self)
        except BaseException:
            self.stop()
            raise
        keys = [self.tokens.key, *(f.key for f in self.federations.values())]
        threading.Thread(target=_warm, args=(keys,), daemon=True).start()

    def stop(self) -> None:
        """Stop every server and remove the temporary folder."""
        self._host.stop()
        if self._temporary is not None:
            self._temporary.cleanup()

    def _make_directory(self) -> None:
        if self._given_directory is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="emulated-azure-")
            self._folder = Path(self._temporary.name)
        else:
            self._folder = self._given_directory
            self._folder.mkdir(parents=True, exist_ok=True)

    def _start_servers(self) -> None:
        context = self._authority.server_context
        entra = Entra(self._directory, self.tokens, self._endpoint, self.oidc, self._traffic)
        self.authority_host = self._host.serve(entra.application(), context)
        self._endpoint.authority = self._arm.authority = self.authority_host
        self.oidc.issuer = f"{self.authority_host}/oidc"
        self.resource_manager = self._host.serve(self._arm.application(), context)
        self._arm.address = self.resource_manager
        self.arm_audience = ARM_AUDIENCE
        self.managed_identity.address = self._host.serve(self.managed_identity.application(), None)
        self.managed_identity.arc_tokens = self._folder / "arc-tokens"

    # Addresses and files

    @property
    def directory(self) -> Path:
        """The folder that holds ca.pem."""
        return self._folder

    @property
    def ca_file(self) -> Path:
        """PEM of the CA of login, AD FS and ARM."""
        return self._folder / "ca.pem"

    @property
    def arm_audience(self) -> str:
        """ARM's resource id; it and its other spellings may be asked for at the token endpoint."""
        return self._arm.audience

    @arm_audience.setter
    def arm_audience(self, audience: str) -> None:
        self._arm.audience = audience
        self._directory.resources |= self._arm.audiences

    def certificate_files(self, directory: Path) -> CertificateFiles:
        """Write the default population's certificates, good and bad ones, into a folder."""
        files = write_certificate_files(directory)
        self._secrets.add("certificate password", files.passphrase)
        for key in (CERTIFICATE_KEY, EXPIRED_KEY, UNREGISTERED_KEY, SUBJECT_KEY):
            self._secrets.add("private key", key.private_key_pem)
        return files

    def environment(self) -> dict[str, str]:
        """The variables that a process needs to talk to the emulator."""
        return {
            "REQUESTS_CA_BUNDLE": str(self.ca_file),
            "SSL_CERT_FILE": str(self.ca_file),
            "CURL_CA_BUNDLE": str(self.ca_file),
            "NO_PROXY": "localhost,127.0.0.1,::1",
            "no_proxy": "localhost,127.0.0.1,::1",
            "AZURE_CORE_INSTANCE_DISCOVERY": "false",
            "AZURE_CORE_COLLECT_TELEMETRY": "no",
        }

    # Who there is

    @property
    def users(self) -> dict[str, User]:
        """Users by name, lower case."""
        return self._directory.users

    @property
    def service_principals(self) -> dict[str, ServicePrincipal]:
        """Service principals by client id, lower case."""
        return self._directory.service_principals

    @property
    def federations(self) -> dict[str, Federation]:
        """Federations by domain, lower case."""
        return self._directory.federations

    def add_tenant(self, tenant: str | None = None, *domains: str) -> str:
        """Add another tenant with its managed domains; its id."""
        tenant = (tenant or str(uuid.uuid4())).lower()
        self._directory.tenants.append(tenant)
        self._directory.domains.update({domain.lower(): tenant for domain in domains})
        return tenant

    def add_user(
        self, upn: str, password: str, *, federation: Federation | None = None, **fields: Any
    ) -> User:
        """Add a user; the domain is managed unless a federation has it.

        Args:
            upn: user principal name.
            password: in Entra, or in the domain's AD FS.
            federation: None takes the domain's own, if there is one.
            fields: any other field of User.
        """
        domain = domain_of(upn)
        federation = federation or self._directory.federations.get(domain)
        self._secrets.add("password", password)
        user = User(upn, password, federation=federation, **fields)
        self._directory.domains.setdefault(domain, user.tenant)
        self._directory.users[upn.lower()] = user
        return user

    def add_federation(self, domain: str, *, tenant: str = TENANT, **config: Any) -> Federation:
        """Add a federated domain with an AD FS of its own port.

        Args:
            domain: the users' domain.
            tenant: the tenant that it belongs to.
            config: any field of AdfsConfig.
        """
        domain = domain.lower()
        settings = AdfsConfig(**config)
        adfs = Adfs(domain, self._directory, self.clock, self._traffic, self._secrets)
        app = adfs.application(settings.active_path)
        address = self._host.serve(app, self._authority.server_context)
        key = SigningKey(f"adfs.{domain}")
        federation = Federation(domain, tenant, address, settings, key)
        self._directory.federations[domain] = federation
        self._directory.domains[domain] = tenant
        return federation

    def add_service_principal(
        self, secret: str | None = None, *, client_id: str | None = None, **fields: Any
    ) -> ServicePrincipal:
        """Add a confidential application.

        Args:
            secret: a client secret, if it has one.
            client_id: a new GUID unless given.
            fields: any other field of ServicePrincipal.
        """
        client_id = (client_id or str(uuid.uuid4())).lower()
        fields.setdefault("name", f"app-{client_id[:8]}")
        client = ServicePrincipal(client_id, secret=secret, **fields)
        self._secrets.add("client secret", secret or "")
        self._directory.service_principals[client_id] = client
        return client

    def add_cluster(
        self,
        name: str,
        *,
        resource_group: str = "rg",
        skeleton: str = "exec",
        legacy: bool = False,
        pop: bool = False,
        tenant: str = TENANT,
        server_id: str = AKS_SERVER_ID,
        client_id: str = AKS_CLIENT_ID,
        environment: str = "AzurePublicCloud",
    ) -> Cluster:
        """Add a cluster with an API server of its own port and CA.

        Args:
            name: of the managed cluster.
            resource_group: made by being named.
            skeleton: its kubeconfig's shape: "exec", "azure", or "local" (client certificate).
            legacy: legacy Entra integration: the audience is `spn:<server_id>`.
            pop: the skeleton asks for proof-of-possession tokens.
            tenant: whose tokens the API server takes.
            server_id: the server application; the token endpoint knows it from now on.
            client_id: the client application; known as a public client from now on.
            environment: the name of the cloud that the skeleton states.
        """
        if skeleton not in SKELETONS:
            raise ValueError(f"skeleton is one of {SKELETONS}, not {skeleton!r}")
        authority = TlsAuthority(f"AKS CA of {name}")
        authority.accept_client_certificates()
        self._directory.resources.add(server_id)
        self._directory.public_clients.add(client_id.lower())
        server = ApiServer(self.tokens, self.clock, self._traffic)
        cluster = Cluster(
            name=name,
            resource_group=resource_group,
            skeleton=skeleton,
            legacy=legacy,
            pop=pop,
            tenant=tenant,
            server_id=server_id,
            client_id=client_id,
            environment=environment,
            server=self._host.serve(server.application(), authority.server_context),
            ca=authority.pem,
            client_certificate=authority.issue_client_certificate("masterclient", "system:masters"),
            store=Store(self.clock),
        )
        self._secrets.add("private key", cluster.client_certificate[1].decode())
        server.cluster = cluster
        self.clusters[name] = cluster
        return cluster

    # What happens

    @property
    def requests(self) -> list[Request]:
        """Every request so far, in the order of arrival."""
        return self._traffic.requests

    @property
    def secrets(self) -> list[tuple[str, str]]:
        """Every secret that it holds, has given out or was sent so far: kind, secret."""
        return self._secrets.items()

    @property
    def latency(self) -> float:
        """Seconds that every request takes longer, those to API servers apart."""
        return self._traffic.latency

    @latency.setter
    def latency(self, seconds: float) -> None:
        self._traffic.latency = seconds

    @property
    def latencies(self) -> dict[str, float]:
        """Seconds by service, which override `latency`."""
        return self._traffic.latencies

    @property
    def token_lifetime(self) -> int:
        """Seconds that tokens live which are issued from now on."""
        return self.tokens.lifetime

    @token_lifetime.setter
    def token_lifetime(self, seconds: int) -> None:
        self.tokens.lifetime = seconds

    def fail(
        self,
        service: str,
        path_substring: str,
        *,
        times: int | None = 1,
        status: int | None = None,
        body: str | bytes | Callable[[str], str] | None = None,
        headers: dict[str, str] | None = None,
        content_type: str | None = None,
        drop: bool = False,
        garbage: bool | Callable[[str], bytes] = False,
        delay: float = 0,
    ) -> Fault:
        """Let the next matching requests fail.

        Args:
            service: "entra", "adfs", "arm", "apiserver" or "identity" (managed identities).
            path_substring: part of the path with its query.
            times: how many requests; None for all of them.
            status: answer with this status (200 if only a body is given).
            body: answer with this body, or with what a function makes of the request's body and
                secret headers.
            headers: answer with these headers too, for instance Retry-After.
            content_type: of the body; application/json unless given.
            drop: close the connection without an answer.
            garbage: answer with bytes that are no HTTP, or with those that a function makes of the
                same.
            delay: seconds to hang first; alone, the request is served after them.
        """
        if service not in SERVICES:
            raise ValueError(f"service is one of {SERVICES}, not {service!r}")
        fault = Fault(
            service,
            path_substring,
            times,
            status,
            body,
            headers or {},
            content_type,
            drop,
            garbage,
            delay,
        )
        self._traffic.faults.append(fault)
        return fault

    def heal(self) -> None:
        """Forget every fault."""
        self._traffic.faults.clear()

    def deny(self, principal: str) -> None:
        """Take a principal's rights at ARM: user name, object id or client id."""
        self._arm.denied.add(principal)

    def allow(self, principal: str) -> None:
        """Give a denied principal its rights back."""
        self._arm.denied.discard(principal)

    def revoke_refresh_tokens(self, upn: str | None = None) -> None:
        """Revoke a user's refresh tokens, or everyone's."""
        self._endpoint.refresh_tokens.revoke(upn)


def _warm(keys: list[SigningKey]) -> None:
    """Make the RSA keys before the first request needs them."""
    for key in keys:
        _ = key.private_key
