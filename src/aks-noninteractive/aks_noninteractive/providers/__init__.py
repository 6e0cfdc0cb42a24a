"""The identities, and which of them the arguments and the environment mean."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from inspect import isabstract

from .. import environment
from ..entra.token_endpoint import AccessToken, TokenRequest
from ..errors import AksAuthError, AuthenticationError, UsageError
from .base import IdentityOptions, SignInContext, TokenProvider

AUTO = "auto"
AZURE_CLI = "azurecli"
ENTRY_POINT_GROUP = "aks_noninteractive.token_providers"

# Login mode -> where its provider is; imported when it is asked for.
_BUILT_IN = {
    "password": ".password:PasswordProvider",
    "managed": ".password:ManagedProvider",
    "federated": ".password:FederatedProvider",
    "spn": ".service_principal:ServicePrincipalProvider",
    "workloadidentity": ".workload_identity:WorkloadIdentityProvider",
    "msi": ".managed_identity:ManagedIdentityProvider",
    "azurepipelines": ".azure_pipelines:AzurePipelinesProvider",
    "githubactions": ".github_actions:GitHubActionsProvider",
}
LOGINS = (AUTO, AZURE_CLI, *_BUILT_IN)

# kubelogin's names for what has another name here.
_ALIASES = {"ropc": "password"}
_NEED_A_PERSON = ("devicecode", "interactive", "azd")

# Options that only one identity has, and which.
_IDENTITY_OPTIONS = {
    "username": "password",
    "password": "password",
    "client_secret": "spn",
    "client_certificate": "spn",
    "client_cert_password": "spn",
    "federated_token_file": "workloadidentity",
    "identity_resource": "msi",
    "service_connection_id": "azurepipelines",
}
# What one login mode and another have in common.
_TAKES_OPTIONS_OF = {"managed": "password", "federated": "password"}
# The environment's candidates, the first complete one is taken.
_CANDIDATES = ("password", "azurepipelines", "githubactions", "workloadidentity", "spn")

_OURS = ("aks_noninteractive.", "azext_aks_noninteractive.")

_logger = logging.getLogger(__name__)


def resolve(options: IdentityOptions, context: SignInContext) -> TokenProvider:
    """The identity that options mean, completed from the environment. Raises UsageError."""
    report_broken_plugins()
    login = canonical_login(options.login)
    _refuse_options_of_others(login, options)
    if login == AUTO:
        login, why = _choose(options, context)
        _logger.info("identity: %s, because of %s", login, why)
    login = _github_for_workload_identity(login, options, context)
    if login == AZURE_CLI:
        if options.client_id:
            raise UsageError(
                "--client-id has no meaning for the az login",
                remedy="Leave it out, or complete the identity that it belongs to.",
            )
        if context.az_login is None:
            raise UsageError(
                "--login azurecli, but there is no az that is signed in and knows the subscription",
                remedy="Sign in with az login first, or give an identity of your own.",
            )
        return context.az_login()
    if options.login != AUTO:
        options = replace(options, login=login)
    provider = _provider_class(login)
    missing = provider.missing(options, context)
    if missing:
        raise UsageError(
            f"--login {login} lacks {' and '.join(missing)}",
            remedy="Set the variables, or give the options.",
        )
    return provider(options, context)


def prepare(provider: TokenProvider) -> None:
    """provider.prepare(); whatever another package's provider raises becomes one of our errors."""
    _call(provider, provider.prepare)


def get_token(provider: TokenProvider, request: TokenRequest) -> AccessToken:
    """provider.get_token(request), likewise."""
    token = _call(provider, lambda: provider.get_token(request))
    if not isinstance(token, AccessToken):
        raise _fault(provider, f"its token is of type {type(token).__name__}")
    return token


def _call(provider: TokenProvider, method: Callable[[], object]) -> object:
    try:
        return method()
    except AksAuthError:
        raise
    except Exception as error:
        if type(provider).__module__.startswith(_OURS):
            raise  # a fault of ours, or az's own error
        raise _fault(provider, f"{type(error).__name__}: {error}") from None


def _fault(provider: TokenProvider, problem: str) -> AuthenticationError:
    return AuthenticationError(
        f"the login mode failed ({problem})",
        step=f"--login {provider.name}",
        remedy=f"Mend or remove the package of {type(provider).__module__}.",
    )


def canonical_login(name: str) -> str:
    """Our name of a login mode, kubelogin's accepted; UsageError for one that needs a person."""
    login = _ALIASES.get(name.lower(), name.lower())
    if login in _NEED_A_PERSON:
        raise UsageError(
            f"the login mode {name!r} needs a person, or another program's login",
            remedy=f"Use one of {', '.join(LOGINS)}.",
        )
    return login


