"""A password of any characters gets through, in every way, and comes out nowhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.conftest import Door, Result
from emulator import population as who

NASTY_USERS = (who.NASTY, who.FEDERATED_NASTY)


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("user", NASTY_USERS)
@pytest.mark.parametrize("way", ["variable", "file", "option"])
def test_any_password_works_in_every_way(
    door: Door, user: str, way: str, tmp_path: Path, kubectl: Callable[..., Result]
) -> None:
    secret = tmp_path / "password"
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

    assert code == 0, shown
    assert answered
    assert who.NASTY_PASSWORD.encode() not in shown


@pytest.mark.parametrize("user", NASTY_USERS)
@pytest.mark.parametrize("password", [who.NASTY_PASSWORD, "wr0ng<&>é漢-secret"])
@pytest.mark.parametrize("way", ["variable", "file"])
def test_debug_output_and_files_hold_no_password(
    door: Door, user: str, password: str, way: str, tmp_path: Path
) -> None:
    secret = tmp_path / "secrets" / "password"
    secret.parent.mkdir()
    secret.write_text(password, encoding="utf-8")
    by_file = way == "file"

    result = door(
        "aks-exec",
        "--debug",
        *(["--password", f"@{secret}"] if by_file else []),
        username=user,
        password=None if by_file else password,
    )

    assert (result.code == 0) == (password == who.NASTY_PASSWORD)
    said = result.output + result.errors
    assert password not in said
    assert "assertion" not in said.lower() or "PFNh" not in said  # "<sa" in base64
    secret.unlink()
    az_logs = Path(door.environment.get("AZURE_CONFIG_DIR", tmp_path)) / "commands"
    for path in [*files_below(tmp_path), *files_below(az_logs)]:
        assert password.encode() not in path.read_bytes(), path


def test_debug_output_holds_no_token(door: Door) -> None:
    result = door("aks-exec", "--debug", username=who.FEDERATED)

    assert result.code == 0
    assert "eyJ" not in result.output + result.errors  # how every JWT begins
