"""The Azure clouds: where each signs in, and where its Resource Manager is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from .errors import UsageError

AKS_CLIENT_ID = "80faf920-1908-4b52-b5ef-a8e7bedfc67a"
AZURE_CLI_CLIENT_ID = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"


@dataclass(frozen=True)
class Cloud:
    """One Azure cloud.

    name: as kubeconfigs call it, for example "AzurePublicCloud".
    authority_host: base URL of Microsoft Entra, without a slash at the end.
    resource_manager: base URL of Azure Resource Manager, without a slash at the end.
    arm_audience: the resource id that a token for Azure Resource Manager is asked for.
    exchange_audience: what a token from elsewhere has to be meant for, to be exchanged for one.
    """

    name: str
    authority_host: str
    resource_manager: str
    arm_audience: str
    exchange_audience: str = "api://AzureADTokenExchange"

    @property
    def is_known(self) -> bool:
        """One of Azure's own clouds, perhaps with other hosts."""
        return self.name in KNOWN_CLOUDS

    @property
    def az_name(self) -> str:
        """What az calls it."""
        return _AZ_NAMES.get(self.name, self.name)

    def with_hosts(self, authority_host: str | None, resource_manager: str | None) -> Cloud:
        """A copy with other hosts, for a private or emulated cloud.

        Raises UsageError where a host is not an https URL.
        """
        return replace(
            self,
            authority_host=https_base(authority_host or self.authority_host, "authority host"),
            resource_manager=https_base(
                resource_manager or self.resource_manager, "Resource Manager"
            ),
        )


# name in kubeconfigs, name in az, authority, Resource Manager, its audience, exchange audience,
# and how a user realm calls the cloud of a user
_CLOUDS = (
    (
        "AzurePublicCloud",
        "AzureCloud",
        "https://login.microsoftonline.com",
        "https://management.azure.com",
        "https://management.core.windows.net/",
        "api://AzureADTokenExchange",
        ("microsoftonline.com",),
    ),
    (
        "AzureUSGovernmentCloud",
        "AzureUSGovernment",
        "https://login.microsoftonline.us",
        "https://management.usgovcloudapi.net",
        "https://management.core.usgovcloudapi.net/",
        "api://AzureADTokenExchangeUSGov",
        ("microsoftonline.us",),
    ),
    (
        "AzureChinaCloud",
        "AzureChinaCloud",
        "https://login.chinacloudapi.cn",
        "https://management.chinacloudapi.cn",
        "https://management.core.chinacloudapi.cn/",
        "api://AzureADTokenExchangeChina",
        ("partner.microsoftonline.cn", "chinacloudapi.cn"),
    ),
)
KNOWN_CLOUDS = {
    name: Cloud(name, authority, resource_manager, arm_audience, exchange_audience)
    for name, _, authority, resource_manager, arm_audience, exchange_audience, _ in _CLOUDS
}
_AZ_NAMES = {row[0]: row[1] for row in _CLOUDS}
_BY_ANY_NAME = {name.lower(): KNOWN_CLOUDS[row[0]] for row in _CLOUDS for name in row[:2]}
_BY_INSTANCE = {instance: KNOWN_CLOUDS[row[0]] for row in _CLOUDS for instance in row[6]}
PUBLIC_CLOUD = KNOWN_CLOUDS["AzurePublicCloud"]


def cloud_named(name: str) -> Cloud:
    """The cloud of a kubeconfig's or az's name, compared without case; UsageError for others."""
    cloud = _BY_ANY_NAME.get(name.lower())
    if cloud is None:
        raise UsageError(
            f"no cloud is called {name!r}",
            remedy=f"Use one of {', '.join(KNOWN_CLOUDS)}, or give --authority-host and "
            "--resource-manager.",
        )
    return cloud


def cloud_from_az(
    az_name: str, authority_host: str, resource_manager: str, arm_audience: str
) -> Cloud:
    """The cloud as az has it configured, under a kubeconfig's name where az's name has one."""
    known = _BY_ANY_NAME.get(az_name.lower())
    return Cloud(
        name=known.name if known else az_name,
        authority_host=https_base(authority_host, "authority host"),
        resource_manager=https_base(resource_manager, "Resource Manager"),
        arm_audience=arm_audience,
        exchange_audience=(known or PUBLIC_CLOUD).exchange_audience,
    )


def cloud_of_instance(instance: str) -> Cloud | None:
    """The cloud that a user realm's cloud_instance_name means; None for an unknown one."""
    return _BY_INSTANCE.get(instance.lower())


def https_base(url: str, what: str) -> str:
    """url without a slash at its end; UsageError unless it is an https URL with a host."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme == "https" and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.username or parts.query or parts.fragment:
        raise UsageError(
            f"the {what} {url!r} is not an https URL",
            remedy="Give it as https://host[:port].",
        )
    return url.rstrip("/")
