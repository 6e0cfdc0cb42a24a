"""The one way to the network: https only, bounded in time and size, one connection a host.

Redirects are not followed, because the bodies sent here hold credentials. Certificates are always
checked, unless az's own switch says otherwise and the caller passes it on. Proxies and the CA
bundle come from the usual variables (HTTPS_PROXY, NO_PROXY, REQUESTS_CA_BUNDLE).
"""

from __future__ import annotations

import http.client
import json
import logging
import random
import socket
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util.ssl_ import create_urllib3_context

from .. import VERSION
from ..errors import NetworkError, ResponseError

CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 30.0
TOTAL_TIMEOUT = 60.0
MAX_BODY = 4 * 1024 * 1024
MAX_RETRY_AFTER = 30.0

PAUSES = (0.5, 1.0, 2.0)
_BUSY = frozenset((429, 503))
_GATEWAY_FAILED = frozenset((502, 504))

# TypeError comes from requests for a proxy URL with an empty host.
_FAILURES = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
    ValueError,
    TypeError,
)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class HttpResponse:
    """What a server answered: status, content type (lower case, "" without one) and body."""

    host: str
    status: int
    content_type: str
    body: bytes = field(repr=False)

    def json_object(self, step: str) -> dict[str, Any]:
        """The body as a JSON object; ResponseError where it is none."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise ResponseError(
                f"answered {self.describe()} where a JSON object was expected",
                step=step,
                host=self.host,
                remedy=PROXY_REMEDY,
            )
        return value

    def busy(self, step: str) -> NetworkError | None:
        """The error for a server that says it cannot answer now (429, 5xx); None for others."""
        if self.status != 429 and self.status < 500:
            return None
        return NetworkError(
            f"the server is busy or failing (HTTP {self.status})",
            step=step,
            host=self.host,
            remedy="Try again in a minute.",
        )

    def describe(self) -> str:
        """Status, kind and size of the answer, without its content."""
        kind = self.content_type.split(";")[0] or "no content type"
        return f"HTTP {self.status} with {len(self.body)} bytes of {kind}"


PROXY_REMEDY = (
    "Something between here and the server, a proxy or a sign-in page, may have answered in its "
    "place: look at HTTPS_PROXY and NO_PROXY."
)


def new_session(*, verify: bool) -> requests.Session:
    """A session that follows no redirect, knows no ~/.netrc, and bounds how long an answer takes.

    How long it is, its user has to bound. verify: False only where az is told not to check
    certificates.
    """
    session = _Session()
    session.mount("https://", _Adapter(verify))
    # Without an auth object requests would add what ~/.netrc has for the host.
    session.auth = lambda request: request
    if not verify:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return session


class _Session(requests.Session):
    """Never looks where a redirect leads: requests would read all of its body for that."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


class _Adapter(HTTPAdapter):
    """Makes connections of _TimelySocket."""

    def __init__(self, verify: bool) -> None:
        self._context = create_urllib3_context(
            cert_reqs=ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
        )
        self._context.sslsocket_class = _TimelySocket
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options, ssl_context=self._context)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        return super().proxy_manager_for(proxy, **options, ssl_context=self._context)


class _TimelySocket(ssl.SSLSocket):
    """Waits for the other side no longer than TOTAL_TIMEOUT in all since something was sent.

    The time-outs of requests hold for each piece that arrives, be it a byte of a header.
    """

    _deadline = 0.0

    def send(self, data: Any, flags: int = 0) -> int:
        self._deadline = time.monotonic() + TOTAL_TIMEOUT
        return super().send(data, flags)

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer did not end")
        patience = self.gettimeout()
        self.settimeout(left if patience is None else min(left, patience))
        try:
            return super().recv_into(buffer, nbytes, flags)
        finally:
            self.settimeout(patience)


