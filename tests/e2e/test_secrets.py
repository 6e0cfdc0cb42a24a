"""A secret of any characters gets through, in every way, and comes out nowhere.

That it comes out nowhere is not asserted here: after every test the secret search looks.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus
from xml.sax.saxutils import escape

import pytest

from e2e import installation
from e2e.conftest import AZ_SIGNED_IN, AZ_SIGNED_OUT, AZAKSAUTH, Az, Door, Result, execute
from e2e.secret_search import SEARCH
from e2e.test_exec_plugin import HOUR, assert_fails, plugin_of
from e2e.test_identities import (
    Identity,
    World,
    apps_own_identity,
    encrypted_pem,
    github_job,
    job_without_permission,
    secret_in_azures_variables,
    service_connection_by_flag,
    step_without_mapping,
    token_of_another_workload,
    workload_identity_by_variable,
    wrong_secret,
)
from emulator import Emulator
from emulator import population as who

NASTY_USERS = (who.NASTY, who.FEDERATED_NASTY)
TOKEN_FILE = "AZURE_FEDERATED_TOKEN_FILE"
WRONG = "wr0ng<&>é漢-secret"


@pytest.fixture
def world(azure: Emulator, given: Path) -> World:
    return World(azure, given, azure.certificate_files(given))


@pytest.mark.parametrize("user", NASTY_USERS)
@pytest.mark.parametrize("way", ["variable", "file", "option"])
def test_any_password_works_in_every_way(
    door: Door, user: str, way: str, given: Path, kubectl: Callable[..., Result]
) -> None:
    secret = given / "password"
    secret.write_text(f"{who.NASTY_PASSWORD}\n", encoding="utf-8")
    options = {
        "variable": [],
        "file": ["--password", f"@{secret}"],
        "option": ["--password", who.NASTY_PASSWORD],
    }[way]

    result = door(
        "aks-exec",
        *options,
        username=user,
        password=who.NASTY_PASSWORD if way == "variable" else None,
    )

    assert (result.code, result.errors) == (0, "")
    assert user in kubectl("auth", "whoami").output


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_password_is_asked_for_at_a_terminal_without_an_echo(door: Door) -> None:
    import pty

    words = ["--resource-group", "rg", door.name_option, "aks-exec", "--username", who.NASTY]
    command = [str(w) for w in (*door.command, *words, "--file", door.kubeconfig)]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, door.environment)
    shown = b""
    answered = False
    while True:
        try:
            chunk = os.read(terminal, 4096)
        except OSError:  # Linux says so when the other side has closed
            break
        if not chunk:
            break
        shown += chunk
        if not answered and f"Password of {who.NASTY}".encode() in shown:
            os.write(terminal, f"{who.NASTY_PASSWORD}\n".encode())
            answered = True
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    SEARCH.text("the terminal", shown)

    assert code == 0, shown
    assert answered
    assert who.NASTY_PASSWORD.encode() not in shown


@pytest.mark.parametrize("password", [who.NASTY_PASSWORD, WRONG], ids=["right", "wrong"])
def test_debug_output_does_not_hold_what_a_file_holds(
    door: Door, password: str, given: Path
) -> None:
    secret = given / "password"
    secret.write_text(password, encoding="utf-8")

    words = ("--debug", "--password", f"@{secret}")
    result = door("aks-exec", *words, username=who.NASTY, password=None)

    assert (result.code == 0) == (password == who.NASTY_PASSWORD)
    assert password not in result.errors


# Every login, with all that can be logged


ROOT_LOGGER_AT_DEBUG = "import logging, sys; logging.basicConfig(level=logging.DEBUG); "
LOUD_AZAKSAUTH = (
    ROOT_LOGGER_AT_DEBUG + "from aks_noninteractive.cli import main; sys.exit(main(sys.argv[1:]))"
)
LOUD_PLUGIN = (
    ROOT_LOGGER_AT_DEBUG + "from aks_noninteractive.exec_plugin.renew import main; "
    "sys.exit(main(sys.argv[1], sys.argv[2:]))"
)


def standalone_python() -> Path:
    return installation.azaksauth().with_name(f"python{installation.EXECUTABLE}")


@pytest.fixture
def loud(door: Door) -> Door:
    """door, with every library's log too: az --debug has it, azaksauth is helped to it."""
    if door.name != AZAKSAUTH:
        return replace(door, command=(*door.command, "--debug"))
    return replace(
        door, command=(standalone_python(), "-c", LOUD_AZAKSAUTH, *door.command[1:], "--debug")
    )


