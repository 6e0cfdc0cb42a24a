"""A user with a password: managed by Entra, or federated with an identity provider by WS-Trust."""

from __future__ import annotations

import logging
from collections.abc import Mapping

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
from ..errors import AuthenticationError
from .base import SignInContext, TokenProvider

_logger = logging.getLogger(__name__)


class PasswordProvider(TokenProvider):
    """Steps 1 to 5 of the sequence.

    login: "password" asks the user realm which of the two it is; "managed" does not ask;
    "federated" asks, for it needs the answer, and refuses a managed user.
    """

    has_refresh_token = True
    can_ask_legacy_audience = True

    def __init__(self, context: SignInContext, login: str, username: str, password: str) -> None:
        self._context = context
        self._login = login
        self._username = username
        self._password = password
        self._realm: UserRealm | None = None
        self._endpoint: WsTrustEndpoint | None = None
        self._assertion: SamlAssertion | None = None

    @property
    def login(self) -> str:
        if self._realm is None:
            return self._login
        return "federated" if self._realm.is_federated else "managed"

    @property
    def identity(self) -> str:
        return self._username

    @property
    def credential(self) -> str:
        return self._password

    def plugin_fields(self) -> Mapping[str, str]:
        return {
            "username": self._username,
            "authority_host": self._context.cloud.authority_host,
        }

    def prepare(self) -> None:
        if self._login == "managed":
            return
        context = self._context
        realm = discover_user_realm(context.http, context.cloud.authority_host, self._username)
        if self._login == "federated" and not realm.is_federated:
            raise AuthenticationError(
                f"the domain of {self._username!r} is not federated, Entra itself checks its "
                "passwords",
                step=REALM_STEP,
                remedy="Use --login managed, or --login password, which asks.",
            )
        self._realm = realm
        _logger.info("%s: %s is a %s user", REALM_STEP, self._username, self.login)
        if realm.is_federated:
            if realm.federation_metadata_url:
                self._endpoint = discover_endpoint(context.http, realm.federation_metadata_url)
            self._assertion = self._sign_in_at_provider(realm)

    def get_token(self, request: TokenRequest) -> AccessToken:
        context = self._context
        if self._realm is not None and self._realm.is_federated:
            if self._assertion is None or not self._assertion.is_valid_at(context.clock()):
                self._assertion = self._sign_in_at_provider(self._realm)
            grant = saml_grant(self._assertion)
        else:
            grant = password_grant(self._username, self._password)
        return request_token(
            context.http, context.cloud.authority_host, request, grant, context.clock
        )

    def _sign_in_at_provider(self, realm: UserRealm) -> SamlAssertion:
        context = self._context
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
