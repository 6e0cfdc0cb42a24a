"""The network between us and Azure: retries, redirects, certificates, proxies and IPv6."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from e2e import installation
from e2e.conftest import (
    AZ_SIGNED_IN,
    AZ_SIGNED_OUT,
    AZAKSAUTH,
    Az,
    Door,
    Result,
    execute,
    open_door,
)
from e2e.relay import Relay
from e2e.test_exec_plugin import HOUR, grants, plugin_of, signed_in
from emulator import Emulator
from emulator import population as who
from emulator.arm.skeleton import kubeconfig as skeleton_of
from unit.entra.tls_server import Server

PROXY_USER, PROXY_PASSWORD = "joe", "s3cret-of-the-proxy"
NO_EXCEPTION = {"NO_PROXY": "", "no_proxy": ""}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """An authority that the machine trusts beside the emulator's."""
    return trustme.CA()


@pytest.fixture
def trusting(authority: trustme.CA, azure: Emulator, tmp_path: Path) -> dict[str, str]:
    """The variables of a machine that trusts both authorities."""
    bundle = tmp_path / "both.pem"
    bundle.write_bytes(azure.ca_file.read_bytes() + authority.cert_pem.bytes())
    return {"REQUESTS_CA_BUNDLE": str(bundle)}


def context_of(authority: trustme.CA, *names: str, **options: object) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or ("localhost",)), **options).configure_cert(context)  # type: ignore[arg-type]
    return context


@pytest.fixture
def elsewhere(authority: trustme.CA) -> Iterator[Server]:
    """Another https host, which takes whatever it is sent."""
    with Server(context_of(authority)) as server:
        yield server


