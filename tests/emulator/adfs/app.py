"""The web application of one AD FS."""

from __future__ import annotations

from aiohttp import web

from ..clock import Clock
from ..directory import Directory, User
from ..secret_record import SecretRecord
from ..traffic import RECORD, Traffic
from . import assertion, mex, rstr
from .federation import Federation
from .wstrust import VERSIONS, WSSE, SecurityTokenRequest, SoapFault, read_request

USER_NAME_MIXED = "/adfs/services/trust/{version}/usernamemixed"


class Adfs:
    """Serves MEX and the user name endpoints of one federated domain."""

    def __init__(
        self,
        domain: str,
        directory: Directory,
        clock: Clock,
        traffic: Traffic,
        secrets: SecretRecord,
    ) -> None:
        self._domain = domain
        self._directory = directory
        self._clock = clock
        self._traffic = traffic
        self._secrets = secrets

    def application(self, active_path: str) -> web.Application:
        """The application; `active_path` is served beside AD FS's own paths."""
        app = web.Application(middlewares=[self._traffic.middleware("adfs")])
        app.router.add_get("/adfs/services/trust/mex", self._mex)
        app.router.add_post(USER_NAME_MIXED, self._issue)
        if not active_path.startswith("/adfs/services/trust/"):
            app.router.add_post(active_path, self._issue)
        return app

    @property
    def _federation(self) -> Federation:
        return self._directory.federations[self._domain]

    async def _mex(self, _: web.Request) -> web.Response:
        federation = self._federation
        if federation.config.mex_status != 200:
            return web.Response(
                status=federation.config.mex_status,
                text="<html><body><h2>Service Unavailable</h2></body></html>",
                content_type="text/html",
            )
        return web.Response(
            body=mex.metadata(federation), headers={"Content-Type": "text/xml; charset=utf-8"}
        )

    async def _issue(self, request: web.Request) -> web.Response:
        federation = self._federation
        config = federation.config
        only = request.match_info.get("version")
        versions = [VERSIONS[name] for name in config.versions if only in (None, name)]
        if not versions:
            raise web.HTTPNotFound
        if request.content_type != "application/soap+xml":
            return web.Response(status=415)
        now = self._clock.now()
        message_id = None
        try:
            rst = read_request(
                await request.read(),
                _soap_action(request),
                federation.address + request.path,
                versions,
                config.audience,
                now,
            )
            message_id = rst.message_id
            RECORD.get().username = rst.username
            self._secrets.add("password", rst.password)
            user = self._authenticate(rst)
            issued = assertion.issue(federation, user, now)
            self._secrets.add("SAML assertion", issued.text)
            body, status = rstr.response(rst, issued, config, now), 200
        except SoapFault as error:
            body, status = rstr.fault(error, message_id, now), 500
        return web.Response(
            status=status,
            body=body,
            headers={"Content-Type": f"application/soap+xml; charset={config.encoding}"},
        )

    def _authenticate(self, rst: SecurityTokenRequest) -> User:
        user = self._directory.find_user(rst.username)
        known = user is not None and user.federation is self._federation and user.enabled
        if user is None or not known or user.password != rst.password:
            raise SoapFault(
                WSSE,
                "FailedAuthentication",
                "ID3242: The security token could not be authenticated or authorized.",
            )
        return user


def _soap_action(request: web.Request) -> str | None:
    """The action outside the envelope: SOAPAction header or the content type's parameter."""
    header = request.headers.get("SOAPAction")
    if header is not None:
        return header.strip('"')
    for part in request.headers.get("Content-Type", "").split(";")[1:]:
        name, _, value = part.strip().partition("=")
        if name.lower() == "action":
            return value.strip('"')
    return None
