"""What ends the sequence at its last step."""

from __future__ import annotations

from pathlib import Path

import pytest

from aks_noninteractive import cli

_LOCAL = """\
users: [{name: shop-user, user: {client-certificate-data: Q0VSVA==, extra: %s}}]
contexts: [{name: shop, context: {cluster: shop, user: shop-user}}]
clusters: [{name: shop, cluster: {server: "https://shop.example", extra: %s}}]
"""
# Clusters are written before users: what is an alias here becomes the whole there.
_ALIASES = "[&x0 [a]" + "".join(f", &x{n} [*x{n - 1}]" for n in range(1, 2000)) + "]"


def _write_to_standard_output(tmp_path: Path, *extra: str) -> int:
    skeleton = tmp_path / "skeleton"
    skeleton.write_text(_LOCAL % extra)
    words = ["--login", "managed", "--username", "a@b.c", "--password", "pw", "--file", "-"]
    return cli.main([*words, "--skeleton", str(skeleton)])


def test_writes_a_local_cluster_to_standard_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _write_to_standard_output(tmp_path, "[]", "[]") == 0
    assert "https://shop.example" in capsys.readouterr().out


def test_a_skeleton_that_cannot_be_written_again_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _write_to_standard_output(tmp_path, _ALIASES, "*x1999") == 1
    assert "aliases are nested too deep" in capsys.readouterr().err
