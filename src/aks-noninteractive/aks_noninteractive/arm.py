"""Azure Resource Manager: the one call that hands out a cluster's kubeconfig.

`POST .../managedClusters/{name}/listClusterUserCredential`, over azure-mgmt-core, so that az can
build this client with its own login, cloud, logging and connection settings. The answer may hold a
client certificate's key, so no policy that logs bodies is in this pipeline, whatever az passes.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from azure.core.credentials import AccessToken as ArmAccessToken
from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.core.pipeline import policies
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest, HttpResponse
from azure.mgmt.core import ARMPipelineClient
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

from .entra.http import (
    CONNECT_TIMEOUT,
    MAX_RETRY_AFTER,
    PROXY_REMEDY,
    READ_TIMEOUT,
    bounded_body,
    explain_failure,
    host_of,
    new_session,
    refuse_redirect,
)
from .entra.token_endpoint import AccessToken
from .errors import (
    AksAuthError,
    AuthenticationError,
    ClusterError,
    NetworkError,
    ResponseError,
    quote_server,
)

STEP = "cluster credential from Azure Resource Manager"
API_VERSION = "2024-09-01"
RETRIES = 3

_REMEDIES = {
    "ResourceGroupNotFound": "Check --resource-group and --subscription.",
    "ResourceNotFound": "Check --name, --resource-group and --subscription; az aks list shows all "
    "clusters.",
    "SubscriptionNotFound": "Check --subscription, and that the identity has a role in it.",
    "InvalidSubscriptionId": "Check --subscription: it is a GUID.",
    "AuthorizationFailed": "Let an administrator give the identity the role 'Azure Kubernetes "
    "Service Cluster User Role' on the cluster; a new role takes some minutes.",
    "InvalidAuthenticationToken": "Check that the tenant (--tenant) is the one of the "
    "subscription, and the cloud.",
    "InvalidAuthenticationTokenTenant": "Give the tenant of the subscription with --tenant.",
}
_OTHER_REMEDY = "Check the cluster's name, resource group and subscription."


class FunctionCredential:
    """azure-core's TokenCredential made of a function that gets a token for Resource Manager."""

    def __init__(self, get_token: Callable[[], AccessToken]) -> None:
        self._get_token = get_token

    def get_token(self, *scopes: str, claims: str | None = None, **_: Any) -> ArmAccessToken:
        """A token; AuthenticationError where Resource Manager wants more than it (claims)."""
        if claims:
            raise AuthenticationError(
                "Azure Resource Manager wants stronger proof than this identity can give without "
                "a person (a claims challenge: MFA or Conditional Access)",
                step=STEP,
                remedy="Use a service principal or a workload identity, sign in with az first, or "
                "pass the cluster's kubeconfig with --skeleton.",
            )
        token = self._get_token()
        return ArmAccessToken(token.token, token.expires_on)


class _RetryPolicy(policies.RetryPolicy[HttpRequest, HttpResponse]):
    """azure-core's, but for servers that ask for more patience than a pipeline has."""

    def get_retry_after(self, response: Any) -> float | None:
        """Seconds to wait, at most half a minute; None where the server does not say."""
        seconds = super().get_retry_after(response)
        return None if seconds is None else min(seconds, MAX_RETRY_AFTER)


