"""The identity that az is signed in with, by running az: for where az is not our own process."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from typing import ClassVar

from ..entra import aadsts
from ..entra.token_endpoint import AccessToken, TokenRequest
from ..environment import AZURE_CONFIG_DIRECTORY
from ..errors import AuthenticationError, NetworkError, ResponseError, UsageError, quote_server
from ..exec_plugin import az_profile
from .base import IdentityOptions, SignInContext, TokenProvider

STEP = "az account get-access-token"
TIMEOUT = 120.0


class AzureCliProvider(TokenProvider):
    """Asks `az account get-access-token`.

    program: az's path, None to look on PATH. directory: where az keeps its login.
    subscription: whose account it is; account: its name, if known. Raises UsageError without az.
    """

    name: ClassVar[str] = "azurecli"

    def __init__(
        self,
        options: IdentityOptions,
        context: SignInContext,
        *,
        program: str | None = None,
        directory: str,
        subscription: str | None = None,
        account: str = "",
    ) -> None:
        super().__init__(options, context)
        found = program or shutil.which("az")
        if found is None:
            raise UsageError(
                "there is no az on PATH to take a login from",
                remedy="Install the Azure CLI and sign in with az login, or give an identity of "
                "your own, such as --username with a password.",
            )
        self._program = os.path.abspath(found)
        self._directory = directory
        self._subscription = subscription
        self._account = account

    @property
    def identity(self) -> str:
        return self._account

    @property
    def az_profile(self) -> bytes:
        return az_profile.state(self._directory)

    @property
    def credential(self) -> str:
        return os.fsdecode(self.az_profile)

    def plugin_fields(self) -> Mapping[str, str]:
        return plugin_fields(self._account, self._program, self._directory)

    def prepare(self) -> None:
        if not self._account:
            user = self._run("account", "show", *self._whose()).get("user")
            self._account = str(user.get("name", "")) if isinstance(user, dict) else ""

    def get_token(self, request: TokenRequest) -> AccessToken:
        answer = self._run(
            "account", "get-access-token", "--resource", request.resource, *self._whose()
        )
        token, expires_on = answer.get("accessToken"), answer.get("expires_on")
        if not isinstance(token, str) or not isinstance(expires_on, int):
            raise ResponseError("az answered without a token", step=STEP, remedy="Update az.")
        return AccessToken(
            token=token,
            expires_on=expires_on,
            expires_in=max(0, expires_on - int(self.context.clock())),
            tenant=str(answer.get("tenant", "")),
            client_id="",
        )

    def _whose(self) -> list[str]:
        return ["--subscription", self._subscription] if self._subscription else []

    def _run(self, *arguments: str) -> dict[str, object]:
        try:
            done = subprocess.run(
                [self._program, *arguments, "--output", "json", "--only-show-errors"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                env={**os.environ, AZURE_CONFIG_DIRECTORY: self._directory},
                timeout=TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NetworkError(
                f"az did not run to its end ({type(error).__name__})",
                step=STEP,
                remedy="Try the command by hand.",
            ) from None
        if done.returncode != 0:
            raise _failure(done.stderr)
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ResponseError("az answered no JSON object", step=STEP, remedy="Update az.")
        return answer


def plugin_fields(account: str, program: str, directory: str) -> dict[str, str]:
    """What the exec plugin needs to ask the same az for the same account again."""
    return {"account": account, "az": program, "azure_config_dir": directory}


def _failure(errors: str) -> AuthenticationError | NetworkError:
    """What az's standard error means: only what az says of its login is a refusal."""
    lines = [line for line in errors.splitlines() if line.startswith("ERROR:")] or errors.split(
        "\n"
    )
    said = quote_server(lines[-1].removeprefix("ERROR:"))
    if "AADSTS" not in errors and "az login" not in errors:
        return NetworkError(f"az failed: {said}", step=STEP, remedy="Try the command by hand.")
    found = re.search(r"AADSTS(\d+)", errors)
    advice = "Sign in with az login first, or give an identity of your own."
    if found and aadsts.meaning(int(found[1])):
        advice = aadsts.remedy(int(found[1]), for_arm=False)
    return AuthenticationError(f"az gave no token: {said}", step=STEP, remedy=advice)
