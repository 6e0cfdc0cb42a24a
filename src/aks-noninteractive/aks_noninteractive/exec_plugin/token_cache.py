"""The stored tokens: a folder of our own, for each entry a few files that others cannot read.

`<stem>.token` is what the quick path reads, `<stem>.refresh` holds the refresh token,
`<stem>.refused` the last refusal, and `<stem>.lock`, which is never deleted, lets one process at a
time renew.
"""

from __future__ import annotations

import contextlib
import errno
import hmac
import json
import os
import re
import secrets
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import IO

from .. import interrupts
from ..advisory_lock import try_lock
from ..atomic_file import is_ours_alone, make_private_directory, replace_file, unfinished
from ..entra.token_endpoint import AccessToken
from ..environment import CACHE_DIRECTORY
from ..errors import AuthenticationError, KubeconfigError, NetworkError
from .entry import PluginEntry
from .quick_path import MAGIC, read_fields

STEP = "token cache"
REFUSAL_LIFETIME = 60.0
LOCK_TIMEOUT = 120.0
_POLL = 0.02
_STEM = re.compile(r"\.?([0-9a-f]{32})\.")
_SUFFIXES = (".token", ".refresh", ".refused")
_DEFAULT = "~/.kube/cache/aks-noninteractive"
_REFRESH_MAGIC = b"aks-noninteractive refresh 1"


def cache_directory(environ: Mapping[str, str]) -> Path:
    """Where tokens are stored, an absolute path."""
    return Path(os.path.abspath(Path(environ.get(CACHE_DIRECTORY) or _DEFAULT).expanduser()))


