"""What is stored, and for how long a refusal counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from aks_noninteractive.errors import AuthenticationError
from aks_noninteractive.exec_plugin.entry import PluginEntry
from aks_noninteractive.exec_plugin.token_cache import REFUSAL_LIFETIME, StoredToken, TokenFiles

ENTRY = PluginEntry("managed", username="mia@managed.example")
REFUSAL = AuthenticationError("no", step="token", host="h", code="AADSTS50126", remedy="Check it.")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def files(tmp_path: Path, clock: Clock) -> TokenFiles:
    (tmp_path / "tokens").mkdir(mode=0o700)
    return TokenFiles(tmp_path / "tokens" / f"{ENTRY.file_stem}.token", clock)


def test_a_refusal_counts_for_a_minute_and_for_the_same_credential(
    files: TokenFiles, clock: Clock
) -> None:
    files.write_refusal("bad", REFUSAL)

    clock.now += REFUSAL_LIFETIME - 1
    assert str(files.read_refusal("bad")) == str(REFUSAL)
    assert files.read_refusal("other") is None
    clock.now += 1
    assert files.read_refusal("bad") is None
    clock.now -= 2 * REFUSAL_LIFETIME  # the clock was put back
    assert files.read_refusal("bad") is None


def test_a_refusal_says_nothing_of_the_credential(files: TokenFiles) -> None:
    files.write_refusal("bad-password", REFUSAL)

    (stored,) = files.token_file.parent.iterdir()
    assert b"bad-password" not in stored.read_bytes()
    assert stored.stat().st_mode & 0o777 == 0o600


def test_a_new_token_forgets_a_refusal(files: TokenFiles) -> None:
    files.write_refusal("bad", REFUSAL)
    files.write(StoredToken("eyJ", 1, 2, 0))

    assert files.read_refusal("bad") is None


@pytest.mark.parametrize("suffix", [".refresh", ".refused"])
def test_a_file_cut_off_or_garbled_counts_as_none(files: TokenFiles, suffix: str) -> None:
    files.write_refresh_token("1.A-the-refresh-token")
    files.write_refusal("bad", REFUSAL)
    path = files.token_file.with_suffix(suffix)
    whole = path.read_bytes()

    for damaged in (*(whole[:length] for length in range(len(whole))), bytes(range(256))):
        path.write_bytes(damaged)
        read = files.read_refresh_token() if suffix == ".refresh" else files.read_refusal("bad")
        assert not read, damaged


@pytest.mark.parametrize(
    "change",
    [
        {"login": "federated"},
        {"authority_host": "https://login.example"},
        {"tenant_id": "t"},
        {"client_id": "c"},
        {"server_id": "s"},
        {"username": "fay@fed.example"},
        {"legacy": True},
        {"azure_config_dir": "/elsewhere"},
    ],
)
def test_each_identity_and_server_has_files_of_its_own(change: dict[str, str | bool]) -> None:
    assert replace(ENTRY, **change).file_stem != ENTRY.file_stem  # type: ignore[arg-type]