class HttpClient:
    """Sends requests and turns every failure of the network into one of our errors.

    verify: False only where az is told not to check certificates.
    """

    def __init__(self, *, verify: bool = True) -> None:
        self._verify = verify
        self._session = new_session(verify=verify)
        self._session.headers["User-Agent"] = f"aks-noninteractive/{VERSION}"

    def get(self, url: str, *, step: str, headers: Mapping[str, str] | None = None) -> HttpResponse:
        """GET url. Raises NetworkError, or ResponseError for a redirect or too large an answer."""
        return self._request(_Request("GET", url, step, None, headers or {}, repeatable=True))

    def post(
        self,
        url: str,
        body: bytes | Mapping[str, str],
        *,
        step: str,
        headers: Mapping[str, str],
        repeatable: bool = False,
    ) -> HttpResponse:
        """POST body (bytes, or a mapping sent as a form) to url. Raises as get does.

        repeatable: nothing is lost if the server gets it twice. A password is not: should it be
        wrong, each time counts towards a lock-out; it is sent again only to a server that says it
        has not looked at it (429, 503).
        """
        return self._request(_Request("POST", url, step, body, headers, repeatable))

    def _request(self, request: _Request) -> HttpResponse:
        """The answer, after another try or three where the server was busy or hung up."""
        if not request.url.lower().startswith("https://") or not request.host:
            raise ResponseError(
                "the address is not https, nothing was sent", step=request.step, host=request.host
            )
        busy = _BUSY | _GATEWAY_FAILED if request.repeatable else _BUSY
        for pause in (*PAUSES, None):
            wait = pause
            try:
                response, retry_after = self._send(request)
            except _FAILURES as error:
                if wait is None or not request.repeatable or not _was_dropped(error):
                    problem, remedy = explain_failure(error)
                    raise NetworkError(
                        problem, step=request.step, host=request.host, remedy=remedy
                    ) from None
                _logger.info("%s: %s hung up, trying again", request.step, request.host)
            else:
                if wait is None or response.status not in busy:
                    return response
                if retry_after is not None:
                    wait = retry_after
                if wait > MAX_RETRY_AFTER:
                    return response
                _logger.info(
                    "%s: %s answered HTTP %d, trying again in %.1f s",
                    request.step,
                    request.host,
                    response.status,
                    wait,
                )
            time.sleep(wait * random.uniform(1, 1.25))  # so that fifty do not come back at once
        raise AssertionError("the last try returns or raises")

    def _send(self, request: _Request) -> tuple[HttpResponse, float | None]:
        """One try: the answer, and in how many seconds the server wants to be asked again."""
        with self._session.request(
            request.method,
            request.url,
            data=request.body,
            headers=dict(request.headers),
            timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
            allow_redirects=False,
            stream=True,
            verify=self._verify,
        ) as answer:
            content = bounded_body(answer.iter_content(65536), request.step, request.host)
            status = answer.status_code
            headers = answer.headers
        _logger.debug(
            "%s: %s %s answered HTTP %d", request.step, request.method, request.host, status
        )
        refuse_redirect(status, headers, request.step, request.host)
        content_type = headers.get("Content-Type", "").lower()
        response = HttpResponse(request.host, status, content_type, content)
        return response, retry_after_seconds(headers.get("Retry-After", ""))


def refuse_redirect(status: int, headers: Mapping[str, str], step: str, host: str) -> None:
    """Raise ResponseError where an answer leads elsewhere (RFC 9110, section 15.4)."""
    if 300 <= status < 400:
        target = host_of(headers.get("Location", "")) or "elsewhere"
        raise ResponseError(
            f"redirected to {target} (HTTP {status}), which is not followed with credentials",
            step=step,
            host=host,
            remedy=PROXY_REMEDY,
        )


def bounded_body(chunks: Iterable[bytes], step: str, host: str) -> bytes:
    """All chunks of an answer; ResponseError where they are more than 4 MiB."""
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) > MAX_BODY:
            raise ResponseError("answered more than 4 MiB", step=step, host=host)
    return bytes(content)


