"""Checks of the arguments, before any request."""

from azure.cli.core.azclierror import RequiredArgumentMissingError


def validate_get_credentials(namespace):
    if namespace.skeleton:
        return
    missing = [
        option
        for option, value in (
            ("--name/-n", namespace.name),
            ("--resource-group/-g", namespace.resource_group_name),
        )
        if not value
    ]
    if missing:
        raise RequiredArgumentMissingError(
            f"the following arguments are required: {', '.join(missing)}",
            "Name the cluster, or pass its kubeconfig with --skeleton.",
        )
