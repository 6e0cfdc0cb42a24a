"""Other processes: what shares a kubeconfig with us, and what a test must not do to itself."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import aks_noninteractive

SOURCE = Path(aks_noninteractive.__file__).parents[1]
AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
NOBODY = 65534

_PRELUDE = """\
import os, sys
from pathlib import Path
from aks_noninteractive.errors import AksAuthError
from aks_noninteractive.kubeconfig import document, lock, store
from aks_noninteractive.kubeconfig.lock import locked
from aks_noninteractive.kubeconfig.store import update

path = Path(sys.argv[1])
"""
# root may do everything: what permissions forbid is tried as somebody else.
_AS_NOBODY = f"""\
if os.geteuid() == 0:
    os.setgroups([])
    os.setegid({NOBODY})
    os.seteuid({NOBODY})
"""


def command(script: str, path: Path) -> list[str]:
    """The command line of a process that runs script; the script knows path, update and locked."""
    return [sys.executable, "-c", _PRELUDE + script, str(path)]


def start(script: str, path: Path) -> subprocess.Popen[str]:
    """script in a process of its own, with pipes to its standard input and output."""
    return subprocess.Popen(
        command(script, path),
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def run(script: str, path: Path, *wrapper: str, as_nobody: bool = False) -> str:
    """What script printed, its error's text included; fails where it ends in a traceback."""
    lines = "".join(f"    {line}\n" for line in script.splitlines())
    guarded = f"try:\n{lines}except AksAuthError as error:\n    print(error, error.remedy)\n"
    result = subprocess.run(
        [*wrapper, *command((_AS_NOBODY if as_nobody else "") + guarded, path)],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert result.returncode == 0, f"exit code {result.returncode}: {result.stderr[-2000:]}"
    return result.stdout


@contextmanager
def in_a_moment(action: Callable[[], object]) -> Iterator[None]:
    """action done by another thread while the body runs."""
    timer = threading.Timer(0.05, action)
    timer.start()
    try:
        yield
    finally:
        timer.join()
