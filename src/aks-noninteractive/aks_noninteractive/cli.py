"""azaksauth: the same job as `az aks get-credentials-noninteractive`, for a host without az."""

from __future__ import annotations

import argparse
import getpass
import json
import logging
import os
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from . import VERSION, environment
from .arguments import check_subscription_id, read_skeleton, strip_line_end
from .errors import AksAuthError, DependencyError, UsageError

PROGRAM = "azaksauth"
# import name -> distribution, of what the extra [standalone] brings
_DEPENDENCIES = {
    "azure.mgmt.core": "azure-mgmt-core",
    "msal": "msal",
    "msal_extensions": "msal-extensions",
    "portalocker": "portalocker",
    "requests": "requests",
    "yaml": "PyYAML",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 on success, 1 on failure, 2 for wrong usage, 130 after Ctrl-C."""
    try:
        parsed = _parser().parse_args(arguments)
        _set_up_logging(parsed)
        result = _get_credentials(parsed)
        if result is not None:
            print(json.dumps(result, indent=2, ensure_ascii=False))
        sys.stdout.flush()
        return 0
    except ModuleNotFoundError as error:
        return _report(_missing_dependencies(error))
    except AksAuthError as error:
        return _report(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def _report(error: AksAuthError) -> int:
    print(f"{PROGRAM}: {error}", file=sys.stderr)
    if error.remedy:
        print(error.remedy, file=sys.stderr)
    return 2 if isinstance(error, UsageError) else 1


def _missing_dependencies(error: ModuleNotFoundError) -> DependencyError:
    missing = [name for module, name in _DEPENDENCIES.items() if not _is_installed(module)]
    if not missing:
        raise error
    return DependencyError(
        f"Python packages are missing: {', '.join(missing)}",
        remedy="Install them with: pip install 'aks-noninteractive[standalone]'",
    )


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a parent package
        return False


def _get_credentials(parsed: argparse.Namespace) -> dict[str, Any] | None:
    from .clouds import PUBLIC_CLOUD, cloud_named
    from .entra.http import HttpClient
    from .kubeconfig.store import kubeconfig_path
    from .providers import Surroundings, resolve
    from .providers.base import IdentityOptions, SignInContext
    from .sequence import Output, SignIn, get_credentials

    environ = os.environ
    _check_cluster_arguments(parsed)
    cloud = cloud_named(parsed.environment) if parsed.environment else PUBLIC_CLOUD
    cloud = cloud.with_hosts(parsed.authority_host, parsed.resource_manager)
    context = SignInContext(HttpClient(), cloud, time.time)
    options = IdentityOptions(
        login=parsed.login,
        username=parsed.username,
        password=_expand_file(parsed.password, "--password"),
        tenant=parsed.tenant or environment.first_of(environ, environment.TENANT),
        client_id=parsed.client_id,
    )

    def az_login() -> Any:
        from .providers.azurecli import AzureCliProvider

        return AzureCliProvider(context, parsed.subscription)

    surroundings = Surroundings(
        context=context,
        environ=environ,
        az_login=az_login,
        ask_password=getpass.getpass if sys.stdin.isatty() else None,
    )
    sign_in = SignIn(resolve(options, surroundings), options)

    def fetch() -> bytes:
        from .arm import ClusterCredentialClient, FunctionCredential

        client = ClusterCredentialClient(
            FunctionCredential(lambda: sign_in.arm_token(cloud.arm_audience)),
            parsed.subscription,
            cloud.resource_manager,
        )
        return client.list_cluster_user_credential(
            parsed.resource_group, parsed.cluster_name, public_fqdn=parsed.public_fqdn
        )

    output = Output(
        path=None if parsed.file == "-" else kubeconfig_path(parsed.file, environ),
        format=parsed.format,
        context=parsed.context,
        overwrite_existing=parsed.overwrite_existing,
    )
    return get_credentials(
        sign_in, read_skeleton(parsed.skeleton) if parsed.skeleton else fetch, output
    )


def _check_cluster_arguments(parsed: argparse.Namespace) -> None:
    if parsed.skeleton:
        return
    missing = [
        option
        for option in ("subscription", "resource_group", "cluster_name")
        if not getattr(parsed, option)
    ]
    if missing:
        options = ", ".join("--" + option.replace("_", "-") for option in missing)
        raise UsageError(
            f"{options} {'is' if len(missing) == 1 else 'are'} required",
            remedy="Name the cluster, or pass its kubeconfig with --skeleton.",
        )
    check_subscription_id(parsed.subscription)


def _expand_file(value: str | None, option: str) -> str | None:
    """The content of FILE for a value @FILE, of standard input for @-, as az has it."""
    if value is None or not value.startswith("@"):
        return value
    name = value[1:]
    try:
        if name == "-":
            content = sys.stdin.read()
        else:
            with open(name, encoding="utf-8-sig", newline="") as file:
                content = file.read()
    except (OSError, ValueError) as error:
        raise UsageError(
            f"the file of {option} @{name} cannot be read: "
            f"{getattr(error, 'strerror', None) or 'it is not text in UTF-8'}",
            remedy="A value that begins with @ is the name of a file.",
        ) from None
    return strip_line_end(content)


def _set_up_logging(parsed: argparse.Namespace) -> None:
    if parsed.verbose or parsed.debug:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter(f"{PROGRAM}: %(message)s"))
        logger = logging.getLogger(__package__)
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG if parsed.debug else logging.INFO)


_EPILOG = """\
examples:
  A user that Entra manages, the password in a variable:
    AZURE_PASSWORD=... azaksauth --subscription ID --resource-group rg --cluster-name c1 \\
        --tenant contoso.example --username mia@contoso.example

  A user federated with AD FS, the password in a file:
    azaksauth --subscription ID --resource-group rg --cluster-name c1 \\
        --tenant contoso.example --username fay@fed.example --password @/run/secrets/fay

  Where Conditional Access guards Azure Resource Manager, with a kubeconfig fetched by others:
    azaksauth --skeleton skeleton.yaml --username mia@contoso.example --password @pw

A password given as a plain argument can be read by every process of the machine: pass it by
variable (AZURE_PASSWORD), as @FILE, or at the prompt.
"""


def _parser() -> argparse.ArgumentParser:
    from .kubeconfig.formats import DEFAULT_FORMAT, FORMATS
    from .providers import LOGINS

    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Get a working kubeconfig for an Entra-integrated AKS cluster, with no person "
        "in the loop.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {VERSION}")
    parser.add_argument("--verbose", action="store_true", help="say on stderr what is done and why")
    parser.add_argument("--debug", action="store_true", help="say on stderr every request")

    cluster = parser.add_argument_group("cluster")
    cluster.add_argument("--subscription", metavar="ID", help="id of the cluster's subscription")
    cluster.add_argument("--resource-group", "-g", metavar="NAME")
    cluster.add_argument("--cluster-name", "--name", "-n", metavar="NAME")
    cluster.add_argument(
        "--skeleton",
        metavar="FILE",
        help="a kubeconfig of the cluster that someone else fetched, - for standard input; Azure "
        "Resource Manager is not asked then",
    )
    cluster.add_argument(
        "--public-fqdn", action="store_true", help="the public address of a private cluster"
    )

    identity = parser.add_argument_group("identity")
    identity.add_argument(
        "--login",
        "-l",
        default="auto",
        metavar="MODE",
        help=f"one of {', '.join(LOGINS)} (default: auto, the first that is complete)",
    )
    identity.add_argument(
        "--username", "-u", metavar="UPN", help="user principal name (or AZURE_USERNAME)"
    )
    identity.add_argument(
        "--password",
        "-p",
        metavar="@FILE",
        help="the user's password (or AZURE_PASSWORD; asked for at a terminal)",
    )
    identity.add_argument(
        "--tenant", "-t", metavar="ID", help="tenant of the subscription (or AZURE_TENANT_ID)"
    )
    identity.add_argument(
        "--client-id", metavar="ID", help="public client to sign in to the API server with"
    )

    cloud = parser.add_argument_group("cloud")
    cloud.add_argument("--environment", "-e", metavar="CLOUD", help="default: AzurePublicCloud")
    cloud.add_argument("--authority-host", metavar="URL", help="of a private or emulated cloud")
    cloud.add_argument("--resource-manager", metavar="URL", help="of a private or emulated cloud")

    output = parser.add_argument_group("kubeconfig")
    output.add_argument(
        "--format",
        default=DEFAULT_FORMAT,
        choices=FORMATS,
        help=f"of the user entry (default: {DEFAULT_FORMAT})",
    )
    output.add_argument(
        "--file",
        "-f",
        metavar="PATH",
        help="kubeconfig to merge into, - for standard output (default: the first of KUBECONFIG, "
        "else ~/.kube/config)",
    )
    output.add_argument("--context", metavar="NAME", help="name of context, cluster and user")
    output.add_argument(
        "--overwrite-existing",
        action="store_true",
        help="replace an entry of the same name that belongs to another server",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
