"""Entra's error numbers (AADSTS...): what each means to the person, and what to do next."""

from __future__ import annotations

_OTHER_IDENTITY = (
    "A user name and a password alone will not do here: use a service principal or a workload "
    "identity, or sign in with az first."
)
_MFA_AT_ARM = (
    " If only Azure Resource Manager asks for it, run this after an az login by service principal, "
    "or pass the cluster's kubeconfig with --skeleton."
)
_SIGN_IN_AGAIN = "Sign in again: repeat the command that made the kubeconfig, or az login."
_MFA = ("a second factor or a Conditional Access rule stands in the way", _OTHER_IDENTITY)
_DEVICE = ("Conditional Access wants a known or compliant device", _OTHER_IDENTITY)
_FEDERATED_CREDENTIAL = (
    "no federated credential of the application matches the token that was presented",
    "Compare issuer, subject and audience of the federated credential in Entra with the token's; "
    "they are compared to the letter.",
)
_REFRESH_TOKEN = ("the refresh token has expired or was revoked", _SIGN_IN_AGAIN)
_NOT_IN_TENANT = (
    "the user is not in this tenant",
    "Give the tenant that the user belongs to with --tenant; a guest has to be invited to the "
    "cluster's tenant first.",
)

# number -> (what it means, what to do next)
MEANINGS: dict[int, tuple[str, str]] = {
    50034: (
        "no such user in this tenant",
        "Check the user name and the tenant (--tenant): the name is the user principal name, like "
        "name@domain.",
    ),
    50053: (
        "the account is locked, or this address is blocked, after too many wrong passwords",
        "Wait until the lock ends or let an administrator lift it; trying again prolongs it.",
    ),
    50055: (
        "the password has expired",
        "Change the password (sign in once in a browser), then store the new one.",
    ),
    50057: ("the account is disabled", "Let an administrator enable the account."),
    50126: (
        "the user name or the password is wrong",
        "Check both, and how the password is passed: quotes, a line end or a character lost in a "
        "shell are the usual cause; a variable or @FILE avoids them.",
    ),
    50056: (
        "the directory has no password for this user",
        "The user is probably federated: use --login federated, or --login password, which asks.",
    ),
    50072: _MFA,
    50074: _MFA,
    50076: _MFA,
    50079: _MFA,
    50158: _MFA,
    53000: _DEVICE,
    53001: _DEVICE,
    53003: ("Conditional Access does not let this sign-in through", _OTHER_IDENTITY),
    50020: _NOT_IN_TENANT,
    51004: _NOT_IN_TENANT,
    90072: _NOT_IN_TENANT,
    50107: (
        "Entra does not know the federation that issued the assertion",
        "Let an administrator compare the identity provider's issuer URI with the federation "
        "settings of the domain in Entra.",
    ),
    50008: (
        "Entra did not accept the SAML assertion",
        "Let an administrator check the identity provider's token signing certificate and claims "
        "in the domain's federation settings, and the clocks of both.",
    ),
    65001: (
        "nobody has consented to this application using that resource",
        "Let an administrator grant consent, or give another application with --client-id.",
    ),
    70043: _REFRESH_TOKEN,
    700082: _REFRESH_TOKEN,
    50173: _REFRESH_TOKEN,
    700016: (
        "the tenant does not know the application",
        "Check the client id (--client-id) and the tenant (--tenant).",
    ),
    7000215: (
        "the client secret is wrong",
        "Pass the secret's value, not its id, and check that it belongs to this application.",
    ),
    7000222: ("the client secret has expired", "Create a new client secret and store it."),
    7000218: (
        "the application is not a public client, so a user's password alone is not accepted",
        "Allow public client flows on the application, or give a public client with --client-id.",
    ),
    7000229: (
        "the application has no service principal in this tenant",
        "Let an administrator create it (az ad sp create --id ...), or check --tenant.",
    ),
    700027: (
        "the certificate is not registered with the application",
        "Upload the certificate's public part to the application, or use the one that is there.",
    ),
    700024: (
        "the token that proves the identity has expired",
        "Run this first in the step, or keep the session active (keepAzSessionActive: true), or "
        "map SYSTEM_ACCESSTOKEN in the step and use --login azurepipelines, which gets a new one.",
    ),
    700211: _FEDERATED_CREDENTIAL,
    700212: _FEDERATED_CREDENTIAL,
    700213: _FEDERATED_CREDENTIAL,
    70021: _FEDERATED_CREDENTIAL,
    90002: (
        "there is no such tenant in this cloud",
        "Check --tenant, and the cloud (az cloud show, or --environment).",
    ),
    500011: (
        "the tenant does not know the resource the token was asked for",
        "Check that the cluster belongs to this tenant, and the cloud.",
    ),
}
_STRONGER_PROOF_NEEDED = frozenset({50072, 50074, 50076, 50079, 50158, 53000, 53001, 53003})


def meaning(number: int) -> str | None:
    """What the error means, half a sentence; None for a number that is not listed."""
    return MEANINGS[number][0] if number in MEANINGS else None


def remedy(number: int | None, *, for_arm: bool) -> str:
    """What to do next. for_arm: the token was for Azure Resource Manager, not for the cluster."""
    if number is None:
        return "Give the correlation id to an administrator, who finds it in the sign-in log."
    if number not in MEANINGS:
        return "Look the number up at login.microsoftonline.com/error."
    text = MEANINGS[number][1]
    return text + _MFA_AT_ARM if for_arm and number in _STRONGER_PROOF_NEEDED else text