@dataclass(frozen=True)
class _Request:
    method: str
    url: str
    step: str
    body: bytes | Mapping[str, str] | None = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    repeatable: bool

    @property
    def host(self) -> str:
        return host_of(self.url)


def retry_after_seconds(retry_after: str) -> float | None:
    """What a Retry-After header asks for (RFC 9110, section 10.2.3); None for nonsense."""
    try:
        if retry_after.strip().isdigit():
            return float(retry_after)
        moment = parsedate_to_datetime(retry_after)
        return max(0.0, moment.timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def _was_dropped(error: BaseException) -> bool:
    """Whether a connection that had come about was cut."""
    return any(
        isinstance(cause, ConnectionResetError | BrokenPipeError | http.client.RemoteDisconnected)
        for cause in _causes(error)
    )


def host_of(url: str) -> str:
    """Host and port of url, without user name or password; "" where it has none."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""


def explain_failure(error: BaseException) -> tuple[str, str]:
    """What failed below an exception of requests, and what to do next."""
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error)):
        return (
            f"its TLS certificate is not trusted{_reason(error)}",
            "Let REQUESTS_CA_BUNDLE name a file with the certificates of the authority that issued "
            "it, a proxy's that inspects TLS included.",
        )
    if isinstance(error, requests.exceptions.SSLError):
        return (
            f"no TLS connection came about{_reason(error)}",
            "Look whether the address and its port are right; a proxy may be in the way.",
        )
    if isinstance(error, requests.exceptions.ProxyError):
        return (
            f"the proxy did not let the request through{_reason(error)}",
            "Look at HTTPS_PROXY and NO_PROXY.",
        )
    if isinstance(error, requests.exceptions.Timeout) or _timed_out(error):
        return (
            "no answer in time",
            "Look whether a firewall or a missing proxy setting (HTTPS_PROXY) is in the way.",
        )
    if isinstance(error, OSError) and "CA certificate bundle" in str(error):
        return (
            "the file with trusted certificates cannot be read",
            "Correct REQUESTS_CA_BUNDLE (or CURL_CA_BUNDLE): it names a file that is not there.",
        )
    if isinstance(error, requests.RequestException | urllib3.exceptions.HTTPError | OSError):
        return (
            f"the connection failed{_reason(error)}",
            "Look whether the host is right and reachable from here; behind a proxy, set "
            "HTTPS_PROXY.",
        )
    return (
        f"the request could not be made ({type(error).__name__}){_reason(error)}",
        "Look at the address and at the proxy variables.",
    )


def _timed_out(error: BaseException) -> bool:
    # requests gives a time-out within the body another name than one before it; urllib3 counts
    # a refused connection among the time-outs.
    return any(
        isinstance(cause, urllib3.exceptions.TimeoutError)
        and not isinstance(cause, urllib3.exceptions.NewConnectionError)
        for cause in _causes(error)
    )


def _reason(error: BaseException) -> str:
    """The operating system's or TLS library's own words below a requests exception.

    The texts in between are left out: they can hold a proxy's URL with its password.
    """
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError) and cause.verify_message:
            return f": {cause.verify_message}"
        if isinstance(cause, ssl.SSLError) and cause.reason:
            return f": {cause.reason}"
        if isinstance(cause, socket.gaierror):
            return ": its name does not resolve"
        if (
            isinstance(cause, OSError)
            and not isinstance(cause, requests.RequestException)
            and cause.strerror
        ):
            return f": {cause.strerror}"
    return ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    """error and all exceptions below it, each once, nearest first."""
    seen: list[BaseException] = []
    queue: list[object] = [error]
    while queue:
        current = queue.pop(0)
        if isinstance(current, BaseException) and current not in seen:
            seen.append(current)
            yield current
            queue += [current.__cause__, current.__context__, getattr(current, "reason", None)]
            queue += current.args
