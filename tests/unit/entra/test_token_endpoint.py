"""The token endpoint: forms that are sent, tokens and refusals that come back."""

from __future__ import annotations

import json
import traceback

import pytest

from aks_noninteractive.entra.aadsts import MEANINGS
from aks_noninteractive.entra.http import HttpClient, HttpResponse
from aks_noninteractive.entra.saml import SamlAssertion, SamlVersion
from aks_noninteractive.entra.token_endpoint import (
    AccessToken,
    TokenRequest,
    password_grant,
    refusal,
    request_token,
    saml_grant,
)
from aks_noninteractive.errors import (
    AksAuthError,
    AuthenticationError,
    NetworkError,
    ResponseError,
)
from unit.entra.tls_server import Server

NOW = 1_700_000_000.7
SERVER_ID = "6dae42f8-4368-4678-94ff-3960e28e3630"
REQUEST = TokenRequest(SERVER_ID, "contoso.com", "a-client-id")
TOKEN, REFRESH = "access.token-secret", "refresh.token-secret"
ANSWER = {
    "token_type": "Bearer",
    "access_token": TOKEN,
    "refresh_token": REFRESH,
    "expires_in": 3599,
    "ext_expires_in": 3599,
    "id_token": "x.y.z",
    "client_info": "e30",
}
PASSWORD = "p4ss & <word>"
GRANTS = {
    "password": password_grant("joe@contoso.com", PASSWORD),
    "saml 1.1": saml_grant(SamlAssertion(SamlVersion.V11, b"<a-secret/>", None)),
    "saml 2.0": saml_grant(SamlAssertion(SamlVersion.V20, b"<a-secret/>", None)),
    "refresh": {"grant_type": "refresh_token", "refresh_token": REFRESH},
}
# Every number that PROTOCOLS lists; _STRONGER are those that a password alone will not satisfy.
_STRONGER = "50072 50074 50076 50079 50158 53000 53001 53003"
_OTHERS = """50034 50053 50055 50057 50126 50056 50020 51004 90072 50107 50008 65001 70043 700082
    50173 700016 7000215 7000222 7000218 7000229 700027 700024 700211 700212 700213 70021 90002
    500011"""
STRONGER = [int(number) for number in _STRONGER.split()]
LISTED = STRONGER + [int(number) for number in _OTHERS.split()]


def redeem(
    http: HttpClient,
    server: Server,
    answer: object = ANSWER,
    grant: dict[str, str] = GRANTS["password"],
    request: TokenRequest = REQUEST,
) -> AccessToken:
    server.body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return request_token(http, server.url, request, grant, lambda: NOW)


def refused(answer: object, status: int = 400, *, for_arm: bool = False) -> AksAuthError:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    response = HttpResponse("login.example", status, "application/json", body)
    request = TokenRequest("resource", "tenant", "client", for_arm=for_arm)
    return refusal(response, request, PASSWORD)


def error_answer(number: int, sentence: str = "Words of the server.") -> dict[str, object]:
    return {
        "error": "invalid_grant",
        "error_description": f"AADSTS{number}: {sentence} Trace ID: t-1 Correlation ID: c-1 "
        "Timestamp: 2026-01-01 00:00:00Z",
        "error_codes": [number],
        "timestamp": "2026-01-01 00:00:00Z",
        "trace_id": "t-1",
        "correlation_id": "c-1",
    }


def everything_said(error: BaseException) -> str:
    return f"{error} {error!r} {vars(error)} {''.join(traceback.format_exception(error))}"


@pytest.mark.parametrize("grant", GRANTS.values(), ids=GRANTS)
def test_asks_the_v2_endpoint_for_the_default_scope(
    http: HttpClient, server: Server, grant: dict[str, str]
) -> None:
    redeem(http, server, grant=grant)
    (received,) = server.requests
    assert (received.method, received.path) == ("POST", "/contoso.com/oauth2/v2.0/token")
    assert received.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert received.form == grant | {
        "client_id": "a-client-id",
        "scope": f"{SERVER_ID}/.default openid offline_access profile",
    }


@pytest.mark.parametrize("grant", GRANTS.values(), ids=GRANTS)
def test_asks_the_v1_endpoint_for_the_bare_resource_of_a_legacy_cluster(
    http: HttpClient, server: Server, grant: dict[str, str]
) -> None:
    request = TokenRequest(SERVER_ID, "contoso.com", "a-client-id", legacy=True)
    redeem(http, server, ANSWER | {"expires_in": "3599"}, grant, request)
    (received,) = server.requests
    assert received.path == "/contoso.com/oauth2/token?api-version=1.0"
    form = received.form
    assert form.items() >= (grant | {"client_id": "a-client-id", "resource": SERVER_ID}).items()
    assert ".default" not in form.get("scope", "")


