"""A user with a password: managed by Entra, or federated with an identity provider by WS-Trust."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import ClassVar

from .. import environment
from ..clouds import cloud_of_instance
from ..entra.mex import WsTrustEndpoint, discover_endpoint
from ..entra.realm import STEP as REALM_STEP
from ..entra.realm import UserRealm, discover_user_realm
from ..entra.saml import SamlAssertion
from ..entra.token_endpoint import (
    AccessToken,
    TokenRequest,
    password_grant,
    request_token,
    saml_grant,
)
from ..entra.wstrust import request_assertion, request_assertion_without_mex
from ..environment import first_of
from ..errors import AuthenticationError
from .base import IdentityOptions, SignInContext, TokenProvider

_logger = logging.getLogger(__name__)


class PasswordProvider(TokenProvider):
    """Steps 1 to 5 of the sequence; asks the user realm which kind of user it is."""

    name: ClassVar[str] = "password"
    has_refresh_token = True
    can_ask_legacy_audience = True

    def __init__(self, options: IdentityOptions, context: SignInContext) -> None:
        super().__init__(options, context)
        self._username = _username(options, context.environ) or ""
        password = _password(options, context.environ)
        if not password and context.ask_password:
            password = context.ask_password(f"Password of {self._username}: ")
        self._password = password or ""
        self._realm: UserRealm | None = None
        self._endpoint: WsTrustEndpoint | None = None
        self._assertion: SamlAssertion | None = None

    @classmethod
    def missing(cls, options: IdentityOptions, context: SignInContext) -> list[str]:
        username = _username(options, context.environ)
        password = _password(options, context.environ) or (username and context.ask_password)
        return [
            *([] if username else ["a user name (--username, or AZURE_USERNAME)"]),
            *([] if password else ["a password (AZURE_PASSWORD, or --password @FILE)"]),
        ]

    @property
    def login(self) -> str:
        if self._realm is None:
            return self.name
        return "federated" if self._realm.is_federated else "managed"

    @property
    def identity(self) -> str:
        return self._username

    @property
    def credential(self) -> str:
        return self._password

    def plugin_fields(self) -> Mapping[str, str]:
        return {**super().plugin_fields(), "username": self._username}

    def prepare(self) -> None:
        context = self.context
        realm = discover_user_realm(context.http, context.cloud.authority_host, self._username)
        self._check_cloud(realm)
        self._check_kind(realm)
        self._realm = realm
        _logger.info("%s: %s is a %s user", REALM_STEP, self._username, self.login)
        if realm.is_federated:
            if realm.federation_metadata_url:
                self._endpoint = discover_endpoint(context.http, realm.federation_metadata_url)
            self._assertion = self._sign_in_at_provider(realm)

    def get_token(self, request: TokenRequest) -> AccessToken:
        context = self.context
        if self._realm is not None and self._realm.is_federated:
            if self._assertion is None or not self._assertion.is_valid_at(context.clock()):
                self._assertion = self._sign_in_at_provider(self._realm)
            grant = saml_grant(self._assertion)
        else:
            grant = password_grant(self._username, self._password)
        return request_token(
            context.http, context.cloud.authority_host, request, grant, context.clock
        )

    def _check_cloud(self, realm: UserRealm) -> None:
        ours, theirs = self.context.cloud.name, cloud_of_instance(realm.cloud_instance_name)
        if theirs is not None and self.context.cloud.is_known and theirs.name != ours:
            raise AuthenticationError(
                f"the user {self._username!r} is in the cloud {theirs.name}, not in {ours}",
                step=REALM_STEP,
                remedy=f"Use az cloud set --name {theirs.az_name}, or --environment {theirs.name}.",
            )

    def _check_kind(self, realm: UserRealm) -> None:
        """A subclass refuses what it is not for."""

    def _sign_in_at_provider(self, realm: UserRealm) -> SamlAssertion:
        context = self.context
        if self._endpoint is None:
            return request_assertion_without_mex(
                context.http, realm, self._username, self._password, context.clock
            )
        return request_assertion(
            context.http,
            self._endpoint,
            self._username,
            self._password,
            realm.cloud_audience_urn,
            context.clock,
        )


class ManagedProvider(PasswordProvider):
    """A user that Entra manages: the realm need not be asked."""

    name: ClassVar[str] = "managed"

    def prepare(self) -> None:
        """Nothing can be done before the token request."""


class FederatedProvider(PasswordProvider):
    """A federated user: the realm is asked for the identity provider, and a managed one refused."""

    name: ClassVar[str] = "federated"

    def _check_kind(self, realm: UserRealm) -> None:
        if not realm.is_federated:
            raise AuthenticationError(
                f"the domain of {self._username!r} is not federated, Entra itself checks its "
                "passwords",
                step=REALM_STEP,
                remedy="Use --login managed, or --login password, which asks.",
            )


def _username(options: IdentityOptions, environ: Mapping[str, str]) -> str | None:
    return options.username or first_of(environ, environment.USERNAME)


def _password(options: IdentityOptions, environ: Mapping[str, str]) -> str | None:
    """The password given, else the one in the environment, unless that is of another user.

    Sent for this user it would be wrong, and wrong passwords lock accounts.
    """
    username = _username(options, environ)
    if options.password is not None or not username:
        return options.password
    for name, password in zip(environment.USERNAME, environment.PASSWORD, strict=True):
        if environ.get(password) and environ.get(name, "").lower() in ("", username.lower()):
            return environ[password]
    return None
