"""From an identity to a working kubeconfig: the eight steps in order.

1 user realm, 2 MEX, 3 WS-Trust, 4 and 5 the token for Azure Resource Manager, 6 the cluster's
skeleton, 7 the token for its API server, 8 the kubeconfig. Steps 1 to 3 run beside step 6 where
that does not need their result.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

from .clouds import AZURE_CLI_CLIENT_ID
from .entra.token_endpoint import AccessToken, TokenRequest
from .errors import ClusterError, ResponseError, UsageError
from .exec_plugin.entry import PluginEntry, exec_user
from .exec_plugin.token_cache import TokenFiles
from .kubeconfig import formats
from .kubeconfig.document import DocumentError, dump
from .kubeconfig.merge import entries_for, merge
from .kubeconfig.skeleton import STEP as SKELETON_STEP
from .kubeconfig.skeleton import ClusterSkeleton, EntraIntegration, parse_skeleton
from .kubeconfig.store import update
from .providers import get_token, prepare
from .providers.base import TokenProvider

ANY_ORGANIZATION = "organizations"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Output:
    """The kubeconfig that is wanted.

    path: the file to merge into; None for standard output.
    format: of the user entry, one of formats.FORMATS; None for the default.
    cache: the folder of stored tokens. renewal: the command that made this kubeconfig, as a person
    types it. Both are for the exec plugin.
    context: names context, cluster and user; None for the skeleton's own names.
    overwrite_existing: replace an entry of the same name that belongs to another server.
    """

    path: Path | None
    format: str | None
    cache: Path
    renewal: str
    context: str | None = None
    overwrite_existing: bool = False


class SignIn:
    """An identity, prepared in a thread of its own from start() on."""

    def __init__(self, provider: TokenProvider) -> None:
        self.provider = provider
        self._prepared: Future[None] | None = None

    def start(self) -> None:
        """Begin with what needs no knowledge of the cluster (steps 1 to 3)."""
        if self._prepared is None:
            self._prepared = Future()
            # A daemon: neither Ctrl-C nor a cluster that needs no token waits for it.
            threading.Thread(target=self._prepare, name="sign-in", daemon=True).start()

    def _prepare(self) -> None:
        assert self._prepared is not None
        try:
            prepare(self.provider)
        except BaseException as error:
            self._prepared.set_exception(error)
        else:
            self._prepared.set_result(None)

    def token(self, request: TokenRequest) -> AccessToken:
        """A token, once the preparation is done; raises what either raises."""
        self.start()
        assert self._prepared is not None
        self._prepared.result()
        return get_token(self.provider, request)

    def arm_token(self, arm_audience: str) -> AccessToken:
        """A token for Azure Resource Manager (steps 4 and 5)."""
        tenant = self.provider.tenant or ANY_ORGANIZATION
        return self.token(TokenRequest(arm_audience, tenant, AZURE_CLI_CLIENT_ID, for_arm=True))

    def api_server_token(self, entra: EntraIntegration) -> AccessToken:
        """A token for a cluster's API server (step 7); UsageError for a legacy one, if need be."""
        if entra.legacy and not self.provider.can_ask_legacy_audience:
            raise UsageError(
                "the cluster uses AKS' legacy Entra integration, for which "
                f"--login {self.provider.login} has no token",
                remedy="Use a user's identity or a service principal, or migrate the cluster to "
                "AKS-managed Entra integration.",
            )
        return self.token(
            TokenRequest(
                resource=entra.server_id,
                tenant=entra.tenant_id or self.provider.tenant or ANY_ORGANIZATION,
                client_id=self.provider.options.client_id or entra.client_id,
                legacy=entra.legacy,
            )
        )


