"""A workload identity: the token is in a file, as AKS' webhook and others put it there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from .. import environment
from ..environment import first_of
from ..errors import AuthenticationError
from .base import IdentityOptions
from .token_exchange import TokenExchangeProvider

STEP = "federated token file"


class WorkloadIdentityProvider(TokenExchangeProvider):
    """The file is read afresh for each token, because Kubernetes rewrites it."""

    name: ClassVar[str] = "workloadidentity"

    @classmethod
    def missing_source(cls, options: IdentityOptions, environ: Mapping[str, str]) -> list[str]:
        if _file(options, environ):
            return []
        return ["a token file (--federated-token-file, or AZURE_FEDERATED_TOKEN_FILE)"]

    def plugin_fields(self) -> Mapping[str, str]:
        # kubectl may be called in any folder.
        file = os.path.abspath(os.path.expanduser(_file(self.options, self.context.environ)))
        return {**super().plugin_fields(), "federated_token_file": file}

    def assertion(self) -> str:
        file = _file(self.options, self.context.environ)
        try:
            assertion = Path(file).expanduser().read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise AuthenticationError(
                f"{file} cannot be read: {getattr(error, 'strerror', None) or 'it is not a token'}",
                step=STEP,
                remedy="Check AZURE_FEDERATED_TOKEN_FILE; in AKS, that the pod has the label "
                "azure.workload.identity/use.",
            ) from None
        if not assertion:
            raise AuthenticationError(
                f"{file} is empty", step=STEP, remedy="Check what writes the token there."
            )
        return assertion


def _file(options: IdentityOptions, environ: Mapping[str, str]) -> str:
    found = first_of(environ, environment.FEDERATED_TOKEN_FILE)
    return options.federated_token_file or found or ""
