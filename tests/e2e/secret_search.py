"""The secret search: after every end-to-end test, no secret is where it must not be.

Secrets are what the emulator holds, has given out or was sent, and what the test's commands got in
variables and options. They are looked for in what the commands printed, in the arguments of every
process below the test, and in every file below the test's folders, as they are and in the
encodings that give them away just as well. The few places that may hold one are in ALLOWED.
"""

from __future__ import annotations

import binascii
import contextlib
import html
import json
import os
import re
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote_to_bytes

import yaml

from emulator import Emulator

# Shorter ones would be found in ordinary words.
SHORTEST = 6
# How much of a token's part tells it: its begin and its end.
_TELLING = 32

TOKEN = frozenset({"access token"})
TOKENS = TOKEN | {"refresh token"}


@dataclass(frozen=True)
class Allowed:
    """A place that may hold secrets of these kinds (None: any), and why.

    place: a pattern of the place: "output COMMAND", "errors COMMAND", "arguments COMMAND" or "file
    PATH". private: the file has to be its owner's alone, and so has its folder.
    """

    place: str
    kinds: frozenset[str] | None
    why: str
    private: bool = False


ALLOWED = (
    Allowed(r"output \S+ get-token ", TOKEN, "get-token is there to print it"),
    Allowed(r"output .* -I -S \S+/quick_path\.py ", TOKEN, "kubectl reads it there"),
    Allowed(r"output .*exec_plugin\.renew import main", TOKEN, "the same, told to log"),
    Allowed(r"output .*\baz account get-access-token", TOKEN, "az's own command for it"),
    Allowed(r"file .*/[0-9a-f]{32}\.token$", TOKEN, "the token cache", private=True),
    Allowed(
        r"file .*/[0-9a-f]{32}\.refresh$",
        frozenset({"refresh token"}),
        "the token cache",
        private=True,
    ),
    Allowed(
        r"file .*/(msal_token_cache|service_principal_entries)\.\w+$", None, "az's own store of it"
    ),
    Allowed(r"file .*/given/[^/]+$", None, "the test gives it to the command in this file"),
)

# What a kubeconfig may hold, by the path in a user entry: formats token and azure, local clusters.
KUBECONFIG_FIELDS = {
    ("token",): TOKEN,
    ("auth-provider", "config", "access-token"): TOKEN,
    ("auth-provider", "config", "refresh-token"): frozenset({"refresh token"}),
    ("client-key-data",): frozenset({"private key"}),
}

_SECRET_VARIABLE = re.compile(
    r"(PASSWORD|SECRET|ACCESSTOKEN|_TOKEN|IDENTITY_HEADER|servicePrincipalKey|idToken)$"
)
_SECRET_OPTION = re.compile(
    r"(--password|-p|--client-secret|--client-cert-password|--federated-token)(?:=(.*))?", re.DOTALL
)
# What az prints before any extension runs, and its log repeats.
_RAW_COMMAND_LINE = re.compile(rb"^.*Command arguments: \[.*$", re.MULTILINE)

_RUN = re.compile(rb"[A-Za-z0-9_+/=-]{32,}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{8,}")
_ESCAPE = re.compile(rb"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|([nrt\"'\\/]))")
_CONTROLS = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}
# Came with packages, which are copied into a test's folder; nothing else writes there.
_PACKAGES = {"site-packages", "node_modules", "__pycache__"}
_YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Secret = tuple[str, str]
_Popen = subprocess.Popen