def assert_no_traceback(door: Door, result: Result) -> None:
    """az itself prints that of any error under --debug."""
    assert door.name != AZAKSAUTH or "Traceback" not in result.errors


def user(world: World, name: str, password: str) -> Identity:
    login = "managed" if name == who.NASTY else "federated"
    return Identity(name, login, ("--username", name), {"AZURE_PASSWORD": password})


def app_with_another_header(world: World) -> Identity:
    app = apps_own_identity(world)
    return replace(app, variables={**app.variables, "IDENTITY_HEADER": "another~header"})


def certificate_of_nobody(world: World) -> Identity:
    return world.certificate(world.certificates.unregistered_pem)


# How to sign in, and what is refused.
LOGINS: dict[str, tuple[Callable[[World], Identity], Callable[[World], Identity]]] = {
    "managed": (
        partial(user, name=who.NASTY, password=who.NASTY_PASSWORD),
        partial(user, name=who.NASTY, password=WRONG),
    ),
    "federated": (
        partial(user, name=who.FEDERATED_NASTY, password=who.NASTY_PASSWORD),
        partial(user, name=who.FEDERATED_NASTY, password=WRONG),
    ),
    "secret": (secret_in_azures_variables, wrong_secret),
    "certificate": (encrypted_pem, certificate_of_nobody),
    "workload identity": (workload_identity_by_variable, token_of_another_workload),
    "GitHub": (github_job, job_without_permission),
    "Azure Pipelines": (service_connection_by_flag, step_without_mapping),
    "managed identity": (apps_own_identity, app_with_another_header),
}


@pytest.mark.parametrize("accepted", [True, False], ids=["accepted", "refused"])
@pytest.mark.parametrize("login", LOGINS)
def test_no_log_of_any_library_holds_a_secret(
    loud: Door, world: World, login: str, accepted: bool
) -> None:
    identity = LOGINS[login][0 if accepted else 1](world)

    result = loud("aks-exec", *identity.words, password=None, env=dict(identity.variables))

    assert (result.code == 0) == accepted, result.errors
    assert "urllib3.connectionpool" in result.errors
    assert_no_traceback(loud, result)


@pytest.mark.parametrize("door", [AZ_SIGNED_IN, AZAKSAUTH], indirect=True)
@pytest.mark.parametrize("accepted", [True, False], ids=["accepted", "refused"])
def test_no_log_of_the_az_login_holds_a_secret(
    loud: Door, own_az: Az, azure: Emulator, accepted: bool
) -> None:
    if not accepted:
        azure.service_principals[who.SERVICE_PRINCIPAL].secret = "another~secret"
    path = os.pathsep.join([str(installation.SCRIPTS), os.environ["PATH"]])
    variables = {"AZURE_CONFIG_DIR": own_az.environment["AZURE_CONFIG_DIR"], "PATH": path}
    variables["AZURE_CORE_INSTANCE_DISCOVERY"] = "false"

    try:
        result = loud("aks-exec", "--login", "azurecli", password=None, env=variables)
    finally:
        azure.service_principals[who.SERVICE_PRINCIPAL].secret = who.SECRET

    assert (result.code == 0) == accepted, result.errors
    assert_no_traceback(loud, result)


@pytest.mark.parametrize("accepted", [True, False], ids=["accepted", "refused"])
@pytest.mark.parametrize("login", LOGINS)
def test_no_log_of_a_renewal_holds_a_secret(
    azaksauth: Door, world: World, login: str, accepted: bool
) -> None:
    good, bad = (make(world) for make in LOGINS[login])
    assert azaksauth("aks-exec", *good.words, password=None, env=dict(good.variables)).code == 0
    plugin = plugin_of(azaksauth)
    plugin.age(HOUR)
    plugin.lose_refresh_token()
    words: list[str] = [str(plugin.token_file), *plugin.arguments]
    if login == "certificate" and not accepted:
        words[words.index("--client-certificate") + 1] = bad.words[-1]
    if login == "workload identity" and not accepted:
        words[words.index("--federated-token-file") + 1] = bad.variables[TOKEN_FILE]

    result = execute(
        *(str(standalone_python()), "-c", LOUD_PLUGIN, *words),
        env={**plugin.environment, **(good if accepted else bad).variables},
    )

    assert (result.code == 0) == accepted, result.errors
    assert "urllib3.connectionpool" in result.errors
    assert "Traceback" not in result.errors


# Servers that say what they were sent


