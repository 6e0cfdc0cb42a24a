"""Arguments that both commands check alike, before any request."""

from __future__ import annotations

import shlex
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path

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


def command_line(program: str, options: Mapping[str, str | bool | None]) -> str:
    """A command as a person types it; options that are not given (None, False, "") are left out."""
    words = [program]
    for option, value in options.items():
        if value:
            words.append(option)
        if value and value is not True:
            words.append(shlex.quote(value))
    return " ".join(words)
