"""What every identity can do, and what it is given to do it with.

A login mode is a subclass of TokenProvider. The built-in ones and those of other packages
(entry-point group `aks_noninteractive.token_providers`) use the same interface; docs/providers.md
has an example.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from .. import environment
from ..clouds import Cloud
from ..entra.http import HttpClient
from ..entra.token_endpoint import AccessToken, TokenRequest
from ..environment import first_of


@dataclass(frozen=True)
class IdentityOptions:
    """The identity as the caller gave it; None is what was not given.

    login: "auto" or the name of a login mode.
    username: user principal name.
    tenant: id or domain of the tenant that signs in for Azure Resource Manager.
    client_id: of the identity; for users, the public client to use with the API server.
    client_certificate: path of a PEM or PFX file with its private key.
    federated_token_file: path of a token that proves a workload identity.
    identity_resource: resource id of a user-assigned managed identity.
    service_connection_id: of Azure Pipelines.
    provider_options: KEY=VALUE pairs for login modes of other packages; no secrets, for they
    stand in the kubeconfig.
    """

    login: str = "auto"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tenant: str | None = None
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    client_certificate: str | None = None
    client_cert_password: str | None = field(default=None, repr=False)
    federated_token_file: str | None = None
    identity_resource: str | None = None
    service_connection_id: str | None = None
    provider_options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SignInContext:
    """Where and through what an identity signs in.

    environ: the environment's variables. clock: gives seconds since the epoch.
    az_login: makes the provider of az's own login; None where az is not signed in.
    ask_password: asks the person for a user's password; None where nobody sits there.
    """

    http: HttpClient
    cloud: Cloud
    clock: Callable[[], float]
    environ: Mapping[str, str]
    az_login: Callable[[], TokenProvider] | None = None
    ask_password: Callable[[str], str] | None = None


class TokenProvider(ABC):
    """One identity. A subclass says only what is its own.

    It is made with the options and the context, once `missing` has found nothing missing. It makes
    no request before `prepare` or `get_token`.
    """

    #: The login mode's name, as --login has it.
    name: ClassVar[str]
    #: A token from here may come with a refresh token (`--format azure` needs one).
    has_refresh_token: ClassVar[bool] = False
    #: The token request is ours, so that the audience of AKS' legacy integration can be asked for.
    can_ask_legacy_audience: ClassVar[bool] = False

    def __init__(self, options: IdentityOptions, context: SignInContext) -> None:
        self.options = options
        self.context = context

    @classmethod
    def missing(cls, options: IdentityOptions, context: SignInContext) -> list[str]:
        """What the identity lacks, each as a person would supply it; [] if it is complete."""
        return []

    @property
    def login(self) -> str:
        """The login mode as resolved, for example "federated"; known once prepared."""
        return self.name

    @property
    @abstractmethod
    def identity(self) -> str:
        """User principal name or client id."""

    @property
    def tenant(self) -> str | None:
        """The tenant that signs in for Azure Resource Manager; None where none is named."""
        return self.options.tenant or first_of(self.context.environ, environment.TENANT)

    @property
    def credential(self) -> str:
        """What a refusal holds for: another credential may be tried at once. Never stored."""
        return ""

    @property
    def az_profile(self) -> bytes:
        """The state of az's profile that a token got from now on is bound to; empty if none."""
        return b""

    def plugin_fields(self) -> Mapping[str, str]:
        """What the exec plugin's entry has to say of this identity, by PluginEntry's names."""
        cloud = self.context.cloud
        return {
            "authority_host": cloud.authority_host,
            "environment": cloud.name if cloud.is_known else "",
        }

    def prepare(self) -> None:  # noqa: B027 - not every identity has something to prepare
        """What can be done before the cluster is known.

        Called once, in a thread of its own, before get_token. Raises what get_token raises.
        """

    @abstractmethod
    def get_token(self, request: TokenRequest) -> AccessToken:
        """A token for request. Raises AuthenticationError, NetworkError or ResponseError."""