def report_broken_plugins() -> None:
    """With --verbose, say which login modes of other packages cannot be loaded, and why."""
    if _logger.isEnabledFor(logging.INFO):
        for entry in entry_points(group=ENTRY_POINT_GROUP):
            try:
                _load(entry)
            except UsageError as error:
                _logger.info("%s", error)


def _refuse_options_of_others(login: str, options: IdentityOptions) -> None:
    """UsageError where options of two identities are given, or of another than login."""
    owner = _TAKES_OPTIONS_OF.get(login, login)
    given = [name for name in _IDENTITY_OPTIONS if getattr(options, name) is not None]
    owners = {_IDENTITY_OPTIONS[name] for name in given}
    if login in LOGINS and login != AUTO:
        owners.add(owner)
    if len(owners) > 1:
        names = ", ".join("--" + name.replace("_", "-") for name in given)
        raise UsageError(
            f"{names}{f' with --login {login}' if login != AUTO else ''}: these are options of "
            f"different identities ({', '.join(sorted(owners))})",
            remedy="Leave out those of the other identity.",
        )


def _choose(options: IdentityOptions, context: SignInContext) -> tuple[str, str]:
    """The first complete candidate, and what decided for it."""
    for name, login in _IDENTITY_OPTIONS.items():
        if getattr(options, name) is not None:
            return login, "--" + name.replace("_", "-")
    method = context.environ.get(environment.LOGIN_METHOD)
    if method and method.lower() != AUTO:
        return canonical_login(method), environment.LOGIN_METHOD

    # A build agent's own pod identity, or a stray variable, must not win over the service
    # connection that the task has logged in.
    az_first = bool(context.environ.get(environment.TF_BUILD) and context.az_login)
    nobody_to_ask = replace(context, ask_password=None)
    looked_for = []
    for login in _CANDIDATES:
        if az_first and login != "azurepipelines":
            continue
        missing = _provider_class(login).missing(options, nobody_to_ask)
        if not missing:
            return login, "the environment"
        looked_for.append(f"{login} lacks {' and '.join(missing)}")
        _logger.info("identity: not %s", looked_for[-1])
    if context.az_login is not None:
        return AZURE_CLI, "the az login"
    raise UsageError(
        "no identity: neither an option nor AAD_LOGIN_METHOD names one, az is not signed in (or "
        f"does not know the subscription), and in the environment {'; '.join(looked_for)}",
        remedy="Give --username and set AZURE_PASSWORD, or give another identity, or sign in with "
        "az login.",
    )


def _github_for_workload_identity(
    login: str, options: IdentityOptions, context: SignInContext
) -> str:
    """As kubelogin has it: a workload identity in a GitHub job, with no file, is the job's own."""
    if login != "workloadidentity" or context.environ.get(environment.FEDERATED_TOKEN_FILE[0]):
        return login
    in_github = context.environ.get(environment.GITHUB_REQUEST_URL)
    return "githubactions" if in_github and not options.federated_token_file else login


def _provider_class(login: str) -> type[TokenProvider]:
    if login in _BUILT_IN:
        module, _, name = _BUILT_IN[login].partition(":")
        provider: type[TokenProvider] = getattr(import_module(module, __name__), name)
        return provider
    for entry in entry_points(group=ENTRY_POINT_GROUP, name=login):
        return _load(entry)
    raise UsageError(
        f"there is no login mode {login!r}",
        remedy=f"Use one of {', '.join([*LOGINS, *_plugin_names()])}.",
    )


def _plugin_names() -> Iterator[str]:
    return (entry.name for entry in entry_points(group=ENTRY_POINT_GROUP))


def _load(entry: EntryPoint) -> type[TokenProvider]:
    """The provider of another package; UsageError where it cannot be imported or is none."""
    package = entry.dist.name if entry.dist else "another package"
    try:
        provider = entry.load()
    except Exception as error:  # whatever a stranger's module raises disables only itself
        raise UsageError(
            f"the login mode {entry.name!r} of {package} cannot be loaded "
            f"({type(error).__name__}: {error})",
            remedy=f"Mend or remove the package {package}.",
        ) from None
    if not (isinstance(provider, type) and issubclass(provider, TokenProvider)) or isabstract(
        provider
    ):
        raise UsageError(
            f"the login mode {entry.name!r} of {package} is not a TokenProvider",
            remedy=f"Mend or remove the package {package}.",
        )
    return provider
