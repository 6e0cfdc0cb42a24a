"""A GitHub Actions job: its OIDC token, asked for as actions/core does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import quote

from .. import environment
from .base import IdentityOptions, SignInContext
from .token_exchange import TokenExchangeProvider, token_in

STEP = "id token of the GitHub Actions job"


class GitHubActionsProvider(TokenExchangeProvider):
    """The job's token, meant for the exchange in this cloud."""

    name: ClassVar[str] = "githubactions"

    def __init__(self, options: IdentityOptions, context: SignInContext) -> None:
        super().__init__(options, context)
        self._assertion = ""

    @classmethod
    def missing_source(cls, options: IdentityOptions, environ: Mapping[str, str]) -> list[str]:
        names = (environment.GITHUB_REQUEST_URL, environment.GITHUB_REQUEST_TOKEN)
        if all(environ.get(name) for name in names):
            return []
        return [f"{' and '.join(names)} (permissions: id-token: write)"]

    @property
    def credential(self) -> str:
        return self.context.environ[environment.GITHUB_REQUEST_TOKEN]

    def prepare(self) -> None:
        environ = self.context.environ
        audience = quote(self.context.cloud.exchange_audience, safe="")
        response = self.context.http.get(
            f"{environ[environment.GITHUB_REQUEST_URL]}&audience={audience}",
            step=STEP,
            headers={
                "Authorization": f"bearer {environ[environment.GITHUB_REQUEST_TOKEN]}",
                "Accept": "application/json",
            },
        )
        self._assertion = token_in(
            response,
            "value",
            step=STEP,
            remedy="Give the job permissions: id-token: write, and use the token's variables in "
            "the job that they are of.",
        )

    def assertion(self) -> str:
        return self._assertion
