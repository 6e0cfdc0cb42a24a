"""What every identity can do, and what it is given to do it with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..clouds import Cloud
from ..entra.http import HttpClient
from ..entra.token_endpoint import AccessToken, TokenRequest


@dataclass(frozen=True)
class IdentityOptions:
    """The identity as the caller gave it; None is what was not given.

    login: "auto" or the name of a login mode.
    username: user principal name.
    tenant: id or domain of the tenant that signs in for Azure Resource Manager.
    client_id: for users, the public client to use with the API server instead of the cluster's.
    """

    login: str = "auto"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tenant: str | None = None
    client_id: str | None = None


@dataclass(frozen=True)
class SignInContext:
    """Where and through what an identity signs in; clock gives seconds since the epoch."""

    http: HttpClient
    cloud: Cloud
    clock: Callable[[], float]


class TokenProvider(ABC):
    """One identity. A subclass says only what is its own."""

    #: A token from here may come with a refresh token (`--format azure` needs one).
    has_refresh_token = False
    #: The token request is ours, so that the audience of AKS' legacy integration can be asked for.
    can_ask_legacy_audience = False

    @property
    @abstractmethod
    def login(self) -> str:
        """The login mode as resolved, for example "federated"; known once prepared."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """User principal name or client id."""

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
        return {}

    def prepare(self) -> None:  # noqa: B027 - not every identity has something to prepare
        """What can be done before the cluster is known.

        Called once, in a thread of its own, before get_token. Raises what get_token raises.
        """

    @abstractmethod
    def get_token(self, request: TokenRequest) -> AccessToken:
        """A token for request. Raises AuthenticationError, NetworkError or ResponseError."""
