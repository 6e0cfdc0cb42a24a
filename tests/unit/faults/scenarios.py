"""What is interrupted: each change of a kubeconfig or of token files, with a before and an after.

`python -m unit.faults.scenarios FOLDER NAME` tries every fault at every call of one of them, in
FOLDER, and prints a line for each: the call, the fault, how the process ended, what is in the files
then, and whether the next try, without a fault, leaves all as if nothing had happened.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aks_noninteractive.entra.token_endpoint import AccessToken
from aks_noninteractive.errors import AksAuthError, AuthenticationError
from aks_noninteractive.exec_plugin.token_cache import StoredToken, TokenFiles, forget_all
from aks_noninteractive.kubeconfig.document import load
from aks_noninteractive.kubeconfig.store import update
from unit.faults import tracer
from unit.faults.tracer import Fault

ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES)
LASTING = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
SUCCEEDED, REFUSED, BROKEN = 0, 1, 2
NOW = 1_800_000_000

OLD_SECRET, NEW_SECRET = "old-secret-" + "o" * 4000, "new-secret-" + "n" * 70000
OLD_REFRESH, NEW_REFRESH = "old-secret-refresh", "new-secret-refresh"


@dataclass(frozen=True)
class Scenario:
    """prepare makes the files of before in a folder, change is what may not be torn."""

    prepare: Callable[[Path], None]
    change: Callable[[Path], None]


def _kubeconfig(secret: str) -> str:
    return (
        "apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers:\n"
        f"- name: mia\n  user:\n    token: {secret}\n"
    )


def _write(path: Path, text: str, mode: int = 0o600) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    if os.geteuid() == 0:
        os.chown(path, 1234, 2345)  # another's, who must not lose it


def _merge(path: Path, secret: str = NEW_SECRET) -> None:
    update(path, lambda _: load(_kubeconfig(secret)), gets_secret=secret == NEW_SECRET)


def _existing_link(folder: Path) -> None:
    (folder / "real").mkdir()
    _write(folder / "real" / "config", _kubeconfig(OLD_SECRET))
    (folder / "config").symlink_to("real/config")


def _killed_before(folder: Path) -> None:
    _write(folder / "config", _kubeconfig(OLD_SECRET))
    (folder / ".config.aks-noninteractive.new").write_text("half of a fi")
    (folder / ".config.aks-noninteractive.new").chmod(0o600)


def _token_files(folder: Path) -> TokenFiles:
    return TokenFiles(folder / "cache" / f"{'a' * 32}.token", lambda: NOW)


def _token(secret: str, refresh: str) -> AccessToken:
    return AccessToken(secret, NOW + 3600, 3600, "tenant", "client", refresh)


def _login(folder: Path, secret: str, refresh: str) -> None:
    _token_files(folder).store_login(_token(secret, refresh), b"")


def _renewal(folder: Path) -> None:
    files = _token_files(folder)
    with files.locked():
        files.write(StoredToken.of(_token(NEW_SECRET, ""), NOW, b""))
        files.write_refresh_token(NEW_REFRESH)


def _refusal(folder: Path) -> None:
    files = _token_files(folder)
    with files.locked():
        files.write_refusal("wrong", AuthenticationError("wrong password", code="AADSTS50126"))


def _log_out(cache: Path) -> None:
    forget_all(cache)


SCENARIOS = {
    "kubeconfig, new, in a new folder": Scenario(
        lambda folder: None, lambda folder: _merge(folder / "kube" / "config")
    ),
    "kubeconfig, replaced": Scenario(
        lambda folder: _write(folder / "config", _kubeconfig("none"), 0o640),
        lambda folder: _merge(folder / "config", "no token"),
    ),
    "kubeconfig, readable by others, gets a secret": Scenario(
        lambda folder: _write(folder / "config", _kubeconfig("nothing"), 0o644),
        lambda folder: _merge(folder / "config"),
    ),
    "kubeconfig, by a symbolic link": Scenario(
        _existing_link, lambda folder: _merge(folder / "config")
    ),
    "kubeconfig, after a killed process": Scenario(
        _killed_before, lambda folder: _merge(folder / "config")
    ),
    "token, first login": Scenario(
        lambda folder: None, lambda folder: _login(folder, NEW_SECRET, NEW_REFRESH)
    ),
    "token, another login": Scenario(
        lambda folder: _login(folder, OLD_SECRET, OLD_REFRESH),
        lambda folder: _login(folder, NEW_SECRET, NEW_REFRESH),
    ),
    "token, renewal": Scenario(lambda folder: _login(folder, OLD_SECRET, OLD_REFRESH), _renewal),
    "token, refusal": Scenario(lambda folder: _login(folder, OLD_SECRET, OLD_REFRESH), _refusal),
    "token, logout": Scenario(
        lambda folder: _login(folder, OLD_SECRET, OLD_REFRESH),
        lambda folder: _log_out(folder / "cache"),
    ),
}


# What is in a folder: for each file its content, mode, owner and group.
Snapshot = dict[str, tuple[bytes, int, int, int]]


def snapshot(folder: Path) -> Snapshot:
    """All files below folder but the locks, which name a process."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.suffix != ".lock":
            status = path.stat()
            found[str(path.relative_to(folder))] = (
                _comparable(path),
                status.st_mode & 0o7777,
                status.st_uid,
                status.st_gid,
            )
    return found