def identity(azure: Emulator, login: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Options and variables of a login."""
    if login in ("managed", "federated"):
        user = who.MANAGED if login == "managed" else who.FEDERATED
        return ("--username", user), {"AZURE_PASSWORD": who.PASSWORD}
    variables = {"AZURE_CLIENT_ID": who.WORKLOAD_PRINCIPAL, "AZURE_TENANT_ID": azure.tenant}
    if login == "spn":
        client = {"AZURE_CLIENT_ID": who.SERVICE_PRINCIPAL, "AZURE_CLIENT_SECRET": who.SECRET}
        return (), variables | client
    if login == "githubactions":
        return ("--login", login), variables | azure.oidc.github_environment()
    if login == "azurepipelines":
        words = ("--login", login, "--service-connection-id", "the connection")
        return words, variables | azure.oidc.pipelines_environment()
    return ("--login", "msi"), azure.managed_identity.imds_environment()


def sign_in(door: Door, azure: Emulator, login: str, **variables: str) -> Result:
    words, own = identity(azure, login)
    return door("aks-exec", *words, password=None, env={**own, **variables})


def requests_to(azure: Emulator, service: str, path: str) -> int:
    return len([r for r in azure.requests if r.service == service and path in r.path])


AFTER_A_SECOND = {"status": 429, "headers": {"Retry-After": "1"}}
ENDPOINTS = [
    ("managed", "entra", "userrealm"),
    ("managed", "entra", "/token"),
    ("managed", "arm", "listCluster"),
    ("federated", "adfs", "/mex"),
    ("federated", "adfs", "usernamemixed"),
    ("federated", "entra", "/token"),
    ("spn", "entra", "/token"),
    ("githubactions", "entra", "/github/"),
    ("azurepipelines", "entra", "/pipelines/"),
    ("msi", "identity", "/"),
]


# Again, or not


@pytest.mark.parametrize(
    ("login", "service", "path", "fault", "usual"),
    [
        ("managed", "entra", "/token", {"status": 503}, 2),
        ("federated", "adfs", "usernamemixed", AFTER_A_SECOND, 1),
        ("federated", "entra", "/token", {"drop": True}, 2),
        ("managed", "arm", "listCluster", {"drop": True}, 1),
        ("spn", "entra", "/token", {"drop": True}, 2),
        ("githubactions", "entra", "/github/", {"status": 503}, 1),
        ("azurepipelines", "entra", "/pipelines/", {"drop": True}, 1),
        ("msi", "identity", "/", {"status": 503}, 2),
        ("msi", "identity", "/", AFTER_A_SECOND, 2),
    ],
)
def test_what_fails_once_is_asked_again(
    azaksauth: Door, azure: Emulator, login: str, service: str, path: str, fault: dict, usual: int
) -> None:
    azure.fail(service, path, **fault)

    result = sign_in(azaksauth, azure, login)

    assert (result.code, result.errors) == (0, "")
    assert requests_to(azure, service, path) == usual + 1


@pytest.mark.parametrize(
    ("login", "service", "path"),
    [("managed", "entra", "/token"), ("federated", "adfs", "usernamemixed")],
)
def test_a_password_that_may_have_arrived_is_not_sent_again(
    azaksauth: Door, azure: Emulator, login: str, service: str, path: str
) -> None:
    azure.fail(service, path, drop=True)

    result = sign_in(azaksauth, azure, login)

    assert result.code == 1
    assert "connection failed" in result.errors
    assert requests_to(azure, service, path) == 1


def test_a_managed_identity_that_stays_busy_is_no_refusal(azaksauth: Door, azure: Emulator) -> None:
    azure.fail("identity", "/", status=429, headers={"Retry-After": "3600"}, times=None)

    result = sign_in(azaksauth, azure, "msi")

    assert result.code == 1
    assert "busy" in result.errors
    assert len(azure.requests) == 1


@pytest.mark.parametrize("user", [who.MANAGED, who.FEDERATED])
def test_a_login_sends_a_refused_password_once(azaksauth: Door, azure: Emulator, user: str) -> None:
    assert azaksauth("aks-exec", username=user, password="wrong").code == 1

    refused = [r for r in azure.requests if r.status in (400, 500)]
    assert len(refused) == 1


def test_get_token_at_once_sends_a_refused_password_once(azaksauth: Door, azure: Emulator) -> None:
    plugin = signed_in(azaksauth, azure, who.MANAGED)
    plugin.age(HOUR)
    plugin.lose_refresh_token()
    command = (str(installation.azaksauth()), "get-token", *plugin.arguments)
    environment = {**plugin.environment, "AZURE_PASSWORD": "wrong"}

    with ThreadPoolExecutor(5) as pool:
        results = list(pool.map(lambda _: execute(*command, env=environment), range(5)))

    assert {result.code for result in results} == {1}
    assert grants(azure) == ["password"]


# Redirects


@pytest.mark.parametrize(("login", "service", "path"), ENDPOINTS)
def test_nothing_is_sent_where_a_redirect_leads(
    azaksauth: Door,
    azure: Emulator,
    elsewhere: Server,
    trusting: dict[str, str],
    login: str,
    service: str,
    path: str,
) -> None:
    azure.fail(service, path, times=None, status=307, headers={"Location": elsewhere.url})

    result = sign_in(azaksauth, azure, login, **trusting)

    assert elsewhere.requests == []
    if path == "/mex":  # the realm names an endpoint as well
        assert (result.code, result.errors) == (0, "")
    else:
        assert result.code == 1
        assert "307" in result.errors


def test_az_follows_no_redirect_of_resource_manager(
    az: Az, azure: Emulator, elsewhere: Server, trusting: dict[str, str], kubeconfig: Path
) -> None:
    door = open_door(AZ_SIGNED_IN, azure, az, az, kubeconfig)
    azure.fail("arm", "listCluster", times=None, status=308, headers={"Location": elsewhere.url})

    result = door("aks-exec", username=who.MANAGED, env=trusting)

    assert result.code != 0
    assert "308" in result.errors
    assert elsewhere.requests == []


# Addresses


def realm(metadata: str, active: str) -> str:
    fields = {"federation_metadata_url": metadata, "federation_active_auth_url": active}
    return json.dumps(
        {"account_type": "Federated", "domain_name": "x", "federation_protocol": "WSTrust"} | fields
    )


@pytest.mark.parametrize(
    "address", ["http://{}/", "HTTP://{}/", "file:///etc/passwd", "https:///x"]
)
def test_a_password_goes_nowhere_but_to_https(
    azaksauth: Door, azure: Emulator, address: str
) -> None:
    with Server(None) as plain:
        address = address.format(plain.host)
        azure.fail("entra", "userrealm", body=realm(address, address))
        result = sign_in(azaksauth, azure, "federated")

    assert result.code == 1
    assert "not https, nothing was sent" in result.errors
    assert plain.requests == []


@pytest.mark.parametrize(
    ("words", "variables"),
    [
        (("--authority-host", "http://{}"), {}),
        (("--resource-manager", "http://{}"), {}),
        (("--authority-host", ""), {"AZURE_AUTHORITY_HOST": "http://{}"}),
    ],
)
def test_a_host_that_is_not_https_is_wrong_usage(
    azaksauth: Door, azure: Emulator, words: tuple[str, ...], variables: dict[str, str]
) -> None:
    with Server(None) as plain:
        result = azaksauth(
            "aks-exec",
            *(word.format(plain.host) for word in words),
            username=who.MANAGED,
            env={name: value.format(plain.host) for name, value in variables.items()},
        )

    assert result.code == 2
    assert "is not an https URL" in result.errors
    assert azure.requests == []
    assert plain.requests == []


@pytest.mark.parametrize("login", ["githubactions", "azurepipelines"])
def test_a_jobs_token_is_not_sent_in_clear(azaksauth: Door, azure: Emulator, login: str) -> None:
    with Server(None) as plain:
        address = {"ACTIONS_ID_TOKEN_REQUEST_URL": plain.url, "SYSTEM_OIDCREQUESTURI": plain.url}
        result = sign_in(azaksauth, azure, login, **address)

    assert result.code == 1
    assert "not https, nothing was sent" in result.errors
    assert plain.requests == []


# Certificates


YESTERDAY = datetime.now(timezone.utc) - timedelta(days=1)


@pytest.fixture(params=["another authority", "another name", "expired"])
def impostor(request: pytest.FixtureRequest, authority: trustme.CA) -> Iterator[Server]:
    """A server whose certificate is not to be trusted."""
    contexts: dict[str, Callable[[], ssl.SSLContext]] = {
        "another authority": lambda: context_of(trustme.CA()),
        "another name": lambda: context_of(authority, "elsewhere.example"),
        "expired": lambda: context_of(authority, not_after=YESTERDAY),
    }
    with Server(contexts[request.param]()) as server:
        yield server


def assert_not_trusted(result: Result, impostor: Server) -> None:
    assert result.code != 0
    assert "certificate is not trusted" in result.errors
    assert impostor.requests == []


def test_no_step_trusts_a_wrong_certificate(
    azaksauth: Door, azure: Emulator, impostor: Server, trusting: dict[str, str]
) -> None:
    unchecked = {"PYTHONHTTPSVERIFY": "0", "ADAL_PYTHON_SSL_NO_VERIFY": "1", "CURL_CA_BUNDLE": ""}
    for words in (("--authority-host", impostor.url), ("--resource-manager", impostor.url)):
        result = azaksauth("aks-exec", *words, username=who.MANAGED, env=trusting | unchecked)
        assert_not_trusted(result, impostor)

    azure.fail("entra", "userrealm", body=realm(impostor.url, impostor.url))
    assert_not_trusted(sign_in(azaksauth, azure, "federated", **trusting), impostor)
    github = {"ACTIONS_ID_TOKEN_REQUEST_URL": f"{impostor.url}?x"}
    assert_not_trusted(sign_in(azaksauth, azure, "githubactions", **trusting, **github), impostor)


def test_a_renewal_trusts_no_wrong_certificate(
    azaksauth: Door, azure: Emulator, impostor: Server, trusting: dict[str, str]
) -> None:
    plugin = signed_in(azaksauth, azure, who.MANAGED)
    plugin.age(HOUR)
    command = [word.replace(azure.authority_host, impostor.url) for word in plugin.command]

    result = execute(*command, env=plugin.environment | trusting)

    assert_not_trusted(result, impostor)


@pytest.mark.parametrize("bundle", ["", "/no/such/file"])
def test_no_bundle_is_no_reason_to_trust(azaksauth: Door, azure: Emulator, bundle: str) -> None:
    variables = {"REQUESTS_CA_BUNDLE": bundle, "CURL_CA_BUNDLE": ""}

    result = azaksauth("aks-exec", username=who.MANAGED, env=variables)

    assert result.code == 1
    assert "certificate" in result.errors
    assert azure.requests == []


@pytest.mark.parametrize("door", [AZ_SIGNED_OUT, AZAKSAUTH], indirect=True)
def test_azs_own_switch_turns_the_checks_off(door: Door, azure: Emulator) -> None:
    variables = {"REQUESTS_CA_BUNDLE": "", "AZURE_CLI_DISABLE_CONNECTION_VERIFICATION": "1"}
    door = replace(door, environment=door.environment | variables)

    assert door("aks-exec", username=who.FEDERATED).code == 0
    azure.requests.clear()
    plugin = plugin_of(door)
    plugin.age(HOUR)

    assert plugin().code == 0
    assert grants(azure) == ["refresh_token"]


# Proxies


def through(proxy: Relay, credentials: str = "", variable: str = "HTTPS_PROXY") -> dict[str, str]:
    user = f"{credentials}@" if credentials else ""
    return {variable: f"http://{user}127.0.0.1:{proxy.port}", **NO_EXCEPTION}


def connects(*addresses: str) -> set[str]:
    return {f"CONNECT {urlsplit(address).netloc}" for address in addresses}


CREDENTIALS = f"{PROXY_USER}:{PROXY_PASSWORD}"


def test_every_request_goes_through_the_proxy(door: Door, azure: Emulator) -> None:
    with Relay(credentials=CREDENTIALS) as proxy:
        variables = through(proxy, CREDENTIALS)
        result = door("aks-exec", "--debug", username=who.FEDERATED, env=variables)
        plugin = plugin_of(door)
        plugin.age(HOUR)
        renewed = plugin(**variables)

    assert (result.code, renewed.code, renewed.errors) == (0, 0, "")
    hosts = [azure.authority_host, azure.resource_manager]
    hosts += [azure.federations[who.FEDERATED.partition("@")[2]].address]
    assert set(proxy.asked) == connects(*hosts)
    assert {request.connection for request in azure.requests} <= proxy.ports
    assert PROXY_PASSWORD not in result.output + result.errors


@pytest.mark.parametrize("variable", ["https_proxy", "ALL_PROXY"])
def test_a_proxy_is_named_by_the_usual_variables(
    azaksauth: Door, azure: Emulator, variable: str
) -> None:
    with Relay() as proxy:
        result = azaksauth("aks-exec", username=who.MANAGED, env=through(proxy, variable=variable))

    assert (result.code, result.errors) == (0, "")
    assert set(proxy.asked) == connects(azure.authority_host, azure.resource_manager)
    assert {request.connection for request in azure.requests} <= proxy.ports


@pytest.mark.parametrize(
    ("door", "status", "at"),
    [
        (AZAKSAUTH, 407, "sign-in"),
        (AZAKSAUTH, 503, "Resource Manager"),
        (AZ_SIGNED_OUT, 407, "Resource Manager"),
    ],
    indirect=["door"],
)
def test_a_proxy_that_refuses_is_told_without_its_password(
    door: Door, azure: Emulator, status: int, at: str
) -> None:
    with Relay(refuses=status) as proxy:
        variables = through(proxy, CREDENTIALS)
        if at == "Resource Manager":
            variables |= dict.fromkeys(NO_EXCEPTION, urlsplit(azure.authority_host).netloc)
        result = door("aks-exec", "--debug", username=who.MANAGED, env=variables)

    assert result.code != 0
    assert "the proxy did not let the request through" in result.errors
    assert "Traceback" not in result.errors.rpartition("the proxy did not let")[2]
    assert PROXY_PASSWORD not in result.output + result.errors
    assert proxy.asked


@pytest.mark.parametrize("no_proxy", ["localhost", "{}", "*", "x.example, LOCALHOST"])
def test_no_proxy_is_honoured(azaksauth: Door, azure: Emulator, no_proxy: str) -> None:
    hosts = f"{urlsplit(azure.authority_host).netloc},{urlsplit(azure.resource_manager).netloc}"
    with Relay() as proxy:
        variables = through(proxy) | dict.fromkeys(NO_EXCEPTION, no_proxy.format(hosts))
        result = azaksauth("aks-exec", username=who.MANAGED, env=variables)

    assert (result.code, result.errors) == (0, "")
    assert proxy.asked == []


def test_a_managed_identity_is_asked_past_the_proxy(azaksauth: Door, azure: Emulator) -> None:
    with Relay() as proxy:
        clear = {"HTTP_PROXY": f"http://127.0.0.1:{proxy.port}"}
        variables = through(proxy) | clear | {"http_proxy": clear["HTTP_PROXY"]}
        result = sign_in(azaksauth, azure, "msi", **variables)

    assert (result.code, result.errors) == (0, "")
    assert set(proxy.asked) == connects(azure.resource_manager)


# IPv6


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6 loopback")


def ipv6(address: str) -> str:
    return address.replace("//localhost:", "//[::1]:")


def over_ipv6(azure: Emulator) -> tuple[str, ...]:
    hosts = ("--authority-host", ipv6(azure.authority_host))
    return (*hosts, "--resource-manager", ipv6(azure.resource_manager))


@needs_ipv6
def test_azaksauth_signs_in_over_ipv6(azaksauth: Door, azure: Emulator) -> None:
    result = azaksauth("aks-exec", *over_ipv6(azure), username=who.FEDERATED)

    assert (result.code, result.errors) == (0, "")
    plugin = plugin_of(azaksauth)
    plugin.age(HOUR)
    assert plugin().code == 0
    asked = [r for r in azure.requests if r.service in ("entra", "arm")]
    assert {r.headers["Host"] for r in asked} == {
        urlsplit(ipv6(host)).netloc for host in (azure.authority_host, azure.resource_manager)
    }


@needs_ipv6
def test_az_signs_in_over_ipv6(
    azure: Emulator, own_az: Az, kubeconfig: Path, tmp_path: Path
) -> None:
    clouds = Path(own_az.environment["AZURE_CONFIG_DIR"], "clouds.config")
    clouds.write_text(ipv6(clouds.read_text()))
    for name in ("azureProfile.json", "service_principal_entries.json"):
        Path(own_az.environment["AZURE_CONFIG_DIR"], name).unlink(missing_ok=True)
    door = open_door(AZ_SIGNED_OUT, azure, own_az, own_az, kubeconfig)

    result = door("aks-exec", username=who.MANAGED)

    assert (result.code, result.errors) == (0, "")
    assert all("[::1]" in r.headers["Host"] for r in azure.requests)


@needs_ipv6
def test_an_identity_provider_over_ipv6(azaksauth: Door, azure: Emulator) -> None:
    address = ipv6(azure.federations[who.FEDERATED.partition("@")[2]].address)
    metadata = f"{address}/adfs/services/trust/mex"
    azure.fail("entra", "userrealm", body=realm(metadata, "https://[::1]:1/"))

    result = sign_in(azaksauth, azure, "federated")

    assert (result.code, result.errors) == (0, "")
    assert any("[::1]" in r.headers["Host"] for r in azure.requests if r.service == "adfs")


@needs_ipv6
def test_an_ipv6_host_is_named_in_brackets(azaksauth: Door, azure: Emulator) -> None:
    azure.fail("entra", "userrealm", status=503, headers={"Retry-After": "60"})

    busy = azaksauth("aks-exec", *over_ipv6(azure), username=who.MANAGED)
    nobody = azaksauth("aks-exec", "--authority-host", "https://[::1]:1", username=who.MANAGED)

    assert f"at {urlsplit(ipv6(azure.authority_host)).netloc}: " in busy.errors
    assert "at [::1]:1: " in nobody.errors


@needs_ipv6
def test_a_name_is_tried_at_all_its_addresses(azaksauth: Door, azure: Emulator) -> None:
    if "::1" not in {address[0] for *_, address in socket.getaddrinfo("localhost", 0)}:
        pytest.skip("localhost has no IPv6 address on this machine")
    port = urlsplit(azure.authority_host).port or 0
    with Relay(address="::1", target=port) as relay:
        host = f"https://localhost:{relay.port}"
        result = azaksauth("aks-exec", "--authority-host", host, username=who.MANAGED)

    assert (result.code, result.errors) == (0, "")
    assert relay.ports


@pytest.mark.parametrize(
    ("server", "again", "code"),
    [
        ("https://[2001:db8::1]:6443", "https://[2001:db8::1]:6443", 0),
        ("https://[2001:db8::1]:6443", "https://[2001:DB8::1]:6443/", 0),
        ("https://[2001:db8::1]:6443", "https://[2001:db8::2]:6443", 1),
    ],
)
def test_a_cluster_with_an_ipv6_address(
    azaksauth: Door, azure: Emulator, tmp_path: Path, server: str, again: str, code: int
) -> None:
    cluster, skeleton = azure.clusters["aks-exec"], tmp_path / "skeleton"
    results = []
    for address in (server, again):
        skeleton.write_text(skeleton_of(cluster, "exec").replace(cluster.server, address))
        results.append(azaksauth("aks-exec", "--skeleton", skeleton, username=who.MANAGED))

    assert (results[0].code, results[0].errors) == (0, "")
    assert results[0].json["server"] == server
    assert results[1].code == code