def get_credentials(
    sign_in: SignIn, skeleton_source: bytes | Callable[[], bytes], output: Output
) -> dict[str, Any] | None:
    """All eight steps. The result is what both commands return; None after standard output.

    skeleton_source: the cluster's kubeconfig, or what fetches it (step 6), if it must with
    sign_in.arm_token. Raises the errors of every step.
    """
    format_name = output.format or formats.default_format(sign_in.provider.login, os.environ)
    _check_format(sign_in.provider, format_name)
    if isinstance(skeleton_source, bytes):
        skeleton = parse_skeleton(skeleton_source)
    else:
        sign_in.start()
        skeleton = parse_skeleton(skeleton_source())

    if skeleton.entra is None:
        _logger.info("the cluster does not use Entra ID: its kubeconfig is merged as it is")
        return _write(skeleton, skeleton.user_fields, output, {**_LOCAL, "format": format_name})

    az_profile = sign_in.provider.az_profile
    token = sign_in.api_server_token(skeleton.entra)
    identity = {
        "identity": sign_in.provider.identity,
        "login": sign_in.provider.login,
        "tenant": token.tenant,
        "format": format_name,
        "expiresOn": datetime.fromtimestamp(token.expires_on, timezone.utc).isoformat(),
    }
    if format_name == formats.EXEC:
        entry = _plugin_entry(sign_in.provider, skeleton.entra, token, output.renewal)
        files = TokenFiles.of(output.cache, entry)
        module = type(sign_in.provider).__module__
        user_fields: Mapping[str, Any] = exec_user(entry, files.token_file, module)
        store_token = partial(files.store_login, token, az_profile)
        return _write(skeleton, user_fields, output, identity, store_token)
    user_fields = _user_fields(skeleton.entra, token, format_name, sign_in.provider)
    return _write(skeleton, user_fields, output, identity)


_LOCAL: dict[str, Any] = {"identity": None, "login": "local", "tenant": None, "expiresOn": None}


def _check_format(provider: TokenProvider, format_name: str) -> None:
    """Refuse, before any request, a format that the identity cannot fill."""
    if format_name == formats.AZURE and not provider.has_refresh_token:
        raise UsageError(
            f"--format azure needs a refresh token, and --login {provider.login} has none: kubectl "
            "would start a device-code login",
            remedy="Use --format token, or a user's identity.",
        )
    if format_name == formats.KUBELOGIN and provider.login not in formats.KUBELOGIN_MODES:
        raise UsageError(
            f"kubelogin has no login mode like {provider.login}",
            remedy="Use --format exec or token.",
        )


def _plugin_entry(
    provider: TokenProvider, entra: EntraIntegration, token: AccessToken, renewal: str
) -> PluginEntry:
    options = provider.options.provider_options
    # A user's client is the cluster's, or one that was given; others have their own.
    client_id = token.client_id if provider.has_refresh_token else ""
    fields: dict[str, Any] = {"client_id": client_id, **provider.plugin_fields()}
    return PluginEntry(
        login=provider.login,
        tenant_id=token.tenant,
        server_id=entra.server_id,
        legacy=entra.legacy,
        renewal=renewal,
        provider_options=tuple(f"{key}={value}" for key, value in options.items()),
        **fields,
    )


def _user_fields(
    entra: EntraIntegration, token: AccessToken, format_name: str, provider: TokenProvider
) -> Mapping[str, Any]:
    if format_name == formats.TOKEN:
        return formats.token_user(token)
    if format_name == formats.KUBELOGIN:
        return formats.kubelogin_user(entra, provider.login, token, provider.plugin_fields())
    if not token.refresh_token:
        raise ResponseError(
            "Entra issued no refresh token, which --format azure needs",
            step="token for the API server",
            remedy="Use --format token, or another client with --client-id.",
        )
    return formats.azure_user(entra, token)


def _write(
    skeleton: ClusterSkeleton,
    user_fields: Mapping[str, Any],
    output: Output,
    identity: Mapping[str, Any],
    store_token: Callable[[], None] = lambda: None,
) -> dict[str, Any] | None:
    """Step 8; store_token is called once nothing but writing the file can fail any more."""
    entries = entries_for(skeleton, user_fields, output.context)
    if output.path is None:
        try:
            text = dump(merge({}, entries))
        except DocumentError as error:
            raise ClusterError(f"it cannot be written: {error}", step=SKELETON_STEP) from None
        store_token()
        sys.stdout.write(text)
        return None

    def change(existing: dict[str, Any]) -> dict[str, Any]:
        merged = merge(existing, entries, overwrite_existing=output.overwrite_existing)
        store_token()
        return merged

    update(output.path, change, gets_secret="exec" not in user_fields)
    return {
        "context": entries.context,
        "cluster": entries.cluster,
        "user": entries.user,
        "server": entries.server,
        "identity": identity["identity"],
        "login": identity["login"],
        "tenant": identity["tenant"],
        "format": identity["format"],
        "expiresOn": identity["expiresOn"],
        "kubeconfig": str(output.path),
    }
