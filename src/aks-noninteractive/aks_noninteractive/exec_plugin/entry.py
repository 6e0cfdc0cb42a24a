"""The plugin's entry in a kubeconfig: what a renewal needs, readable, and never a secret."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import UsageError
from . import quick_path
from .miss import PACKAGES

API_VERSION = "client.authentication.k8s.io/v1beta1"
_MAX_ARGUMENTS = 1000


def _option(name: str) -> Any:
    return field(default="", metadata={"option": name})


@dataclass(frozen=True)
class PluginEntry:
    """Whose token for which API server, and how to renew it. Empty is what an identity lacks.

    login: as resolved. account, az, azure_config_dir: for azurecli, whose login, az's absolute path
    and where its profile is. renewal: the command that made the entry, for a person to repeat.
    """

    login: str = _option("--login")
    tenant_id: str = _option("--tenant-id")
    server_id: str = _option("--server-id")
    client_id: str = _option("--client-id")
    username: str = _option("--username")
    authority_host: str = _option("--authority-host")
    environment: str = _option("--environment")
    client_certificate: str = _option("--client-certificate")
    federated_token_file: str = _option("--federated-token-file")
    identity_resource: str = _option("--identity-resource")
    service_connection_id: str = _option("--service-connection-id")
    account: str = _option("--account")
    az: str = _option("--az")
    azure_config_dir: str = _option("--azure-config-dir")
    renewal: str = _option("--renewal")
    legacy: bool = field(default=False, metadata={"option": "--legacy"})
    provider_options: tuple[str, ...] = field(default=(), metadata={"option": "--provider-option"})

    @property
    def identity(self) -> str:
        """Whom the token is of: user principal name, account or client id, as far as is known."""
        own = self.username or self.account or self.client_id or self.identity_resource
        return own or self.login

    @property
    def file_stem(self) -> str:
        """The name, without a suffix, of the files that hold this entry's token."""
        parts = (
            self.login,
            self.authority_host,
            self.tenant_id,
            self.client_id,
            self.server_id,
            self.username or self.account or self.identity_resource,
            str(self.legacy),
            self.azure_config_dir,
            *self.provider_options,
        )
        # Arguments that are not UTF-8 come with surrogates.
        identity = "\0".join(parts).encode("utf-8", "surrogatepass")
        return hashlib.sha256(identity).hexdigest()[:32]

    def arguments(self) -> list[str]:
        """The entry as options, as from_arguments reads them."""
        words: list[str] = []
        for name, option in _OPTIONS.items():
            value = getattr(self, name)
            if value is True:
                words.append(option)
            elif isinstance(value, tuple):
                words += [word for each in value for word in _option_words(option, each)]
            elif value:
                words += _option_words(option, value)
        return words


def _option_words(option: str, value: str) -> list[str]:
    return [f"{option}={value}"] if value.startswith("-") else [option, value]


_OPTIONS = {
    name: str(definition.metadata["option"])
    for name, definition in PluginEntry.__dataclass_fields__.items()
}


_REPEATED = "provider_options"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that arguments() makes, for a command line that takes an entry."""
    for name, option in _OPTIONS.items():
        if name == "legacy":
            parser.add_argument(option, action="store_true")
        elif name == _REPEATED:
            parser.add_argument(option, action="append", default=[], dest=name)
        else:
            parser.add_argument(option, default="")


def from_parsed(parsed: argparse.Namespace) -> PluginEntry:
    """The entry out of what a parser with add_options has parsed."""
    values = {name: getattr(parsed, name) for name in _OPTIONS}
    return PluginEntry(**{**values, "provider_options": tuple(parsed.provider_options)})


def from_arguments(arguments: Sequence[str]) -> PluginEntry:
    """The entry in a kubeconfig's arguments; UsageError where they are none of ours."""
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False, exit_on_error=False)
    add_options(parser)
    parsed = argparse.Namespace(login="")
    # argparse takes a time that grows with the square of their number.
    if len(arguments) <= _MAX_ARGUMENTS:
        with contextlib.suppress(argparse.ArgumentError, SystemExit):
            parsed, _ = parser.parse_known_args(list(arguments))
    if not parsed.login or not _is_text(parsed):
        raise UsageError(
            "the kubeconfig's plugin entry is not complete",
            remedy="Get the credentials anew.",
        )
    return from_parsed(parsed)


def _is_text(parsed: argparse.Namespace) -> bool:
    """Whether all values are; of `--option=--` argparse makes a list, up to Python 3.12."""
    single = (getattr(parsed, name) for name in _OPTIONS if name not in ("legacy", _REPEATED))
    return all(isinstance(value, str) for value in (*single, *getattr(parsed, _REPEATED)))


def exec_user(entry: PluginEntry, token_file: Path, provider_module: str) -> dict[str, Any]:
    """The user entry that starts this package as kubectl's credential plugin.

    provider_module: where the identity's provider is, which may be another package.
    v1beta1, because kubectl 1.20 does not know v1, and every newer one knows both.
    """
    return {
        "exec": {
            "apiVersion": API_VERSION,
            "command": _stable(sys.executable),
            "args": [
                *("-I", "-S", _stable(os.path.abspath(quick_path.__file__)), str(token_file)),
                *entry.arguments(),
                *(
                    word
                    for path in _package_directories(provider_module)
                    for word in ("--python-path", path)
                ),
            ],
            "env": None,
            "interactiveMode": "Never",
            "provideClusterInfo": False,
            "installHint": f"This entry was made by: {entry.renewal}",
        }
    }


def find_entry(user: Any) -> tuple[PluginEntry, Path] | None:
    """The plugin entry and token file in a kubeconfig's user entry; None where it has none."""
    plugin = user.get("exec") if isinstance(user, dict) else None
    arguments = plugin.get("args") if isinstance(plugin, dict) else None
    if not isinstance(arguments, list) or len(arguments) < 4:
        return None
    words = [str(word) if isinstance(word, str) else "" for word in arguments]
    if words[:2] != ["-I", "-S"] or os.path.basename(words[2]) != "quick_path.py":
        return None
    try:
        return from_arguments(words[4:]), Path(words[3])
    except UsageError:
        return None


def _package_directories(provider_module: str) -> list[str]:
    """The folders that what a renewal imports was found in, each once."""
    folders = []
    for package in (*PACKAGES, provider_module.partition(".")[0]):
        spec = find_spec(package)
        if spec is not None and spec.origin:
            found = Path(os.path.abspath(spec.origin)).parent
            folder = _stable(str(found.parent if spec.submodule_search_locations else found))
            if folder not in folders:
                folders.append(folder)
    return folders


def _stable(path: str) -> str:
    """path by Homebrew's alias for the installed version, so that an upgrade does not break it."""
    parts = Path(path).parts
    if "Cellar" in parts:
        at = parts.index("Cellar")
        alias = Path(*parts[:at], "opt", parts[at + 1], *parts[at + 3 :])
        if alias.exists():
            return str(alias)
    return path
