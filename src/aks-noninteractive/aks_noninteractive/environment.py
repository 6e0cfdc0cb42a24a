"""Every environment variable that this package reads, once, and what each stands for.

Where there are several for one thing, the first that is set counts.
"""

from __future__ import annotations

from collections.abc import Mapping

# Identity of a user. A password belongs to the name in the same place.
USERNAME = ("AZURE_USERNAME", "AAD_USER_PRINCIPAL_NAME")
PASSWORD = ("AZURE_PASSWORD", "AAD_USER_PRINCIPAL_PASSWORD")

# Which login to use, with kubelogin's names for the values.
LOGIN_METHOD = "AAD_LOGIN_METHOD"

# Identity of an application. Terraform's ARM_ variables count only where a login by service
# principal is asked for.
TENANT = ("AZURE_TENANT_ID",)
CLIENT_ID = ("AZURE_CLIENT_ID", "AAD_SERVICE_PRINCIPAL_CLIENT_ID")
CLIENT_SECRET = ("AZURE_CLIENT_SECRET", "AAD_SERVICE_PRINCIPAL_CLIENT_SECRET")
CLIENT_CERTIFICATE = ("AZURE_CLIENT_CERTIFICATE_PATH", "AAD_SERVICE_PRINCIPAL_CLIENT_CERTIFICATE")
CLIENT_CERTIFICATE_PASSWORD = (
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "AAD_SERVICE_PRINCIPAL_CLIENT_CERTIFICATE_PASSWORD",
)
TERRAFORM_TENANT = "ARM_TENANT_ID"
TERRAFORM_CLIENT_ID = "ARM_CLIENT_ID"
TERRAFORM_CLIENT_SECRET = "ARM_CLIENT_SECRET"
TERRAFORM_CLIENT_CERTIFICATE = "ARM_CLIENT_CERTIFICATE_PATH"
TERRAFORM_CLIENT_CERTIFICATE_PASSWORD = "ARM_CLIENT_CERTIFICATE_PASSWORD"

# Workload identity, as AKS' webhook sets it.
FEDERATED_TOKEN_FILE = ("AZURE_FEDERATED_TOKEN_FILE",)
AUTHORITY_HOST = "AZURE_AUTHORITY_HOST"

# GitHub Actions, in a job with `permissions: id-token: write`.
GITHUB_REQUEST_URL = "ACTIONS_ID_TOKEN_REQUEST_URL"
GITHUB_REQUEST_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"

# Azure Pipelines. The AZURESUBSCRIPTION_ ones are those of the AzureCLI task's service connection.
PIPELINES_REQUEST_URI = "SYSTEM_OIDCREQUESTURI"
PIPELINES_ACCESS_TOKEN = "SYSTEM_ACCESSTOKEN"
PIPELINES_CLIENT_ID = ("AZURESUBSCRIPTION_CLIENT_ID", "AZURE_CLIENT_ID")
PIPELINES_TENANT = ("AZURESUBSCRIPTION_TENANT_ID", "AZURE_TENANT_ID")
PIPELINES_CONNECTION = ("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID",)

# What App Service wants to see in a request for its managed identity's token.
IDENTITY_HEADER = "IDENTITY_HEADER"

# Where the kubeconfig is, as kubectl reads it.
KUBECONFIG = "KUBECONFIG"

# Where tokens are stored, instead of below ~/.kube/cache.
CACHE_DIRECTORY = "AKS_NONINTERACTIVE_CACHE_DIR"

# az's own switch to check no certificates.
DISABLE_VERIFICATION = "AZURE_CLI_DISABLE_CONNECTION_VERIFICATION"

# Where az keeps its login.
AZURE_CONFIG_DIRECTORY = "AZURE_CONFIG_DIR"

# Set to "True" in every Azure Pipelines job.
TF_BUILD = "TF_BUILD"


def first_of(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    """The value of the first of names that is set and not empty, None without one."""
    return next((environ[name] for name in names if environ.get(name)), None)
