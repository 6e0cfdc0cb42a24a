"""Keep the tests, and every process that they start, away from the machine's own settings.

A test must neither sign in with a developer's az login, nor write to the real ~/.kube, read the
variables of the pipeline that it runs in, or trust other certificates than those it names itself.
All this comes from the environment, which child processes inherit; so it is put right once, here,
before anything else is imported.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_PREFIXES = (
    # identities, and the settings of az, azaksauth, kubectl and Helm
    "AAD_",
    "ACTIONS_ID_TOKEN_",
    "AKS_NONINTERACTIVE_",
    "ARM_",
    "AZURE_",
    "AZURESUBSCRIPTION_",
    "HELM_",
    "IDENTITY_",
    "IMDS_",
    "KUBE",
    "MSI_",
    "SYSTEM_",
    # where programs look for their files, before they look in the home folder
    "XDG_",
)
_NAMES = {
    "ADAL_PYTHON_SSL_NO_VERIFY",
    "IDTOKEN",
    "SERVICEPRINCIPALID",
    "SERVICEPRINCIPALKEY",
    "TENANTID",
    "TF_BUILD",
    # the way to the user's keyring
    "DBUS_SESSION_BUS_ADDRESS",
}
_CERTIFICATES = {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"}
_PROXIES = {"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"}


def isolate() -> None:
    """Give this process, and so its children, a clean environment and an empty home folder."""
    # pip alone still reaches its index the machine's way: through variables that only pip reads.
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        if name in os.environ:
            os.environ.setdefault("PIP_CERT", os.environ[name])
    for name in ("HTTPS_PROXY", "https_proxy"):
        if name in os.environ:
            os.environ.setdefault("PIP_PROXY", os.environ[name])

    for name in list(os.environ):
        upper = name.upper()
        if upper.startswith(_PREFIXES) or upper in _NAMES | _CERTIFICATES | _PROXIES:
            del os.environ[name]

    home = Path(tempfile.mkdtemp(prefix="aks-noninteractive-home-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ["HOME"] = str(home)
    if os.name == "nt":
        os.environ["USERPROFILE"] = str(home)
        os.environ["APPDATA"] = str(home / "AppData" / "Roaming")
        os.environ["LOCALAPPDATA"] = str(home / "AppData" / "Local")
    os.environ["AZURE_CONFIG_DIR"] = str(home / ".azure")
    os.environ["AZURE_CORE_COLLECT_TELEMETRY"] = "no"
