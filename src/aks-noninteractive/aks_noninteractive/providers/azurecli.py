"""The identity that az is signed in with, by running az: for where az is not our own process."""

from __future__ import annotations

import json
import shutil
import subprocess

from ..entra.token_endpoint import AccessToken, TokenRequest
from ..errors import AuthenticationError, NetworkError, ResponseError, UsageError, quote_server
from .base import SignInContext, TokenProvider

STEP = "az account get-access-token"
TIMEOUT = 120.0


class AzureCliProvider(TokenProvider):
    """Asks `az account get-access-token`; az finds its login by its own variables.

    Raises UsageError where there is no az on PATH.
    """

    def __init__(self, context: SignInContext, subscription: str | None) -> None:
        self._context = context
        self._subscription = subscription
        self._identity = ""
        program = shutil.which("az")
        if program is None:
            raise UsageError(
                "there is no az on PATH to take a login from",
                remedy="Install the Azure CLI and sign in with az login, or give an identity of "
                "your own, such as --username with a password.",
            )
        self._program = program

    @property
    def login(self) -> str:
        return "azurecli"

    @property
    def identity(self) -> str:
        return self._identity

    def prepare(self) -> None:
        arguments = ["--subscription", self._subscription] if self._subscription else []
        user = self._run("account", "show", *arguments).get("user")
        self._identity = str(user.get("name", "")) if isinstance(user, dict) else ""

    def get_token(self, request: TokenRequest) -> AccessToken:
        arguments = ["--subscription", self._subscription] if self._subscription else []
        answer = self._run(
            "account", "get-access-token", "--resource", request.resource, *arguments
        )
        token, expires_on = answer.get("accessToken"), answer.get("expires_on")
        if not isinstance(token, str) or not isinstance(expires_on, int):
            raise ResponseError("az answered without a token", step=STEP, remedy="Update az.")
        return AccessToken(
            token=token,
            expires_on=expires_on,
            expires_in=max(0, expires_on - int(self._context.clock())),
            tenant=str(answer.get("tenant", "")),
            client_id="",
        )

    def _run(self, *arguments: str) -> dict[str, object]:
        try:
            done = subprocess.run(
                [self._program, *arguments, "--output", "json", "--only-show-errors"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                encoding="utf-8",
                errors="replace",
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
            raise AuthenticationError(
                f"az gave no token: {quote_server(done.stderr)}",
                step=STEP,
                remedy="Sign in with az login first, or give an identity of your own.",
            )
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ResponseError("az answered no JSON object", step=STEP, remedy="Update az.")
        return answer
