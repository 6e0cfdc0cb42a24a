"""The token endpoint's errors, in the shape and with the words of Entra ID."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Aadsts:
    """What the token endpoint says with one AADSTS number."""

    error: str
    message: str
    status: int = 400
    suberror: str | None = None
    claims: bool = False


def _grant(message: str, suberror: str | None = None, claims: bool = False) -> Aadsts:
    return Aadsts("invalid_grant", message, 400, suberror, claims)


def _client(message: str) -> Aadsts:
    return Aadsts("invalid_client", message, 401)


def _request(message: str) -> Aadsts:
    return Aadsts("invalid_request", message)


_MFA = (
    "Due to a configuration change made by your administrator, or because you moved to a new "
    "location, you must use multi-factor authentication to access '{resource}'."
)

CODES: dict[int, Aadsts] = {
    50008: _grant("SAML token is invalid. {detail}"),
    50020: _grant(
        "User account '{user}' from identity provider does not exist in tenant '{tenant}' and "
        "cannot access the application '{client}' in that tenant."
    ),
    50034: _grant(
        "The user account {EmailHidden} does not exist in the {tenant} directory. To sign into "
        "this application, the account must be added to the directory."
    ),
    50053: _grant(
        "The account is locked, you've tried to sign in too many times with an incorrect user ID "
        "or password."
    ),
    50055: _grant("The password is expired.", "user_password_expired"),
    50056: _grant(
        "Invalid or null password: password does not exist in the directory for this user."
    ),
    50057: _grant("The user account is disabled."),
    50059: _request(
        "No tenant-identifying information found in either the request or implied by any provided "
        "credentials."
    ),
    50072: _grant(
        "Due to a configuration change made by your administrator, or because you moved to a new "
        "location, you must enroll in multi-factor authentication to access '{resource}'.",
        "basic_action",
        True,
    ),
    50074: _grant("Strong Authentication is required.", "basic_action", True),
    50076: _grant(_MFA, "basic_action", True),
    50079: _grant(
        "Due to a configuration change made by your administrator, or because you moved to a new "
        "location, you must enroll in multi-factor authentication to access '{resource}'.",
        "basic_action",
        True,
    ),
    50107: _grant("The requested federation realm object '{detail}' does not exist."),
    50126: _grant("Error validating credentials due to invalid username or password."),
    50158: _grant(
        "External security challenge not satisfied. User will be redirected to another page or "
        "authentication provider to satisfy additional authentication challenges.",
        "basic_action",
        True,
    ),
    50173: _grant(
        "The provided grant has expired due to it being revoked, a fresh auth token is needed. The "
        "user might have changed or reset their password.",
        "bad_token",
    ),
    51004: _grant(
        "The user account {user} does not exist in the {tenant} directory. To sign into this "
        "application, the account must be added to the directory."
    ),
    53000: _grant(
        "Device is not in required device state: {state}. Conditional Access policy requires a "
        "compliant device, and the device is not compliant.",
        "message_only",
        True,
    ),
    53001: _grant(
        "Device is not in required device state: {state}. Conditional Access policy requires a "
        "domain joined device, and the device is not domain joined.",
        "message_only",
        True,
    ),
    53003: _grant(
        "Access has been blocked by Conditional Access policies. The access policy does not allow "
        "token issuance.",
        "message_only",
        True,
    ),
    65001: _grant(
        "The user or administrator has not consented to use the application with ID '{client}'. "
        "Send an interactive authorization request for this user and resource.",
        "consent_required",
    ),
    70000: _grant(
        "The provided value for the 'refresh_token' parameter is not valid.", "bad_token"
    ),
    70003: Aadsts(
        "unsupported_grant_type",
        "The app requested an unsupported grant type '{detail}'.",
    ),
    70011: Aadsts(
        "invalid_scope",
        "The provided request must include a 'scope' input parameter. The provided value for the "
        "input parameter 'scope' is not valid. The scope '{detail}' is not valid.",
    ),
    70021: _request(
        "No matching federated identity record found for presented assertion. {detail}"
    ),
    70043: _grant(
        "The refresh token has expired or is invalid due to sign-in frequency checks by "
        "conditional access.",
        "bad_token",
    ),
    90002: _request(
        "Tenant '{detail}' not found. Check to make sure you have the correct tenant ID and are "
        "signing into the correct cloud."
    ),
    90072: _grant(
        "User account '{user}' from identity provider does not exist in tenant '{tenant}' and "
        "cannot access the application '{client}' in that tenant."
    ),
    500011: Aadsts(
        "invalid_resource",
        "The resource principal named {detail} was not found in the tenant named {tenant}. This "
        "can happen if the application has not been installed by the administrator of the tenant "
        "or consented to by any user in the tenant.",
    ),
    700016: Aadsts(
        "unauthorized_client",
        "Application with identifier '{client}' was not found in the directory '{tenant}'. This "
        "can happen if the application has not been installed by the administrator of the tenant.",
    ),
    700024: _client(
        "Client assertion is not within its valid time range. Current time: {now}, {detail}"
    ),
    700025: _client(
        "Client is public so neither 'client_assertion' nor 'client_secret' should be presented."
    ),
    700027: _client(
        "The certificate with identifier used to sign the client assertion is not registered on "
        "application, or the assertion is not valid. [Reason - {detail}]"
    ),
    700030: _client(
        "Invalid certificate - subject name in certificate is not authorized. "
        "SubjectNames/SubjectAlternativeNames (up to 10) in token certificate are: {detail}."
    ),
    700082: _grant(
        "The refresh token has expired due to inactivity. The token was issued on {detail} and was "
        "inactive for 90.00:00:00.",
        "token_expired",
    ),
    700211: _client(
        "No matching federated identity record found for presented assertion issuer '{detail}'."
    ),
    700212: _client(
        "No matching federated identity record found for presented assertion audience '{detail}'."
    ),
    700213: _client(
        "No matching federated identity record found for presented assertion subject '{detail}'."
    ),
    900144: _request("The request body must contain the following parameter: '{detail}'."),
    900561: _request("The endpoint only accepts POST requests. Received a GET request."),
    1000502: _client(
        "The provided certificate is not within its specified validity window. {detail}"
    ),
    1002012: Aadsts(
        "invalid_scope",
        "The provided value for scope {detail} is not valid. Client credential flows must have a "
        "scope value with /.default suffixed to the resource identifier (application ID URI).",
    ),
    7000215: _client(
        "Invalid client secret provided. Ensure the secret being sent in the request is the client "
        "secret value, not the client secret ID, for a secret added to app '{client}'."
    ),
    7000216: _client(
        "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' "
        "grant type."
    ),
    7000218: _client(
        "The request body must contain the following parameter: 'client_assertion' or "
        "'client_secret'."
    ),
    7000222: _client("The provided client secret keys for app '{client}' are expired."),
    7000229: Aadsts(
        "unauthorized_client",
        "The client application {client} is missing service principal in the tenant {tenant}.",
    ),
    9001023: _request(
        "The grant type is not supported over the /common or /consumers endpoints. Please use the "
        "/organizations or tenant-specific endpoint."
    ),
    9002313: _request("Invalid request. Request is malformed or invalid. {detail}"),
}


class TokenRefused(Exception):
    """The token endpoint says no; `words` fill the message of the code."""

    def __init__(self, code: int, **words: str) -> None:
        super().__init__(f"AADSTS{code}")
        self.code = code
        self.words = words


class _Words(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def refusal(error: TokenRefused, authority: str, now: float, correlation: str) -> web.Response:
    """The answer for a refusal.

    Args:
        error: which error, and the words of its message.
        authority: the authority's address, for error_uri.
        now: seconds since the epoch.
        correlation: the request's client-request-id, or a new GUID.
    """
    known = _known(error)
    timestamp = _timestamp(now)
    trace = str(uuid.uuid4())
    body: dict[str, Any] = {
        "error": known.error,
        "error_description": refusal_message(error, now, correlation, trace),
        "error_codes": [error.code],
        "timestamp": timestamp,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"{authority}/error?code={error.code}",
    }
    if known.suberror:
        body["suberror"] = known.suberror
    if known.claims:
        policies = {"essential": True, "values": [str(uuid.uuid4())]}
        body["claims"] = json.dumps({"access_token": {"capolids": policies}})
    return web.json_response(body, status=known.status, headers={"Cache-Control": "no-store"})


def refusal_message(
    error: TokenRefused, now: float, correlation: str, trace: str | None = None
) -> str:
    """The text of a refusal; the arguments are those of `refusal`, trace is a new GUID or given."""
    timestamp = _timestamp(now)
    message = _known(error).message.format_map(_Words({"now": timestamp, **error.words}))
    return (
        f"AADSTS{error.code}: {message} Trace ID: {trace or uuid.uuid4()} "
        f"Correlation ID: {correlation} Timestamp: {timestamp}"
    )


def _known(error: TokenRefused) -> Aadsts:
    return CODES.get(error.code, _grant("An error of the emulator's test: {detail}."))


def _timestamp(now: float) -> str:
    return datetime.fromtimestamp(now, timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")
