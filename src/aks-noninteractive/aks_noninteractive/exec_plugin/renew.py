"""A renewal: what runs when the quick path finds no token that is good.

The refresh token first, then what the identity has here and now (a password variable, the az
login), then one line that says what to run. One process at a time renews a token; the others take
what it got, be it a token or a refusal.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from .. import environment
from ..clouds import KNOWN_CLOUDS, PUBLIC_CLOUD
from ..entra.http import HttpClient
from ..entra.token_endpoint import AccessToken, TokenRequest, refresh_token_grant, request_token
from ..errors import AksAuthError, AuthenticationError, NetworkError, UsageError
from ..providers import get_token, prepare, resolve
from ..providers.azurecli import AzureCliProvider
from ..providers.base import IdentityOptions, SignInContext
from . import az_profile
from .entry import PluginEntry, from_arguments
from .miss import is_trusted_but_for_groups
from .quick_path import exec_credential, is_good, read_fields
from .token_cache import StoredToken, TokenFiles, rfc3339

_logger = logging.getLogger(__name__)


def main(token_file: str, arguments: Sequence[str]) -> int:
    """What kubectl started: print a credential, or one line on standard error and return 1."""
    try:
        entry = from_arguments(arguments)
        stored = renew(entry, TokenFiles(Path(token_file)), os.environ)
    except AksAuthError as error:
        print(f"aks-noninteractive: {error}", file=sys.stderr)
        return 1
    sys.stdout.buffer.write(credential_of(stored))
    return 0


def good_token(entry: PluginEntry, files: TokenFiles, environ: Mapping[str, str]) -> StoredToken:
    """What is stored, as long as the quick path would print it, else what renew gets."""
    fields = read_fields(str(files.token_file))
    stored = files.read() if is_good(fields) else None
    return stored or renew(entry, files, environ)


def credential_of(stored: StoredToken) -> bytes:
    """The ExecCredential of a token: it ends when it is to be renewed, or, past that, expires."""
    overdue = time.time() >= stored.use_until
    expiry = rfc3339(stored.expires_on if overdue else stored.use_until)
    return exec_credential(stored.token.encode("ascii"), expiry.encode("ascii"))


def renew(
    entry: PluginEntry,
    files: TokenFiles,
    environ: Mapping[str, str],
    clock: Callable[[], float] = time.time,
) -> StoredToken:
    """A token that is good, renewed if need be and stored.

    clock gives seconds since the epoch. Raises AksAuthError, whose text is one line that names the
    identity and the command that signs in again.
    """
    renewal = _Renewal(entry, files, environ, clock)
    try:
        living = renewal.living_token()
        try:
            # Who still has a token that lives does not wait for somebody else's renewal.
            with files.locked(wait=living is None):
                return renewal.token()
        except NetworkError as error:
            if living is None:
                raise
            _logger.info("%s; the token is used until it expires", error)
            return living
    except AksAuthError as error:
        raise _in_one_line(error, entry) from None


class _Renewal:
    """One renewal, from when it is found to be due."""

    def __init__(
        self,
        entry: PluginEntry,
        files: TokenFiles,
        environ: Mapping[str, str],
        clock: Callable[[], float],
    ) -> None:
        self._entry = entry
        self._files = files
        self._clock = clock
        self._began = clock()
        self._profile = b""
        verify = not environ.get(environment.DISABLE_VERIFICATION)
        cloud = KNOWN_CLOUDS.get(entry.environment, replace(PUBLIC_CLOUD, name=""))
        if entry.login == "msi":  # which of them is the entry's to say
            environ = {k: v for k, v in environ.items() if k not in environment.CLIENT_ID}
        self._context = SignInContext(
            HttpClient(verify=verify),
            replace(cloud, authority_host=entry.authority_host or cloud.authority_host),
            clock,
            environ,
            az_login=self._az_login,
        )
        self._request = TokenRequest(
            entry.server_id, entry.tenant_id, entry.client_id, legacy=entry.legacy
        )

    def living_token(self) -> StoredToken | None:
        """What is stored, if it has not expired and is still this identity's to use."""
        self._read_az_profile()
        stored = self._files.read()
        return stored if stored and self._clock() < stored.expires_on else None

    def token(self) -> StoredToken:
        """The token, whoever got it; the lock is held."""
        self._read_az_profile()
        stored = self._files.read()
        if stored and self._is_good(stored):
            if stored.az_profile != self._profile:  # it changed, but not this account
                stored = replace(stored, az_profile=self._profile)
                self._files.write(stored)
            return stored
        token = self._by_refresh_token() or self._by_identity()
        fresh = StoredToken.of(token, self._clock(), self._profile)
        try:
            self._files.write(fresh)
            if token.refresh_token:
                self._files.write_refresh_token(token.refresh_token)
        except OSError as error:  # a full disk does not take back what Entra has given
            problem = f"the token cannot be stored: {error.strerror or error}"
            _logger.warning("aks-noninteractive: %s; the next call asks for another", problem)
        return fresh

    def _read_az_profile(self) -> None:
        """Raises AuthenticationError where az is not signed in as the token's account any more."""
        entry = self._entry
        if entry.azure_config_dir:
            self._profile = az_profile.state(entry.azure_config_dir)
            self._account = az_profile.find_account(
                entry.azure_config_dir, entry.account, entry.tenant_id
            )

    def _is_good(self, stored: StoredToken) -> bool:
        now = self._clock()
        got_meanwhile = stored.stored_at >= int(self._began)
        return now < stored.use_until or (got_meanwhile and now < stored.expires_on)

    def _by_refresh_token(self) -> AccessToken | None:
        refresh_token = self._files.read_refresh_token()
        if not refresh_token:
            return None
        try:
            return request_token(
                self._context.http,
                self._entry.authority_host,
                self._request,
                refresh_token_grant(refresh_token),
                self._clock,
            )
        except AuthenticationError as error:
            _logger.info("%s", error)
            self._files.write_refresh_token("")
            self._refresh_error = error
            return None

    def _by_identity(self) -> AccessToken:
        try:
            provider = resolve(self._options(), self._context)
        except UsageError as error:
            raise self._refresh_error or AuthenticationError(
                f"none that is stored is good, there is no refresh token, and {error.message}"
            ) from None
        known = self._files.read_refusal(provider.credential)
        if known:
            raise known
        try:
            prepare(provider)
            return get_token(provider, self._request)
        except AuthenticationError as error:
            try:
                self._files.write_refusal(provider.credential, error)
            except OSError as problem:  # what was refused counts for more
                _logger.info("the refusal cannot be stored: %s", problem.strerror or problem)
            raise

    def _options(self) -> IdentityOptions:
        entry = self._entry
        pairs = (option.partition("=") for option in entry.provider_options)
        return IdentityOptions(
            login=entry.login,
            username=entry.username or None,
            tenant=entry.tenant_id,
            client_id=entry.client_id or None,
            client_certificate=entry.client_certificate or None,
            federated_token_file=entry.federated_token_file or None,
            identity_resource=entry.identity_resource or None,
            service_connection_id=entry.service_connection_id or None,
            provider_options={key: value for key, _, value in pairs},
        )

    def _az_login(self) -> AzureCliProvider:
        place = _open_to_others(self._entry.az) if self._entry.az else None
        if place is not None:
            raise AuthenticationError(f"others can write to {place}, az is not run from there")
        return AzureCliProvider(
            self._options(),
            self._context,
            program=self._entry.az or None,
            directory=self._entry.azure_config_dir,
            subscription=self._account.subscription_id,
            account=self._account.name,
        )

    _account: az_profile.AzAccount
    _refresh_error: AuthenticationError | None = None


def _open_to_others(program: str) -> str | None:
    """program, what it leads to or a folder of theirs, if somebody else can put his own there.

    A group may: Homebrew's folders belong to the administrators. What lies beside the Python that
    the kubeconfig names is as good as that.
    """
    if os.name == "nt" or os.path.dirname(program) == os.path.dirname(sys.executable):
        return None
    real = os.path.realpath(program)
    for path in (os.path.dirname(program), os.path.dirname(real), real):
        with suppress(FileNotFoundError):
            if not is_trusted_but_for_groups(os.stat(path)):
                return path
    return None


def _in_one_line(error: AksAuthError, entry: PluginEntry) -> AksAuthError:
    words = [f"no token for {entry.identity}: {error}.", error.remedy]
    if entry.renewal:
        words.append(f"Renew it with: {entry.renewal}")
    return type(error)(" ".join(" ".join(words).split()))
