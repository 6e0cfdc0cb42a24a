"""A managed identity of the machine, container or app that this runs on, by msal."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

import requests

from ..entra.http import (
    MAX_RETRY_AFTER,
    PAUSES,
    READ_TIMEOUT,
    explain_failure,
    host_of,
    refuse_redirect,
    retry_after_seconds,
)
from ..entra.token_endpoint import AccessToken, TokenRequest, access_token_of, unverified_claims
from ..environment import IDENTITY_HEADER, first_of
from ..errors import AuthenticationError, NetworkError, quote_server
from .base import IdentityOptions, SignInContext, TokenProvider

STEP = "managed identity"
CONNECT_TIMEOUT = 3.0


class ManagedIdentityProvider(TokenProvider):
    """The system-assigned identity, or a user-assigned one by client id or resource id."""

    name: ClassVar[str] = "msi"

    def __init__(self, options: IdentityOptions, context: SignInContext) -> None:
        super().__init__(options, context)
        self._identity = self._client_id or options.identity_resource or "system-assigned identity"

    @property
    def identity(self) -> str:
        return self._identity

    def plugin_fields(self) -> Mapping[str, str]:
        return {
            "client_id": self._client_id,
            "identity_resource": self.options.identity_resource or "",
        }

    def get_token(self, request: TokenRequest) -> AccessToken:
        import msal

        asked_at = self.context.clock()
        identity: Any = msal.SystemAssignedManagedIdentity()
        if self._client_id:
            identity = msal.UserAssignedManagedIdentity(client_id=self._client_id)
        elif self.options.identity_resource:
            identity = msal.UserAssignedManagedIdentity(resource_id=self.options.identity_resource)
        session = _LocalSession()
        try:
            client = msal.ManagedIdentityClient(identity, http_client=session)
            answer = client.acquire_token_for_client(resource=request.resource)
        except requests.RequestException as error:
            raise NetworkError(
                f"its service cannot be reached: {explain_failure(error)[0]}",
                step=STEP,
                host=session.host,
                remedy="Run this on a machine that has a managed identity, or use another --login.",
            ) from None
        except (msal.ManagedIdentityError, ValueError, TypeError, AttributeError) as error:
            answer = {"error_description": f"{type(error).__name__}: {error}"}
        if "access_token" not in answer:
            said = answer.get("error_description") or answer.get("error") or "nothing"
            header = self.context.environ.get(IDENTITY_HEADER, "")
            raise AuthenticationError(
                f"no token for {self._identity}, its service says: "
                f"{quote_server(str(said), header)}",
                step=STEP,
                host=session.host,
                remedy="Check that this machine has that identity, and its client id (--client-id) "
                "or resource id (--identity-resource).",
            )
        token = access_token_of(answer, request, asked_at, session.host)
        self._identity = str(unverified_claims(token.token).get("appid") or self._identity)
        return token

    @property
    def _client_id(self) -> str:
        if self.options.identity_resource:
            return ""
        return self.options.client_id or first_of(self.context.environ, _CLIENT_ID) or ""


_CLIENT_ID = ("AZURE_CLIENT_ID",)


class _LocalSession(requests.Session):
    """requests for services on this machine: plain http, no proxy, no redirects, short patience.

    A session, because msal pins the certificate of Service Fabric's service on one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.host = ""

    def request(self, method: Any, url: Any, **options: Any) -> requests.Response:  # type: ignore[override]
        self.host = host_of(str(url))
        options |= {"timeout": (CONNECT_TIMEOUT, READ_TIMEOUT), "allow_redirects": False}
        for pause in (*PAUSES, None):
            answer = super().request(method, url, **options)
            if answer.status_code != 429 and answer.status_code < 500:
                break
            asked = retry_after_seconds(answer.headers.get("Retry-After", ""))
            if pause is None or (asked or 0) > MAX_RETRY_AFTER:
                raise NetworkError(
                    f"its service is busy or failing (HTTP {answer.status_code})",
                    step=STEP,
                    host=self.host,
                    remedy="Try again in a minute.",
                )
            time.sleep(pause if asked is None else asked)
        refuse_redirect(answer.status_code, answer.headers, STEP, self.host)
        return answer
