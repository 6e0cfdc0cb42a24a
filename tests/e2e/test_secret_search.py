"""The secret search finds what is planted, in every encoding and place, and only that."""

from __future__ import annotations

import base64
import html
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

import pytest

from e2e.secret_search import SEARCH, Search, observed_popen
from emulator import Emulator
from emulator import population as who
from emulator.adfs import assertion

PASSWORD = who.NASTY_PASSWORD


def base64_behind(prefix: bytes, encode: Callable[[bytes], bytes]) -> Callable[[str], bytes]:
    """The secret in the middle of something else: its own bytes begin anywhere in base64's four."""
    return lambda secret: encode(prefix + secret.encode() + b"tail")


ENCODINGS: dict[str, Callable[[str], str | bytes]] = {
    "plain": str,
    "percent": lambda s: quote(s),
    "percent, everything": lambda s: quote(s, safe=""),
    "form": quote_plus,
    "XML": lambda s: escape(s, {'"': "&quot;", "'": "&apos;"}),
    "HTML": html.escape,
    "character references": lambda s: "".join(f"&#{ord(c)};" for c in s),
    "JSON": lambda s: json.dumps({"password": s}),
    "JSON, not ASCII": lambda s: json.dumps([s], ensure_ascii=False),
    "JSON in JSON": lambda s: json.dumps(json.dumps(s)),
    "repr": repr,
    "repr of bytes": lambda s: repr(s.encode()),
    "shell": shlex.quote,
    "shell, backslash": lambda s: "'" + s.replace("'", "'\\''") + "'",
    "UTF-16 LE": lambda s: s.encode("utf-16-le"),
    "UTF-16 BE": lambda s: s.encode("utf-16-be"),
    "base64 in percent": lambda s: quote(base64.b64encode(s.encode() + b"\xff\xfe\xfd"), safe=""),
    "UTF-16 in base64": lambda s: base64.b64encode(s.encode("utf-16-le")),
    **{
        f"{name} at {len(prefix)}": base64_behind(prefix, encode)
        for name, encode in (
            ("base64", base64.b64encode),
            ("base64url", base64.urlsafe_b64encode),
        )
        for prefix in (b"", b"\xfb", b"\xff\xfe", b"abc")
    },
}


@pytest.fixture(autouse=True)
def no_secret_gets_out() -> Iterator[None]:
    """The run's own search has no part in what is planted here."""
    yield
    SEARCH.processes.take()


@pytest.fixture
def search() -> Search:
    """A search of its own."""
    return Search()


