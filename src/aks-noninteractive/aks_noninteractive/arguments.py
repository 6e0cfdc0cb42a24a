"""Arguments that both commands check alike, before any request."""

from __future__ import annotations

import shlex
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import UsageError

STANDARD_STREAM = "-"


def check_subscription_id(subscription: str) -> None:
    """UsageError unless subscription is an id: only az's own login knows names."""
    try:
        uuid.UUID(subscription)
    except ValueError:
        raise UsageError(
            f"the subscription {subscription!r} is not an id, and only az's own login knows names",
            remedy="Give the subscription's id, a GUID, or sign in with az login.",
        ) from None


def read_skeleton(file: str) -> bytes:
    """The kubeconfig in file, - for standard input. UsageError where it cannot be read."""
    try:
        if file == STANDARD_STREAM:
            return sys.stdin.buffer.read()
        return Path(file).expanduser().read_bytes()
    except OSError as error:
        raise UsageError(
            f"the skeleton {file} cannot be read: {error.strerror or error}",
            remedy="Write it with: az aks get-credentials --file FILE",
        ) from None


def strip_line_end(secret: str) -> str:
    """A secret read from a file without the one line end that editors and echo put behind it."""
    return secret.removesuffix("\n").removesuffix("\r")


def parse_provider_options(pairs: Sequence[str] | None) -> dict[str, str]:
    """KEY=VALUE pairs as a mapping; UsageError for what is none."""
    options = {}
    for pair in pairs or ():
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise UsageError(
                f"--provider-option {pair!r} is not KEY=VALUE",
                remedy="Give one option at a time, like --provider-option region=west.",
            )
        options[key] = value
    return options


def command_line(program: str, options: Mapping[str, Any]) -> str:
    """A command as a person types it.

    options: option -> value, True for one without a value, a list for one that is repeated; what is
    not given (None, False, "") is left out.
    """
    words = [program]
    for option, value in options.items():
        for each in value if isinstance(value, list) else [value]:
            if each:
                words.append(option)
            if each and each is not True:
                words.append(shlex.quote(each))
    return " ".join(words)