def test_the_scope_of_arm_keeps_both_slashes(http: HttpClient, server: Server) -> None:
    arm = TokenRequest("https://management.core.windows.net/", "t", "c", for_arm=True)
    redeem(http, server, request=arm)
    scope = server.requests[0].form["scope"]
    assert scope.split()[0] == "https://management.core.windows.net//.default"


@pytest.mark.parametrize("password", ["p&=+ %41é漢", "\t\r\n", "a;b#c", '"\\'])
def test_a_password_arrives_as_it_is(http: HttpClient, server: Server, password: str) -> None:
    redeem(http, server, grant=password_grant("joe@contoso.com", password))
    assert server.requests[0].form["password"] == password


def test_a_tenant_cannot_leave_its_place_in_the_path(http: HttpClient, server: Server) -> None:
    redeem(http, server, request=TokenRequest("r", "../a/b?c#d", "c"))
    assert server.requests[0].path == "/..%2Fa%2Fb%3Fc%23d/oauth2/v2.0/token"


def test_gives_token_refresh_token_and_expiry(http: HttpClient, server: Server) -> None:
    assert redeem(http, server) == AccessToken(
        token=TOKEN,
        expires_on=1_700_003_599,
        expires_in=3599,
        tenant="contoso.com",
        client_id="a-client-id",
        refresh_token=REFRESH,
    )


@pytest.mark.parametrize("absent", [{}, {"refresh_token": None}, {"refresh_token": ""}])
def test_a_refresh_token_may_be_absent(
    http: HttpClient, server: Server, absent: dict[str, object]
) -> None:
    answer = {"access_token": TOKEN, "expires_in": 10} | absent
    assert redeem(http, server, answer).refresh_token == ""


@pytest.mark.parametrize(
    ("given", "seconds"), [(3600, 3600), ("3600", 3600), (3599.9, 3599), (" 60 ", 60), (1, 1)]
)
def test_reads_the_lifetime_as_a_number_or_a_string(
    http: HttpClient, server: Server, given: object, seconds: int
) -> None:
    assert redeem(http, server, ANSWER | {"expires_in": given}).expires_in == seconds


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "soon",
        0,
        -5,
        "-5",
        [],
        {},
        1e300,
        10**30,
        "9" * 5000,
        float("nan"),
        float("inf"),
    ],
)
def test_a_token_without_a_sane_lifetime_is_refused(
    http: HttpClient, server: Server, given: object
) -> None:
    with pytest.raises(ResponseError, match="no access token with a lifetime") as caught:
        redeem(http, server, ANSWER | {"expires_in": given})
    assert TOKEN not in everything_said(caught.value)


@pytest.mark.parametrize("token", [None, "", 5, [], "a b", "a\nb", "é", "\ud800"])
def test_what_is_no_token_is_refused(http: HttpClient, server: Server, token: object) -> None:
    with pytest.raises(ResponseError, match="no access token"):
        redeem(http, server, ANSWER | {"access_token": token})


@pytest.mark.parametrize("body", [b"", b"<html>Sign in</html>", b"[]", b"null", b"\xff\xfe"])
@pytest.mark.parametrize("status", [200, 400, 401, 403, 404])
def test_says_what_came_in_place_of_an_answer(
    http: HttpClient, server: Server, status: int, body: bytes
) -> None:
    server.status, server.content_type = status, "text/html"
    with pytest.raises(
        ResponseError, match=f"HTTP {status} with {len(body)} bytes of text/html"
    ) as e:
        redeem(http, server, body)
    assert e.value.host == server.host
    assert "Sign in" not in everything_said(e.value)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("body", [b"", b"<html/>", b'{"error":"temporarily_unavailable"}'])
def test_a_busy_server_is_worth_another_try(status: int, body: bytes) -> None:
    error = refused(body, status)
    assert isinstance(error, NetworkError)
    assert f"HTTP {status}" in str(error) and "again" in error.remedy