class ClusterCredentialClient:
    """A client for one operation, built as azure-mgmt clients are.

    credential: azure-core's TokenCredential. subscription_id: a GUID. base_url: of Resource
    Manager. Further keywords are azure-core's; a policy's own keyword (`authentication_policy`,
    `user_agent_policy`, `headers_policy`, ...) replaces the one made here.
    """

    def __init__(
        self, credential: TokenCredential, subscription_id: str, base_url: str, **kwargs: Any
    ) -> None:
        self._subscription_id = subscription_id
        self._host = host_of(base_url)
        scopes = kwargs.pop("credential_scopes", [])
        kwargs.setdefault("connection_timeout", CONNECT_TIMEOUT)
        kwargs.setdefault("read_timeout", READ_TIMEOUT)
        pipeline = [
            kwargs.get("request_id_policy") or policies.RequestIdPolicy(**kwargs),
            kwargs.get("headers_policy") or policies.HeadersPolicy(**kwargs),
            kwargs.get("user_agent_policy") or policies.UserAgentPolicy(**kwargs),
            kwargs.get("proxy_policy") or policies.ProxyPolicy(**kwargs),
            kwargs.get("retry_policy") or _RetryPolicy(retry_total=RETRIES, timeout=120),
            kwargs.get("authentication_policy")
            or ARMChallengeAuthenticationPolicy(credential, *scopes),
            kwargs.get("custom_hook_policy") or policies.CustomHookPolicy(**kwargs),
        ]
        if "transport" not in kwargs:
            session = new_session(verify=kwargs.get("connection_verify", True) is not False)
            kwargs["transport"] = RequestsTransport(session=session, **kwargs)
        self._client: ARMPipelineClient[HttpRequest, HttpResponse] = ARMPipelineClient(
            base_url=base_url, policies=pipeline, **kwargs
        )

    def list_cluster_user_credential(
        self, resource_group: str, cluster_name: str, *, public_fqdn: bool = False
    ) -> bytes:
        """The cluster's kubeconfig as Azure hands it out, YAML in bytes.

        public_fqdn: with the public address of a private cluster. Raises ClusterError for what
        Resource Manager refuses, NetworkError, ResponseError, and what the credential raises.
        """
        subscription, group, cluster = (
            quote(part, safe="") for part in (self._subscription_id, resource_group, cluster_name)
        )
        path = (
            f"/subscriptions/{subscription}/resourceGroups/{group}/providers"
            f"/Microsoft.ContainerService/managedClusters/{cluster}/listClusterUserCredential"
        )
        parameters = {"api-version": API_VERSION}
        if public_fqdn:
            parameters["server-fqdn"] = "public"
        request = HttpRequest(
            "POST",
            self._client.format_url(path),
            params=parameters,
            headers={"Accept": "application/json"},
        )
        try:
            # It only lists: should a connection drop, another try does no harm. One that does not
            # come about fails at once.
            with self._client.send_request(
                request, stream=True, retry_on_methods=["POST"], retry_connect=0, retry_read=1
            ) as response:
                body = bounded_body(response.iter_bytes(), STEP, self._host)
        except AzureError as error:
            raise self._explain(error) from None
        refuse_redirect(response.status_code, response.headers, STEP, self._host)
        if response.status_code != 200:
            raise self._refusal(response, body)
        return self._kubeconfig(body)

    def _kubeconfig(self, body: bytes) -> bytes:
        try:
            value = json.loads(body)["kubeconfigs"][0]["value"]
            return b64decode(value, validate=True)
        except (ValueError, KeyError, IndexError, TypeError, RecursionError):
            raise ResponseError(
                "the answer holds no kubeconfig",
                step=STEP,
                host=self._host,
                remedy=PROXY_REMEDY,
            ) from None

    def _explain(self, error: AzureError) -> AksAuthError:
        if isinstance(error, ClientAuthenticationError):
            return AuthenticationError(
                quote_server(str(error)), step=STEP, host=self._host, remedy="Sign in again."
            )
        problem, remedy = explain_failure(error.inner_exception or error)
        return NetworkError(problem, step=STEP, host=self._host, remedy=remedy)

    def _refusal(self, response: HttpResponse, body: bytes) -> AksAuthError:
        """What Resource Manager says of itself (the OData error format, version 4)."""
        status = response.status_code
        try:
            error = json.loads(body)["error"]
            code = quote_server(str(error.get("code") or ""))
            message = quote_server(str(error.get("message") or ""))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            code = message = ""
        correlation_id = response.headers.get("x-ms-correlation-request-id", "")
        facts = {
            "step": STEP,
            "host": self._host,
            "code": code,
            "correlation_id": quote_server(correlation_id),
        }
        if not code:
            return ResponseError(
                f"answered HTTP {status} with nothing that Resource Manager would say",
                **facts,
                remedy=PROXY_REMEDY,
            )
        if status == 429 or status >= 500:
            return NetworkError(message, **facts, remedy="Try again in a minute.")
        if status == 401:
            remedy = _REMEDIES.get(code, _REMEDIES["InvalidAuthenticationToken"])
            return AuthenticationError(message, **facts, remedy=remedy)
        return ClusterError(message, **facts, remedy=_REMEDIES.get(code, _OTHER_REMEDY))
