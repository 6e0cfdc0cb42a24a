"""The arguments of the commands."""

import argparse

from azure.cli.core.commands.parameters import get_enum_type, resource_group_name_type

from aks_noninteractive.kubeconfig.formats import FORMATS
from aks_noninteractive.providers import LOGINS


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
            arg_type=get_enum_type(LOGINS),
            arg_group="Identity",
            help="How to sign in. auto takes the first identity that is complete: --username, then "
            "AAD_LOGIN_METHOD, then a user name and password in the environment, then the az "
            "login. password asks whether Entra manages the user or federates it.",
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
            help="For users: the public client to sign in to the API server with, instead of the "
            "one that the cluster names.",
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
