"""What each target accepts or understands: where mutation and fuzzing begin. No secret is real."""

from __future__ import annotations

import hmac
import json
from typing import Any

from aks_noninteractive.entra.mex import WsTrustVersion
from aks_noninteractive.exec_plugin.entry import PluginEntry
from hostile.targets import CREDENTIAL, NOW
from unit.entra import mex_documents

_ID = "11111111-2222-3333-4444-555555555555"
_SAML = "urn:oasis:names:tc:SAML:{0}:assertion"
_SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
_SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"

_ENTRY = PluginEntry(
    login="managed",
    tenant_id=_ID,
    server_id=_ID,
    client_id=_ID,
    username="a@b.c",
    authority_host="https://login.example",
    environment="AzurePublicCloud",
    legacy=True,
    provider_options=("key=value",),
    renewal="az aks get-credentials-noninteractive -g rg -n shop",
)
_KUBELOGIN = ["get-token", "--server-id", _ID, "--client-id=" + _ID, "--tenant-id", _ID, "--legacy"]
_PROVIDER = {"apiserver-id": _ID, "client-id": _ID, "config-mode": "1", "tenant-id": _ID}
_PLUGIN = ["-I", "-S", "quick_path.py", f"cache/{_ENTRY.file_stem}.token", *_ENTRY.arguments()]


def _rstr(version: WsTrustVersion, saml: str) -> str:
    assertion = (
        '<a:Assertion ID="_1" xsi:type="a:T"><a:Conditions NotOnOrAfter="2026-01-01T01:00:00Z"/>'
        '<ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#"'
        ' PrefixList="x #default"/><a:Empty/>&amp;&#xe9;</a:Assertion>'
    )
    return (
        f'<s:Envelope xmlns:s="{_SOAP12}" xmlns:t="{version.value}" xmlns:x="urn:x" xmlns="urn:d"'
        f' xmlns:a="{_SAML.format(saml)}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        "<s:Body><t:RequestSecurityTokenResponse><t:RequestedSecurityToken>"
        f"{assertion}</t:RequestedSecurityToken></t:RequestSecurityTokenResponse></s:Body>"
        "</s:Envelope>"
    )


_FAULT12 = (
    f'<s:Envelope xmlns:s="{_SOAP12}"><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value>'
    "<s:Subcode><s:Value>a:FailedAuthentication</s:Value></s:Subcode></s:Code><s:Reason>"
    '<s:Text xml:lang="en">MSIS7068: the password</s:Text></s:Reason></s:Fault></s:Body>'
    "</s:Envelope>"
)
_FAULT11 = (
    f'<?xml version="1.0" encoding="windows-1252"?><s:Envelope xmlns:s="{_SOAP11}"><s:Body>'
    "<s:Fault><faultcode>a:InvalidSecurity</faultcode><faultstring>clock</faultstring>"
    "<detail><Text>no</Text></detail></s:Fault></s:Body></s:Envelope>"
)


def _kubeconfig(user: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "preferences": {},
        "current-context": "shop",
        "clusters": [{"name": "shop", "cluster": {"server": "https://shop.example:443"}}],
        "contexts": [{"name": "shop", "context": {"cluster": "shop", "user": "shop-user"}}],
        "users": [{"name": "shop-user", "user": user}],
    }


_LOCAL = {"client-certificate-data": "Q0VSVA==", "client-key-data": "S0VZ"}
_EXEC = {"exec": {"args": _KUBELOGIN, "command": "kubelogin", "env": None, "installHint": "hint"}}
_AZURE = {"auth-provider": {"name": "azure", "config": _PROVIDER}}
_OURS = {"exec": {"args": _PLUGIN, "command": "python3", "env": None}}

