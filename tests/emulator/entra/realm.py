"""User realm discovery: Managed or Federated, by the domain of the user name."""

from __future__ import annotations

from ..directory import MICROSOFT_ONLINE, Directory, domain_of


def realm(directory: Directory, upn: str) -> dict[str, str]:
    """The answer for a user name; the user need not exist."""
    domain = domain_of(upn)
    common = {
        "ver": "1.0",
        "cloud_instance_name": "microsoftonline.com",
        "cloud_audience_urn": MICROSOFT_ONLINE,
    }
    federation = directory.federations.get(domain)
    if federation is not None:
        answer = {
            **common,
            "account_type": "Federated",
            "domain_name": domain,
            "federation_protocol": federation.config.protocol,
            "federation_metadata_url": federation.metadata_url,
            "federation_active_auth_url": federation.active_url,
            "cloud_audience_urn": federation.config.audience,
        }
        if federation.config.protocol == "SAML20":
            del answer["federation_metadata_url"], answer["federation_active_auth_url"]
        return answer
    if domain in directory.domains:
        return {**common, "account_type": "Managed", "domain_name": domain}
    return {"ver": "1.0", "account_type": "Unknown"}
