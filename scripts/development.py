"""What the commands in this folder share: the checkout's own Python environment, `.venv`.

A command asks for one of the requirement sets in `requirements/` with `ensure_environment`. What
has been installed is recorded in the environment itself, so asking again costs a few milliseconds.

Only the standard library is used, and no syntax newer than Python 3.6, so that an old Python gets
the sentence below instead of a SyntaxError.
"""

import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

if sys.version_info < (3, 10):  # noqa: UP036
    sys.exit(
        "This needs Python 3.10 or newer and was started with Python {}.{}. Start it with a newer "
        "one, for example: python3.12 {}".format(*sys.version_info[:2], " ".join(sys.argv))
    )

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
SCRIPTS = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")

# Inside the environment, so that they go when it goes.
RECORD = ENVIRONMENT / "installed-requirements.json"
UNFINISHED = ENVIRONMENT / "installation-unfinished"


def ensure_environment(requirements: str) -> None:
    """Make sure that `.venv` exists and has the packages of `requirements/{requirements}.txt`.

    An environment whose installation was interrupted, whose checkout was moved or whose Python is
    gone is made anew. Two commands at once wait for each other.
    """
    file = ROOT / "requirements" / f"{requirements}.txt"
    if _is_installed(file):
        return
    with _one_at_a_time():
        if _is_installed(file):
            return
        if UNFINISHED.exists() or not _is_usable():
            _create()
        UNFINISHED.touch()
        _install(file)
        fingerprints = {_name(part): _fingerprint(part) for part in _with_included(file)}
        installed = {**_record().get("installed", {}), **fingerprints}
        RECORD.write_text(
            json.dumps({"python": _interpreter(), "installed": installed}, indent=2) + "\n",
            encoding="utf-8",
        )
        UNFINISHED.unlink()


def say(message: str) -> None:
    """Print a line of progress at once, also where standard output is a pipe."""
    print(message, flush=True)


def run(*command: str | Path, **options: Any) -> int:
    """Run a command in the checkout with all its output on our standard output; its exit code.

    :param options: as `subprocess.run` takes them, to depart from that.
    """
    options = {"cwd": ROOT, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL, **options}
    sys.stdout.flush()
    return subprocess.run([str(part) for part in command], check=False, **options).returncode


def start(main: Callable[[], int]) -> NoReturn:
    """Run a command's main function; Ctrl-C ends it without a traceback."""
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)


def _with_included(file: Path) -> list[Path]:
    """A requirements file and all that it includes."""
    files = [file]
    for line in file.read_text(encoding="utf-8").splitlines():
        option, _, included = line.partition(" ")
        if option in ("-r", "-c"):
            files += _with_included((file.parent / included.strip()).resolve())
    return files


def _fingerprint(file: Path) -> str:
    """A hash over a requirements file and all that it includes."""
    digest = hashlib.sha256()
    for part in _with_included(file):
        digest.update(part.read_bytes())
    return digest.hexdigest()


def _name(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def _is_installed(file: Path) -> bool:
    return (
        not UNFINISHED.exists()
        and _is_usable()
        and _record().get("installed", {}).get(_name(file)) == _fingerprint(file)
    )


def _is_usable() -> bool:
    """Whether the environment is the one that was made here, on a Python that is still there."""
    return PYTHON.exists() and _record().get("python") == _interpreter()


def _interpreter() -> list[str]:
    # The first is written into the environment's commands: it changes when the checkout is moved or
    # copied. The second changes when the system's `python3` becomes another version.
    return [str(PYTHON), os.path.realpath(PYTHON)]


def _record() -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8"))
        return record
    except (OSError, ValueError):
        return {}


def _create() -> None:
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        sys.exit(
            "This Python cannot make virtual environments: its venv module is not complete. On "
            "Debian and Ubuntu install the package python3-venv (apt-get install python3-venv), "
            "then run this command again."
        )
    say(f"Making the environment {ENVIRONMENT} ...")
    if ENVIRONMENT.exists():
        shutil.rmtree(ENVIRONMENT)
    ENVIRONMENT.mkdir()
    UNFINISHED.touch()
    # The base interpreter: this one may be the environment that has just been removed.
    if run(getattr(sys, "_base_executable", sys.executable), "-m", "venv", ENVIRONMENT) != 0:
        sys.exit(f"The environment {ENVIRONMENT} could not be made: see above.")


def _install(file: Path) -> None:
    say(f"Installing {_name(file)} (a minute or two the first time) ...")
    options = ["--disable-pip-version-check", "--no-input", "--quiet"]
    if run(PYTHON, "-m", "pip", "install", *options, "--requirement", file) != 0:
        sys.exit(f"pip could not install {_name(file)}: see above.")


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    lock = ROOT / ".cache" / "environment.lock"
    lock.parent.mkdir(exist_ok=True)
    with open(lock, "a", encoding="utf-8") as file:
        if sys.platform == "win32":
            import msvcrt

            while True:
                with contextlib.suppress(OSError):  # it gives up after ten seconds
                    msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
                    break
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