_KEY = b"k" * 32
# Values of JSON and YAML, which tests take apart, by target.
TREES: dict[str, list[Any]] = {
    "realm": [
        {
            "ver": "1.0",
            "account_type": "Federated",
            "domain_name": "contoso.com",
            "federation_protocol": "WSTrust",
            "federation_metadata_url": "https://sts.example/mex",
            "federation_active_auth_url": "https://sts.example/adfs/services/trust/2005/x",
            "cloud_audience_urn": "urn:federation:MicrosoftOnline",
            "cloud_instance_name": "microsoftonline.com",
        },
        {"account_type": "Managed"},
    ],
    "token": [
        {"access_token": "a.e30.c", "refresh_token": "r", "expires_in": 3599, "id_token": "b"},
        {"access_token": "a", "expires_in": "3599"},
    ],
    "token-error": [
        {
            "error": "invalid_grant",
            "error_description": "AADSTS50126: wrong password. Trace ID: 1 Timestamp: 2",
            "error_codes": [50126],
            "correlation_id": _ID,
            "claims": "{}",
        },
        {"error": "invalid_grant", "error_codes": [50076]},
        {"error": "server_error", "error_description": "words"},
    ],
    "claims": [
        {"oid": _ID, "tid": _ID, "upn": "a@b.c", "scp": "x", "appid": _ID},
        {"oid": _ID, "tid": _ID},
    ],
    "resource-manager": [{"kubeconfigs": [{"name": "clusterUser", "value": "YTogMQo="}]}],
    "resource-manager-error": [
        {"error": {"code": "ResourceNotFound", "message": "not there", "details": []}},
        {
            "error": {
                "code": "AuthorizationFailed",
                "message": "no",
                "target": "t",
                "details": [{"code": "a", "message": "b"}],
                "innererror": {"code": "c"},
                "additionalInfo": [{"type": "PolicyViolation", "info": {"a": "b"}}],
            }
        },
    ],
    "skeleton": [_kubeconfig(user) for user in (_EXEC, _AZURE, _LOCAL)],
    "kubeconfig": [_kubeconfig(user) for user in (_OURS, {"token": "a.e30.c"}, _LOCAL)],
    "logout": [_kubeconfig(_OURS)],
    "refusal-file": [
        {
            "at": NOW - 5,
            "key": _KEY.hex(),
            "digest": hmac.new(_KEY, CREDENTIAL.encode(), "sha256").hexdigest(),
            "error": {
                "message": "the user name or the password is wrong",
                "step": "token for the API server",
                "host": "server.example",
                "code": "AADSTS50126",
                "correlation_id": _ID,
                "remedy": "Check both.",
            },
        }
    ],
    "az-profile": [
        {
            "installationId": _ID,
            "subscriptions": [
                {
                    "id": _ID,
                    "tenantId": _ID,
                    "user": {"name": name, "type": "user"},
                    "isDefault": name == "a@b.c",
                }
                for name in ("x@b.c", "a@b.c")
            ],
        }
    ],
}

_TEXTS: dict[str, list[str]] = {
    "mex": [mex_documents.ping(), mex_documents.okta()],
    "assertion": [
        _rstr(WsTrustVersion.V13, "1.0"),
        _rstr(WsTrustVersion.V2005, "2.0"),
        _FAULT12,
    ],
    "fault": [_FAULT12, _FAULT11],
    "token-file": [
        "aks-noninteractive token 1\n1790000000\n2026-09-21T13:33:20Z\n1790000300\n1789990000\n"
        f"{profile}\na.b.c\nend\n"
        for profile in ("", "1 2 3 /nowhere/azureProfile.json")
    ],
    "refresh-file": [
        "aks-noninteractive refresh 1\nplain\n0.token\n",
        "aks-noninteractive refresh 1\ndpapi\nQQ==\n",
    ],
    "plugin-arguments": ["\n".join(_ENTRY.arguments()), "--login=spn\n--python-path\n/x"],
    "kubeconfig": [
        "a: &x {b: [*y]}\n".replace("*y", "1e3") + "c: *x\n<<: {yes: no}\n1:20: 0123\n"
        "'users': [{name: \"shop-user\", user: {token: !!str x}}]\nd: 2020-01-01\ne: |\n  text\n"
    ],
}
SAMPLES: dict[str, list[bytes]] = {
    name: [json.dumps(tree).encode() for tree in TREES.get(name, [])]
    + [text.encode() for text in _TEXTS.get(name, [])]
    for name in sorted({*TREES, *_TEXTS})
}
