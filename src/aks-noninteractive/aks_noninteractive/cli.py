"""azaksauth: the same job as `az aks get-credentials-noninteractive`, for a host without az."""

from __future__ import annotations

import argparse
import getpass
import json
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from . import VERSION, environment
from .arguments import (
    STANDARD_STREAM,
    check_subscription_id,
    command_line,
    parse_provider_options,
    read_skeleton,
    strip_line_end,
)
from .errors import AksAuthError, DependencyError, UsageError

if TYPE_CHECKING:
    from .clouds import Cloud
    from .providers.base import IdentityOptions, SignInContext
    from .sequence import SignIn

PROGRAM = "azaksauth"
# import name -> distribution, of what the extra [standalone] brings
_DEPENDENCIES = {
    "azure.mgmt.core": "azure-mgmt-core",
    "msal": "msal",
    "msal_extensions": "msal-extensions",
    "requests": "requests",
    "yaml": "PyYAML",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 on success, 1 on failure, 2 for wrong usage, 130 if interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if words[:1] == ["get-token"]:
            _get_token(words[1:])
        elif words[:1] == ["logout"]:
            _print(_log_out(words[1:]))
        else:
            _print(_get_credentials(words))
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


def _print(result: dict[str, Any] | None) -> None:
    if result is not None:
        print(json.dumps(result, indent=2))


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


def _get_credentials(words: list[str]) -> dict[str, Any] | None:
    parser = _credentials_parser()
    parsed = parser.parse_args(words)
    _set_up_logging(parsed)
    if not parsed.skeleton:
        _check_cluster_arguments(parsed)

    from .exec_plugin.token_cache import cache_directory
    from .kubeconfig.store import kubeconfig_path
    from .providers import resolve
    from .sequence import Output, SignIn, get_credentials

    options = _identity_options(parsed)
    skeleton = read_skeleton(parsed.skeleton) if parsed.skeleton else None
    cloud = _cloud(parsed, skeleton)
    sign_in = SignIn(resolve(options, _context(cloud, options, parsed.subscription)))
    output = Output(
        path=None if parsed.file == STANDARD_STREAM else kubeconfig_path(parsed.file, os.environ),
        format=parsed.format,
        context=parsed.context,
        overwrite_existing=parsed.overwrite_existing,
        cache=cache_directory(os.environ),
        renewal=command_line(PROGRAM, _given_options(parser, parsed)),
    )
    return get_credentials(
        sign_in,
        skeleton if skeleton is not None else lambda: _fetch_skeleton(parsed, cloud, sign_in),
        output,
    )


def _check_cluster_arguments(parsed: argparse.Namespace) -> None:
    names = ("subscription", "resource_group", "cluster_name")
    _require(parsed, names, "Name the cluster, or pass its kubeconfig with --skeleton.")
    check_subscription_id(parsed.subscription)


def _require(parsed: argparse.Namespace, names: tuple[str, ...], remedy: str) -> None:
    missing = [name for name in names if not getattr(parsed, name)]
    if missing:
        options = ", ".join("--" + name.replace("_", "-") for name in missing)
        verb = "is" if len(missing) == 1 else "are"
        raise UsageError(f"{options} {verb} required", remedy=remedy)


def _identity_options(parsed: argparse.Namespace) -> IdentityOptions:
    from .providers.base import IdentityOptions

    secrets = ("password", "client_secret", "client_cert_password")
    return IdentityOptions(
        login=parsed.login,
        username=parsed.username,
        tenant=parsed.tenant,
        client_id=parsed.client_id,
        client_certificate=parsed.client_certificate,
        federated_token_file=parsed.federated_token_file,
        identity_resource=parsed.identity_resource,
        service_connection_id=parsed.service_connection_id,
        provider_options=parse_provider_options(parsed.provider_option),
        **{name: _expand_file(getattr(parsed, name), name) for name in secrets},
    )


def _cloud(parsed: argparse.Namespace, skeleton: bytes | None) -> Cloud:
    """The cloud that is named, else that of the skeleton, else the public one."""
    from .clouds import KNOWN_CLOUDS, PUBLIC_CLOUD, cloud_named
    from .kubeconfig.skeleton import parse_skeleton

    host = parsed.authority_host
    cloud = PUBLIC_CLOUD
    if parsed.environment:
        cloud = cloud_named(parsed.environment)
    elif skeleton is not None:
        entra = parse_skeleton(skeleton).entra
        cloud = KNOWN_CLOUDS.get(entra.environment if entra else "", PUBLIC_CLOUD)
    if not host and cloud is PUBLIC_CLOUD:
        host = os.environ.get(environment.AUTHORITY_HOST)
    return cloud.with_hosts(host, parsed.resource_manager)


def _context(cloud: Cloud, options: IdentityOptions, subscription: str | None) -> SignInContext:
    from .entra.http import HttpClient
    from .exec_plugin.az_profile import config_directory, read_accounts
    from .providers.azurecli import AzureCliProvider
    from .providers.base import SignInContext

    http = HttpClient(verify=not os.environ.get(environment.DISABLE_VERIFICATION))
    context = SignInContext(
        http,
        cloud,
        time.time,
        os.environ,
        ask_password=_ask_password if sys.stdin.isatty() else None,
    )

    directory = config_directory(os.environ)
    if not shutil.which("az") or not read_accounts(directory):
        return context

    def az_login() -> AzureCliProvider:
        return AzureCliProvider(options, context, directory=directory, subscription=subscription)

    return replace(context, az_login=az_login)


def _ask_password(prompt: str) -> str:
    # After Ctrl-C, getpass has to let the terminal echo again.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return getpass.getpass(prompt)
    finally:
        signal.signal(signal.SIGINT, before)


def _fetch_skeleton(parsed: argparse.Namespace, cloud: Cloud, sign_in: SignIn) -> bytes:
    from .arm import ClusterCredentialClient, FunctionCredential

    client = ClusterCredentialClient(
        FunctionCredential(lambda: sign_in.arm_token(cloud.arm_audience)),
        parsed.subscription,
        cloud.resource_manager,
        connection_verify=not os.environ.get(environment.DISABLE_VERIFICATION),
    )
    return client.list_cluster_user_credential(
        parsed.resource_group, parsed.cluster_name, public_fqdn=parsed.public_fqdn
    )


def _given_options(
    parser: argparse.ArgumentParser, parsed: argparse.Namespace
) -> Mapping[str, Any]:
    """The options as they were given, for a person to repeat; a secret only as @FILE."""
    options = {
        f"--{name.replace('_', '-')}": value
        for name, value in vars(parsed).items()
        if value != parser.get_default(name) and name not in ("verbose", "debug")
    }
    for secret in ("--password", "--client-secret", "--client-cert-password"):
        if not options.get(secret, "").startswith("@"):
            options.pop(secret, None)
    return options


def _get_token(words: list[str]) -> None:
    parsed = _token_parser().parse_args(words)
    _require(parsed, ("login", "tenant_id", "server_id"), "Take them from the kubeconfig's entry.")

    from .clouds import AKS_CLIENT_ID, PUBLIC_CLOUD
    from .exec_plugin.entry import from_parsed
    from .exec_plugin.renew import credential_of, good_token
    from .exec_plugin.token_cache import TokenFiles, cache_directory

    parsed.authority_host = parsed.authority_host or PUBLIC_CLOUD.authority_host
    if parsed.username:
        parsed.client_id = parsed.client_id or AKS_CLIENT_ID
    entry = from_parsed(parsed)
    stored = good_token(entry, TokenFiles.of(cache_directory(os.environ), entry), os.environ)
    if parsed.output == "token":
        print(stored.token)
    else:
        sys.stdout.buffer.write(credential_of(stored))


def _log_out(words: list[str]) -> dict[str, Any]:
    parsed = _logout_parser().parse_args(words)

    from .exec_plugin.logout import log_out, log_out_all
    from .exec_plugin.token_cache import cache_directory
    from .kubeconfig.store import kubeconfig_path

    if parsed.all:
        return log_out_all(cache_directory(os.environ))
    return log_out(kubeconfig_path(parsed.file, os.environ), parsed.context)


def _expand_file(value: str | None, name: str) -> str | None:
    """The content of FILE for a value @FILE, of standard input for @-, as az has it."""
    if value is None or not value.startswith("@"):
        return value
    path = value[1:]
    try:
        if path == STANDARD_STREAM:
            content = sys.stdin.read()
        else:
            with open(path, encoding="utf-8-sig", newline="") as file:
                content = file.read()
    except (OSError, ValueError) as error:
        raise UsageError(
            f"the file of --{name.replace('_', '-')} @{path} cannot be read: "
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
other commands:
  azaksauth get-token ...   prints a token for a cluster's API server, as kubectl's plugin does
  azaksauth logout ...      forgets stored tokens

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


def _new_parser(program: str, description: str, epilog: str = "") -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=program,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _credentials_parser() -> argparse.ArgumentParser:
    from .kubeconfig.formats import FORMATS
    from .providers import LOGINS

    parser = _new_parser(
        PROGRAM,
        "Get a working kubeconfig for an Entra-integrated AKS cluster, with no person in the loop.",
        _EPILOG,
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
        "--client-id",
        metavar="ID",
        help="application, or user-assigned identity (or AZURE_CLIENT_ID); for users: public "
        "client to sign in to the API server with",
    )
    identity.add_argument(
        "--client-secret", metavar="@FILE", help="spn: client secret (or AZURE_CLIENT_SECRET)"
    )
    identity.add_argument(
        "--client-certificate",
        metavar="FILE",
        help="spn: PEM or PFX with its private key (or AZURE_CLIENT_CERTIFICATE_PATH)",
    )
    identity.add_argument(
        "--client-cert-password",
        metavar="@FILE",
        help="spn: its password (or AZURE_CLIENT_CERTIFICATE_PASSWORD)",
    )
    identity.add_argument(
        "--federated-token-file",
        metavar="FILE",
        help="workloadidentity: token to exchange (or AZURE_FEDERATED_TOKEN_FILE)",
    )
    identity.add_argument(
        "--identity-resource", metavar="ID", help="msi: resource id of a user-assigned identity"
    )
    identity.add_argument(
        "--service-connection-id",
        metavar="ID",
        help="azurepipelines: service connection (or AZURESUBSCRIPTION_SERVICE_CONNECTION_ID)",
    )
    identity.add_argument(
        "--provider-option",
        action="append",
        metavar="KEY=VALUE",
        help="for a login mode of another package; repeatable, not for secrets",
    )

    cloud = parser.add_argument_group("cloud")
    cloud.add_argument("--environment", "-e", metavar="CLOUD", help="default: AzurePublicCloud")
    cloud.add_argument("--authority-host", metavar="URL", help="of a private or emulated cloud")
    cloud.add_argument("--resource-manager", metavar="URL", help="of a private or emulated cloud")

    output = parser.add_argument_group("kubeconfig")
    output.add_argument(
        "--format",
        choices=FORMATS,
        help="of the user entry (default: exec; token in an Azure DevOps job with the az login)",
    )
    _add_file(output)
    output.add_argument("--context", metavar="NAME", help="name of context, cluster and user")
    output.add_argument(
        "--overwrite-existing",
        action="store_true",
        help="replace an entry of the same name that belongs to another server",
    )
    return parser


def _token_parser() -> argparse.ArgumentParser:
    from .exec_plugin.entry import add_options

    parser = _new_parser(
        f"{PROGRAM} get-token",
        "Print a token for a cluster's API server, from the store or renewed. The options are "
        "those of the user entry in a kubeconfig of format exec.",
    )
    add_options(parser)
    parser.add_argument("--python-path", action="append", help=argparse.SUPPRESS)
    parser.add_argument(
        "--output",
        "-o",
        choices=("json", "token"),
        default="json",
        help="json: an ExecCredential; token: the bare token",
    )
    return parser


def _logout_parser() -> argparse.ArgumentParser:
    parser = _new_parser(
        f"{PROGRAM} logout", "Forget the tokens that are stored for a context, or all of them."
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--context", metavar="NAME", help="default: the current context")
    which.add_argument("--all", action="store_true", help="of every context and kubeconfig")
    _add_file(parser)
    return parser


def _add_file(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--file",
        "-f",
        metavar="PATH",
        help="the kubeconfig, - for standard output where one is written (default: the first of "
        "KUBECONFIG, else ~/.kube/config)",
    )
