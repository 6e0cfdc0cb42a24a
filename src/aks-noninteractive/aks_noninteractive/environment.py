"""Every environment variable that this package reads, once, and what each stands for."""

from __future__ import annotations

from collections.abc import Mapping

# Identity of a user.
USERNAME = ("AZURE_USERNAME", "AAD_USER_PRINCIPAL_NAME")
PASSWORD = ("AZURE_PASSWORD", "AAD_USER_PRINCIPAL_PASSWORD")

# Which login to use, with kubelogin's names for the values.
LOGIN_METHOD = "AAD_LOGIN_METHOD"

TENANT = ("AZURE_TENANT_ID",)

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