class Needles:
    """Secrets to look for."""

    def __init__(self) -> None:
        self._secrets: set[Secret] = set()
        # Texts of any characters: looked for one by one. Long ones of base64's characters, of which
        # there are many: looked up by the begin and the end of what looks like one.
        self._texts: dict[bytes, Secret] = {}
        self._parts: dict[bytes, Secret] = {}

    def __len__(self) -> int:
        return len(self._secrets)

    def add(self, kind: str, value: str) -> None:
        if len(value) < SHORTEST or (kind, value) in self._secrets:
            return
        secret = (kind, value)
        self._secrets.add(secret)
        if kind == "private key":
            self._add_private_key(secret)
        elif signature := re.search(r"SignatureValue>\s*([\w+/=]{32,})", value):
            self._add_part(signature[1].encode(), secret)
        elif re.fullmatch(r"[\w.=-]{100,}", value, re.ASCII):
            segments = value.split(".")
            # All tokens of a key share the header.
            for segment in segments[1:] if len(segments) == 3 else segments:
                if len(segment) >= _TELLING:
                    self._add_part(segment.encode(), secret)
        else:
            for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
                self._texts.setdefault(value.encode(encoding), secret)
            # As az's telemetry changes all texts.
            self._texts.setdefault(re.sub("[$%^&|'\"]", "_", value).encode(), secret)

    def _add_part(self, part: bytes, secret: Secret) -> None:
        self._parts.setdefault(part[:_TELLING], secret)
        self._parts.setdefault(part.rstrip(b"=")[-_TELLING:], secret)

    def _add_private_key(self, secret: Secret) -> None:
        """PEM in any line width, and DER, of this form or another: the private numbers."""
        lines = secret[1].split("-----")[2].split()
        for line in lines[2:-2]:
            self._texts.setdefault(line[:40].encode(), secret)
        from cryptography.hazmat.primitives.asymmetric import rsa
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        key = load_pem_private_key(secret[1].encode(), None)
        private = key.private_numbers()  # type: ignore[union-attr]
        number = private.d if isinstance(key, rsa.RSAPrivateKey) else private.private_value  # type: ignore[union-attr]
        raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
        for at in range(0, len(raw) - 16, 16):
            self._texts.setdefault(raw[at : at + 16], secret)

    def found_in(self, data: bytes) -> set[Secret]:
        """Those that data gives away."""
        found: set[Secret] = set()
        for view in views(data):
            found |= {secret for text, secret in self._texts.items() if text in view}
            for run in _RUN.findall(view):
                for part in {run, *re.split(rb"[/=+]", run)}:
                    for end in (part[:_TELLING], part.rstrip(b"=")[-_TELLING:]):
                        if end in self._parts:
                            found.add(self._parts[end])
        return found


def views(data: bytes) -> list[bytes]:
    """data, and all that it says to whom takes off one or two layers of encoding."""
    seen: dict[bytes, None] = {}
    layer = [data]
    for _ in range(3):
        following = []
        for view in layer:
            if view and view not in seen:
                seen[view] = None
                following += [other for other in _decoded(view) if other != view]
        layer = following
    return list(seen)


def _decoded(data: bytes) -> Iterator[bytes]:
    if b"%" in data:
        yield unquote_to_bytes(data)
        yield unquote_to_bytes(data.replace(b"+", b" "))
    if b"&" in data:
        yield html.unescape(data.decode("utf-8", "surrogateescape")).encode(
            "utf-8", "surrogateescape"
        )
    if b"\\" in data:
        yield _ESCAPE.sub(_unescaped, data)
        # As POSIX shells quote, and repr a text with both kinds of quotes.
        yield data.replace(b"'\\''", b"'")
    if b"'\"'\"'" in data:
        yield data.replace(b"'\"'\"'", b"'")
    if b"\0" in data:
        yield data.replace(b"\0", b"")
    yield b"\n".join(_base64_decoded(data))


def _unescaped(match: re.Match[bytes]) -> bytes:
    unicode, byte, control = match.groups()
    if unicode:
        return chr(int(unicode, 16)).encode("utf-8", "surrogatepass")
    return bytes([int(byte, 16)]) if byte else _CONTROLS.get(control, control)


def _base64_decoded(data: bytes) -> Iterator[bytes]:
    for run in set(_BASE64.findall(data)):
        run = run.replace(b"-", b"+").replace(b"_", b"/")
        for start in range(4):
            rest = run[start:]
            spare = len(rest) % 4
            # One character over tells nothing: it is of what follows, or of nothing.
            rest = rest[:-1] if spare == 1 else rest + b"=" * (-len(rest) % 4)
            yield binascii.a2b_base64(rest)


@dataclass
class Command:
    """A process that the test started: what it was given and what it printed."""

    words: tuple[str, ...]
    output: bytes = b""
    errors: bytes = b""

    def place(self, what: str) -> str:
        return f"{what} {' '.join(self.words)}"


@dataclass
class Figures:
    """How much was searched."""

    tests: int = 0
    commands: int = 0
    processes: int = 0
    files: int = 0
    bytes: int = 0
    secrets: int = 0
    finds: int = 0
    seconds: float = 0


