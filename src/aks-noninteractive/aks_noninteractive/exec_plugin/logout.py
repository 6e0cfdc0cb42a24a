"""Forgetting stored tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import KubeconfigError
from ..kubeconfig.skeleton import named_entries, referred
from ..kubeconfig.store import read
from .entry import find_entry
from .token_cache import TokenFiles, forget_all


def log_out_all(cache: Path) -> dict[str, Any]:
    """Forget every stored token. The result says of how many identities and servers."""
    return {"context": None, "identity": None, "forgotten": forget_all(cache)}


def log_out(path: Path, context: str | None) -> dict[str, Any]:
    """Forget what is stored for a context of the kubeconfig at path, the current one for None.

    The result says whose token it was, and whether (1) or not (0) there was one. Raises
    KubeconfigError where the context is not there, or its user is not an entry of ours.
    """
    document = read(path)
    current = document.get("current-context")
    name = context or (current if isinstance(current, str) else "")
    contexts = named_entries(document, "contexts", "context")
    if name not in contexts:
        raise KubeconfigError(
            f"{path} has no context {name!r}" if name else f"{path} has no current context",
            step="kubeconfig",
            remedy="Give one with --context, or --all to forget every stored token.",
        )
    users = named_entries(document, "users", "user")
    found = find_entry(referred(contexts[name], "user", users))
    if found is None:
        raise KubeconfigError(
            f"nothing is stored for the context {name!r}: its user has its credential in the "
            "kubeconfig, or from elsewhere",
            step="kubeconfig",
            remedy=f"Remove it with: kubectl config delete-context {name}",
        )
    entry, token_file = found
    if token_file.name != f"{entry.file_stem}.token" or "\0" in str(token_file):
        raise KubeconfigError(
            f"the context {name!r} names a token file that is not its own", step="kubeconfig"
        )
    files = TokenFiles(token_file)
    with files.locked():
        return {"context": str(name), "identity": entry.identity, "forgotten": int(files.forget())}
