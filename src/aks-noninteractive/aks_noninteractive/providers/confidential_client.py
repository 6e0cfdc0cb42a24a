"""An application that proves itself to Entra: the OAuth 2.0 client credentials flow, by msal.

msal makes the request (RFC 6749, section 4.4; RFC 7523 for assertions) and signs assertions with a
certificate. Beneath it is our http client, which also answers the OIDC discovery that msal would
ask for: the token endpoint of a known or configured authority is where it always is.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ..entra.http import HttpClient, HttpResponse
from ..entra.token_endpoint import AccessToken, TokenRequest, access_token_of, refusal
from ..errors import UsageError
from .base import TokenProvider


class ConfidentialClientProvider(TokenProvider):
    """A subclass knows its client id, its tenant, and how the client proves itself."""

    can_ask_legacy_audience = True

    @property
    @abstractmethod
    def client_id(self) -> str:
        """The application's id."""

    @abstractmethod
    def client_credential(self, request: TokenRequest) -> str | Mapping[str, Any]:
        """What msal takes as such: a secret, a key with its certificate, or an assertion."""

    @property
    def identity(self) -> str:
        return self.client_id

    def plugin_fields(self) -> Mapping[str, str]:
        return {**super().plugin_fields(), "client_id": self.client_id}

    def get_token(self, request: TokenRequest) -> AccessToken:
        import msal

        context = self.context
        asked_at = context.clock()
        authority = f"{context.cloud.authority_host}/{quote(request.tenant, safe='')}"
        http = _MsalHttp(context.http, authority, request)
        try:
            application = msal.ConfidentialClientApplication(
                self.client_id,
                client_credential=self.client_credential(request),
                authority=authority,
                instance_discovery=False,
                http_client=http,
            )
            answer = application.acquire_token_for_client([f"{request.resource}/.default"])
        except ValueError as error:  # msal of an authority or a key that it cannot use
            raise UsageError(
                f"the identity cannot be used: {error}",
                remedy="Check the tenant, the authority host and the certificate.",
            ) from None
        return access_token_of(answer, request, asked_at, http.host)


class _MsalHttp:
    """The http client that msal is given: ours, with our errors."""

    def __init__(self, http: HttpClient, authority: str, request: TokenRequest) -> None:
        self._http = http
        self._request = request
        self._authority = authority
        self.host = ""

    def get(self, url: str, **_: Any) -> _MsalResponse:
        """OIDC discovery, answered here; msal asks for nothing else."""
        version = "oauth2" if self._request.legacy else "oauth2/v2.0"
        document = {
            "issuer": f"{self._authority}/v2.0",
            "authorization_endpoint": f"{self._authority}/{version}/authorize",
            "token_endpoint": f"{self._authority}/{version}/token",
        }
        return _MsalResponse(200, json.dumps(document))

    def post(self, url: str, data: Any = None, headers: Any = None, **_: Any) -> _MsalResponse:
        """The token request. Raises our errors for every answer but 200."""
        # msal hands over an assertion that it signed as bytes.
        form = {k: v.decode() if isinstance(v, bytes) else str(v) for k, v in data.items()}
        if self._request.legacy:
            url += "?api-version=1.0"
            form |= {"resource": self._request.resource}
            form.pop("scope", None)
        response: HttpResponse = self._http.post(
            url, form, step=self._request.step, headers=dict(headers or {}), repeatable=True
        )
        self.host = response.host
        if response.status != 200:
            secrets = (form.get("client_secret", ""), form.get("client_assertion", ""))
            raise refusal(response, self._request, *secrets)
        # Only what msal can read goes up to it.
        return _MsalResponse(200, json.dumps(response.json_object(self._request.step)))

    def close(self) -> None:
        """msal closes what it was given; ours goes on."""


class _MsalResponse:
    """What msal reads of an answer."""

    def __init__(self, status_code: int, text: str) -> None:
        self.status_code = status_code
        self.text = text
        self.headers: dict[str, str] = {}

    def raise_for_status(self) -> None:
        """All failures have been raised already."""
