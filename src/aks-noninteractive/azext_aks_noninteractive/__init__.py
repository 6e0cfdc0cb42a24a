"""The az extension: `az aks get-credentials-noninteractive`."""

from azure.cli.core import AzCommandsLoader

from azext_aks_noninteractive._help import helps  # noqa: F401  # pylint: disable=unused-import


class AksNoninteractiveCommandsLoader(AzCommandsLoader):
    """Loads the commands and their arguments."""

    def __init__(self, cli_ctx=None):
        from azure.cli.core.commands import CliCommandType

        custom = CliCommandType(operations_tmpl="azext_aks_noninteractive.custom#{}")
        super().__init__(cli_ctx=cli_ctx, custom_command_type=custom)

    def load_command_table(self, args):
        from azext_aks_noninteractive.commands import load_command_table

        load_command_table(self, args)
        return self.command_table

    def load_arguments(self, command):
        from azext_aks_noninteractive._params import load_arguments

        load_arguments(self, command)


COMMAND_LOADER_CLS = AksNoninteractiveCommandsLoader