def planted(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return b"DEBUG: it was <<" + data + b">>, then\n"


@pytest.fixture(scope="module")
def secrets(running_azure: Emulator) -> dict[str, str]:
    """One of each kind."""
    user = running_azure.users[who.FEDERATED]
    assert user.federation
    sent = assertion.issue(user.federation, user, running_azure.clock.now()).text
    tokens = running_azure.tokens
    return {
        "password": PASSWORD,
        "client secret": who.SECRET,
        "access token": tokens.issue(user, user.tenant, "client", "server").token,
        "federated token": running_azure.oidc.issue(),
        "refresh token": "1.A" + "x7Zq-_" * 60,
        "SAML assertion": sent,
        "private key": who.CERTIFICATE_KEY.private_key_pem,
    }


KINDS = (
    *("password", "client secret", "access token", "federated token", "refresh token"),
    *("SAML assertion", "private key"),
)


@pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_found_in_every_encoding(
    search: Search,
    secrets: dict[str, str],
    kind: str,
    encoding: Callable[[str], str | bytes],
) -> None:
    search.needles.add(kind, secrets[kind])

    search.text("output", planted(encoding(secrets[kind])))

    assert search.finish() == [f"{kind} in output"]


def test_a_key_is_found_in_another_form(search: Search) -> None:
    from cryptography.hazmat.primitives import serialization as form

    key = who.CERTIFICATE_KEY
    search.needles.add("private key", key.private_key_pem)
    for private_format in (form.PrivateFormat.TraditionalOpenSSL, form.PrivateFormat.PKCS8):
        der = key.private_key.private_bytes(form.Encoding.DER, private_format, form.NoEncryption())
        pem = key.private_key.private_bytes(form.Encoding.PEM, private_format, form.NoEncryption())
        for data in (der, base64.b64encode(der), pem, base64.b64encode(pem)):
            search.text("output", data)
            assert search.finish() == ["private key in output"]


@pytest.mark.parametrize("kind", ["access token", "refresh token", "federated token"])
def test_the_begin_of_a_token_is_found(search: Search, secrets: dict[str, str], kind: str) -> None:
    search.needles.add(kind, secrets[kind])
    begin = len(secrets[kind]) * 2 // 3

    search.text("output", planted(f"token={secrets[kind][:begin]}..."))

    assert search.finish() == [f"{kind} in output"]


def test_what_is_public_is_not_found(search: Search, running_azure: Emulator) -> None:
    for kind, value in running_azure.secrets:
        search.needles.add(kind, value)
    key = who.CERTIFICATE_KEY

    for text in (key.certificate_pem, key.thumbprint, who.NASTY, who.SERVICE_PRINCIPAL):
        search.text("output", planted(text))

    assert search.finish() == []


# Places


def run(search: Search, *words: str, env: dict[str, str] | None = None) -> None:
    """Run a Python program as the search sees it."""
    process = observed_popen(search)(
        [sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
    )
    process.communicate()
    assert process.returncode == 0


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_what_a_command_prints_of_its_variables_is_found(search: Search, stream: str) -> None:
    script = f"import os, sys; sys.{stream}.write(os.environ['AZURE_PASSWORD'])"

    run(search, "-c", script, env={**os.environ, "AZURE_PASSWORD": "made~up"})

    (find,) = search.finish()
    where = "output" if stream == "stdout" else "errors"
    assert find.startswith(f"AZURE_PASSWORD in {where} {sys.executable}")


@pytest.mark.parametrize("form", ["--password made~up", "--client-secret=made~up", "-p @{file}"])
def test_what_a_command_prints_of_its_options_is_found(
    search: Search, form: str, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text("made~up\n")

    run(search, "-c", "print('it was made' + '~up')", *form.format(file=file).split())

    assert [find.split()[0] for find in search.finish()] == ["option"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_the_arguments_of_a_process_below_a_command_are_found(search: Search) -> None:
    search.needles.add("password", "made~up")
    waits = "import sys; sys.stdin.read()"
    below = "import subprocess, sys; subprocess.run([sys.executable, '-c', {!r}, 'made' + '~up'])"
    with search.processes.watched():
        command = [sys.executable, "-c", below.format(waits)]
        process = observed_popen(search)(command, stdin=subprocess.PIPE)
        deadline = time.monotonic() + 30
        while not any("made~up" in words for words in search.processes.seen()):
            assert time.monotonic() < deadline
        process.communicate()

    (find,) = search.finish()
    assert find.startswith(f"password in arguments {sys.executable} -c")


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_the_arguments_that_the_test_gave_are_no_find(search: Search) -> None:
    with search.processes.watched():
        words = ("-c", "import time; time.sleep(0.2)", "--password", "made~up")
        run(search, *words)
        assert any("made~up" in words for words in search.processes.seen())

    assert search.finish() == []


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("commands/az.log", "password", ["password in file {}"]),
        ("cache/" + "0" * 32 + ".token", "access token", []),
        ("cache/" + "0" * 32 + ".token", "refresh token", ["refresh token in file {}"]),
        ("cache/" + "0" * 32 + ".refresh", "refresh token", []),
        ("cache/" + "0" * 32 + ".refused", "password", ["password in file {}"]),
        ("given/password", "password", []),
        ("telemetry/cache", "client secret", ["client secret in file {}"]),
    ],
)
def test_a_file_may_hold_what_it_is_for(
    search: Search,
    secrets: dict[str, str],
    tmp_path: Path,
    name: str,
    kind: str,
    expected: list[str],
) -> None:
    search.needles.add(kind, secrets[kind])
    file = tmp_path / name
    file.parent.mkdir(mode=0o700)
    file.touch(mode=0o600)
    file.write_text(secrets[kind], encoding="utf-8")
    search.folder(tmp_path)

    assert search.finish() == [find.format(file) for find in expected]


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
@pytest.mark.parametrize(("file_mode", "folder_mode"), [(0o640, 0o700), (0o600, 0o755)])
def test_a_stored_token_that_others_can_read_is_found(
    search: Search, secrets: dict[str, str], tmp_path: Path, file_mode: int, folder_mode: int
) -> None:
    search.needles.add("access token", secrets["access token"])
    file = tmp_path / "cache" / ("0" * 32 + ".token")
    file.parent.mkdir()
    file.write_text(secrets["access token"])
    file.chmod(file_mode)
    file.parent.chmod(folder_mode)
    search.folder(tmp_path)

    (find,) = search.finish()

    assert "is not ours alone" in find


KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: []
users:
- name: user
  user: {user}
"""


@pytest.mark.parametrize(
    ("user", "kind", "leaks"),
    [
        ('{{"token": {}}}', "access token", False),
        ('{{"token": {}}}', "refresh token", True),
        ('{{"auth-provider": {{"config": {{"access-token": {}}}}}}}', "access token", False),
        ('{{"auth-provider": {{"config": {{"refresh-token": {}}}}}}}', "refresh token", False),
        ('{{"auth-provider": {{"config": {{"client-id": {}}}}}}}', "refresh token", True),
        ('{{"exec": {{"args": ["--password", {}]}}}}', "password", True),
        ('{{"exec": {{"env": [{{"name": "T", "value": {}}}]}}}}', "access token", True),
        ('{{"exec": {{"installHint": {}}}}}', "client secret", True),
    ],
)
@pytest.mark.parametrize("printed", [False, True])
def test_a_kubeconfig_may_hold_a_token_where_it_is_meant_to(
    search: Search,
    secrets: dict[str, str],
    tmp_path: Path,
    user: str,
    kind: str,
    leaks: bool,
    printed: bool,
) -> None:
    search.needles.add(kind, secrets[kind])
    content = KUBECONFIG.format(user=user.format(json.dumps(secrets[kind])))
    file = tmp_path / "config"
    file.touch(mode=0o600)
    file.write_text(content, encoding="utf-8")
    if printed:
        script = f"import sys; sys.stdout.write(open({str(file)!r}, encoding='utf-8').read())"
        run(search, "-c", script, "--file", "-", env={**os.environ, "PYTHONUTF8": "1"})
    else:
        search.folder(tmp_path)

    assert [find.partition(" in ")[0] for find in search.finish()] == ([kind] if leaks else [])


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_kubeconfig_with_a_token_is_nobody_elses(
    search: Search, secrets: dict[str, str], tmp_path: Path
) -> None:
    search.needles.add("access token", secrets["access token"])
    content = KUBECONFIG.format(user=json.dumps({"token": secrets["access token"]}))
    file = tmp_path / "config"
    file.write_text(content)
    file.chmod(0o644)
    search.folder(tmp_path)

    (find,) = search.finish()

    assert "is not ours alone" in find
