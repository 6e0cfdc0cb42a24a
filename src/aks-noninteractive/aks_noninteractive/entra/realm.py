"""User realm: is a user managed by Entra, or federated with an identity provider.

`GET {authority}/common/userrealm/{upn}?api-version=1.0`, as msal and adal ask it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ..errors import AuthenticationError, ResponseError, UsageError, quote_server
from .http import HttpClient, HttpResponse

STEP = "user realm"
DEFAULT_AUDIENCE = "urn:federation:MicrosoftOnline"


@dataclass(frozen=True)
class UserRealm:
    """What Entra knows about the domain of a user name; fields as in the answer, "" if absent."""

    account_type: str
    domain_name: str = ""
    federation_protocol: str = ""
    federation_metadata_url: str = ""
    federation_active_auth_url: str = ""
    cloud_audience_urn: str = DEFAULT_AUDIENCE
    cloud_instance_name: str = ""

    @property
    def is_managed(self) -> bool:
        """Entra itself checks the password."""
        return self.account_type.lower() == "managed"

    @property
    def is_federated(self) -> bool:
        """Another identity provider checks the password."""
        return self.account_type.lower() == "federated"


def discover_user_realm(http: HttpClient, authority_host: str, username: str) -> UserRealm:
    """Ask which realm username (a UPN) belongs to.

    Raises NetworkError, ResponseError, and AuthenticationError for a realm that no password can
    sign in to: an unknown one, or one without WS-Trust.
    """
    try:
        username.encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError(
            "the user name is not UTF-8", remedy="Check how the user name is passed."
        ) from None
    url = f"{authority_host}/common/userrealm/{quote(username, safe='')}?api-version=1.0"
    response = http.get(url, step=STEP)
    realm = parse_user_realm(response)
    if not realm.is_managed and not realm.is_federated:
        raise AuthenticationError(
            f"Entra does not know the domain of {username!r} (account type "
            f"{realm.account_type or 'missing'!r})",
            step=STEP,
            host=response.host,
            remedy="Check the user name: it is the user principal name, like name@domain, in this "
            "cloud.",
        )
    if realm.is_federated and realm.federation_protocol.lower() not in ("wstrust", ""):
        raise AuthenticationError(
            f"the domain {realm.domain_name!r} is federated by "
            f"{quote_server(realm.federation_protocol)}, which has no "
            "sign-in without a browser (only WS-Trust has)",
            step=STEP,
            host=response.host,
            remedy="Use another identity: a service principal (az login --service-principal), a "
            "workload identity, or a user that Entra manages.",
        )
    return realm


def parse_user_realm(response: HttpResponse) -> UserRealm:
    """The realm in an answer. Raises NetworkError for a busy server, ResponseError otherwise."""
    if busy := response.busy(STEP):
        raise busy
    if response.status != 200:
        raise ResponseError(
            f"answered {response.describe()}",
            step=STEP,
            host=response.host,
            remedy="Check the user name and the cloud's authority host.",
        )
    fields = response.json_object(STEP)

    def text(name: str, default: str = "") -> str:
        value: Any = fields.get(name)
        return value.strip() if isinstance(value, str) and value.strip() else default

    return UserRealm(
        account_type=text("account_type"),
        domain_name=text("domain_name"),
        federation_protocol=text("federation_protocol"),
        federation_metadata_url=text("federation_metadata_url"),
        federation_active_auth_url=text("federation_active_auth_url"),
        cloud_audience_urn=text("cloud_audience_urn", DEFAULT_AUDIENCE),
        cloud_instance_name=text("cloud_instance_name"),
    )
