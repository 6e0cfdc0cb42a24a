"""The web application of one cluster's API server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from aiohttp import web

from ..clock import Clock
from ..entra.access_token import TokenIssuer
from ..traffic import RECORD, Handler, Traffic
from . import discovery
from .authentication import KubernetesUser, authenticate
from .cluster import Cluster
from .protobuf import review_verb
from .resources import Resource, find
from .store import Event, KubernetesObject
from .table import plain_list, table, table_version, typed

USER: ContextVar[KubernetesUser] = ContextVar("emulator.kubernetes-user")
READ_VERBS = ("get", "list", "watch")
WATCH_INTERVAL = 0.05
VERSION = {
    "major": "1",
    "minor": "33",
    "gitVersion": "v1.33.1",
    "gitCommit": "0000000000000000000000000000000000000000",
    "gitTreeState": "clean",
    "buildDate": "2025-05-15T08:19:08Z",
    "goVersion": "go1.24.2",
    "compiler": "gc",
    "platform": "linux/amd64",
}


class ApiServer:
    """Serves discovery, reviews, and lists, objects and watches of one cluster."""

    def __init__(self, tokens: TokenIssuer, clock: Clock, traffic: Traffic) -> None:
        self.cluster: Cluster | None = None
        self._tokens = tokens
        self._clock = clock
        self._traffic = traffic

    def application(self) -> web.Application:
        """The application; `cluster` is set once the port is known."""
        app = web.Application(middlewares=[self._traffic.middleware("apiserver"), self._guard])
        get = app.router.add_get
        for path in ("/version", "/version/"):
            get(path, _constant(lambda: VERSION))
        for path in ("/healthz", "/livez", "/readyz"):
            get(path, self._healthy)
        get("/api", _constant(lambda: discovery.core_versions(self._known().server)))
        get("/apis", _constant(discovery.groups))
        get("/api/v1", _constant(lambda: discovery.resources("v1")))
        get("/apis/{group}", self._group)
        get("/apis/{group}/{version}", self._group_version)
        for prefix in ("/api/{version:v1}", "/apis/{group}/{version}"):
            get(prefix + "/namespaces/{namespace}/{resource}", self._list)
            get(prefix + "/namespaces/{namespace}/{resource}/{name}", self._show)
            get(prefix + "/{resource}", self._list)
            get(prefix + "/{resource}/{name}", self._show)
        review = app.router.add_post
        review("/apis/authentication.k8s.io/{version}/selfsubjectreviews", self._whoami)
        review("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", self._can_i)
        return app

    def _known(self) -> Cluster:
        if self.cluster is None:
            raise web.HTTPServiceUnavailable
        return self.cluster

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        user = authenticate(request, self._known(), self._tokens)
        if user is None:
            return _status(401, "Unauthorized", "Unauthorized")
        USER.set(user)
        RECORD.get().username = user.name
        try:
            return await handler(request)
        except web.HTTPNotFound:
            message = "the server could not find the requested resource"
            return _status(404, "NotFound", message)
        except web.HTTPMethodNotAllowed:
            message = "the server does not allow this method on the requested resource"
            return _status(405, "MethodNotAllowed", message)

    # Discovery and reviews

    async def _healthy(self, _: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _group(self, request: web.Request) -> web.Response:
        return _found(discovery.group(request.match_info["group"]))

    async def _group_version(self, request: web.Request) -> web.Response:
        return _found(discovery.resources(_group_version(request)))

    async def _whoami(self, request: web.Request) -> web.Response:
        group_version = f"authentication.k8s.io/{request.match_info['version']}"
        if discovery.resources(group_version) is None:
            raise web.HTTPNotFound
        user = USER.get()
        body = {
            "kind": "SelfSubjectReview",
            "apiVersion": group_version,
            "metadata": {"creationTimestamp": None},
            "status": {"userInfo": user.user_info()},
        }
        return web.json_response(body, status=201)

    async def _can_i(self, request: web.Request) -> web.Response:
        try:
            verb = _review_verb(request.content_type, await request.read())
        except ValueError as error:
            return _status(400, "BadRequest", str(error))
        allowed = verb in READ_VERBS
        body = {
            "kind": "SelfSubjectAccessReview",
            "apiVersion": "authorization.k8s.io/v1",
            "metadata": {"creationTimestamp": None},
            "spec": {},
            "status": {"allowed": allowed, "reason": "" if allowed else "read only"},
        }
        return web.json_response(body, status=201)

    # Objects

    async def _list(self, request: web.Request) -> web.StreamResponse:
        resource = _resource(request)
        if request.query.get("watch") in ("1", "true"):
            return await self._watch(request, resource)
        store = self._known().store
        bodies = [
            body
            for body in store.list(resource.name, request.match_info.get("namespace"))
            if _selected(request, body)
        ]
        meta_version = table_version(request.headers.get("Accept", ""))
        if meta_version:
            now = self._clock.now()
            return web.json_response(table(resource, bodies, store.version, now, meta_version))
        return web.json_response(plain_list(resource, bodies, store.version))

    async def _show(self, request: web.Request) -> web.Response:
        resource, name = _resource(request), request.match_info["name"]
        store = self._known().store
        for body in store.list(resource.name, request.match_info.get("namespace")):
            if body["metadata"]["name"] == name:
                meta_version = table_version(request.headers.get("Accept", ""))
                if meta_version:
                    now = self._clock.now()
                    return web.json_response(
                        table(resource, [body], store.version, now, meta_version)
                    )
                return web.json_response(typed(resource, body))
        group = resource.group_version.rpartition("/")[0]
        qualified = f"{resource.name}.{group}" if group else resource.name
        return _status(404, "NotFound", f'{qualified} "{name}" not found')

    async def _watch(self, request: web.Request, resource: Resource) -> web.StreamResponse:
        """Events as JSON lines until the client goes, its timeout or its token ends."""
        user = USER.get()
        namespace = request.match_info.get("namespace")
        meta_version = table_version(request.headers.get("Accept", ""))
        seen = int(request.query.get("resourceVersion") or 0)
        ends = _watch_end(request, self._clock.now(), user)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        first = True
        awaits_bookmark = request.query.get("sendInitialEvents") == "true"
        while self._clock.now() < ends and _connected(request):
            for event in list(self._known().store.events):
                if event.version <= seen:
                    continue
                seen = event.version
                if _watched(event, resource, namespace) and _selected(request, event.body):
                    body = typed(resource, event.body)
                    if meta_version:
                        now = self._clock.now()
                        body = table(
                            resource, [event.body], event.version, now, meta_version, first
                        )
                    first = False
                    line = json.dumps({"type": event.kind, "object": body}) + "\n"
                    await response.write(line.encode())
            if awaits_bookmark and _connected(request):
                awaits_bookmark = False
                await response.write(_initial_events_end(resource, self._known().store.version))
            await asyncio.sleep(WATCH_INTERVAL)
        if _connected(request):
            await response.write_eof()
        return response


def _initial_events_end(resource: Resource, version: int) -> bytes:
    """The bookmark that tells a streaming list (KEP-3157) that all there is has been sent."""
    metadata = {
        "resourceVersion": str(version),
        "annotations": {"k8s.io/initial-events-end": "true"},
    }
    body = typed(resource, {"metadata": metadata})
    return (json.dumps({"type": "BOOKMARK", "object": body}) + "\n").encode()


def _review_verb(content_type: str, body: bytes) -> str:
    if content_type == "application/vnd.kubernetes.protobuf":
        return review_verb(body)
    spec = json.loads(body).get("spec", {})
    return str((spec.get("resourceAttributes") or {}).get("verb", ""))


def _connected(request: web.Request) -> bool:
    return request.transport is not None and not request.transport.is_closing()


def _watch_end(request: web.Request, now: float, user: KubernetesUser) -> float:
    timeout = float(request.query.get("timeoutSeconds") or 3600)
    return min(now + timeout, user.expires or float("inf"))


def _watched(event: Event, resource: Resource, namespace: str | None) -> bool:
    place = event.body["metadata"].get("namespace")
    return event.resource == resource.name and namespace in (None, place)


def _selected(request: web.Request, body: KubernetesObject) -> bool:
    selector = request.query.get("fieldSelector", "")
    name = selector.removeprefix("metadata.name=") if "metadata.name=" in selector else None
    return name in (None, body["metadata"]["name"])


def _group_version(request: web.Request) -> str:
    group, version = request.match_info.get("group"), request.match_info["version"]
    return f"{group}/{version}" if group else version


def _resource(request: web.Request) -> Resource:
    resource = find(_group_version(request), request.match_info["resource"])
    if resource is None:
        raise web.HTTPNotFound
    return resource


def _constant(body: Callable[[], Any]) -> Callable[[web.Request], Any]:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(body())

    return answer


def _found(body: dict[str, Any] | None) -> web.Response:
    if body is None:
        raise web.HTTPNotFound
    return web.json_response(body)


def _status(code: int, reason: str, message: str) -> web.Response:
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }
    return web.json_response(body, status=code)