def credentials_in(sent: str) -> list[str]:
    """The credentials of a request: its form's, its envelope's, else those of its headers."""
    body, *headers = sent.split("\n")
    form = dict(parse_qsl(body))
    names = ("password", "assertion", "client_secret", "client_assertion", "refresh_token")
    found = [form[name] for name in names if name in form]
    found += [html.unescape(text) for text in re.findall(r"<wsse:Password [^>]*>(.*?)<", body)]
    return found or [header.rpartition(" ")[2] for header in headers]


def echoed(sent: str) -> str:
    """What a careless server says of a request, in every spelling that servers use."""
    said = []
    for value in credentials_in(sent):
        begin = value[:80]
        said += [begin, quote(begin), quote(begin, safe=""), quote_plus(begin)]
        said += [quote_plus(begin).lower(), quote_plus(begin, safe="!*()'")]
        said += [escape(begin), html.escape(begin), escape(begin, {'"': "&quot;", "'": "&apos;"})]
        said += [json.dumps(begin), json.dumps(begin, ensure_ascii=False)]
    return "You sent " + " and ".join(dict.fromkeys(said))


def as_json(sent: str) -> str:
    said = echoed(sent)
    answer = {"error": said, "error_description": f"AADSTS9999: {said}", "correlation_id": said}
    return json.dumps({**answer, "message": said, "correlationId": said})


def as_json_with_an_unknown_code(sent: str) -> str:
    return json.dumps({"error": echoed(sent)})


def as_arm_error(sent: str) -> str:
    return json.dumps({"error": {"code": "Careless", "message": echoed(sent)}})


def as_soap_fault(sent: str) -> str:
    said = escape(echoed(sent))
    return (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault><s:Code>'
        f"<s:Value>s:Sender</s:Value><s:Subcode><s:Value>{said}</s:Value></s:Subcode></s:Code>"
        f"<s:Reason><s:Text>{said}</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>"
    )


def as_html(sent: str) -> str:
    return f"<html><title>Error</title><p>{echoed(sent)}</p>"


def as_decoded_assertion(sent: str) -> str:
    assertion = dict(parse_qsl(sent))["assertion"]
    text = base64.urlsafe_b64decode(assertion + "=" * (-len(assertion) % 4)).decode()
    return json.dumps({"error": "invalid_grant", "error_description": text[text.find("<ds:Sig") :]})


@pytest.mark.parametrize("door", [AZ_SIGNED_OUT, AZAKSAUTH], indirect=True)
@pytest.mark.parametrize(
    ("login", "service", "path", "answer"),
    [
        ("managed", "entra", "/token", as_json),
        ("managed", "entra", "/token", as_json_with_an_unknown_code),
        ("managed", "entra", "/token", as_html),
        ("managed", "arm", "listCluster", as_arm_error),
        ("managed", "arm", "listCluster", as_html),
        ("federated", "adfs", "usernamemixed", as_soap_fault),
        ("federated", "adfs", "usernamemixed", as_html),
        ("federated", "entra", "/token", as_json),
        ("federated", "entra", "/token", as_decoded_assertion),
        ("secret", "entra", "/token", as_json),
        ("certificate", "entra", "/token", as_json),
        ("workload identity", "entra", "/token", as_json),
        ("GitHub", "entra", "/github/", as_json),
        ("Azure Pipelines", "entra", "/pipelines/", as_html),
        ("managed identity", "identity", "/msi/", as_json),
    ],
)
def test_a_server_that_says_what_it_was_sent_is_not_repeated(
    loud: Door,
    world: World,
    azure: Emulator,
    login: str,
    service: str,
    path: str,
    answer: Callable[[str], str],
) -> None:
    identity = LOGINS[login][0](world)
    azure.fail(service, path, times=None, status=400, body=answer)

    result = loud("aks-exec", *identity.words, password=None, env=dict(identity.variables))

    assert result.code != 0
    assert_no_traceback(loud, result)


def test_a_renewal_does_not_repeat_what_a_server_says(
    azaksauth: Door, azure: Emulator, world: World
) -> None:
    identity = LOGINS["managed"][0](world)
    assert (
        azaksauth("aks-exec", *identity.words, password=None, env=dict(identity.variables)).code
        == 0
    )
    plugin = plugin_of(azaksauth)
    plugin.age(HOUR)
    azure.fail("entra", "/token", times=None, status=400, body=as_json)

    assert_fails(plugin(), "AADSTS9999")  # for the refresh token
    assert_fails(plugin(**identity.variables), "AADSTS9999")  # for the password


def no_http(sent: str) -> bytes:
    return echoed(sent).encode() + b"\r\n\r\n"


