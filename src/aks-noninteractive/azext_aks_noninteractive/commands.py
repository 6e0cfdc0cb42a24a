"""Which commands there are."""

from azext_aks_noninteractive._errors import raise_as_az_error
from azext_aks_noninteractive._validators import validate_get_credentials


def load_command_table(loader, _):
    with loader.command_group("aks", exception_handler=raise_as_az_error) as group:
        group.custom_command(
            "get-credentials-noninteractive",
            "get_credentials_noninteractive",
            validator=validate_get_credentials,
        )
        group.custom_command("logout-noninteractive", "logout_noninteractive")
