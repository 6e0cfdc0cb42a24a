"""The identities, and which of them the arguments and the environment mean."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .. import environment
from ..environment import first_of
from ..errors import UsageError
from .base import IdentityOptions, SignInContext, TokenProvider

AUTO = "auto"
AZURE_CLI = "azurecli"
PASSWORD_LOGINS = ("password", "managed", "federated")
LOGINS = (AUTO, AZURE_CLI, *PASSWORD_LOGINS)

# kubelogin's names for what has another name here.
_ALIASES = {"ropc": "password"}
_NEED_A_PERSON = ("devicecode", "interactive", "azd")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Surroundings:
    """What an identity is resolved with, apart from the options.

    az_login: makes the provider of az's own login; None where az is not signed in.
    ask_password: asks the person for a user's password; None where nobody sits there.
    """

    context: SignInContext
    environ: Mapping[str, str]
    az_login: Callable[[], TokenProvider] | None
    ask_password: Callable[[str], str] | None


def resolve(options: IdentityOptions, surroundings: Surroundings) -> TokenProvider:
    """The identity that options mean, completed from the environment. Raises UsageError."""
    login = canonical_login(options.login)
    if login == AUTO:
        login, why = _choose(options, surroundings)
        _logger.info("identity: %s, because of %s", login, why)
    if login == AZURE_CLI:
        if options.username or options.password:
            raise UsageError(
                "--username and --password are another identity than --login azurecli",
                remedy="Leave one of them out.",
            )
        if surroundings.az_login is None:
            raise _no_az_login()
        return surroundings.az_login()
    return _user(login, options, surroundings)


def canonical_login(name: str) -> str:
    """Our name of a login mode, kubelogin's accepted; UsageError for an unknown one."""
    login = _ALIASES.get(name.lower(), name.lower())
    if login in LOGINS:
        return login
    if login in _NEED_A_PERSON:
        raise UsageError(
            f"the login mode {name!r} needs a person",
            remedy=f"Use one of {', '.join(LOGINS)}.",
        )
    raise UsageError(f"there is no login mode {name!r}", remedy=f"Use one of {', '.join(LOGINS)}.")


def _choose(options: IdentityOptions, surroundings: Surroundings) -> tuple[str, str]:
    """The first complete candidate, and what decided for it."""
    environ = surroundings.environ
    if options.username or options.password is not None:
        return "password", "--username"
    method = environ.get(environment.LOGIN_METHOD)
    if method:
        return canonical_login(method), environment.LOGIN_METHOD
    username = first_of(environ, environment.USERNAME)
    password = _password_of(username, environ) if username else None
    # A build agent's stray variables must not win over the connection its task logged in.
    prefers_az = environ.get(environment.TF_BUILD) and surroundings.az_login
    if username and password and not prefers_az:
        return "password", "user name and password in the environment"
    if username:
        why = "as az is signed in" if password else "it has no password"
        _logger.info("identity: not %s of the environment, %s", username, why)
    if surroundings.az_login:
        return AZURE_CLI, "the az login"
    raise UsageError(
        "no identity: there is neither --username, nor AAD_LOGIN_METHOD, nor a user name and a "
        "password in the environment (AZURE_USERNAME and AZURE_PASSWORD), nor an az login",
        remedy="Give --username and set AZURE_PASSWORD, or sign in with az login.",
    )


def _user(login: str, options: IdentityOptions, surroundings: Surroundings) -> TokenProvider:
    from .password import PasswordProvider

    username = options.username or first_of(surroundings.environ, environment.USERNAME)
    password = options.password
    if password is None and username:
        password = _password_of(username, surroundings.environ)
    if username and password is None and surroundings.ask_password:
        password = surroundings.ask_password(f"Password of {username}: ")
    missing = [
        *([] if username else ["a user name (--username, or AZURE_USERNAME)"]),
        *([] if password else ["a password (AZURE_PASSWORD, or --password @FILE)"]),
    ]
    if missing:
        raise UsageError(
            f"--login {login} lacks {' and '.join(missing)}",
            remedy="Set the variables, or give the options.",
        )
    assert username and password
    return PasswordProvider(surroundings.context, login, username, password)


def _password_of(username: str, environ: Mapping[str, str]) -> str | None:
    """The password in the environment, unless it stands beside the name of another user.

    Sent for this user it would be wrong, and wrong passwords lock accounts.
    """
    for name, password in zip(environment.USERNAME, environment.PASSWORD, strict=True):
        if environ.get(password) and environ.get(name, "").lower() in ("", username.lower()):
            return environ[password]
    return None


def _no_az_login() -> UsageError:
    return UsageError(
        "--login azurecli, but az is not signed in",
        remedy="Sign in with az login first, or give an identity of your own.",
    )