@dataclass
class Search:
    """The search of one run of pytest; see the fixture in conftest.py."""

    needles: Needles = field(default_factory=Needles)
    figures: Figures = field(default_factory=Figures)
    emulators: list[Emulator] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._commands: list[Command] = []
        self._texts: dict[str, bytes] = {}
        self._folders: dict[Path, None] = {}
        self._finds: list[str] = []
        self._known = 0
        self._searched: set[tuple[str, int, int, int]] = set()
        self.processes = Processes()

    # What there is to search

    def started(self, words: Sequence[str], environment: Mapping[str, str] | None) -> Command:
        """A process is about to be started: its secrets and its folders are known from now on."""
        command = Command(tuple(words))
        self._commands.append(command)
        for name, value in (environment or {}).items():
            if _SECRET_VARIABLE.search(name) and os.environ.get(name) != value:
                self.needles.add(name, value)
            if name in ("HOME", "AZURE_CONFIG_DIR", "AKS_NONINTERACTIVE_CACHE_DIR"):
                self.folder(Path(value))
        for value in _option_values(words):
            if value.startswith("@"):
                file = Path(value[1:])
                value = file.read_text(encoding="utf-8").rstrip("\r\n") if file.is_file() else ""
            self.needles.add("option", value)
        return command

    def text(self, name: str, text: bytes) -> None:
        """Something else that was printed."""
        self._texts[name] = self._texts.get(name, b"") + text

    def folder(self, folder: Path) -> None:
        """A folder whose files commands write."""
        self._folders.setdefault(folder)

    # The search itself

    def look_below(self, folder: Path) -> None:
        """Search a folder now, because it will be gone when the test ends."""
        self._learn()
        for path in _files_below(folder):
            self._search_file(path)

    def finish(self) -> list[str]:
        """Search all that the test has left; what was found, each as a line to read."""
        began = time.monotonic()
        known = self._known
        self._learn()
        self.figures.tests += 1
        for command in self._commands:
            self.figures.commands += 1
            self._search_output(command)
        for name, text in self._texts.items():
            self._report(name, self._found_in(text))
        for folder in self._folders:
            self.look_below(folder)
        for words in self.processes.take():
            self.figures.processes += 1
            self._search_arguments(words)
        finds, self._finds = list(dict.fromkeys(self._finds)), []
        self._commands, self._texts, self._folders = [], {}, {}
        self.figures.finds += len(finds)
        self._known = len(self.needles)
        self.figures.secrets += self._known - known
        self.figures.seconds += time.monotonic() - began
        return finds

    def take_figures(self) -> dict[str, float]:
        """The figures since the last time."""
        figures, self.figures = asdict(self.figures), Figures()
        return figures

    def _learn(self) -> None:
        for emulator in self.emulators:
            for kind, value in emulator.secrets:
                self.needles.add(kind, value)

    def _found_in(self, data: bytes) -> set[Secret]:
        self.figures.bytes += len(data)
        return self.needles.found_in(data)

    def _report(self, place: str, found: set[Secret], path: Path | None = None) -> None:
        """Note what is not allowed in a place; path is that of a file."""
        if not found:
            return
        for allowed in ALLOWED:
            if re.match(allowed.place, place):
                found = {
                    (kind, value)
                    for kind, value in found
                    if allowed.kinds is not None and kind not in allowed.kinds
                }
                if allowed.private and path:
                    self._check_private(path)
                    self._check_private(path.parent)
        self._finds += [f"{kind} in {place}" for kind, _ in found]

    def _check_private(self, path: Path) -> None:
        status = path.stat()
        if os.name != "nt" and (status.st_mode & 0o077 or status.st_uid != os.geteuid()):
            mode = f"{stat.filemode(status.st_mode)}, owner {status.st_uid}"
            self._finds.append(f"{path}, which holds a secret, is not ours alone: {mode}")

    def _search_output(self, command: Command) -> None:
        errors = command.errors
        if "--debug" in command.words and _option_values(command.words):
            errors = _RAW_COMMAND_LINE.sub(b"", errors)
        output = command.output
        if {"--file", "-"} <= set(command.words):
            output, _ = self._without_kubeconfig_fields(command.place("output"), output)
        self._report(command.place("output"), self._found_in(output))
        self._report(command.place("errors"), self._found_in(errors))

    def _search_arguments(self, words: tuple[str, ...]) -> None:
        found = self._found_in("\0".join(words).encode("utf-8", "surrogateescape"))
        if not found:
            return
        # The command line of the test, and what az's wrapper and interpreters make of the same.
        for command in self._commands:
            if command.words[1:] and words[-len(command.words) + 1 :] == command.words[1:]:
                return
        self._report(f"arguments {' '.join(words)}", found)

    def _search_file(self, path: Path) -> None:
        try:
            status = path.lstat()
            key = (str(path), status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
            if not stat.S_ISREG(status.st_mode) or key in self._searched:
                return
            data = path.read_bytes()
        except OSError:
            return  # gone meanwhile
        self._searched.add(key)
        self.figures.files += 1
        place = f"file {path}"
        if b"kind: Config" in data:
            data, held = self._without_kubeconfig_fields(place, data)
            if held:
                self._check_private(path)
        self._report(place, self._found_in(data), path)

    def _without_kubeconfig_fields(self, place: str, data: bytes) -> tuple[bytes, bool]:
        """A kubeconfig without the secrets that it may hold, and whether it held any."""
        try:
            document = yaml.load(data, Loader=_YAML_LOADER)
            users = [entry["user"] for entry in document["users"]]
        except (yaml.YAMLError, TypeError, KeyError):
            return data, False
        held = False
        for user in users:
            for names, kinds in KUBECONFIG_FIELDS.items():
                value = _taken_out(user, names)
                if value:
                    found = self._found_in(value.encode())
                    held = held or bool(found)
                    self._report(place, {secret for secret in found if secret[0] not in kinds})
        return json.dumps(document, ensure_ascii=False, default=str).encode(), held


def _taken_out(user: Any, names: tuple[str, ...]) -> str:
    for name in names[:-1]:
        user = user.get(name) if isinstance(user, dict) else None
    value = user.pop(names[-1], "") if isinstance(user, dict) else ""
    return value if isinstance(value, str) else ""


def _option_values(words: Sequence[str]) -> list[str]:
    """The values of options for secrets on a command line."""
    values = []
    for word, following in zip(words, [*words[1:], ""], strict=True):
        match = _SECRET_OPTION.fullmatch(word)
        if match:
            values.append(following if match[2] is None else match[2])
    return values


def _files_below(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _PACKAGES]
        for name in files:
            yield Path(parent, name)


# Processes


class Processes:
    """The arguments of all processes below this one, looked at many times a second (Linux)."""

    INTERVAL = 0.01

    def __init__(self) -> None:
        self._seen: set[bytes] = set()
        self._stop = threading.Event()

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Watch within the block."""
        self._stop.clear()
        thread = threading.Thread(target=self._watch, name="arguments", daemon=True)
        if sys.platform == "linux":
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            if thread.is_alive():
                thread.join()

    def seen(self) -> list[tuple[str, ...]]:
        """The arguments seen since the last call of take, each once."""
        return [
            tuple(os.fsdecode(word) for word in line.removesuffix(b"\0").split(b"\0"))
            for line in list(self._seen)
            if line
        ]

    def take(self) -> list[tuple[str, ...]]:
        """The same, and forget them."""
        seen = self.seen()
        self._seen = set()
        return seen

    def _watch(self) -> None:
        while not self._stop.wait(self.INTERVAL):
            below = _children(os.getpid())
            while below:
                pid = below.pop()
                with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
                    self._seen.add(file.read())
                below += _children(pid)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with (
                contextlib.suppress(OSError),
                open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file,
            ):
                found += [int(child) for child in file.read().split()]
    return found


def observed_popen(search: Search) -> type[subprocess.Popen[Any]]:
    """subprocess.Popen that tells the search what is started and what it printed."""

    class ObservedPopen(_Popen[Any]):
        def __init__(self, args: Any, *more: Any, **options: Any) -> None:
            words = [args] if isinstance(args, str | bytes | os.PathLike) else list(args)
            self._observed = search.started([os.fsdecode(w) for w in words], options.get("env"))
            super().__init__(args, *more, **options)

        def communicate(self, *how: Any, **options: Any) -> tuple[Any, Any]:
            output, errors = super().communicate(*how, **options)
            self._observed.output += _bytes(output)
            self._observed.errors += _bytes(errors)
            return output, errors

    return cast("type[subprocess.Popen[Any]]", ObservedPopen)


def _bytes(text: str | bytes | None) -> bytes:
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text or b""


SEARCH = Search()
