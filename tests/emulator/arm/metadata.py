"""`/metadata/endpoints`: what `az cloud register --endpoint-resource-manager` reads."""

from __future__ import annotations

from typing import Any


def endpoints(authority_host: str, resource_manager: str, audience: str) -> dict[str, Any]:
    """The document of api-version 2022-09-01 for this cloud."""
    return {
        "name": "EmulatedCloud",
        "portal": "https://localhost",
        "authentication": {
            "loginEndpoint": authority_host,
            "audiences": [audience],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "resourceManager": resource_manager,
        "graphAudience": "https://graph.windows.net/",
        "microsoftGraphResourceId": "https://graph.microsoft.com/",
        "gallery": "https://localhost/gallery/",
        "batch": "https://batch.core.windows.net/",
        "media": "https://rest.media.azure.net",
        "sqlManagement": "https://management.core.windows.net:8443/",
        "vmImageAliasDoc": "https://localhost/aliases.json",
        "activeDirectoryDataLake": "https://datalake.azure.net/",
        "ossrdbmsResourceId": "https://ossrdbms-aad.database.windows.net",
        "logAnalyticsResourceId": "https://api.loganalytics.io",
        "appInsightsResourceId": "https://api.applicationinsights.io",
        "suffixes": {
            "acrLoginServer": "azurecr.emulated",
            "keyVaultDns": "vault.emulated",
            "sqlServerHostname": "database.emulated",
            "storage": "core.emulated",
            "mhsmDns": "managedhsm.emulated",
        },
    }
