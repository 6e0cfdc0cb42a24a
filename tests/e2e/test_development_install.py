"""A development installation is seen by az, as azdev and contributors use it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from e2e.conftest import execute
from e2e.installation import ROOT, az


def test_az_loads_the_extension_from_a_development_install(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("setup.py", "README.md", "azext_metadata.json"):
        shutil.copy(ROOT / name, checkout, follow_symlinks=False)
    shutil.copytree(ROOT / "src", checkout / "src", symlinks=True)
    subprocess.run(
        [sys.executable, "setup.py", "-q", "egg_info"], cwd=checkout, check=True, timeout=60
    )
    environment = {
        **os.environ,
        "AZURE_EXTENSION_DEV_SOURCES": str(checkout),
        "AZURE_CONFIG_DIR": str(tmp_path / "config"),
        "AZURE_EXTENSION_DIR": str(tmp_path / "extensions"),
    }

    listed = execute(az(), "extension", "list", "--query", "[].name", "-o", "tsv", env=environment)
    helped = execute(az(), "aks", "get-credentials-noninteractive", "-h", env=environment)

    assert listed.output.split() == ["aks-noninteractive"]
    assert helped.code == 0, helped.errors
    assert "no person" in helped.output
