"""What can go wrong, told so that a person knows what to do next.

Every error says which step failed, which host was asked, what the server called it and what to do.
No error text ever holds a password, an assertion, a token or a client secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_QUOTE_LIMIT = 500
_TEXT_LIMIT = 2000
_READ_LIMIT = 1 << 16
# Enough of a token or an assertion to be a part of that one and no word.
_PIECE = re.compile(r"[\w+/=-]{16,}")
_JWT = re.compile(r"eyJ[\w-]{8,}(?:\.[\w-]*)*")


class AksAuthError(Exception):
    """Base of all errors of this package.

    message: what is wrong, one sentence without a full stop.
    step: the step of the sequence that failed, for example "WS-Trust sign-in".
    host: the host (and port) that was asked, never a full URL.
    code: the server's own code, for example "AADSTS50126" or "ResourceNotFound".
    correlation_id: what the server's support wants to hear.
    remedy: what to do next, a full sentence.
    All become printable and of bounded length: names and addresses in them come from servers, files
    and arguments, and would reach a terminal.
    """

    def __init__(
        self,
        message: str,
        *,
        step: str = "",
        host: str = "",
        code: str = "",
        correlation_id: str = "",
        remedy: str = "",
    ) -> None:
        self.message = _printable(message, _TEXT_LIMIT)
        super().__init__(self.message)
        self.step = _printable(step, _QUOTE_LIMIT)
        self.host = _printable(host, _QUOTE_LIMIT)
        self.code = _printable(code, _QUOTE_LIMIT)
        self.correlation_id = _printable(correlation_id, _QUOTE_LIMIT)
        self.remedy = _printable(remedy, _TEXT_LIMIT)

    def __str__(self) -> str:
        where = f"{self.step} at {self.host}" if self.step and self.host else self.step or self.host
        facts = [self.code] if self.code else []
        if self.correlation_id:
            facts.append(f"correlation id {self.correlation_id}")
        return (
            (f"{where}: " if where else "")
            + self.message
            + (f" ({', '.join(facts)})" if facts else "")
        )


class UsageError(AksAuthError):
    """The arguments or variables do not fit together; nothing was asked of anyone."""


class AuthenticationError(AksAuthError):
    """A server refused the identity; asking again with the same credential changes nothing."""


class NetworkError(AksAuthError):
    """A server could not be reached, was too slow or too busy; later it may work."""


class ResponseError(AksAuthError):
    """A server answered something that its protocol does not allow."""


class ClusterError(AksAuthError):
    """Azure Resource Manager or its answer does not give a cluster that can be used."""


class KubeconfigError(AksAuthError):
    """The kubeconfig cannot be read, understood, locked or written; it is as it was."""


class DependencyError(AksAuthError):
    """A Python package that this command needs is not installed."""


def _printable(text: str, limit: int) -> str:
    text = "".join(filter(str.isprintable, text))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _on_one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def quote_server(text: str, *secrets: str) -> str:
    """One printable line of at most 500 characters out of what a server said.

    secrets: values that were part of the request, replaced should the server echo them: as they
    are, as forms, XML and JSON spell them, and long ones in part. A JWT is always replaced.
    """
    text = _JWT.sub("***", _on_one_line(text)[:_READ_LIMIT])
    # White space is not always echoed as it was sent.
    secrets = tuple(filter(None, map(_on_one_line, secrets)))
    spellings = {spelling for secret in secrets for spelling in _spellings(secret)}
    for spelling in sorted(spellings, key=len, reverse=True):
        text = re.sub(re.escape(spelling), "***", text, flags=re.IGNORECASE)
    text = _PIECE.sub(
        lambda piece: "***" if any(piece[0] in secret for secret in secrets) else piece[0], text
    )
    return _printable(text, _QUOTE_LIMIT)


def _spellings(secret: str) -> Iterator[str]:
    """How a server may write what it was sent."""
    import html
    import json
    from urllib.parse import quote, quote_plus
    from xml.sax.saxutils import escape

    yield secret
    for safe in ("", "/", "!*()'"):
        yield quote(secret, safe=safe, errors="replace")
        yield quote_plus(secret, safe=safe, errors="replace")
    yield escape(secret)
    yield escape(secret, {'"': "&quot;", "'": "&apos;"})
    yield html.escape(secret)
    for ascii_only in (True, False):
        yield json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