def broken_headers(sent: str) -> bytes:
    return b"HTTP/1.1 400 Bad\r\nContent-Length: 2\r\n" + echoed(sent).encode() + b"\r\n\r\n{}"


@pytest.mark.parametrize("door", [AZ_SIGNED_OUT, AZAKSAUTH], indirect=True)
@pytest.mark.parametrize("garbage", [no_http, broken_headers])
def test_what_is_no_http_is_not_repeated(
    door: Door, azure: Emulator, garbage: Callable[[str], bytes]
) -> None:
    azure.fail("entra", "/token", times=None, garbage=garbage)

    result = door("aks-exec", "--debug", username=who.NASTY, password=who.NASTY_PASSWORD)

    assert result.code != 0
    assert_no_traceback(door, result)


# What az sends home


@pytest.fixture
def telemetry(az_signed_out: Az, azure: Emulator, tmp_path: Path) -> Iterator[Telemetry]:
    if sys.platform == "win32":
        pytest.skip("needs flock")
    import fcntl

    config = tmp_path / "azure"
    shutil.copytree(az_signed_out.environment["AZURE_CONFIG_DIR"], config)
    # As long as somebody else has this lock, az's upload process leaves everything where it is.
    with open(config / "telemetry.txt", "w", encoding="ascii") as note:
        fcntl.flock(note, fcntl.LOCK_EX)
        yield Telemetry(config)


@dataclass(frozen=True)
class Telemetry:
    """What az would send, in a profile of its own; nothing is sent."""

    config: Path

    @property
    def environment(self) -> dict[str, str]:
        # Should it be sent all the same, then to nobody.
        return {
            "AZURE_CONFIG_DIR": str(self.config),
            "AZURE_CORE_COLLECT_TELEMETRY": "yes",
            "HTTPS_PROXY": "http://127.0.0.1:1",
        }

    @property
    def events(self) -> list[dict[str, Any]]:
        (line,) = (self.config / "telemetry" / "cache").read_text("utf-8").splitlines()
        keys = json.loads(line.partition(",")[2])
        return [event["properties"] for events in keys.values() for event in events]


@pytest.mark.parametrize("door", [AZ_SIGNED_OUT], indirect=True)
@pytest.mark.parametrize("way", ["variable", "option"])
@pytest.mark.parametrize(
    ("login", "accepted", "fault", "says"),
    [
        ("managed", True, None, ""),
        ("managed", False, None, "AADSTS50126"),
        ("managed", True, ("entra", "/token", as_json), "AADSTS9999"),
        ("managed", True, ("entra", "/token", as_html), "token"),
        ("federated", True, None, ""),
        ("federated", False, None, "FailedAuthentication"),
        ("federated", True, ("adfs", "usernamemixed", as_soap_fault), "WS-Trust"),
        ("secret", True, None, ""),
        ("secret", False, None, "AADSTS7000215"),
        ("secret", True, ("entra", "/token", as_json), "AADSTS9999"),
    ],
)
def test_az_sends_no_secret_home(
    door: Door,
    telemetry: Telemetry,
    world: World,
    azure: Emulator,
    way: str,
    login: str,
    accepted: bool,
    fault: tuple[str, str, Callable[[str], str]] | None,
    says: str,
) -> None:
    identity = LOGINS[login][0 if accepted else 1](world)
    variables, words = dict(identity.variables), list(identity.words)
    if way == "option":
        option, name = (
            ("--client-secret", "AZURE_CLIENT_SECRET")
            if login == "secret"
            else ("--password", "AZURE_PASSWORD")
        )
        words += [option, variables.pop(name)]
    if fault:
        azure.fail(*fault[:2], times=None, status=400, body=fault[2])

    result = door("aks-exec", *words, password=None, env={**variables, **telemetry.environment})

    assert (result.code == 0) == (not says), result.errors
    (event,) = telemetry.events
    assert event["Context.Default.AzureCLI.RawCommand"] == "aks get-credentials-noninteractive"
    assert says in event.get("Reserved.DataModel.Action.ResultSummary", "")


# What a person is told of it


def test_the_help_says_how_to_pass_secrets(az: Az, azaksauth: Door) -> None:
    by_az = " ".join(az("aks", "get-credentials-noninteractive", "--help").output.split())
    alone = " ".join(
        execute(azaksauth.command[0], "--help", env=azaksauth.environment).output.split()
    )

    assert "az prints its raw command line with --debug" in by_az
    assert "every process of the machine can read it" in by_az
    assert "can be read by every process of the machine" in alone
    for text in (by_az, alone):
        for way in ("AZURE_PASSWORD", "@FILE", "at the prompt"):
            assert way in text
