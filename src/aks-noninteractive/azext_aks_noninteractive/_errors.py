"""Our errors as az's, so that az prints, colours and counts them as its own."""

from aks_noninteractive import errors


def raise_as_az_error(error):
    """The exception handler of the command group: ours become az's, others go on as they are."""
    from azure.cli.core import azclierror

    if not isinstance(error, errors.AksAuthError):
        raise error
    classes = {
        errors.UsageError: azclierror.ArgumentUsageError,
        errors.AuthenticationError: azclierror.AuthenticationError,
        errors.NetworkError: azclierror.AzureConnectionError,
        errors.ResponseError: azclierror.AzureResponseError,
        errors.ClusterError: azclierror.AzureResponseError,
        errors.KubeconfigError: azclierror.FileOperationError,
    }
    raise classes[type(error)](str(error), recommendation=error.remedy or None) from None
