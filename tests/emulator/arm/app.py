"""The web application of Azure Resource Manager."""

from __future__ import annotations

import base64
import re
import uuid
from contextvars import ContextVar
from typing import Any

from aiohttp import web

from ..apiserver.cluster import Cluster
from ..directory import SUBSCRIPTION, SUBSCRIPTION_NAME, TENANT, Directory
from ..entra.access_token import InvalidToken, TokenIssuer
from ..traffic import RECORD, Handler, Traffic
from . import metadata
from .errors import (
    ArmError,
    forbidden,
    no_cluster,
    no_group,
    no_subscription,
    unauthenticated,
)
from .skeleton import kubeconfig

CLAIMS: ContextVar[dict[str, Any]] = ContextVar("emulator.claims")
LOCATION = "westeurope"
_API_VERSION = re.compile(r"\d{4}-\d\d-\d\d(-preview)?")
_SUBSCRIPTION_PATH = "/subscriptions/{subscription}"
_GROUP_PATH = _SUBSCRIPTION_PATH + "/{groups:(?i:resourcegroups)}/{group}"
_CLUSTERS = "/{providers:(?i:providers/microsoft.containerservice/managedclusters)}"
_TOKEN_CODES = {
    "exp": "ExpiredAuthenticationToken",
    "iss": "InvalidAuthenticationTokenTenant",
    "aud": "InvalidAuthenticationTokenAudience",
}


class Arm:
    """Serves one subscription and its clusters to bearers of an ARM token."""

    def __init__(
        self,
        directory: Directory,
        clusters: dict[str, Cluster],
        tokens: TokenIssuer,
        traffic: Traffic,
    ) -> None:
        self.authority = ""
        self.address = ""
        self.audience = ""
        self.denied: set[str] = set()
        self._directory = directory
        self._clusters = clusters
        self._tokens = tokens
        self._traffic = traffic

    def application(self) -> web.Application:
        """The application."""
        app = web.Application(middlewares=[self._traffic.middleware("arm"), self._guard])
        get, post = app.router.add_get, app.router.add_post
        get("/metadata/endpoints", self._metadata)
        get("/tenants", self._tenants)
        get("/subscriptions", self._subscriptions)
        get(_SUBSCRIPTION_PATH, self._subscription)
        get(_SUBSCRIPTION_PATH + "/{groups:(?i:resourcegroups)}", self._list_groups)
        get(_SUBSCRIPTION_PATH + _CLUSTERS, self._list_clusters)
        get(_GROUP_PATH, self._show_group)
        get(_GROUP_PATH + _CLUSTERS, self._list_clusters)
        get(_GROUP_PATH + _CLUSTERS + "/{name}", self._show_cluster)
        post(
            _GROUP_PATH + _CLUSTERS + "/{name}/{action:(?i:listclusterusercredential)}",
            self._list_user_credential,
        )
        return app

    @property
    def audiences(self) -> set[str]:
        """The audiences that ARM takes: its resource id and its address, with or without slash."""
        bare = {self.audience.rstrip("/"), self.address.rstrip("/")}
        return bare | {f"{audience}/" for audience in bare}

    # What every request passes

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if request.path != "/metadata/endpoints":
                CLAIMS.set(self._authenticate(request))
            self._check_api_version(request)
            response: web.StreamResponse = await handler(request)
        except ArmError as error:
            response = error.response()
        except web.HTTPException as error:
            if error.status not in (404, 405):
                raise
            message = f"No registered resource provider found for '{request.path}'."
            response = ArmError(error.status, "InvalidResourceType", message).response()
        response.headers["x-ms-request-id"] = str(uuid.uuid4())
        response.headers["x-ms-correlation-request-id"] = str(uuid.uuid4())
        return response

    def _authenticate(self, request: web.Request) -> dict[str, Any]:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            message = "Authentication failed. The 'Authorization' header is missing."
            raise unauthenticated("AuthenticationFailed", message, self.authority)
        try:
            claims = self._tokens.verify(token, self.audiences, TENANT)
        except InvalidToken as error:
            code = _TOKEN_CODES.get(error.claim, "InvalidAuthenticationToken")
            raise unauthenticated(code, error.reason, self.authority) from error
        RECORD.get().username = claims.get("upn")
        RECORD.get().client_id = claims["appid"]
        return claims

    def _check_api_version(self, request: web.Request) -> None:
        version = request.query.get("api-version")
        if version is None:
            message = "The api-version query parameter is required for all requests."
            raise ArmError(400, "MissingApiVersionParameter", message)
        if not _API_VERSION.fullmatch(version):
            raise ArmError(
                400, "InvalidApiVersionParameter", f"The api-version '{version}' is invalid."
            )

    def _check_rights(self, request: web.Request, action: str) -> None:
        claims = CLAIMS.get()
        names = {claims["oid"], claims["appid"] if claims["idtyp"] == "app" else claims["upn"]}
        if {name.lower() for name in names} & {name.lower() for name in list(self.denied)}:
            name = claims.get("upn") or claims["appid"]
            raise forbidden(name, claims["oid"], action, request.path)

    # Tenants, subscriptions, groups

    async def _metadata(self, _: web.Request) -> web.Response:
        return web.json_response(metadata.endpoints(self.authority, self.address, self.audience))

    async def _tenants(self, _: web.Request) -> web.Response:
        value = [
            {
                "id": f"/tenants/{tenant}",
                "tenantId": tenant,
                "displayName": "Emulated tenant",
                "tenantCategory": "Home",
            }
            for tenant in self._directory.tenants
        ]
        return web.json_response({"value": value})

    async def _subscriptions(self, request: web.Request) -> web.Response:
        try:
            self._check_rights(request, "Microsoft.Resources/subscriptions/read")
        except ArmError:
            return web.json_response({"value": [], "count": _count("Total", 0)})
        return web.json_response({"value": [_subscription()], "count": _count("Total", 1)})

    async def _subscription(self, request: web.Request) -> web.Response:
        self._find_subscription(request)
        self._check_rights(request, "Microsoft.Resources/subscriptions/read")
        return web.json_response(_subscription())

    async def _list_groups(self, request: web.Request) -> web.Response:
        self._find_subscription(request)
        self._check_rights(request, "Microsoft.Resources/subscriptions/resourceGroups/read")
        return web.json_response({"value": [_group(name) for name in self._groups().values()]})

    async def _show_group(self, request: web.Request) -> web.Response:
        self._find_subscription(request)
        self._check_rights(request, "Microsoft.Resources/subscriptions/resourceGroups/read")
        return web.json_response(_group(self._find_group(request)))

    # Clusters

    async def _list_clusters(self, request: web.Request) -> web.Response:
        self._find_subscription(request)
        self._check_rights(request, "Microsoft.ContainerService/managedClusters/read")
        group = self._find_group(request) if "group" in request.match_info else None
        clusters = [
            cluster
            for cluster in list(self._clusters.values())
            if group in (None, cluster.resource_group)
        ]
        return web.json_response({"value": [_managed_cluster(cluster) for cluster in clusters]})

    async def _show_cluster(self, request: web.Request) -> web.Response:
        self._find_subscription(request)
        self._check_rights(request, "Microsoft.ContainerService/managedClusters/read")
        return web.json_response(_managed_cluster(self._find_cluster(request)))

    async def _list_user_credential(self, request: web.Request) -> web.Response:
        self._find_subscription(request)
        action = "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action"
        self._check_rights(request, action)
        cluster = self._find_cluster(request)
        wanted = request.query.get("format")
        if wanted not in (None, "exec", "azure"):
            message = f"The value '{wanted}' of the parameter format is not one of: azure, exec."
            raise ArmError(400, "InvalidParameter", message)
        if request.query.get("server-fqdn") not in (None, "public"):
            raise ArmError(400, "InvalidParameter", "The parameter server-fqdn is not 'public'.")
        value = base64.b64encode(kubeconfig(cluster, wanted).encode()).decode()
        return web.json_response({"kubeconfigs": [{"name": "clusterUser", "value": value}]})

    # Names, which ARM compares without case

    def _find_subscription(self, request: web.Request) -> None:
        subscription = request.match_info["subscription"]
        if subscription.lower() != SUBSCRIPTION:
            raise no_subscription(subscription)

    def _groups(self) -> dict[str, str]:
        clusters = list(self._clusters.values())
        return {cluster.resource_group.lower(): cluster.resource_group for cluster in clusters}

    def _find_group(self, request: web.Request) -> str:
        group = request.match_info["group"]
        found = self._groups().get(group.lower())
        if found is None:
            raise no_group(group)
        return found

    def _find_cluster(self, request: web.Request) -> Cluster:
        group, name = self._find_group(request), request.match_info["name"]
        for cluster in list(self._clusters.values()):
            names = (cluster.resource_group.lower(), cluster.name.lower())
            if names == (group.lower(), name.lower()):
                return cluster
        raise no_cluster(name, group)


