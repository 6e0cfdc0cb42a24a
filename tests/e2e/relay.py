"""A relay on loopback: an HTTP proxy that knows CONNECT alone, or a forwarder to one port."""

from __future__ import annotations

import socket
import threading
from base64 import b64encode
from contextlib import suppress


class Relay:
    """Keeps what it was asked for, and the ports from which it went on.

    credentials: "user:password" that a client has to show; refuses: the status that it answers
    everybody with. target: where everything goes; then it is no proxy.
    """

    def __init__(
        self,
        *,
        credentials: str = "",
        refuses: int = 0,
        target: int = 0,
        address: str = "127.0.0.1",
    ) -> None:
        self._credentials = credentials
        self._refuses = refuses
        self._target = target
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, 0), family=family, backlog=64)
        self.asked: list[str] = []
        self.ports: set[int] = set()
        self.heads: list[bytes] = []

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> Relay:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            host, port = "localhost", self._target
            if not self._target:
                head = b""
                while b"\r\n\r\n" not in head and (more := client.recv(65536)):
                    head += more
                self.heads.append(head)
                method, where, *_ = head.decode("latin-1").split(" ")
                self.asked.append(f"{method} {where}")
                wanted = b"Basic " + b64encode(self._credentials.encode())
                status = self._refuses or (407 if self._credentials and wanted not in head else 0)
                if status or method != "CONNECT":
                    client.sendall(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % (status or 405))
                    return
                host, _, text = where.rpartition(":")
                port = int(text)
            with socket.create_connection((host.strip("[]"), port), timeout=10) as server:
                server.settimeout(None)
                self.ports.add(server.getsockname()[1])
                if not self._target:
                    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=_pump, args=(server, client), daemon=True)
                back.start()
                _pump(client, server)
                back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
