"""Kubeconfigs as Azure and kubectl write them, and strategies that make up others."""

from __future__ import annotations

from typing import Any

import jwt
from hypothesis import strategies as st

from aks_noninteractive.kubeconfig.document import dump

SERVER = "https://shop-dns-1a2b3c4d.hcp.westeurope.azmk8s.io:443"
ANOTHER_SERVER = "https://shop-dns-9f8e7d6c.hcp.northeurope.azmk8s.io:443"
SERVER_ID = "6dae42f8-4368-4678-94ff-3960e28e3630"
CLIENT_ID = "80faf920-1908-4b52-b5ef-a8e7bedfc67a"
TENANT_ID = "11111111-2222-3333-4444-555555555555"
CLOUD = "AzurePublicCloud"

KUBELOGIN = {
    "exec": {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "args": ["get-token", "--server-id", SERVER_ID, "--tenant-id", TENANT_ID],
        "command": "kubelogin",
        "env": None,
    }
}
AUTH_PROVIDER_CONFIG = {
    "apiserver-id": SERVER_ID,
    "client-id": CLIENT_ID,
    "config-mode": "1",
    "environment": CLOUD,
    "tenant-id": TENANT_ID,
}
CERTIFICATE = {"client-certificate-data": "Q0VSVA==", "client-key-data": "S0VZ"}


def document(
    *,
    context: str = "shop",
    cluster: str = "shop",
    user: str = "clusterUser_rg_shop",
    server: str = SERVER,
    cluster_fields: dict[str, Any] | None = None,
    context_fields: dict[str, Any] | None = None,
    user_fields: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A kubeconfig of one cluster, its keys in kubectl's order."""
    return {
        "apiVersion": "v1",
        "clusters": [{"cluster": {"server": server, **(cluster_fields or {})}, "name": cluster}],
        "contexts": [
            {
                "context": {"cluster": cluster, "user": user, **(context_fields or {})},
                "name": context,
            }
        ],
        "current-context": context,
        "kind": "Config",
        "preferences": {},
        "users": [{"name": user, "user": user_fields or {}}],
    }


def skeleton_text(user_fields: dict[str, Any]) -> str:
    """What Azure hands out for a cluster whose user entry holds user_fields."""
    return dump(document(user_fields=user_fields))


def token_of(oid: str, *, tid: str = TENANT_ID, **claims: Any) -> str:
    """An access token of the user with that object id."""
    return jwt.encode({"oid": oid, "tid": tid, **claims}, "k" * 32, algorithm="HS256")


# Anything that YAML can say with string keys, its keys often those that mean something here.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_WORDS = """
    apiVersion kind clusters contexts users current-context name cluster context user server token
    exec args --server-id --pop-enabled auth-provider config azure apiserver-id client-certificate
    shop https://shop extensions namespace
""".split()  # noqa: SIM905
KEYS = st.sampled_from(_WORDS) | TEXT
VALUES = st.recursive(
    st.none() | KEYS,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(KEYS, children, max_size=4),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=5)


_NAMES = st.sampled_from(["shop", "clusterUser_rg_shop", "other"]) | VALUES
_CONTENTS = {
    "cluster": {"server": st.sampled_from([SERVER, ANOTHER_SERVER]) | VALUES, "extensions": VALUES},
    "context": {"cluster": _NAMES, "user": _NAMES, "namespace": VALUES},
    "user": {"token": VALUES, "exec": DOCUMENTS, "auth-provider": DOCUMENTS, "tokenFile": VALUES},
}


def _section(kind: str) -> st.SearchStrategy[Any]:
    content = st.fixed_dictionaries({}, optional=_CONTENTS[kind]) | VALUES
    entry = st.fixed_dictionaries({"name": _NAMES}, optional={kind: content, "unknown": VALUES})
    return VALUES | st.lists(entry | VALUES, max_size=4)


# Documents that are nearly kubeconfigs, damaged here and there.
KUBECONFIGS = st.builds(
    lambda extra, sections: {**extra, **sections},
    DOCUMENTS,
    st.fixed_dictionaries({}, optional={f"{kind}s": _section(kind) for kind in _CONTENTS}),
)
