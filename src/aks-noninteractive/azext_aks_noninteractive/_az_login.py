"""What az's own login gives: the account of a subscription, and tokens in az's process."""

import os
import shutil
import sys

from aks_noninteractive.entra.token_endpoint import AccessToken
from aks_noninteractive.exec_plugin import az_profile
from aks_noninteractive.providers.azurecli import plugin_fields
from aks_noninteractive.providers.base import TokenProvider


def find_account(cli_ctx):
    """az's account for the subscription of this call, None where az has none.

    az may not be signed in, or not know the subscription that --subscription names.
    """
    from azure.cli.core._profile import Profile

    wanted = cli_ctx.data.get("subscription_id")
    for account in Profile(cli_ctx=cli_ctx).load_cached_subscriptions():
        if account["id"] == wanted or (wanted is None and account.get("isDefault")):
            return account
    return None


class AzLoginProvider(TokenProvider):
    """The identity that az is signed in with, asked within az's own process."""

    name = "azurecli"

    def __init__(self, options, context, cli_ctx, account):
        super().__init__(options, context)
        self._cli_ctx = cli_ctx
        self._account = account
        self._directory = os.path.abspath(cli_ctx.config.config_dir)

    @property
    def identity(self):
        return self._account["user"]["name"]

    @property
    def tenant(self):
        return self._account["tenantId"]

    @property
    def az_profile(self):
        return az_profile.state(self._directory)

    def plugin_fields(self):
        return plugin_fields(self.identity, _az_program(), self._directory)

    def get_token(self, request):
        from azure.cli.core._profile import Profile
        from azure.cli.core.auth.util import resource_to_scopes

        own = self._account["tenantId"]
        where = (
            {"tenant": request.tenant}
            if request.tenant and request.tenant != own
            else {"subscription": self._account["id"]}
        )
        (_, token, entry), _, tenant = Profile(cli_ctx=self._cli_ctx).get_raw_token(
            scopes=resource_to_scopes(request.resource), **where
        )
        expires_on = int(entry["expires_on"])
        return AccessToken(
            token=token,
            expires_on=expires_on,
            expires_in=max(0, expires_on - int(self.context.clock())),
            tenant=tenant,
            client_id="",
        )


def _az_program():
    """The az of this process: beside its Python, else on PATH; "" where it is neither."""
    found = shutil.which("az", path=os.path.dirname(sys.executable)) or shutil.which("az")
    return os.path.abspath(found) if found else ""