@pytest.mark.parametrize("number", LISTED)
def test_every_number_that_users_meet_has_a_meaning_and_a_remedy(number: int) -> None:
    error = refused(error_answer(number))
    assert isinstance(error, AuthenticationError)
    assert error.code == f"AADSTS{number}"
    assert error.correlation_id == "c-1"
    assert error.host == "login.example" and error.step
    assert "Words of the server" not in error.message
    assert error.remedy.endswith(".") and "login.microsoftonline.com/error" not in error.remedy
    assert f"(AADSTS{number}, correlation id c-1)" in str(error)


@pytest.mark.parametrize("number", STRONGER)
def test_where_a_password_will_not_do_other_ways_are_named(number: int) -> None:
    remedy = refused(error_answer(number)).remedy
    assert "service principal" in remedy and "workload identity" in remedy
    assert "az" in remedy.split() and "--skeleton" not in remedy
    assert "--skeleton" in refused(error_answer(number), for_arm=True).remedy


@pytest.mark.parametrize("number", sorted(set(LISTED) - set(STRONGER)))
def test_the_skeleton_is_advised_for_nothing_else(number: int) -> None:
    assert "--skeleton" not in refused(error_answer(number), for_arm=True).remedy


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (50056, "--login federated"),
        (50126, "quotes"),
        (50053, "Wait"),
        (90002, "--tenant"),
        (50020, "--tenant"),
        (700024, "SYSTEM_ACCESSTOKEN"),
        (700211, "subject"),
        (7000215, "value"),
        (700082, "az login"),
        (65001, "consent"),
    ],
)
def test_a_remedy_says_what_to_do(number: int, words: str) -> None:
    assert words in refused(error_answer(number)).remedy


def test_no_number_is_without_a_meaning() -> None:
    assert set(MEANINGS) >= set(LISTED)
    for meaning, remedy in MEANINGS.values():
        assert meaning and not meaning.endswith(".") and remedy.endswith(".")


def test_a_number_that_is_not_listed_keeps_the_servers_words() -> None:
    error = refused(error_answer(99_999_99, "Something new\r\nhappened."))
    assert error.message == "Something new happened."
    assert error.code == "AADSTS9999999"
    assert "error" in error.remedy


def test_the_number_in_the_text_wins_over_the_list() -> None:
    error = refused(error_answer(50126) | {"error_codes": [1, 50034]})
    assert error.code == "AADSTS50126"


def test_the_list_of_numbers_is_used_where_the_text_has_none() -> None:
    assert refused({"error": "invalid_grant", "error_codes": [50034]}).code == "AADSTS50034"


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"error": "invalid_client"},
        {"error": None, "error_description": 5, "error_codes": "x", "correlation_id": []},
        {"error": {"code": "x"}, "error_codes": []},
        {"error_codes": [None]},
    ],
)
def test_a_refusal_without_a_number_does_not_send_people_to_look_one_up(answer: object) -> None:
    error = refused(answer)
    assert isinstance(error, AuthenticationError)
    assert error.message and error.remedy
    assert "AADSTS" not in str(error)
    assert "number" not in error.remedy


@pytest.mark.parametrize("grant", GRANTS.values(), ids=GRANTS)
@pytest.mark.parametrize("status", [400, 401, 500])
def test_a_refusal_never_tells_a_secret(
    http: HttpClient, server: Server, grant: dict[str, str], status: int
) -> None:
    secret = next(
        grant[name] for name in ("password", "assertion", "refresh_token") if name in grant
    )
    server.status = status
    answer = error_answer(99_999_99, f"You sent {secret} here.") | {"correlation_id": secret}
    with pytest.raises(AksAuthError) as caught:
        redeem(http, server, answer | {"error": secret}, grant)
    assert secret not in everything_said(caught.value)


def test_a_failure_of_the_network_never_tells_a_secret(http: HttpClient, server: Server) -> None:
    server.answer = lambda handler: setattr(handler, "close_connection", True)
    with pytest.raises(NetworkError) as caught:
        redeem(http, server)
    assert PASSWORD not in everything_said(caught.value)


def test_tokens_and_assertions_are_not_shown_by_their_repr() -> None:
    token = AccessToken(TOKEN, 1, 1, "t", "c", REFRESH)
    assert "secret" not in f"{token!r} {token}"
    assert "secret" not in repr(SamlAssertion(SamlVersion.V11, b"<a-secret/>", None))


def test_a_password_that_no_form_can_carry_is_not_told(http: HttpClient, server: Server) -> None:
    grant = password_grant("joe@contoso.com", "h1dden\udce9")
    with pytest.raises(AksAuthError) as caught:
        redeem(http, server, grant=grant)
    assert "h1dden" not in everything_said(caught.value)
    assert not server.requests
