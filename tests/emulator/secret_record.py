"""Every secret that the emulator has given out or was sent, so that a test can look for leaks."""

from __future__ import annotations

# The credentials of a token request, by the names of their parameters.
_CREDENTIALS = {
    "assertion": "SAML assertion",
    "client_assertion": "client assertion",
    "client_secret": "client secret",
    "password": "password",
    "refresh_token": "refresh token",
}


class SecretRecord:
    """Secrets with their kinds, each once; safe to use from any thread."""

    def __init__(self) -> None:
        self._kinds: dict[str, str] = {}

    def add(self, kind: str, value: str) -> str:
        """Note a secret; the secret itself."""
        if value:
            self._kinds.setdefault(value, kind)
        return value

    def add_form(self, form: dict[str, str]) -> None:
        """Note the credentials in the form of a token request."""
        for name, kind in _CREDENTIALS.items():
            self.add(kind, form.get(name, ""))

    def items(self) -> list[tuple[str, str]]:
        """All of them so far: kind, secret."""
        return [(kind, value) for value, kind in list(self._kinds.items())]