def _count(kind: str, value: int) -> dict[str, Any]:
    return {"type": kind, "value": value}


def _subscription() -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{SUBSCRIPTION}",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": SUBSCRIPTION,
        "tenantId": TENANT,
        "displayName": SUBSCRIPTION_NAME,
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    }


def _group(name: str) -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}",
        "name": name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": LOCATION,
        "properties": {"provisioningState": "Succeeded"},
    }


def _managed_cluster(cluster: Cluster) -> dict[str, Any]:
    managed = {"managed": not cluster.legacy, "enableAzureRBAC": False, "tenantID": cluster.tenant}
    return {
        "id": cluster.resource_id,
        "name": cluster.name,
        "type": "Microsoft.ContainerService/ManagedClusters",
        "location": LOCATION,
        "sku": {"name": "Base", "tier": "Free"},
        "identity": {"type": "SystemAssigned", "principalId": TENANT, "tenantId": TENANT},
        "properties": {
            "provisioningState": "Succeeded",
            "powerState": {"code": "Running"},
            "kubernetesVersion": "1.33",
            "currentKubernetesVersion": "1.33.1",
            "dnsPrefix": cluster.name,
            "fqdn": cluster.server.removeprefix("https://"),
            "nodeResourceGroup": f"MC_{cluster.resource_group}_{cluster.name}_{LOCATION}",
            "enableRBAC": True,
            "agentPoolProfiles": [],
            **({} if cluster.skeleton == "local" else {"aadProfile": managed}),
        },
    }
