"""The Azure clouds: where each signs in, and where its Resource Manager is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from .errors import UsageError

AKS_SERVER_ID = "6dae42f8-4368-4678-94ff-3960e28e3630"
AKS_CLIENT_ID = "80faf920-1908-4b52-b5ef-a8e7bedfc67a"
AZURE_CLI_CLIENT_ID = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"


@dataclass(frozen=True)
class Cloud:
    """One Azure cloud.

    name: as kubeconfigs call it, for example "AzurePublicCloud".
    authority_host: base URL of Microsoft Entra, without a slash at the end.
    resource_manager: base URL of Azure Resource Manager, without a slash at the end.
    arm_audience: the resource id that a token for Azure Resource Manager is asked for.
    """

    name: str
    authority_host: str
    resource_manager: str
    arm_audience: str

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


# name in kubeconfigs, name in az, authority, Resource Manager, its audience
_CLOUDS = (
    (
        "AzurePublicCloud",
        "AzureCloud",
        "https://login.microsoftonline.com",
        "https://management.azure.com",
        "https://management.core.windows.net/",
    ),
    (
        "AzureUSGovernmentCloud",
        "AzureUSGovernment",
        "https://login.microsoftonline.us",
        "https://management.usgovcloudapi.net",
        "https://management.core.usgovcloudapi.net/",
    ),
    (
        "AzureChinaCloud",
        "AzureChinaCloud",
        "https://login.chinacloudapi.cn",
        "https://management.chinacloudapi.cn",
        "https://management.core.chinacloudapi.cn/",
    ),
)
KNOWN_CLOUDS = {
    row[0]: Cloud(name=row[0], authority_host=row[2], resource_manager=row[3], arm_audience=row[4])
    for row in _CLOUDS
}
_BY_ANY_NAME = {name.lower(): KNOWN_CLOUDS[row[0]] for row in _CLOUDS for name in row[:2]}
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
    )


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
