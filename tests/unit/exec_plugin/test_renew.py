"""A renewal, told with a clock and no server to ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from aks_noninteractive.entra.token_endpoint import AccessToken
from aks_noninteractive.errors import AksAuthError
from aks_noninteractive.exec_plugin import token_cache
from aks_noninteractive.exec_plugin.entry import PluginEntry
from aks_noninteractive.exec_plugin.renew import renew
from aks_noninteractive.exec_plugin.token_cache import StoredToken, TokenFiles

USER = "mia@managed.example"
# Nothing listens there.
ENTRY = PluginEntry("managed", username=USER, authority_host="https://127.0.0.1:1", renewal="again")
OVERDUE = StoredToken("eyJ-the-token", use_until=3300, expires_on=3600, stored_at=0)


@pytest.fixture
def files(tmp_path: Path) -> TokenFiles:
    files = TokenFiles.of(tmp_path / "tokens", ENTRY)
    with files.locked():
        files.write(OVERDUE)
        files.write_refresh_token("1.A-the-refresh-token")
    return files


def test_without_a_network_a_token_is_used_to_its_last_second(files: TokenFiles) -> None:
    assert renew(ENTRY, files, {}, lambda: 3599) == OVERDUE

    with pytest.raises(AksAuthError, match=f"{USER}.*127.0.0.1:1.*Renew it with: again"):
        renew(ENTRY, files, {}, lambda: 3600)


def test_a_renewal_that_hangs_elsewhere_costs_nobody_a_token_that_lives(
    files: TokenFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_cache, "LOCK_TIMEOUT", 0)

    with files.locked():
        assert renew(ENTRY, files, {}, lambda: 3400) == OVERDUE
        with pytest.raises(AksAuthError, match="another process"):
            renew(ENTRY, files, {}, lambda: 3600)


def test_a_token_that_another_got_meanwhile_is_taken(files: TokenFiles) -> None:
    short = StoredToken("eyJ-short", use_until=3400, expires_on=3500, stored_at=3400)
    with files.locked():
        files.write(short)

    assert renew(ENTRY, files, {}, lambda: 3400.9) == short


@pytest.mark.parametrize("lifetime", [1, 10, 600, 3600, 86400])
def test_a_token_is_renewed_a_tenth_of_its_life_or_five_minutes_before_its_end(
    lifetime: int,
) -> None:
    token = AccessToken(
        token="eyJ", expires_on=lifetime, expires_in=lifetime, tenant="", client_id=""
    )

    assert StoredToken.of(token, 0, b"").use_until == lifetime - min(300, lifetime // 10)
