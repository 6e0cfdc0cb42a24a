"""An application that proves itself by a token from elsewhere, exchanged for one of Entra.

The token is sent as a client assertion (RFC 7523, section 2.2) and has to match a federated
credential of the application: issuer, subject and audience, to the letter.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from .. import environment
from ..entra.http import PROXY_REMEDY, HttpResponse
from ..entra.token_endpoint import TokenRequest
from ..environment import first_of
from ..errors import AuthenticationError, ResponseError
from .base import IdentityOptions, SignInContext
from .confidential_client import ConfidentialClientProvider


def token_in(response: HttpResponse, key: str, *, step: str, remedy: str) -> str:
    """The token that an issuer's JSON answer has at key.

    Raises NetworkError for a busy issuer, AuthenticationError with remedy for one that refuses, and
    ResponseError for an answer without a token.
    """
    if busy := response.busy(step):
        raise busy
    if response.status != 200:
        raise AuthenticationError(
            f"the issuer gave none ({response.describe()})",
            step=step,
            host=response.host,
            remedy=remedy,
        )
    token = response.json_object(step).get(key)
    if not isinstance(token, str) or not token:
        raise ResponseError(
            "the answer holds no token", step=step, host=response.host, remedy=PROXY_REMEDY
        )
    return token


class TokenExchangeProvider(ConfidentialClientProvider):
    """A subclass knows where the token comes from."""

    #: Variables that name the application and its tenant.
    client_id_variables: ClassVar[tuple[str, ...]] = ("AZURE_CLIENT_ID",)
    tenant_variables: ClassVar[tuple[str, ...]] = environment.TENANT

    @classmethod
    @abstractmethod
    def missing_source(cls, options: IdentityOptions, environ: Mapping[str, str]) -> list[str]:
        """What is lacking to get the token from elsewhere."""

    @abstractmethod
    def assertion(self) -> str:
        """The token from elsewhere."""

    @classmethod
    def missing(cls, options: IdentityOptions, context: SignInContext) -> list[str]:
        lacks = cls.missing_source(options, context.environ)
        if not (options.client_id or first_of(context.environ, cls.client_id_variables)):
            lacks.append(f"a client id (--client-id, or {cls.client_id_variables[0]})")
        if not (options.tenant or first_of(context.environ, cls.tenant_variables)):
            lacks.append(f"a tenant (--tenant, or {cls.tenant_variables[0]})")
        return lacks

    @property
    def client_id(self) -> str:
        found = first_of(self.context.environ, self.client_id_variables)
        return self.options.client_id or found or ""

    @property
    def tenant(self) -> str | None:
        return self.options.tenant or first_of(self.context.environ, self.tenant_variables)

    @property
    def credential(self) -> str:
        return self.assertion()

    def client_credential(self, request: TokenRequest) -> str | Mapping[str, Any]:
        return {"client_assertion": self.assertion()}
