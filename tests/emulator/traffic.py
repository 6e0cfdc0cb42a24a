"""What passed through the emulator, and what a test wants to go wrong on the way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

from aiohttp import web

from .clock import Clock
from .secret_record import SecretRecord

SERVICES = ("entra", "adfs", "arm", "apiserver", "identity")
RECORD: ContextVar[Request] = ContextVar("emulator.record")
_SECRET_HEADERS = {
    "authorization": "access token",
    "cookie": "cookie",
    "x-identity-header": "identity header",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Request:
    """One request, in the order of arrival; never holds a password, a token or an assertion.

    `time` is by the emulator's clock; `began` and `ended` are monotonic seconds, `ended` and
    `status` are None until the answer is out. `connection` is equal for requests that shared one.
    """

    time: float
    service: str
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    began: float
    connection: int
    grant: str | None = None
    username: str | None = None
    client_id: str | None = None
    resource: str | None = None
    status: int | None = None
    ended: float | None = None


@dataclass
class Fault:
    """Something that goes wrong for the next `times` requests that match (None: for all)."""

    service: str
    path_substring: str
    times: int | None = 1
    status: int | None = None
    body: str | bytes | Callable[[str], str] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str | None = None
    drop: bool = False
    garbage: bool | Callable[[str], bytes] = False
    delay: float = 0

    def matches(self, service: str, path: str) -> bool:
        """Whether a request to this service and path (with its query) is struck."""
        return service == self.service and self.path_substring in path and self.times != 0

    async def answer(self, request: web.Request) -> web.Response | None:
        """The faulty answer, or None where the delay was all and the request is served."""
        if self.drop or self.garbage:
            last_bytes = b"\x16\x00 no HTTP \xff\xfe\r\n" if self.garbage else b""
            if callable(self.garbage):
                last_bytes = self.garbage(await _sent(request))
            _break_connection(request, last_bytes)
            return web.Response()
        if self.status is None and self.body is None:
            return None
        body = self.body
        if callable(body):
            body = body(await _sent(request))
        if isinstance(body, str):
            body = body.encode()
        return web.Response(
            status=self.status or 200,
            body=body,
            headers={"Content-Type": self.content_type or "application/json", **self.headers},
        )


async def _sent(request: web.Request) -> str:
    """What a server that echoes secrets could echo: the body, and the headers that hold one."""
    headers = [value for name, value in request.headers.items() if name.lower() in _SECRET_HEADERS]
    return "\n".join([(await request.read()).decode(), *headers])


def _break_connection(request: web.Request, last_bytes: bytes) -> None:
    transport = request.transport
    if isinstance(transport, asyncio.Transport):
        if last_bytes:
            transport.write(last_bytes)
            transport.close()
        else:
            transport.abort()


class Traffic:
    """Records every request, and adds latency and faults."""

    def __init__(self, clock: Clock, secrets: SecretRecord) -> None:
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.latency = 0.0
        self.latencies: dict[str, float] = {}
        self._clock = clock
        self._secrets = secrets

    def middleware(self, service: str) -> Callable[..., Awaitable[web.StreamResponse]]:
        """The aiohttp middleware of one service."""

        @web.middleware
        async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
            record = self._record(service, request)
            try:
                await self._note_form(record, request)
                response = await self._serve(service, request, handler)
                record.status = response.status
                return response
            except web.HTTPException as error:
                record.status = error.status
                raise
            finally:
                record.ended = time.monotonic()

        return observe

    def _record(self, service: str, request: web.Request) -> Request:
        peer = request.transport.get_extra_info("peername") if request.transport else None
        record = Request(
            time=self._clock.now(),
            service=service,
            method=request.method,
            path=request.path,
            query=dict(request.query),
            headers={name: _redact(name, value) for name, value in request.headers.items()},
            began=time.monotonic(),
            connection=peer[1] if peer else 0,
        )
        for name, kind in _SECRET_HEADERS.items():
            self._secrets.add(kind, request.headers.get(name, "").rpartition(" ")[2])
        self.requests.append(record)
        RECORD.set(record)
        return record

    async def _serve(
        self, service: str, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        latency = self.latencies.get(service, 0.0 if service == "apiserver" else self.latency)
        if latency:
            await asyncio.sleep(latency)
        fault = self._take_fault(service, request.path_qs)
        if fault:
            await asyncio.sleep(fault.delay)
            answer = await fault.answer(request)
            if answer is not None:
                return answer
        return await handler(request)

    async def _note_form(self, record: Request, request: web.Request) -> None:
        if request.content_type != "application/x-www-form-urlencoded":
            return
        form = {k: v for k, v in (await request.post()).items() if isinstance(v, str)}
        record.grant = form.get("grant_type")
        record.username = form.get("username")
        record.client_id = form.get("client_id")
        record.resource = form.get("scope" if "scope" in form else "resource")
        self._secrets.add_form(form)

    def _take_fault(self, service: str, path: str) -> Fault | None:
        for fault in list(self.faults):
            if fault.matches(service, path):
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None


def _redact(name: str, value: str) -> str:
    if name.lower() in _SECRET_HEADERS:
        return value.split(" ")[0] + " ***" if " " in value else "***"
    return value
