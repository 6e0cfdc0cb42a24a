"""Our errors as az's, so that az prints, colours and counts them as its own."""

from aks_noninteractive import errors
from aks_noninteractive.entra import aadsts


def raise_as_az_error(error):
    """The exception handler of the command group: ours become az's, az's own go on.

    But for one: that the id token is too old which a federated az login has signed in with. The
    commonest failure in Azure Pipelines; az advises to log in again there, which nobody can.
    """
    from azure.cli.core import azclierror

    if isinstance(error, azclierror.AuthenticationError) and "AADSTS700024" in str(error):
        raise azclierror.AuthenticationError(
            f"az's login has no new token (AADSTS700024): {aadsts.meaning(700024)}",
            recommendation=aadsts.remedy(700024, for_arm=True),
        ) from None
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
