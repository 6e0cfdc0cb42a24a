"""A small HTTPS server on loopback, which answers as it is told and keeps what it was sent."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qs


@dataclass(frozen=True)
class Received:
    """One request: connection is equal for requests that shared one."""

    method: str
    path: str
    headers: Message
    body: bytes
    connection: int

    @property
    def form(self) -> dict[str, str]:
        """The fields of a form, each of which must be there once."""
        fields = parse_qs(self.body.decode(), keep_blank_values=True, strict_parsing=True)
        assert all(len(values) == 1 for values in fields.values())
        return {name: values[0] for name, values in fields.items()}


@dataclass
class Server:
    """Answers every request with status, headers and body, or leaves that to `answer`.

    answer: writes a whole response to the handler's wfile itself.
    """

    context: ssl.SSLContext | None
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    answer: Callable[[BaseHTTPRequestHandler], None] | None = None
    requests: list[Received] = field(default_factory=list)

    def __enter__(self) -> Server:
        server = self
        self.closing = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                server.requests.append(
                    Received(self.command, self.path, self.headers, body, self.client_address[1])
                )
                (server.answer or server.say)(self)

            do_GET = do_POST = do_CONNECT = _serve

            def log_message(self, format: str, *args: object) -> None:
                pass

        class QuietServer(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that goes away in the middle is what some tests are about."""

        self._listener = QuietServer(("127.0.0.1", 0), Handler)
        if self.context:
            self._listener.socket = self.context.wrap_socket(
                self._listener.socket, server_side=True
            )
        serve = self._listener.serve_forever
        threading.Thread(target=serve, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.closing.set()
        self._listener.shutdown()
        self._listener.server_close()

    def say(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer with status, headers and body."""
        handler.send_response(self.status)
        if self.content_type:
            handler.send_header("Content-Type", self.content_type)
        for name, value in self.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(self.body)))
        handler.end_headers()
        handler.wfile.write(self.body)

    @property
    def host(self) -> str:
        """Host and port, as errors name it."""
        return f"localhost:{self._listener.server_port}"

    @property
    def url(self) -> str:
        """The base address, without a slash at the end."""
        return f"{'https' if self.context else 'http'}://{self.host}"


# What comes first at once, and is followed by drops.
DROPPED = {
    "status": b"",
    "headers": b"HTTP/1.1 200 OK\r\nX-Slow: ",
    "body": b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n",
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3c\r\n",
}


def in_drops(server: Server, part: str) -> list[int]:
    """Let server answer with a byte each 20 ms, 60 of them at most; the list has as many items."""
    drops: list[int] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(DROPPED[part])
        while len(drops) < 60 and not server.closing.wait(0.02):
            handler.wfile.write(b" ")
            drops.append(1)

    server.answer = answer
    return drops
