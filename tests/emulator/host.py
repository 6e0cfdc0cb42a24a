"""One event loop in one daemon thread, which serves any number of ports on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from aiohttp import web

T = TypeVar("T")
_START_TIMEOUT = 30


class Host:
    """Runs web applications until it is stopped; safe to use from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="emulator", daemon=True)
        self._runners: list[web.AppRunner] = []

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def serve(self, app: web.Application, context: ssl.SSLContext | None) -> str:
        """Serve an application on a new port; its address, `https://localhost:PORT`.

        Without a TLS context it is plain http.
        """
        return self._call(self._serve(app, context))

    def stop(self) -> None:
        """Close every port and connection and end the thread."""
        self._call(self._shut_down())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_START_TIMEOUT)

    async def _serve(self, app: web.Application, context: ssl.SSLContext | None) -> str:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.0)
        await runner.setup()
        self._runners.append(runner)
        sockets = loopback_sockets()
        for listener in sockets:
            await web.SockSite(runner, listener, ssl_context=context, backlog=512).start()
        scheme = "http" if context is None else "https"
        return f"{scheme}://localhost:{sockets[0].getsockname()[1]}"

    async def _shut_down(self) -> None:
        for runner in self._runners:
            for connection in runner.server.connections if runner.server else []:
                if connection.transport is not None:
                    connection.transport.abort()
        this = asyncio.current_task()
        rest = [task for task in asyncio.all_tasks() if task is not this]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        for runner in self._runners:
            await runner.cleanup()


def loopback_sockets() -> list[socket.socket]:
    """Listeners on one port that the system chose, on 127.0.0.1 and, where there is one, ::1."""
    while True:
        listener = socket.create_server(("127.0.0.1", 0))
        try:
            return [listener, *_ipv6_twin(listener.getsockname()[1])]
        except OSError as error:
            with contextlib.suppress(OSError):
                listener.close()
            if error.errno != errno.EADDRINUSE:
                raise


def _ipv6_twin(port: int) -> list[socket.socket]:
    try:
        return [socket.create_server(("::1", port), family=socket.AF_INET6)]
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise
        return []
