"""The wheel in `dist/`, installed as its users install it: into az, and with pip without az.

What is installed is kept in `.cache/`, under a name made of the wheel's content.
`python -m e2e.installation`, in the folder tests, installs both (scripts/test does it).
"""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
SCRIPTS = Path(sysconfig.get_path("scripts"))
EXECUTABLE = ".exe" if os.name == "nt" else ""


def az() -> Path:
    """The path of az."""
    return SCRIPTS / ("az.bat" if os.name == "nt" else "az")


def extension_directory() -> Path:
    """AZURE_EXTENSION_DIR of an az that has the wheel as an extension."""
    return _once("extension", _add_extension)


def azaksauth() -> Path:
    """The path of azaksauth in an environment that has no az."""
    folder = _once("standalone", _install_standalone)
    return folder / ("Scripts" if os.name == "nt" else "bin") / f"azaksauth{EXECUTABLE}"


def _wheel() -> Path:
    (wheel,) = (ROOT / "dist").glob("*.whl")
    return wheel


def _once(kind: str, install: Callable[[Path, Path], None]) -> Path:
    wheel = _wheel()
    folder = CACHE / f"{kind}-{hashlib.sha256(wheel.read_bytes()).hexdigest()[:16]}"
    complete = folder / "complete"
    if not complete.exists():
        for old in CACHE.glob(f"{kind}-*"):
            shutil.rmtree(old, ignore_errors=True)
        folder.mkdir(parents=True)
        install(wheel, folder)
        complete.touch()
    return folder


def _add_extension(wheel: Path, folder: Path) -> None:
    environment = {
        **os.environ,
        "AZURE_EXTENSION_DIR": str(folder),
        "AZURE_CONFIG_DIR": str(folder / "config"),
        "AZURE_CORE_COLLECT_TELEMETRY": "no",
    }
    command = [str(az()), "extension", "add", "--yes", "--source", str(wheel)]
    subprocess.run(command, env=environment, check=True, stdin=subprocess.DEVNULL)
    shutil.rmtree(folder / "config")


def _install_standalone(wheel: Path, folder: Path) -> None:
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / f"python{EXECUTABLE}"
    options = ["--quiet", "--disable-pip-version-check", "--no-input"]
    command = [str(python), "-m", "pip", "install", *options, f"{wheel}[standalone]"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    print(f"az has the extension in {extension_directory().name}", flush=True)
    print(f"Without az: {azaksauth().parent.parent.name}", flush=True)
    sys.exit(0)