def _comparable(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".refused":  # its key is random
        record = json.loads(content)
        content = json.dumps({name: record[name] for name in ("at", "error")}).encode()
    return content


class Trial:
    """One scenario in a folder of its own: prepared, changed with or without a fault, looked at."""

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self._scenario = scenario
        self._folder = folder
        self._prepare()
        self._before = snapshot(folder)
        self._calls = tracer.run(self._change, folder).calls
        self._after = snapshot(folder)
        self._names = sorted(
            name for name in self._before | self._after if not Path(name).name.startswith(".")
        )

    def _prepare(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        self._scenario.prepare(self._folder)

    def _change(self) -> int:
        """The change as a command makes it: one of our errors is told, any other is a defect."""
        try:
            self._scenario.change(self._folder)
        except AksAuthError:
            return REFUSED
        except BaseException:
            traceback.print_exc()
            return BROKEN
        return SUCCEEDED

    def faults(self) -> Iterator[Fault]:
        """Every fault at every call."""
        for at, (name, _) in enumerate(self._calls):
            yield Fault(at)
            for error in ERRORS:
                yield Fault(at, error)
            if name in tracer.CHANGING:
                for error in LASTING:
                    yield Fault(at, error, lasting=True)

    def suffer(self, fault: Fault) -> dict[str, Any]:
        """What comes of a fault, and of the next try without one."""
        self._prepare()
        exit_code = tracer.run(self._change, self._folder, fault).exit_code
        found = snapshot(self._folder)
        exposed = self._exposed()
        again = self._change()
        name, file = self._calls[fault.at]
        return {
            "call": f"{fault.at + 1}. {name} {file}",
            "fault": str(fault),
            "end": _ENDS.get(exit_code, f"exit code {exit_code}"),
            "files": {name: self._state(name, found) for name in self._names},
            "exposed": exposed,
            "next": _ENDS.get(again, f"exit code {again}"),
            "stray": sorted(snapshot(self._folder).keys() - self._after.keys()),
            "complete": snapshot(self._folder) == self._after,
        }

    def _state(self, name: str, found: Snapshot) -> str:
        """Whether a file is as before the change or as after it; both where it stays the same."""
        states = {"old": self._before.get(name), "new": self._after.get(name)}
        return "/".join(word for word, state in states.items() if found.get(name) == state) or TORN

    def _exposed(self) -> list[str]:
        """The files that hold a secret and that others can read or write."""
        return [
            str(path.relative_to(self._folder))
            for path in self._folder.rglob("*")
            if path.is_file() and path.stat().st_mode & 0o77 and b"-secret-" in path.read_bytes()
        ]


TORN = "TORN"
_ENDS = {SUCCEEDED: "done", REFUSED: "error", -signal.SIGKILL: "killed"}


def main(folder: str, name: str) -> None:
    trial = Trial(SCENARIOS[name], Path(folder) / "files")
    for fault in trial.faults():
        print(json.dumps(trial.suffer(fault)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