@dataclass(frozen=True)
class StoredToken:
    """An access token as it is in its file; all instants are seconds since the epoch.

    use_until: it is renewed from then on. az_profile: the state of az's profile file that it is
    bound to, as quick_path.profile_state has it; empty for other logins.
    """

    token: str = field(repr=False)
    use_until: int
    expires_on: int
    stored_at: int
    az_profile: bytes = b""

    @classmethod
    def of(cls, token: AccessToken, now: float, az_profile: bytes) -> StoredToken:
        """token as it is stored now: renewed five minutes or a tenth of its life before its end."""
        margin = min(300, token.expires_in // 10)
        return cls(token.token, token.expires_on - margin, token.expires_on, int(now), az_profile)


class TokenFiles:
    """The files of one entry. Raises KubeconfigError where they cannot be read or written."""

    def __init__(self, token_file: Path, clock: Callable[[], float] = time.time) -> None:
        self.token_file = token_file
        self._clock = clock

    @classmethod
    def of(cls, directory: Path, entry: PluginEntry) -> TokenFiles:
        """The files of entry in the folder directory."""
        return cls(directory / f"{entry.file_stem}.token")

    @contextmanager
    def locked(self, *, wait: bool = True) -> Iterator[None]:
        """One process at a time; a process that dies gives the lock back.

        wait: for two minutes at most, else not at all. Raises NetworkError where another process
        has it still.
        """
        try:
            self._prepare_directory()
            descriptor = os.open(self._file(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
            with os.fdopen(descriptor, "r+b", buffering=0) as file:
                self._wait_for(file, LOCK_TIMEOUT if wait else 0)
                self._refuse_files_of_others()
                for suffix in _SUFFIXES:  # of a process that was killed
                    unfinished(self._file(suffix)).unlink(missing_ok=True)
                yield
        except OSError as error:
            raise _unusable(self.token_file.parent, error) from None

    def _wait_for(self, file: IO[bytes], patience: float) -> None:
        deadline = time.monotonic() + patience
        while not try_lock(file):
            if time.monotonic() >= deadline:
                raise NetworkError(
                    "another process is renewing this token", step=STEP, remedy="Try again."
                )
            interrupts.pause(_POLL)

    def _refuse_files_of_others(self) -> None:
        for suffix in _SUFFIXES:
            with contextlib.suppress(FileNotFoundError):
                owner = os.lstat(self._file(suffix)).st_uid
                if hasattr(os, "geteuid") and owner != os.geteuid():
                    raise PermissionError(errno.EPERM, f"the {suffix} file in it is not ours")

    def read(self) -> StoredToken | None:
        """The stored token, None where there is none that is whole and ours alone."""
        fields = read_fields(str(self.token_file))
        if fields is None:
            return None
        use_until, _, expires_on, stored_at, az_profile, token = fields
        return StoredToken(token.decode("latin-1"), use_until, expires_on, stored_at, az_profile)

    def write(self, stored: StoredToken) -> None:
        """Replace the token; what was refused before is forgotten."""
        lines = (
            MAGIC,
            b"%d" % stored.use_until,
            rfc3339(stored.use_until).encode(),
            b"%d" % stored.expires_on,
            b"%d" % stored.stored_at,
            stored.az_profile,
            stored.token.encode("ascii"),
            b"end",
            b"",
        )
        replace_file(self.token_file, b"\n".join(lines))
        self._file(".refused").unlink(missing_ok=True)

    def store_login(self, token: AccessToken, az_profile: bytes) -> None:
        """Store what a login got in the place of all that was stored."""
        with self.locked():
            self.write(StoredToken.of(token, self._clock(), az_profile))
            self.write_refresh_token(token.refresh_token)

    def read_refresh_token(self) -> str:
        """The stored refresh token, "" where there is none that is whole and ours alone."""
        path = self._file(".refresh")
        try:
            if not is_ours_alone(path):
                return ""
            magic, kind, content, _ = path.read_bytes().split(b"\n")
            if magic != _REFRESH_MAGIC:
                return ""
            return content.decode("ascii") if kind == _PLAIN else _unprotect(content)
        except (OSError, ValueError):
            return ""

    def write_refresh_token(self, token: str) -> None:
        """Replace the refresh token; "" removes it."""
        path = self._file(".refresh")
        if not token:
            path.unlink(missing_ok=True)
            return
        kind, content = _protect(token)
        replace_file(path, b"\n".join((_REFRESH_MAGIC, kind, content, b"")))

    def read_refusal(self, credential: str) -> AuthenticationError | None:
        """What was answered to the same credential less than a minute ago, if it was a refusal."""
        path = self._file(".refused")
        try:
            if not is_ours_alone(path):
                return None
            record = json.loads(path.read_bytes())
            at, key, digest = float(record["at"]), bytes.fromhex(record["key"]), record["digest"]
            if not 0 <= self._clock() - at < REFUSAL_LIFETIME:
                return None
            if not hmac.compare_digest(digest, _keyed_hash(key, credential)):
                return None
            facts = {name: str(record["error"][name]) for name in _REFUSAL_FACTS}
        except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return None
        return AuthenticationError(**facts)

    def write_refusal(self, credential: str, error: AuthenticationError) -> None:
        """Let the same credential be refused with error for a minute, without a request."""
        key = secrets.token_bytes(32)
        record = {
            "at": self._clock(),
            "key": key.hex(),
            "digest": _keyed_hash(key, credential),
            "error": {name: getattr(error, name) for name in _REFUSAL_FACTS},
        }
        replace_file(self._file(".refused"), json.dumps(record).encode("utf-8"))

    def forget(self) -> bool:
        """Remove all that is stored but the lock, which is held; whether there was anything."""
        found = False
        for suffix in _SUFFIXES:
            with contextlib.suppress(FileNotFoundError):
                self._file(suffix).unlink()
                found = True
        return found

    def _file(self, suffix: str) -> Path:
        return self.token_file.with_suffix(suffix)

    def _prepare_directory(self) -> None:
        directory = self.token_file.parent
        make_private_directory(directory)
        if is_ours_alone(directory):
            return
        if hasattr(os, "geteuid") and directory.lstat().st_uid != os.geteuid():
            raise PermissionError(errno.EPERM, "it is not ours")
        os.chmod(directory, 0o700)


_REFUSAL_FACTS = ("message", "step", "host", "code", "correlation_id", "remedy")


def forget_all(directory: Path) -> int:
    """Remove every stored token in directory; of how many entries. Raises KubeconfigError."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise _unusable(directory, error) from None
    stems = {match[1] for match in map(_STEM.match, names) if match}
    count = 0
    for stem in sorted(stems):
        files = TokenFiles(directory / f"{stem}.token")
        with files.locked():
            count += files.forget()
    return count


def _unusable(directory: Path, error: OSError) -> KubeconfigError:
    return KubeconfigError(
        f"{directory} cannot be used: {error.strerror or error}",
        step=STEP,
        remedy=f"Look at its owner and permissions, or set {CACHE_DIRECTORY}.",
    )


def rfc3339(moment: int) -> str:
    """Seconds since the epoch as an instant in UTC (RFC 3339)."""
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _keyed_hash(key: bytes, credential: str) -> str:
    return hmac.new(key, credential.encode("utf-8", "surrogateescape"), "sha256").hexdigest()


# How a refresh token is kept: encrypted for the user where the system does it without a prompt,
# which is Windows alone; else as az keeps its own, in a file that others cannot read.
_PLAIN, _PROTECTED = b"plain", b"dpapi"


def _protect(token: str) -> tuple[bytes, bytes]:
    if os.name == "nt":
        from msal_extensions.windows import WindowsDataProtectionAgent

        return _PROTECTED, b64encode(WindowsDataProtectionAgent().protect(token))
    return _PLAIN, token.encode("ascii")


def _unprotect(content: bytes) -> str:
    if os.name != "nt":
        raise ValueError("encrypted on another system")
    from msal_extensions.windows import WindowsDataProtectionAgent

    token: str = WindowsDataProtectionAgent().unprotect(b64decode(content))
    return token
