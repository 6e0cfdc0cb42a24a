"""The arguments of the commands."""

import argparse

from azure.cli.core.commands.parameters import get_enum_type, resource_group_name_type
from azure.cli.core.decorators import Completer

from aks_noninteractive.kubeconfig.formats import FORMATS
from aks_noninteractive.providers import LOGINS


@Completer
def _complete_login(cmd, prefix, namespace, **kwargs):  # pylint: disable=unused-argument
    return [login for login in LOGINS if login.startswith(prefix)]


class SubscriptionAction(argparse.Action):  # pylint: disable=too-few-public-methods
    """--subscription without az's warning about one that az does not know.

    Signing in without an az login is what this extension is for, and a warning on standard error
    fails a task that is set to fail on any output there.
    """

    def __call__(self, parser, namespace, values, option_string=None):
        from azure.cli.core._profile import Profile

        profile = Profile(cli_ctx=namespace._cmd.cli_ctx)  # pylint: disable=protected-access
        wanted = values.lower()
        namespace._subscription = next(  # pylint: disable=protected-access
            (
                known["id"]
                for known in profile.load_cached_subscriptions()
                if wanted in (known["id"].lower(), known["name"].lower())
            ),
            values,
        )


def load_arguments(loader, _):
    with loader.argument_context("aks get-credentials-noninteractive") as c:
        c.argument("_subscription", action=SubscriptionAction)
        c.argument("resource_group_name", resource_group_name_type)
        c.argument("name", options_list=["--name", "-n"], help="Name of the cluster.")

        c.argument(
            "login",
            arg_group="Identity",
            completer=_complete_login,
            help=f"How to sign in: {', '.join(LOGINS)}, or a mode of another package. auto, the "
            "default, takes the first identity that is complete: what an option names, then "
            "AAD_LOGIN_METHOD, then the environment's, then the az login; in an Azure DevOps job "
            "the az login comes before the environment. password asks whether Entra manages the "
            "user or federates it.",
        )
        c.argument(
            "username",
            options_list=["--username", "-u"],
            arg_group="Identity",
            help="User principal name. Variable: AZURE_USERNAME.",
        )
        c.argument(
            "password",
            options_list=["--password", "-p"],
            arg_group="Identity",
            help="The user's password. Pass it by the variable AZURE_PASSWORD, as @FILE or at the "
            "prompt: as a plain argument every process of the machine can read it, and --debug "
            "prints it.",
        )
        c.argument(
            "tenant",
            options_list=["--tenant", "-t"],
            arg_group="Identity",
            help="Id or domain of the subscription's tenant, where there is no az login. Variable: "
            "AZURE_TENANT_ID.",
        )
        c.argument(
            "client_id",
            arg_group="Identity",
            help="Application of a service principal or workload identity, or a user-assigned "
            "identity. Variable: AZURE_CLIENT_ID. For users: the public client to sign in to the "
            "API server with, instead of the one that the cluster names.",
        )
        c.argument(
            "client_secret",
            arg_group="Identity",
            help="Of a service principal. Pass it by the variable AZURE_CLIENT_SECRET or as @FILE.",
        )
        c.argument(
            "client_certificate",
            arg_group="Identity",
            help="Of a service principal: path of a PEM or PFX file with its private key. "
            "Variable: AZURE_CLIENT_CERTIFICATE_PATH.",
        )
        c.argument(
            "client_cert_password",
            arg_group="Identity",
            help="Of that file. Variable: AZURE_CLIENT_CERTIFICATE_PASSWORD.",
        )
        c.argument(
            "federated_token_file",
            arg_group="Identity",
            help="Token of a workload identity. Variable: AZURE_FEDERATED_TOKEN_FILE.",
        )
        c.argument(
            "identity_resource",
            arg_group="Identity",
            help="Resource id of a user-assigned managed identity.",
        )
        c.argument(
            "service_connection_id",
            options_list=["--service-connection-id", "--connection-id"],
            arg_group="Identity",
            help="Of Azure Pipelines, for --login azurepipelines. Variable: "
            "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID.",
        )
        c.argument(
            "provider_option",
            action="append",
            arg_group="Identity",
            help="KEY=VALUE for a login mode of another package; repeatable. It stands in the "
            "kubeconfig: no secrets.",
        )

        c.argument(
            "output_format",
            options_list=["--format"],
            arg_type=get_enum_type(FORMATS),
            arg_group="Kubeconfig",
            help="Format of the user entry. exec: this package as credential plugin, which renews "
            "the token by itself. token: the access token itself. azure: the auth-provider of "
            "kubectl up to 1.25, for users only. kubelogin: kubelogin's entry. Default: exec, but "
            "token in an Azure DevOps job with the az login, because the task logs az out.",
        )
        c.argument(
            "file",
            options_list=["--file", "-f"],
            arg_group="Kubeconfig",
            help="Kubeconfig to merge into, - for standard output. Default: the first entry of "
            "KUBECONFIG, else ~/.kube/config.",
        )
        c.argument(
            "context_name",
            options_list=["--context"],
            arg_group="Kubeconfig",
            help="Name of context, cluster and user alike, so that two identities on one cluster "
            "can be there side by side.",
        )
        c.argument(
            "overwrite_existing",
            action="store_true",
            arg_group="Kubeconfig",
            help="Replace an entry of the same name that belongs to another server.",
        )
        c.argument(
            "public_fqdn",
            action="store_true",
            help="Use the public address of a private cluster.",
        )
        c.argument(
            "skeleton",
            help="A kubeconfig of the cluster that someone else fetched, - for standard input. "
            "Azure Resource Manager is not asked then.",
        )

    with loader.argument_context("aks logout-noninteractive") as c:
        c.argument(
            "context_name",
            options_list=["--context"],
            help="The context whose token is forgotten. Default: the current one.",
        )
        c.argument(
            "forget_all",
            options_list=["--all"],
            action="store_true",
            help="Forget the tokens of every context and kubeconfig.",
        )
        c.argument(
            "file",
            options_list=["--file", "-f"],
            help="The kubeconfig. Default: the first entry of KUBECONFIG, else ~/.kube/config.",
        )
