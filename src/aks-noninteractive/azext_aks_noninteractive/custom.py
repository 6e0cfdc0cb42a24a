"""The commands: az's arguments, login and cloud handed to the engine.

az imports this for our own commands only, so the engine is imported at the top.
"""

import os
import sys
import time
from dataclasses import replace

from azure.cli.core.commands.client_factory import get_mgmt_service_client
from azure.cli.core.util import should_disable_connection_verify
from knack.log import get_logger
from knack.prompting import prompt_pass

from aks_noninteractive.arguments import (
    STANDARD_STREAM,
    check_subscription_id,
    command_line,
    parse_provider_options,
    read_skeleton,
    strip_line_end,
)
from aks_noninteractive.arm import ClusterCredentialClient, FunctionCredential
from aks_noninteractive.clouds import cloud_from_az
from aks_noninteractive.entra.http import HttpClient
from aks_noninteractive.errors import UsageError
from aks_noninteractive.exec_plugin.logout import log_out, log_out_all
from aks_noninteractive.exec_plugin.token_cache import cache_directory
from aks_noninteractive.kubeconfig.store import kubeconfig_path
from aks_noninteractive.providers import resolve
from aks_noninteractive.providers.base import IdentityOptions, SignInContext
from aks_noninteractive.sequence import Output, SignIn, get_credentials
from azext_aks_noninteractive._az_login import AzLoginProvider, find_account
from azext_aks_noninteractive._logging import log_with_az

logger = get_logger(__name__)


# az takes a command's arguments from the signature of its function.
# pylint: disable=too-many-arguments,too-many-positional-arguments,too-many-locals
def get_credentials_noninteractive(
    cmd,
    resource_group_name=None,
    name=None,
    login="auto",
    username=None,
    password=None,
    tenant=None,
    client_id=None,
    client_secret=None,
    client_certificate=None,
    client_cert_password=None,
    federated_token_file=None,
    identity_resource=None,
    service_connection_id=None,
    provider_option=None,
    output_format=None,
    file=None,
    context_name=None,
    overwrite_existing=False,
    public_fqdn=False,
    skeleton=None,
):
    log_with_az()
    cli_ctx = cmd.cli_ctx
    options = IdentityOptions(
        login=login,
        username=username,
        password=_secret(password),
        tenant=tenant,
        client_id=client_id,
        client_secret=_secret(client_secret),
        client_certificate=client_certificate,
        client_cert_password=_secret(client_cert_password),
        federated_token_file=federated_token_file,
        identity_resource=identity_resource,
        service_connection_id=service_connection_id,
        provider_options=parse_provider_options(provider_option),
    )
    account = find_account(cli_ctx)
    subscription = None if skeleton else _subscription(cli_ctx, account)
    sign_in = SignIn(resolve(options, _context(cli_ctx, account, options)))
    if subscription and account and not isinstance(sign_in.provider, AzLoginProvider):
        logger.info(
            "identity: Azure Resource Manager is asked as %s (the az login), the API server as %s",
            account["user"]["name"],
            sign_in.provider.identity,
        )
    renewal = {
        "--resource-group": resource_group_name,
        "--name": name,
        "--subscription": subscription,
        "--login": None if login == "auto" else login,
        "--username": username,
        "--tenant": tenant,
        "--client-id": client_id,
        "--client-certificate": client_certificate,
        "--federated-token-file": federated_token_file,
        "--identity-resource": identity_resource,
        "--service-connection-id": service_connection_id,
        "--provider-option": provider_option,
        "--format": output_format,
        "--file": file,
        "--context": context_name,
        "--public-fqdn": public_fqdn,
        "--skeleton": skeleton,
    }
    output = Output(
        path=None if file == STANDARD_STREAM else kubeconfig_path(file, os.environ),
        format=output_format,
        context=context_name,
        overwrite_existing=overwrite_existing,
        cache=cache_directory(os.environ),
        renewal=command_line("az aks get-credentials-noninteractive", renewal),
    )
    if skeleton:
        return get_credentials(sign_in, read_skeleton(skeleton), output)
    client = _arm_client(cli_ctx, account, subscription, sign_in)
    return get_credentials(
        sign_in,
        lambda: client.list_cluster_user_credential(
            resource_group_name, name, public_fqdn=public_fqdn
        ),
        output,
    )


def logout_noninteractive(cmd, context_name=None, forget_all=False, file=None):  # pylint: disable=unused-argument
    if forget_all:
        return log_out_all(cache_directory(os.environ))
    return log_out(kubeconfig_path(file, os.environ), context_name)


def _cloud(cli_ctx):
    endpoints = cli_ctx.cloud.endpoints
    return cloud_from_az(
        cli_ctx.cloud.name,
        endpoints.active_directory,
        endpoints.resource_manager,
        endpoints.active_directory_resource_id,
    )


def _context(cli_ctx, account, options):
    context = SignInContext(
        http=HttpClient(verify=not should_disable_connection_verify()),
        cloud=_cloud(cli_ctx),
        clock=time.time,
        environ=os.environ,
        ask_password=prompt_pass if sys.stdin.isatty() else None,
    )
    if not account:
        return context
    return replace(context, az_login=lambda: AzLoginProvider(options, context, cli_ctx, account))


def _secret(value):
    """A secret that az may have read from @FILE, where it leaves a carriage return behind."""
    return None if value is None else strip_line_end(value)


def _subscription(cli_ctx, account):
    """The id of the cluster's subscription; UsageError where neither az nor the caller says."""
    if account:
        return account["id"]
    subscription = cli_ctx.data.get("subscription_id")
    if not subscription:
        raise UsageError(
            "az is not signed in, and there is no --subscription",
            remedy="Give --subscription ID, or sign in with az login.",
        )
    check_subscription_id(subscription)
    return subscription


def _arm_client(cli_ctx, account, subscription, sign_in):
    """Azure Resource Manager with az's login, if it knows the subscription, else the identity."""
    credential = None
    if not account:
        audience = cli_ctx.cloud.endpoints.active_directory_resource_id
        credential = FunctionCredential(lambda: sign_in.arm_token(audience))
    return get_mgmt_service_client(
        cli_ctx, ClusterCredentialClient, subscription_id=subscription, credential=credential
    )
